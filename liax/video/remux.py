"""Files whose container cannot be searched, repacked without decoding into one that can."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ffmpeg
import numpy as np

from liax.errors import VideoError
from liax.video.cut import KEEP_TIMES
from liax.video.ffmpeg import INPUT_OPTIONS, ffmpeg_path, file_url, run
from liax.video.probe import can_seek, open_video, start_s

SAME_TIME_S = 0.00051
"""Matroska's clock ticks in milliseconds: half a tick, and float error."""


@contextmanager
def open_source(path: Path, time_limit_s: float = 600.0) -> Iterator[Path]:
    """A video as a file in which one can go to any moment, so that late ones are not decoded from the start.

    Yields:
        The path itself where its container can be searched, or where repacking would lose or move a frame; else that
        of a temporary Matroska file, which is removed at the end of the block. Times differ by half a millisecond.

    Raises:
        VideoError: `unreadable` or `no_video_stream`.
    """
    with open_video(path) as (container, _):
        seekable = can_seek(container.format.name)
    before_s = None if seekable else _packet_times(path)
    if before_s is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        packed = Path(folder) / "packed.mkv"
        yield packed if _repacked(path, packed, before_s, time_limit_s) else path


def _repacked(path: Path, packed: Path, before_s: np.ndarray, time_limit_s: float) -> bool:
    """Whether every frame came through, at its time."""
    source = ffmpeg.input(file_url(path), **INPUT_OPTIONS)
    streams = [source["V:0"], source["a:0?"]]
    command = ffmpeg.output(*streams, file_url(packed), c="copy", format="matroska").global_args(
        "-v", "error", "-y", *KEEP_TIMES
    )
    try:
        run(command.compile(cmd=ffmpeg_path()), path, time_limit_s)
        after_s = _packet_times(packed)
    except VideoError:
        return False
    return (
        after_s is not None
        and len(after_s) == len(before_s)
        and bool((np.abs(after_s - before_s) <= SAME_TIME_S).all())
    )


def _packet_times(path: Path) -> np.ndarray | None:
    """The frames' times as the container states them; None where it does not state all, or states one twice."""
    with open_video(path) as (container, stream):
        times = [
            None if packet.pts is None else float(packet.pts * packet.time_base)
            for packet in container.demux(stream)
            if packet.size
        ]
        stated_s = sorted(time_s for time_s in times if time_s is not None)
        if not stated_s or len(stated_s) < len(times) or len(set(stated_s)) < len(stated_s):
            return None
        return np.array(stated_s) - start_s(container)
