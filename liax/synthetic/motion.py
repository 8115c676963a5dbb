"""What a synthetic face does, frame by frame: smooth, seeded, known exactly.

Legend: T frames.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Motion:
    """One frame's pose and expression, relative to the portrait. Left and right are the subject's.

    The angles' signs are the project's: yaw > 0 turns to the subject's left (nose to the picture's right), pitch > 0
    is up, roll > 0 tilts the head to the subject's left (its top to the picture's right).
    """

    x: float = 0.0
    """Shift of the whole picture to the right, as a fraction of the frame's height."""
    y: float = 0.0
    """Shift of the whole picture downwards, as a fraction of the frame's height."""
    scale: float = 1.0
    """Zoom of the whole picture about the face, > 0."""
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    mouth_open: float = 0.0
    """0 as in the portrait … 1 wide open."""
    blink_left: float = 0.0
    """0 as in the portrait … 1 closed."""
    blink_right: float = 0.0
    smile: float = 0.0
    """-1 mouth corners in and down … 1 out and up."""

    def as_dict(self) -> dict[str, float]:
        """The fields as plain floats, rounded to six decimals, for the ground-truth file."""
        return {name: round(float(value), 6) for name, value in asdict(self).items()}


STILL = Motion()

# Largest values of a track. Our choice, because a 2.5-D warp of one photograph looks right up to about these angles.
AMPLITUDE = {"x": 0.05, "y": 0.035, "zoom": 0.08, "yaw_deg": 24.0, "pitch_deg": 10.0, "roll_deg": 9.0, "smile": 0.6}
BLINK_S = 0.32


def motion_track(seed: int, seconds: float, fps: float) -> list[Motion]:
    """A track of round(seconds · fps) motions, at least one; the same seed and times always give the same track.

    Every quantity is a sum of two slow sinusoids with seeded frequency and phase, so that velocities stay small; the
    mouth follows a faster, half-wave rectified one, as in speech; both eyes blink together every few seconds.
    """
    random = np.random.default_rng(seed)
    time_T = np.arange(max(1, round(seconds * fps))) / fps
    waves = {name: amplitude * _wave(random, time_T) for name, amplitude in AMPLITUDE.items()}
    zoom_T = np.exp(waves.pop("zoom"))
    mouth_T = np.clip(1.1 * _wave(random, time_T, slowest_hz=0.7, fastest_hz=1.6), 0, 1)
    blink_T = _blinks(random, time_T)
    tracks = dict(waves, scale=zoom_T, mouth_open=mouth_T, blink_left=blink_T, blink_right=blink_T)
    return [replace(STILL, **{name: float(track[i]) for name, track in tracks.items()}) for i in range(len(time_T))]


def _wave(
    random: np.random.Generator, time_T: NDArray[np.float64], slowest_hz: float = 0.25, fastest_hz: float = 0.65
) -> NDArray[np.float64]:
    """A smooth wave in [-1, 1]."""
    first_hz, second_hz = random.uniform(slowest_hz, fastest_hz, size=2)
    first, second = random.uniform(0, 2 * np.pi, size=2)
    return 0.7 * np.sin(2 * np.pi * first_hz * time_T + first) + 0.3 * np.sin(2 * np.pi * second_hz * time_T + second)


def _blinks(random: np.random.Generator, time_T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth pulses 0…1 of BLINK_S, the first within the first second, then 1.5–3 s apart."""
    blink_T = np.zeros_like(time_T)
    middle_s = random.uniform(0.3, 0.8)
    while middle_s < time_T[-1] + BLINK_S:
        phase_T = np.clip((time_T - middle_s) / BLINK_S, -0.5, 0.5)
        blink_T = np.maximum(blink_T, np.cos(np.pi * phase_T) ** 2)
        middle_s += random.uniform(1.5, 3.0)
    return blink_T
