"""Videos in which a click is heard at the moment of a flash, and how far apart the two are in a video."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from liax.video.decode import frames

RATE_HZ = 44100
CLICK_S = 0.01
CLOCK_HZ = 90_000


def write_click_and_flash(
    path: Path,
    at_s: float,
    times_s: Sequence[float],
    sound_s: tuple[float, float],
    size_px: tuple[int, int] = (64, 48),
) -> Path:
    """A dark video with pictures at `times_s`, white from the one at `at_s` on, and sound from … to `sound_s`."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25, options={"bf": "0", "threads": "1"})
        pictures.width, pictures.height = size_px
        pictures.pix_fmt = "yuv444p"  # allows odd sizes
        pictures.codec_context.time_base = Fraction(1, CLOCK_HZ)
        sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for time_s in times_s:
            grey = np.full((size_px[1], size_px[0], 3), 255 if time_s > at_s - 1e-6 else 16, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        moments_s = np.arange(round((sound_s[1] - sound_s[0]) * RATE_HZ)) / RATE_HZ + sound_s[0]
        heard = np.where((moments_s >= at_s) & (moments_s < at_s + CLICK_S), np.sin(moments_s * 2 * np.pi * 1000), 0)
        samples = av.AudioFrame.from_ndarray(heard[None].astype(np.float32), format="fltp", layout="mono")
        samples.sample_rate, samples.pts = RATE_HZ, round(sound_s[0] * RATE_HZ)
        samples.time_base = Fraction(1, RATE_HZ)
        container.mux(sound.encode(samples))
        container.mux(sound.encode())
    return path


def flash_s(path: Path) -> float:
    """When the first bright picture is shown, from the start of the file."""
    return next(time_s for time_s, picture in frames(path) if picture.mean() > 128)


def click_s(path: Path) -> float:
    """When the click is heard, from the start of the file."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / 1e6
        for frame in container.decode(container.streams.audio[0]):
            loud = np.abs(frame.to_ndarray().astype(np.float64)).max(axis=0) > 0.3
            if loud.any():
                return float(frame.time or 0) - start_s + float(loud.argmax()) / frame.sample_rate
    raise AssertionError(f"no click in {path}")
