"""Whether a file has sound, and how that sound gets into a new video in step with the pictures."""

from pathlib import Path

import ffmpeg

from liax.errors import UserError, VideoError
from liax.video.ffmpeg import INPUT_OPTIONS, file_url
from liax.video.probe import start_s

KEEP_CLOCK = ("-copyts",)
"""Without it ffmpeg counts the times of some containers from the sound's own beginning, not from the file's."""


def sound_start_s(path: str | Path) -> float | None:
    """The time stamp from which a file's times count (see `liax.video.probe.start_s`); None where it has no sound.

    Raises:
        VideoError: `unreadable`.
    """
    import av

    try:
        with av.open(file_url(path), options=INPUT_OPTIONS, metadata_errors="replace") as container:
            return start_s(container) if container.streams.audio else None
    except (av.FFmpegError, OSError, EOFError) as error:
        raise VideoError(path, "unreadable", str(getattr(error, "strerror", None) or error)) from error


def sound_file(audio: str | Path | None, own: str = "", video: str | Path | None = None) -> Path | None:
    """The file whose sound is meant.

    Args:
        audio: a file, which must have sound, or None for no sound.
        own: the word for the sound of `video`, which may have none.

    Raises:
        UserError: as `check_sound`.
    """
    if audio is None:
        return None
    if audio == own and video is not None:
        return Path(video)
    check_sound(audio)
    return Path(audio)


def check_sound(path: str | Path) -> None:
    """Raise UserError unless the file, which the user gave for its sound, has some."""
    if not Path(path).is_file():
        raise UserError(f"no such file: {path}")
    try:
        start = sound_start_s(path)
    except VideoError as error:
        raise UserError(f"{error}; give a file with sound, for example .wav, .mp3 or .mp4") from None
    if start is None:
        raise UserError(f"{path} has no sound: give a file with sound, for example .wav, .mp3 or .mp4")


def sound_of(path: str | Path, start: float) -> ffmpeg.nodes.Stream:
    """A file's first sound track as a stream that begins when the file does and never ends: silence before and after.

    Args:
        path: a local file.
        start: its `sound_start_s`.
    """
    sound = ffmpeg.input(file_url(path), **INPUT_OPTIONS)["a:0"].filter("asetpts", f"PTS-{start:.6f}/TB")
    # `async=1`: where time stamps leave a gap there is silence, so that what follows stays in step.
    return sound.filter("aresample", **{"async": 1, "first_pts": 0}).filter("apad")
