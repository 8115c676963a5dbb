"""Settings that could not work are refused before anything starts."""

import pytest

from liax.config import load_config
from liax.errors import UserError
from pipelines.config import PreprocessConfig


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["crop.side_margin=0"], "crop.side_margin"),
        (["crop.side_margin=.nan"], "crop.side_margin"),
        (["crop.high_percentile=950"], "crop.high_percentile"),
        (["crop.low_percentile=99"], "low_percentile"),
        (["crop.least_margin=2"], "least_margin"),
        (["faces.longest_side_px=0"], "faces.longest_side_px"),
        (["faces.rate_fps=1"], "longest_gap_s"),
        (["faces.rate_fps=.inf"], "faces.rate_fps"),
        (["clip.longest_s=0.1"], "least_s"),
        (["clip.longest_s=0.01", "clip.least_s=0.01"], "two frames"),
        (["clip.size_px=999998"], "clip.size_px"),
        (["split.val_fraction=0.9", "split.test_fraction=0.9"], "nothing to train on"),
    ],
)
def test_a_setting_that_cannot_work_is_named(overrides: list[str], named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        load_config(PreprocessConfig, None, ["input=a", "output=b", *overrides])
    assert "\n" not in str(caught.value)


def test_settings_at_their_limits_are_taken() -> None:
    config = load_config(
        PreprocessConfig,
        None,
        ["input=a", "output=b", "faces.rate_fps=2", "clip.longest_s=1", "crop.least_margin=1.65"],
    )
    assert config.faces.rate_fps * config.faces.longest_gap_s == 1
