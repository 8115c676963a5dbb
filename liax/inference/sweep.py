"""Along one direction and back, or along all of them in a mosaic: what a model's directions do to one portrait.

Legend: M directions, K steps, S side in pixels, C colours, H W pixels.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.attributes import DEGREES
from liax.errors import UserError
from liax.inference.animation import Animation
from liax.inference.controls import Controls, Direction
from liax.inference.measured import with_unit
from liax.inference.renderer import Renderer
from liax.inference.transfer import shifted
from liax.pictures import Picture, save_picture
from liax.progress import Progress, say
from liax.video.encode import VideoWriter

FPS = Fraction(24)
FRAMES = 48
"""Two seconds there and back."""
MOST_FRAMES = 480
STILLS = 5
"""Columns of the still grid, from one end of the span to the other."""
TILE_PX, LABEL_PX = 160, 20
"""Size of a picture among those of many directions, and of the line of text above it; even, as a video needs."""


@dataclass(frozen=True, slots=True)
class Row:
    """One direction: what it is called, what moves along it, and from how far to how far.

    Args:
        label: name or index.
        unit: of its values; empty for the dictionary's own.
        step: from a value to δ_M.
        span: values.
    """

    label: str
    unit: str
    step: Callable[[float], NDArray[np.float32]]
    span: tuple[float, float]


def rows_of(
    controls: Controls, direction: Direction, span: tuple[float, float] | None, unsafe: bool = False
) -> list[Row]:
    """What is swept.

    Args:
        direction: a name or index; `all` for every index, `controls` for every measured control.
        span: in the unit of what is swept; None for the safe or published range.
        unsafe: go out of a measured control's safe range where the span does.

    Raises:
        UserError: there is no such direction, or the span has no length, or none within the safe range.
    """
    if span is not None and not (all(map(math.isfinite, span)) and span[0] != span[1]):
        raise UserError(f"a sweep from {span[0]} to {span[1]} cannot be: give two different finite numbers")
    wanted: Sequence[Direction] = [direction]
    if direction == "all":
        wanted = range(controls.directions)
    elif direction == "controls":
        wanted = [choice.name for choice in controls.choices() if choice.status in ("certified", "approximate")]
        if not wanted:
            raise UserError("no controls of this model are measured: run `liax atlas`, or sweep all directions")
    return [
        Row(
            _label(controls, one),
            controls.unit(one),
            partial(controls.step, one),
            _safe(controls, one, span or controls.span(one), unsafe),
        )
        for one in wanted
    ]


def _safe(controls: Controls, direction: Direction, span: tuple[float, float], unsafe: bool) -> tuple[float, float]:
    """The part of a span in which a measured control is safe; all of it for anything else."""
    if unsafe or controls.control(direction) is None:
        return span
    low, high = controls.span(direction)
    first, last = (min(max(value, low), high) for value in span)
    shown = f"{low:g} to {with_unit(high, controls.unit(direction))}"
    if first == last:
        raise UserError(
            f"{direction} is safe from {shown}, which a sweep has no part in: give another --span or --unsafe"
        )
    if (first, last) != tuple(span):
        say(f"warning: {direction} is safe from {shown}: swept from {first:g} to {last:g}")
    return first, last


def check_frames(frames: int) -> None:
    """Raise UserError for a length that a loop cannot have."""
    if not 2 <= frames <= MOST_FRAMES:
        raise UserError(f"a loop of {frames} frames cannot be: give 2 to {MOST_FRAMES}")


def write_sweep(
    renderer: Renderer,
    portrait_SSC: Picture,
    rows: Sequence[Row],
    out: str | Path,
    *,
    frames: int = FRAMES,
    still_out: str | Path | None = None,
) -> Animation:
    """Write a video whose end goes on at its beginning, and a grid of stills if wanted.

    One row fills the video; several become a mosaic of labelled tiles. The way back shows the pictures of the way
    there, which are kept: at most frames/2 + 1 of the video's.

    Args:
        portrait_SSC: uint8, framed.
        out: the .mp4.
        frames: length of the loop.
        still_out: the grid's file, one row a direction.
    """
    steps_K = loop_steps(frames)
    with Progress(len(rows) * (len(steps_K) + STILLS * (still_out is not None)), "sweep", "picture") as progress:
        if len(rows) == 1:
            there = list(_along(renderer, portrait_SSC, rows[0], steps_K, progress))
        else:
            there = _mosaic(renderer, portrait_SSC, rows, steps_K, progress)
        grid_HWC = _grid(renderer, portrait_SSC, rows, progress) if still_out is not None else None
    height_px, width_px = there[0].shape[:2]
    with VideoWriter(out, width_px, height_px, FPS) as writer:
        for frame in range(frames):
            writer.write(there[min(frame, frames - frame)])
        if grid_HWC is not None and still_out is not None:
            save_picture(grid_HWC, still_out)
    return Animation(writer.frames, FPS, width_px, height_px)


def loop_steps(frames: int) -> list[float]:
    """The distinct steps of a loop of so many frames, as shares 0…1 of the span, slow at both ends.

    Frame k shows step min(k, frames − k), so that the last frame is next to the first as any two others are.
    """
    return [(1 - math.cos(2 * math.pi * frame / frames)) / 2 for frame in range(frames // 2 + 1)]


def _along(
    renderer: Renderer, portrait_SSC: Picture, row: Row, shares: Sequence[float], progress: Progress
) -> Iterator[Picture]:
    low, high = row.span
    deltas = [row.step(low + share * (high - low)) for share in shares]
    for picture_SSC in shifted(renderer, portrait_SSC, deltas):
        progress.advance()
        yield picture_SSC


def _mosaic(
    renderer: Renderer, portrait_SSC: Picture, rows: Sequence[Row], steps_K: Sequence[float], progress: Progress
) -> list[Picture]:
    """All rows at once, at each step: tiles in the order of the rows, somewhat wider than high."""
    columns = math.ceil(math.sqrt(len(rows) * 1.6))
    height_px = (TILE_PX + LABEL_PX) * math.ceil(len(rows) / columns)
    mosaic_KHWC = np.zeros((len(steps_K), height_px, TILE_PX * columns, 3), np.uint8)
    for place, row in enumerate(rows):
        down, across = divmod(place, columns)
        top, left = down * (TILE_PX + LABEL_PX), across * TILE_PX
        for step, picture_SSC in enumerate(_along(renderer, portrait_SSC, row, steps_K, progress)):
            tile_HWC = _tile(picture_SSC, f"{row.label} (deg)" if row.unit == DEGREES else row.label, TILE_PX)
            mosaic_KHWC[step, top : top + tile_HWC.shape[0], left : left + TILE_PX] = tile_HWC
    return list(mosaic_KHWC)


def _grid(renderer: Renderer, portrait_SSC: Picture, rows: Sequence[Row], progress: Progress) -> Picture:
    """STILLS pictures of each row next to each other, each with its value; of a single row at their full size."""
    side_px = max(TILE_PX, renderer.size_px) if len(rows) == 1 else TILE_PX
    lines = []
    for row in rows:
        shares = np.linspace(0, 1, STILLS)
        values = row.span[0] + shares * (row.span[1] - row.span[0])
        pictures = _along(renderer, portrait_SSC, row, [float(share) for share in shares], progress)
        tiles = [
            _tile(picture, f"{row.label} {_shown(value, row.unit)}", side_px)
            for picture, value in zip(pictures, values, strict=True)
        ]
        lines.append(np.concatenate(tiles, axis=1))
    return np.concatenate(lines)


def _tile(picture_SSC: Picture, label: str, side_px: int) -> Picture:
    """A picture, resampled to `side_px`, with a line of white text on black above it."""
    text_HWC = np.zeros((LABEL_PX, side_px, 3), np.uint8)
    cv2.putText(text_HWC, label, (4, LABEL_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    interpolation = cv2.INTER_AREA if picture_SSC.shape[0] > side_px else cv2.INTER_CUBIC
    resampled = cv2.resize(picture_SSC, (side_px, side_px), interpolation=interpolation)
    return np.concatenate([text_HWC, resampled.astype(np.uint8)])


def _label(controls: Controls, direction: Direction) -> str:
    """A name, or an index with the name that it has alone."""
    if isinstance(direction, str) and (direction in controls.named or direction in controls.measured):
        return direction
    (index,) = controls.indices(direction)
    return " ".join(filter(None, (str(index), controls.name(index))))


def _shown(value: float, unit: str) -> str:
    """A value for a picture's label: `+10.0 deg`, `+0.25`."""
    return f"{value:+.1f} {unit}" if unit == DEGREES else f"{value:+.2f}"
