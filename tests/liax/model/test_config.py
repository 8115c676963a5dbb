"""Sizes, channel counts and names of the network's configurations."""

import pytest

from liax.config import build
from liax.errors import UserError
from liax.model.config import PRESETS, ModelConfig, preset


def test_channels_count_from_the_top() -> None:
    config = ModelConfig(size_px=512, width=2)
    assert [config.channels(size) for size in (512, 256, 128, 64, 8, 4)] == [128, 256, 512, 1024, 1024, 1024]
    assert [preset("base", 64).channels(size) for size in (64, 32, 16, 8, 4)] == [32, 64, 128, 256, 256]


@pytest.mark.parametrize(("size_px", "count"), [(64, 4), (128, 5), (256, 6), (512, 7)])
def test_levels_run_from_8_px_to_the_picture(size_px: int, count: int) -> None:
    levels = preset("base", size_px).levels
    assert (len(levels), levels[0], levels[-1]) == (count, 8, size_px)


def test_a_preset_at_another_size_differs_in_size_only() -> None:
    assert preset("large", 256) == PRESETS["large"].model_copy(update={"size_px": 256})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 0.51}, "'width'.*64·width"),
        ({"width": 0.0}, "'width'"),
        ({"size_px": 96}, "'size_px'.*64, 128, 256 or 512"),
        ({"blocks": 0}, "'blocks'"),
        ({"width": 1 / 32, "directions": 17}, "'directions'.*512·width = 16"),
        ({"width": 1 / 32}, "'directions'.*512·width = 16"),
        ({"depth": 3}, "'depth'"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(ModelConfig, values, "test")


def test_an_unknown_preset_or_size_is_refused_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"huge.*tiny, small, base, middle, large"):
        preset("huge")
    with pytest.raises(UserError, match="64, 128, 256 or 512"):
        preset("base", 100)
