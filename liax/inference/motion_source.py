"""What drives a portrait: a video, or a motion that was measured from one, as a stream of coefficients.

Legend: B frames that go through together, T frames, M directions, S side in pixels, C colours.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liax.errors import UserError
from liax.inference.driving import Driving, constant_rate
from liax.inference.motion import Motion, space_id
from liax.inference.renderer import Renderer
from liax.pictures import Picture
from liax.progress import Progress

Step = tuple[Sequence[Picture], Tensor]
"""The next frames: driving pictures (none, where only a motion is known) and their coefficients a_BM."""


class MotionSource(Protocol):
    """A motion that can be read from the beginning as often as needed, at a constant rate.

    `frames_estimate` is None where it is not known.
    """

    fps: Fraction
    frames_estimate: int | None

    def steps(self) -> Iterator[Step]:
        """All frames in order, made as they are asked for."""

    def at(self, frame: int) -> Tensor:
        """The coefficients a_1M of one frame, counted from 0. Raises UserError when there is no such frame."""

    def nearest(self, pose_deg_3: NDArray[np.floating]) -> int:
        """The frame whose head pose is nearest, of those whose pose is known. Raises UserError when none is."""


class FromVideo:
    """A driving video, measured by the model as it is read.

    Args:
        keep: keep what `steps` measures, some 160 bytes a frame, for `motion`.
    """

    def __init__(self, renderer: Renderer, video: Driving, *, keep: bool = False) -> None:
        self._renderer, self.video, self._keep = renderer, video, keep
        self.fps, self.frames_estimate = video.fps, video.frames_estimate
        self._kept: list[NDArray[np.float32]] = []

    def steps(self) -> Iterator[Step]:
        """See `MotionSource`."""
        self._kept.clear()
        for pictures, a_BM in measured(self._renderer, self._pictures(), self._renderer.batch):
            if self._keep:
                self._kept.append(a_BM.cpu().numpy())
            yield pictures, a_BM

    def at(self, frame: int) -> Tensor:
        """See `MotionSource`."""
        # Together with the frames that `steps` measures it with: how many there are changes how results are rounded.
        start, place = frame - frame % self._renderer.batch, frame % self._renderer.batch
        together = list(islice(self._pictures(), start, start + self._renderer.batch))
        if place >= len(together):
            raise _no_frame(frame)
        return self._renderer.motion(together)[place : place + 1]

    def motion(self) -> Motion:
        """What `steps` has measured, for a source that keeps it."""
        a_TM = np.concatenate(self._kept)
        return Motion(a_TM, self.fps, self.head_pose(len(a_TM)), space_id(self._renderer.model))

    def nearest(self, pose_deg_3: NDArray[np.floating]) -> int:
        """See `MotionSource`."""
        head_pose_T3 = self.head_pose(None)
        return _nearest(head_pose_T3, pose_deg_3)

    def head_pose(self, frames: int | None) -> NDArray[np.float32]:
        """Head poses T×3 in degrees of so many frames, or up to the last one known; NaN where not measured."""
        # The place that `constant_rate` gives to a time.
        known = {math.floor(time_s * self.fps + Fraction(1, 2)): pose_3 for time_s, pose_3 in self.video.poses}
        count = max(known, default=-1) + 1 if frames is None else frames
        head_pose_T3 = np.full((count, 3), np.nan, dtype=np.float32)
        for frame, pose_3 in known.items():
            if frame < count:
                head_pose_T3[frame] = pose_3
        return head_pose_T3

    def _pictures(self) -> Iterator[Picture]:
        # A constant rate before the model, so that frames that are left out cost nothing.
        return constant_rate(self.video.pictures(), self.fps)


class FromFile:
    """A motion from a file. Raises UserError for another model's."""

    def __init__(self, renderer: Renderer, motion: Motion, name: str = "this motion") -> None:
        motion.check_space(space_id(renderer.model), name)
        self._renderer, self._motion = renderer, motion
        self.fps = motion.fps
        self.frames_estimate: int | None = len(motion.coefficients_TM)

    def steps(self) -> Iterator[Step]:
        """See `MotionSource`."""
        for start in range(0, len(self._motion.coefficients_TM), self._renderer.batch):
            yield [], self._tensor(self._motion.coefficients_TM[start : start + self._renderer.batch])

    def at(self, frame: int) -> Tensor:
        """See `MotionSource`."""
        if frame >= len(self._motion.coefficients_TM):
            raise _no_frame(frame)
        return self._tensor(self._motion.coefficients_TM[frame : frame + 1])

    def nearest(self, pose_deg_3: NDArray[np.floating]) -> int:
        """See `MotionSource`."""
        return _nearest(self._motion.head_pose_T3, pose_deg_3)

    def _tensor(self, a_BM: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(a_BM.copy()).to(self._renderer.device)


def measured(renderer: Renderer, pictures: Iterable[Picture], together: int) -> Iterator[Step]:
    """Pictures (uint8 S×S×C) with their coefficients, as soon as so many are there."""
    incoming = iter(pictures)
    while batch := list(islice(incoming, together)):
        yield batch, renderer.motion(batch)


def encode_motion(renderer: Renderer, video: Driving) -> Motion:
    """The motion of a whole video, which is some 160 bytes a frame."""
    source = FromVideo(renderer, video, keep=True)
    with Progress(source.frames_estimate, "measure the motion", "frame") as progress:
        for _, a_BM in source.steps():
            progress.advance(len(a_BM))
    return source.motion()


def known_motion(renderer: Renderer, motion: Motion | str | Path) -> FromFile:
    """A motion, or that of a file. Raises UserError as `FromFile` and `Motion.load` do."""
    if isinstance(motion, Motion):
        return FromFile(renderer, motion)
    return FromFile(renderer, Motion.load(motion), str(motion))


def _nearest(head_pose_T3: NDArray[np.float32], pose_deg_3: NDArray[np.floating]) -> int:
    distance_T = np.linalg.norm(head_pose_T3 - pose_deg_3, axis=1)
    if not np.isfinite(distance_T).any():
        raise UserError("no head pose of the driving is known: give the start frame's number instead of auto")
    return int(np.nanargmin(distance_T))


def _no_frame(frame: int) -> UserError:
    return UserError(f"the driving has no frame {frame}: give a start frame from 0 on that it has, or auto")
