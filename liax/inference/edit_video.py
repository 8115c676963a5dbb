"""A video whose face is moved along directions of the dictionary, frame by frame, as a stream.

Legend: B batch, D style width, M directions, S side in pixels, H W pixels, C colours.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice, tee
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liax.crop import Square, cut
from liax.inference.animation import Animation
from liax.inference.driving import Footage, constant_rate, open_footage
from liax.inference.framing import LONGEST_SIDE_PX, check_choice, optional_finder
from liax.inference.paste import even, paste
from liax.inference.renderer import Renderer
from liax.inference.smoothing import check_smoothing, gaussian, smoothed
from liax.pictures import Picture
from liax.progress import Progress
from liax.video.encode import VideoWriter
from liax.video.sound import sound_file

SMOOTH_S = 0.04
"""Standard deviation of the smoothing over time: one frame at 25 fps. Our choice: the encoder's codes of neighbouring
frames differ by noise, which would flicker in the result; a blink takes 0.1 s and more, and stays."""

Features = Sequence[Tensor]


def edit_video(
    renderer: Renderer,
    delta_M: NDArray[np.float32],
    video: str | Path,
    out: str | Path,
    *,
    from_first: bool = False,
    smooth_s: float = SMOOTH_S,
    crop: bool = True,
    face: str | None = None,
    paste_back: bool = False,
    audio: str | Path | None = "source",
) -> Animation:
    """Write the video with its face edited.

    Memory does not depend on the length: of 2r frames more than go through together codes are held, of r more also
    pictures, with r = 3·smooth_s·fps; features only of those that go through together. They are so much larger than
    pictures that smoothed frames are encoded twice instead, once for their codes and once to be drawn.

    Args:
        delta_M: float32; how far to go along each direction.
        video: video file with a face.
        out: the .mp4 to write: S×S, or with paste_back as large as the video (but for an odd last row or column).
        from_first, smooth_s: see `edited`.
        crop: look for the face and frame it as in training; else the middle square is taken.
        face: which of several faces, see `liax.inference.framing.choose_faces`; `all` needs paste_back.
        paste_back: put each result back into its frame, which is then read at the video's own size.
        audio: `source` keeps the video's sound; else the sound of this file, or none.

    Raises:
        UserError: no usable video, no or more than one face and no choice; a sound that is not there.
        VideoError: the result could not be written.
    """
    check_choice(face, crop, paste_back)
    check_smoothing(smooth_s)
    sound = sound_file(audio, "source", video)
    with optional_finder(crop) as finder:
        footage = open_footage(video, finder, face, None if paste_back else LONGEST_SIDE_PX)
    weights = gaussian(smooth_s, float(footage.fps))
    size = (renderer.size_px, renderer.size_px)
    width_px, height_px = (footage.width_px // 2 * 2, footage.height_px // 2 * 2) if paste_back else size
    with ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(out, width_px, height_px, footage.fps, audio_from=sound))
        progress = stack.enter_context(Progress(footage.frames_estimate, "edit", "frame"))
        for canvas_HWC, results in _results(renderer, delta_M, footage, from_first, weights):
            writer.write(_pasted(canvas_HWC, results, footage.squares) if paste_back else results[0])
            progress.advance()
    return Animation(writer.frames, footage.fps, width_px, height_px)


def edited(
    renderer: Renderer,
    delta_M: NDArray[np.float32],
    pictures: Iterable[Picture],
    *,
    from_first: bool = False,
    weights: Sequence[float] = (1.0,),
) -> Iterator[Picture]:
    """One face's frames, edited: what each frame t shows is kept, and δ is added to its motion.

    Each frame is drawn from its own pixels (z, a and features of frame t): z̃_t + Q(a(z̃_t) + δ), where z̃ is the mean of
    z over neighbouring frames. With `from_first` all are drawn from those of frame 1, by relative transfer with an
    edited source (paper eq. 11): z_1 + Q(ã_t - a_1) + Q(a_1 + δ).

    Args:
        delta_M: float32.
        pictures: uint8 S×S×C at a constant rate, framed as `liax.crop` does.
        weights: of the mean over time, from `liax.inference.smoothing.gaussian`; (1,) leaves the codes as they are.

    Yields:
        One uint8 S×S×C picture for each.
    """
    delta_1M = torch.from_numpy(np.asarray(delta_M, dtype=np.float32))[None].to(renderer.device)
    waiting: deque[tuple[Sequence[Picture], Features | None]] = deque()
    incoming = iter(pictures)
    first = next(incoming, None)
    if first is None:
        return
    source = renderer.encode([first]) if from_first else None
    incoming = chain([first], incoming)

    def codes() -> Iterator[Tensor]:
        """Frame by frame z and a, side by side; or only a, where z and features are those of frame 1."""
        while together := list(islice(incoming, renderer.batch)):
            if source is not None:
                waiting.append((together, source.features))
                yield from renderer.motion(together)
            else:
                encoded = renderer.encode(together)
                waiting.append((together, encoded.features if len(weights) == 1 else None))
                yield from torch.cat([encoded.z_BD, encoded.motion_BM], dim=1)

    smooth = smoothed(codes(), weights)
    for code in smooth:
        together, features = waiting.popleft()
        codes_B = torch.stack([code, *islice(smooth, len(together) - 1)])
        if source is not None:
            moved_BD = renderer.navigate(source.z_BD, codes_B, source.motion_BM, source.motion_BM + delta_1M)
        else:
            # a is linear in z, so that the mean of a is the motion of the mean of z.
            z_BD, a_BM = codes_B.split([codes_B.shape[1] - renderer.directions, renderer.directions], dim=1)
            moved_BD = renderer.navigate(z_BD, a_BM + delta_1M)
        yield from renderer.decode(moved_BD, features or renderer.encode(together).features)


def _results(
    renderer: Renderer, delta_M: NDArray[np.float32], footage: Footage, from_first: bool, weights: Sequence[float]
) -> Iterator[tuple[Picture, tuple[Picture, ...]]]:
    """Each frame of the video (H×W×C), and what becomes of each of its squares (S×S×C)."""
    copies = tee(constant_rate(footage.pictures(), footage.fps), 1 + len(footage.squares))
    faces = [
        edited(renderer, delta_M, _cuts(copy, square, renderer.size_px), from_first=from_first, weights=weights)
        for copy, square in zip(copies[1:], footage.squares, strict=True)
    ]
    for canvas_HWC, *results in zip(copies[0], *faces, strict=True):
        yield canvas_HWC, tuple(results)


def _cuts(pictures: Iterable[Picture], square: Square, size_px: int) -> Iterator[Picture]:
    for picture_HWC in pictures:
        yield cut(picture_HWC, square, size_px)


def _pasted(canvas_HWC: Picture, results: Sequence[Picture], squares: Sequence[Square]) -> Picture:
    canvas_HWC = even(canvas_HWC)
    for result_SSC, square in zip(results, squares, strict=True):
        canvas_HWC = paste(canvas_HWC, result_SSC, square)
    return canvas_HWC
