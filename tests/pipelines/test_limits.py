"""What is refused before anything is decoded."""

from fractions import Fraction

import pytest

from pipelines.limits import LimitsConfig, beyond

LIMITS = LimitsConfig(longest_side_px=4000, most_pixels=8_000_000, highest_fps=240, longest_s=100)


@pytest.mark.parametrize(
    ("width_px", "height_px", "fps", "duration_s", "reason"),
    [
        (1920, 1080, Fraction(30000, 1001), 100.0, ""),
        (4001, 10, Fraction(25), 1.0, "picture_too_large"),
        (10, 4001, Fraction(25), 1.0, "picture_too_large"),
        (4000, 2001, Fraction(25), 1.0, "picture_too_large"),
        (64, 64, Fraction(10**9), 1.0, "too_many_frames_a_second"),
        (64, 64, Fraction(25), 100.1, "too_long"),
    ],
)
def test_limits(width_px: int, height_px: int, fps: Fraction, duration_s: float, reason: str) -> None:
    found, detail = beyond(width_px, height_px, fps, duration_s, LIMITS)
    assert found == reason
    assert ("limit is" in detail) == bool(reason)
