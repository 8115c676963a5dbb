"""A model that is ready to be used: a portrait moves like the face in a driving video.

Legend: B batch, C colours, H W pixels, M directions.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import torch

from liax.crop import cut
from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.driving import constant_rate, open_driving
from liax.inference.framing import middle_square, portrait_square
from liax.inference.side_by_side import panel_px, side_by_side
from liax.model.network import LiaX
from liax.model.weights import load_model
from liax.pictures import Picture, from_model, load_picture, to_model
from liax.progress import Progress
from liax.video.encode import VideoWriter

Mode = Literal["relative", "absolute"]
BATCH = 4
"""Driving frames that go through the model together; more only cost memory on a CPU."""


@dataclass(frozen=True, slots=True)
class Animation:
    """What was written."""

    frames: int
    fps: Fraction
    size_px: int


class Animator:
    """Moves portraits. Make one with `from_pretrained`.

    Args:
        model: in eval mode, on `device`.
        device: as PyTorch names it.
    """

    def __init__(self, model: LiaX, device: str = "cpu") -> None:
        self.model, self.device = model, device
        self.size_px = model.config.size_px

    @classmethod
    def from_pretrained(cls, source: str | Path, device: str = "auto", tracking_uri: str | None = None) -> "Animator":
        """Load a model.

        Args:
            source: a folder or `s3://` prefix with `model.safetensors` and `config.json`, or a registered model,
                `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
            device: `auto` takes a GPU where there is one.
            tracking_uri: MLflow's address for a registered model.

        Raises:
            UserError: there is no such model, or its files do not belong together.
        """
        device = choose_device(device)
        if not str(source).startswith("models:/"):
            return cls(load_model(source, device), device)
        from liax.registry.pull import pull  # needs MLflow

        with TemporaryDirectory(prefix="liax-") as folder:
            return cls(load_model(pull(str(source), folder, tracking_uri), device), device)

    def animate(
        self,
        source: str | Path,
        driving: str | Path,
        out: str | Path,
        *,
        crop: bool = True,
        mode: Mode = "relative",
        side_by_side_out: str | Path | None = None,
    ) -> Animation:
        """Write a video of the portrait with the driving video's motion, length, rate and sound.

        Frames stream through: the memory needed does not depend on the video's length.

        Args:
            source: picture file with a face.
            driving: video file with a face; of several the largest at the beginning.
            out: the .mp4 to write; only there once it is complete.
            crop: frame the face in both as in training; else their middle squares are taken.
            mode: `relative` adds the change since the first driving frame to the portrait's own pose, `absolute`
                takes the driving pose as it is.
            side_by_side_out: also write portrait | driving | result here.

        Raises:
            UserError: a file that is missing, unreadable or without a face; an unknown mode.
            VideoError: a result could not be written.
        """
        _check_mode(mode)
        portrait = load_picture(source)
        with FaceFinder() if crop else nullcontext() as finder:
            if finder is None:
                square = middle_square(portrait.shape[1], portrait.shape[0])
            else:
                square = portrait_square(portrait, str(source), finder)
            portrait = cut(portrait, square, self.size_px)
            video = open_driving(driving, self.size_px, finder)

        with ExitStack() as stack:
            writer = stack.enter_context(VideoWriter(out, self.size_px, self.size_px, video.fps, audio_from=driving))
            wide = None
            if side_by_side_out is not None:
                side = panel_px(self.size_px)
                wide = stack.enter_context(VideoWriter(side_by_side_out, 3 * side, side, video.fps, driving))
            progress = stack.enter_context(Progress(video.frames_estimate, "animate", "frame"))
            timed = self._timed(portrait, video.pictures(), mode)
            for seen, result in constant_rate(timed, video.fps):
                writer.write(result)
                if wide is not None:
                    wide.write(side_by_side([portrait, seen, result]))
                progress.advance()
        return Animation(writer.frames, video.fps, self.size_px)

    @torch.inference_mode()
    def frames(self, portrait_HWC: Picture, driving: Iterable[Picture], mode: Mode = "relative") -> Iterator[Picture]:
        """The portrait with the motion of each driving picture in turn, as they come.

        Args:
            portrait_HWC: uint8 RGB, size_px × size_px, framed as `liax.crop` does.
            driving: pictures of the same kind.
            mode: see `animate`.

        Yields:
            One uint8 RGB picture, size_px × size_px, for each driving picture.
        """
        _check_mode(mode)
        z_BD, features = self.model.encode(to_model([portrait_HWC], self.device))
        source_BM = self.model.motion_coefficients(z_BD)
        start_BM = None
        incoming = iter(driving)
        while pictures := list(islice(incoming, BATCH)):
            a_BM = self.model.motion_coefficients(self.model.code(to_model(pictures, self.device)))
            if start_BM is None:
                start_BM = a_BM[:1]
            if mode == "relative":
                moved_BD = self.model.navigate(z_BD, a_BM, start_BM, source_BM)
            else:
                moved_BD = self.model.navigate(z_BD, a_BM)
            yield from from_model(self.model.decode(moved_BD, features))

    def _timed(
        self, portrait_HWC: Picture, driving: Iterable[tuple[float, Picture]], mode: Mode
    ) -> Iterator[tuple[float, tuple[Picture, Picture]]]:
        """Each driving frame's time with (driving picture, result)."""
        waiting: list[tuple[float, Picture]] = []

        def remembered() -> Iterator[Picture]:
            for time_s, picture in driving:
                waiting.append((time_s, picture))
                yield picture

        for result in self.frames(portrait_HWC, remembered(), mode):
            time_s, picture = waiting.pop(0)
            yield time_s, (picture, result)


def choose_device(device: str) -> str:
    """The device to compute on: `auto` is the GPU where there is one. Raises UserError for one that is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    kind = device.partition(":")[0]
    if not available.get(kind, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise UserError(f"no device {device} on this machine; there is {there}")
    return device


def _check_mode(mode: str) -> None:
    if mode not in get_args(Mode):
        raise UserError(f"unknown mode '{mode}': use {' or '.join(get_args(Mode))}")
