"""Running ffmpeg safely: which binary, what it may open, how much it may use, and what its failure says.

ffmpeg and PyAV both open files that strangers made. A playlist or a concatenation script is a "video" that makes the
reader open other files or hosts, so only real containers are read (`CONTAINERS`), and only from local files.
"""

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from liax.errors import LiaxError, ProcessDied, StorageError, VideoError
from liax.process import die_with_parent, ending

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,wav,mp3,flac,aac"
"""The demuxers that may be used, the last four for sound. None of them follows references to other files."""

VIDEO_SUFFIXES = (
    ".mp4",
    ".mov",
    ".m4v",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".mpeg",
    ".ts",
    ".flv",
    ".wmv",
    ".3gp",
    ".ogv",
)
"""File name endings that are taken for videos when a folder is listed."""

INPUT_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
"""What every opened video is restricted to, for PyAV and for an ffmpeg input alike."""

DETERMINISTIC: dict[str, str | int] = {
    "fflags": "+bitexact",
    "flags:v": "+bitexact+cgop",
    "flags:a": "+bitexact",
    "map_metadata": -1,
}
"""Output options after which the same input gives the same bytes: no dates, no library versions in the headers."""

QUESTION_LIMIT_S = 30.0
"""How long an ffmpeg may take to say what it can do."""


@functools.cache
def ffmpeg_path() -> str:
    """The ffmpeg on PATH if it can encode H.264, else the static one in the package imageio-ffmpeg."""
    found = shutil.which("ffmpeg")
    if found and " libx264 " in _answer(found, "-encoders"):
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@functools.cache
def ffmpeg_version() -> str:
    """The version of the ffmpeg that is used, for example `7.0.2-static`. Another version gives other bytes."""
    words = _answer(ffmpeg_path(), "-version").split()
    return words[2] if words[:2] == ["ffmpeg", "version"] else "unknown"


def _answer(binary: str, question: str) -> str:
    """What an ffmpeg says about itself; nothing if it does not run."""
    try:
        done = subprocess.run(
            [binary, question],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=QUESTION_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def file_url(path: str | Path) -> str:
    """A local path in the form in which neither ffmpeg nor PyAV can take it for an option, a protocol or a pattern."""
    return f"file:{Path(path).absolute()}"


def h264_options(
    crf: int, keyframe_interval: int, preset: str = "veryfast", matrix: str = "bt709", fast_decoding: bool = False
) -> dict[str, str | int]:
    """H.264 that can be read at random: closed groups of exactly `keyframe_interval` frames.

    No B-frames, so that frame n needs only the frames since its key frame; no key frames at scene cuts, so that the
    key frames are where the interval says; one thread and no shortcut that only some processors have (x264's
    `cpu-independent`), so that the bytes do not depend on the machine.

    Args:
        crf: quality, 0 (lossless) to 51.
        keyframe_interval: frames from one key frame to the next.
        preset: how long x264 searches for a smaller file.
        matrix: the YUV matrix of the pictures, by ffmpeg's name; it is only stated, not applied.
        fast_decoding: leave out what costs a reader most (CABAC, deblocking): about a third of the decoding time,
            for files about a tenth larger.
    """
    return {
        "c:v": "libx264",
        "preset": preset,
        **({"tune": "fastdecode"} if fast_decoding else {}),
        "crf": crf,
        "pix_fmt": "yuv420p",
        "g": keyframe_interval,
        "keyint_min": keyframe_interval,
        "sc_threshold": 0,
        "bf": 0,
        "threads": 1,
        "x264-params": "cpu-independent=1",
        "colorspace": matrix,
        # What a file of this matrix usually has; a player's choice of colours hangs on the matrix and the range.
        "color_primaries": "bt709" if matrix == "bt709" else "unknown",
        "color_trc": "bt709" if matrix == "bt709" else "unknown",
        "color_range": "tv",
    }


def jpeg_options(quality: int) -> dict[str, str | int]:
    """A JPEG a frame, each to be read by itself; BT.601 at full range, which is what JPEG means.

    Args:
        quality: ffmpeg's scale for it, 1 (best) to 31.
    """
    return {
        "c:v": "mjpeg",
        "q:v": quality,
        "pix_fmt": "yuvj420p",
        "threads": 1,
        "color_range": "pc",
        "flags:v": "+bitexact",  # in place of `DETERMINISTIC`'s: the JPEG encoder refuses `cgop`
    }


def run(args: Sequence[str], what: str | Path, time_limit_s: float) -> None:
    """Run one ffmpeg command.

    Args:
        args: the whole command, `ffmpeg_path()` first.
        what: the video that the command is about, for the error.
        time_limit_s: after this many seconds the process is killed.

    Raises:
        VideoError: `ffmpeg_failed` with ffmpeg's last line, or `ffmpeg_timeout`.
        ProcessDied: ffmpeg crashed or was killed, which need not be the video's fault.
        StorageError: the disk is full.
    """
    try:
        done = subprocess.run(
            args,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=time_limit_s,
            preexec_fn=die_with_parent,
        )
    except subprocess.TimeoutExpired as error:
        raise VideoError(what, "ffmpeg_timeout", f"no result after {time_limit_s:.0f} s") from error
    if done.returncode != 0:
        raise failure(done.returncode, what, done.stderr)


def failure(code: int, what: str | Path, stderr: bytes) -> LiaxError:
    """The error of an ffmpeg that ended with this code, by a signal when it is negative."""
    if code < 0:
        return ProcessDied(f"ffmpeg {ending(code)} at {what}")
    if b"No space left on device" in stderr:
        return StorageError(f"the disk is full: ffmpeg could not write what it made of {what}")
    return VideoError(what, "ffmpeg_failed", last_line(stderr))


def last_line(stderr: bytes) -> str:
    """The last non-empty line that ffmpeg wrote, shortened to one readable line."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no message"
