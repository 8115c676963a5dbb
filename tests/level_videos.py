"""Videos for tests, in which every picture tells its own number."""

from pathlib import Path

import numpy as np

from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run


def write_levels(path: Path, count: int, fps: float, step: int = 4) -> Path:
    """A video whose frame i is grey with level step·i + 8: the picture tells its own number."""
    with VideoWriter(path, 64, 48, fps, crf=4) as writer:
        for index in range(count):
            writer.write(np.full((48, 64, 3), step * index + 8, dtype=np.uint8))
    return path


def numbers_in(path: Path, step: int = 4, start: float = 0.0) -> list[int]:
    return [round((float(picture.mean()) - 8) / step) for _, picture in frames(path, start=start)]


def tone(path: Path, seconds: float) -> Path:
    source = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}", "-f", "lavfi"]
    picture = ["-i", f"color=c=gray:s=32x32:r=10:d={seconds}"]
    run([ffmpeg_path(), "-v", "error", "-y", *source, *picture, "-c:a", "aac", str(path)], path, 60)
    return path
