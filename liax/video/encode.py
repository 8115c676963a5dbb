"""Writing pictures as an H.264 video that plays everywhere."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import ffmpeg
import numpy as np

from liax.errors import LiaxError, UserError, VideoError
from liax.storage import make_folder
from liax.video.ffmpeg import DETERMINISTIC, failure, ffmpeg_path, file_url, h264_options, jpeg_options
from liax.video.sound import KEEP_CLOCK, sound_of, sound_start_s

SUFFIX = ".mp4"
CLOSING_LIMIT_S = 120.0
"""How long ffmpeg may take to finish the file after the last picture."""


def check_video_name(path: str | Path) -> None:
    """Raise UserError unless a video can be written under this name."""
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder: give the name of a file, for example {Path(path, 'out.mp4')}")
    if Path(path).suffix.lower() != SUFFIX:
        raise UserError(f"{path} cannot be written: give a name that ends in {SUFFIX}")


class VideoWriter:
    """Writes pictures to an mp4 (H.264 or JPEG, yuv420p, index in front), with the sound of another file if wanted.

    A context manager. The file is written as the pictures come, and appears under its name when the block ends without
    an error, or by Ctrl-C: then it holds the pictures so far. After another error nothing is left.

    Args:
        path: the file to write; its folder is made.
        width_px, height_px: size of every picture; even, as yuv420p needs.
        fps: constant frame rate.
        audio_from: a file whose first sound track is kept, encoded as AAC, in step with pictures that are written by
            that file's clock; it never outlasts the pictures. A file without sound gives a silent video.
        crf, keyframe_interval, preset, fast_decoding: see `liax.video.ffmpeg.h264_options`.
        jpeg_quality: None writes H.264; else every picture becomes a JPEG, see `liax.video.ffmpeg.jpeg_options`.

    Raises:
        ValueError: odd or empty size, wrong picture.
        UserError: `path` is a folder or does not end in .mp4, or its folder cannot be made.
        VideoError: ffmpeg failed; the text has its last line.
        ProcessDied: ffmpeg crashed or was killed.
    """

    def __init__(
        self,
        path: str | Path,
        width_px: int,
        height_px: int,
        fps: float | Fraction,
        audio_from: str | Path | None = None,
        crf: int = 18,
        keyframe_interval: int = 48,
        preset: str = "veryfast",
        fast_decoding: bool = False,
        jpeg_quality: int | None = None,
    ) -> None:
        if width_px < 2 or height_px < 2 or width_px % 2 or height_px % 2:
            raise ValueError(f"a video's width and height must be even and at least 2, not {width_px}x{height_px}")
        self.path = Path(path)
        self.frames = 0
        self._shape = (height_px, width_px, 3)
        check_video_name(path)
        make_folder(str(self.path.parent))
        self._partial = self.path.with_name(f".{self.path.stem}.{os.getpid()}.partial.mp4")
        pictures = ffmpeg.input(
            "pipe:0",
            format="rawvideo",
            pix_fmt="rgb24",
            s=f"{width_px}x{height_px}",
            r=str(Fraction(fps).limit_denominator(100_000)),
        )
        colours = {"out_color_matrix": "bt709", "out_range": "tv", "flags": "bicubic+accurate_rnd"}
        encoder = h264_options(crf, keyframe_interval, preset, fast_decoding=fast_decoding)
        if jpeg_quality is not None:
            colours |= {"out_color_matrix": "bt601", "out_range": "pc"}
            encoder = jpeg_options(jpeg_quality)
        streams = [pictures.video.filter("scale", **colours)]
        sound: dict[str, str | int | None] = {}
        if audio_from is not None and (start := sound_start_s(audio_from)) is not None:
            streams.append(sound_of(audio_from, start))
            # Cut at the last picture: the sound, followed by endless silence, neither outlasts nor shortens it.
            sound = {"c:a": "aac", "b:a": "128k", "shortest": None, "shortest_buf_duration": 1}
        options = DETERMINISTIC | encoder | sound | {"movflags": "+faststart", "format": "mp4"}
        output = ffmpeg.output(*streams, file_url(self._partial), **options)
        self._args = output.global_args("-v", "error", "-y", *KEEP_CLOCK).compile(cmd=ffmpeg_path())

    def __enter__(self) -> Self:
        self._messages = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._args,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            start_new_session=True,  # a terminal sends Ctrl-C to its whole session: ffmpeg has to outlive it
        )
        return self

    def write(self, picture_HWC: np.ndarray) -> None:
        """Append one picture, (H, W, 3) uint8 RGB."""
        if picture_HWC.shape != self._shape or picture_HWC.dtype != np.uint8:
            raise ValueError(
                f"expected a uint8 picture of shape {self._shape}, got {picture_HWC.dtype} {picture_HWC.shape}"
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(picture_HWC).data)
        except BrokenPipeError:
            raise self._failure() from None
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or (issubclass(kind, KeyboardInterrupt) and self.frames > 0):
                with _ctrl_c_waits():
                    self._finish()
        finally:
            self._process.kill()
            self._process.wait()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # type: ignore[union-attr]
            self._messages.close()
            self._partial.unlink(missing_ok=True)

    def _finish(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            code = self._process.wait(CLOSING_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise VideoError(self.path, "ffmpeg_timeout", "it did not finish the file") from None
        if self.frames == 0:
            raise VideoError(self.path, "no_pictures")
        if code != 0:
            raise self._failure()
        self._partial.replace(self.path)

    def _failure(self) -> LiaxError:
        code = self._process.wait(CLOSING_LIMIT_S)
        self._messages.seek(0)
        return failure(code, self.path, self._messages.read())


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C inside the block is answered at its end: a file that is nearly whole is made whole."""
    if threading.current_thread() is not threading.main_thread():  # which alone is told of Ctrl-C
        yield
        return
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if asked:
        raise KeyboardInterrupt
