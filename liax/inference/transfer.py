"""A motion given to portraits: from coefficients to pictures (LIA-X, arXiv 2508.09959, eqs. 3, 10, 11), and to a file.

Legend: B frames that go through together, M directions, S side in pixels, C colours.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liax.errors import UserError
from liax.inference.animation import Animation
from liax.inference.motion_source import MotionSource, Step, measured
from liax.inference.portraits import Portraits
from liax.inference.renderer import Encoded, Renderer
from liax.inference.side_by_side import panel_px, side_by_side
from liax.pictures import Picture
from liax.progress import Progress
from liax.video.encode import VideoWriter

Mode = Literal["relative", "absolute"]
StartFrame = int | Literal["auto"]
MOST_FRAMES = 2**31
"""Beyond the frames of any video: two years at 30 fps."""
Moved = tuple[Picture | None, tuple[Picture, ...]]
"""A driving picture, if there is one, and the result for each portrait: uint8 S×S×C."""


def check_mode(mode: str, start_frame: StartFrame = 0, crop: bool = True) -> None:
    """Raise UserError for a mode that there is not, or a start frame that means nothing."""
    if mode not in get_args(Mode):
        raise UserError(f"unknown mode '{mode}': use {' or '.join(get_args(Mode))}")
    if start_frame != "auto" and (not isinstance(start_frame, int) or start_frame < 0):
        raise UserError(f"start frame {start_frame} cannot be: give a whole number from 0 on, or auto")
    if start_frame != "auto" and start_frame >= MOST_FRAMES:
        raise UserError(f"start frame {start_frame} cannot be: no video is that long; give its number, or auto")
    if start_frame == "auto" and not crop:
        raise UserError("start frame auto compares head poses, for which faces must be looked for: leave out --no-crop")
    if mode == "absolute" and start_frame != 0:
        raise UserError("absolute transfer does not look at the start frame: leave one of the two out")


def framed(picture: Picture, size_px: int, name: str) -> Picture:
    """The same picture. Raises UserError unless it is as the model sees it."""
    wanted = (size_px, size_px, 3)
    if picture.shape != wanted or picture.dtype != np.uint8:
        raise UserError(
            f"{name} is {picture.dtype} {picture.shape}: give uint8 {wanted} RGB, "
            "framed round the face as `liax.crop.cut` makes it"
        )
    return picture


def moved(
    renderer: Renderer,
    portraits: Sequence[Picture],
    steps: Iterable[Step],
    mode: Mode,
    delta_M: NDArray[np.float32],
    starts: Sequence[Tensor] | None = None,
) -> Iterator[Moved]:
    """Portraits with each frame's motion in turn, edited by δ, as the frames come.

    Relative transfer gives z + Q(a − a_start) + Q(a_source + δ), absolute transfer z + Q(a + δ).

    Args:
        portraits: uint8 S×S×C.
        steps: see `liax.inference.motion_source`.
        delta_M: δ, float32.
        starts: a_start, 1×M, for each portrait; None takes the first frame's.
    """
    sources = [renderer.encode([portrait_SSC]) for portrait_SSC in portraits]
    delta_1M = torch.from_numpy(delta_M)[None].to(renderer.device)
    for pictures, a_BM in steps:
        starts = starts or [a_BM[:1]] * len(sources)
        results = [
            renderer.decode(_navigated(renderer, source, a_BM, start_1M, mode, delta_1M), source.features)
            for source, start_1M in zip(sources, starts, strict=True)
        ]
        yield from zip(pictures or repeat(None), zip(*results, strict=True), strict=False)


def streamed(
    renderer: Renderer, portrait_SSC: Picture, driving: Iterable[Picture], mode: Mode, delta_M: NDArray[np.float32]
) -> Iterator[Picture]:
    """See `liax.inference.animator.Animator.frames`. A portrait of another form is refused at once."""
    portrait_SSC = framed(portrait_SSC, renderer.size_px, "the portrait")
    checked = (framed(picture, renderer.size_px, "a driving picture") for picture in driving)
    steps = measured(renderer, checked, together=1)
    return (result_SSC for _, (result_SSC,) in moved(renderer, [portrait_SSC], steps, mode, delta_M))


def shifted(renderer: Renderer, portrait_SSC: Picture, deltas: Iterable[NDArray[np.float32]]) -> Iterator[Picture]:
    """One picture for each δ_M, z + Q(a + δ), uint8 S×S×C; the portrait is encoded once."""
    source = renderer.encode([portrait_SSC])
    steps = [torch.from_numpy(delta_M) for delta_M in deltas]
    for start in range(0, len(steps), renderer.batch):
        delta_BM = torch.stack(steps[start : start + renderer.batch]).to(renderer.device)
        z_BD = renderer.navigate(source.z_BD, source.motion_BM + delta_BM)
        yield from renderer.decode(z_BD, source.features)


def write_transfer(
    renderer: Renderer,
    portraits: Portraits,
    motion: MotionSource,
    out: str | Path,
    *,
    mode: Mode,
    delta_M: NDArray[np.float32],
    start_frame: StartFrame,
    audio: Path | None,
    side_by_side_out: str | Path | None = None,
) -> Animation:
    """Write the video of `moved`; see `liax.inference.animator.Animator.animate`."""
    starts = None
    if start_frame != 0:
        frames = _start_frames(portraits, motion, start_frame)
        known = {frame: motion.at(frame) for frame in set(frames)}  # each is looked for from the video's beginning
        starts = [known[frame] for frame in frames]
    width_px, height_px = portraits.result_px
    with ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(out, width_px, height_px, motion.fps, audio_from=audio))
        wide = None
        if side_by_side_out is not None:
            side_px = panel_px(renderer.size_px)
            panels = 2 * len(portraits.pictures) + 1
            wide = stack.enter_context(VideoWriter(side_by_side_out, panels * side_px, side_px, motion.fps, audio))
        progress = stack.enter_context(Progress(motion.frames_estimate, "animate", "frame"))
        for seen, results in moved(renderer, portraits.pictures, motion.steps(), mode, delta_M, starts):
            writer.write(portraits.compose(results))
            if wide is not None:
                assert seen is not None, "a motion without its video has no pictures to compare"
                wide.write(side_by_side([*portraits.pictures, seen, *results]))
            progress.advance()
    return Animation(writer.frames, motion.fps, width_px, height_px)


def _start_frames(portraits: Portraits, motion: MotionSource, start_frame: StartFrame) -> list[int]:
    """The driving frame that counts as each portrait's own pose."""
    if start_frame == "auto":
        return [motion.nearest(pose_deg_3) for pose_deg_3 in portraits.poses_deg]
    return [start_frame] * len(portraits.pictures)


def _navigated(
    renderer: Renderer, source: Encoded, a_BM: Tensor, start_1M: Tensor, mode: Mode, delta_1M: Tensor
) -> Tensor:
    if mode == "relative":
        return renderer.navigate(source.z_BD, a_BM, start_1M, source.motion_BM + delta_1M)
    return renderer.navigate(source.z_BD, a_BM + delta_1M)
