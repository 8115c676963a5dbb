"""A video's motion as a small file, which can be given to any portrait later.

Legend: T frames, M directions, D style width.
"""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from liax import storage
from liax.errors import UserError
from liax.model.layers import EqualLinear
from liax.model.network import LiaX

SUFFIX = ".motion"
FORMAT = "liax-motion-1"


@dataclass(frozen=True, slots=True)
class Motion:
    """The motion of one face.

    Args:
        coefficients_TM: float32, how far the frame's face is along each direction.
        fps: constant rate of the frames.
        head_pose_T3: float32; yaw, pitch, roll in degrees, NaN where they were not measured.
        space_id: `space_id` of the model that measured it: to another model the numbers mean nothing.
    """

    coefficients_TM: NDArray[np.float32]
    fps: Fraction
    head_pose_T3: NDArray[np.float32]
    space_id: str

    def save(self, path: str | Path) -> None:
        """Write it as a safetensors file, as a whole. Raises UserError for a name that does not end in .motion."""
        check_name(path)
        data = save(
            {"coefficients": self.coefficients_TM, "head_pose_deg": self.head_pose_T3},
            {"format": FORMAT, "fps": str(self.fps), "space_id": self.space_id},
        )
        storage.write_bytes(str(path), data)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` has written. Raises UserError for a file that is not there or is something else."""
        with storage.local_copy(str(path)) as local:
            try:
                with safe_open(local, framework="numpy") as file:
                    about = file.metadata() or {}
                    parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
                if about.get("format") != FORMAT:
                    raise ValueError("it is of another format")
                motion = cls(
                    parts["coefficients"], Fraction(about["fps"]), parts["head_pose_deg"], str(about["space_id"])
                )
                motion._check()
            except (SafetensorError, KeyError, ValueError, ZeroDivisionError, TypeError):
                raise UserError(
                    f"{path} is not a motion file: give a {SUFFIX} that `liax animate --save-motion` wrote"
                ) from None
        return motion

    def check_space(self, own_id: str, name: str = "this motion") -> None:
        """Refuse a motion that another model has measured. `own_id` is the `space_id` of the one in use."""
        if self.space_id != own_id:
            raise UserError(f"{name} was measured by another model: use that model, or encode the video again")

    def _check(self) -> None:
        shape = self.coefficients_TM.shape
        if len(shape) != 2 or not all(shape) or self.head_pose_T3.shape != (shape[0], 3) or self.fps <= 0:
            raise ValueError("its parts do not belong together")
        if {self.coefficients_TM.dtype, self.head_pose_T3.dtype} != {np.dtype(np.float32)}:
            raise ValueError("its numbers are not float32")
        if not np.isfinite(self.coefficients_TM).all():
            raise ValueError("not all of its numbers are finite")


def check_name(path: str | Path) -> None:
    """Raise UserError unless a motion can be written under this name."""
    if not str(path).endswith(SUFFIX):
        raise UserError(f"{path} cannot be written: give a name that ends in {SUFFIX}")


def space_id(model: LiaX) -> str:
    """What identifies the space in which a model measures motion: a hash of its dictionary and motion weights.

    It is the same whether or not the constant factors of the weights have been multiplied out for inference.
    """
    linear = model.to_motion
    used_MD = linear.weight * linear.scale if isinstance(linear, EqualLinear) else linear.weight
    digest = hashlib.sha256()
    for weights in (model.directions.weight, used_MD, linear.bias):
        digest.update(weights.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
