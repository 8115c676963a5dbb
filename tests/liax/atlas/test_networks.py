"""Which observers are there, and what is said of those that are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from liax.atlas import networks
from liax.atlas.config import AtlasNetworksConfig
from liax.atlas.networks import Opened, open_observers
from liax.atlas.second import SECOND_ATTRIBUTES
from liax.errors import UserError
from liax.synthetic.scenes import portrait


@contextmanager
def opened(config: AtlasNetworksConfig) -> Iterator[Opened]:
    found = open_observers(config, "cpu")
    try:
        yield found
    finally:
        found.observers.close()


def test_without_its_weights_a_second_observer_is_missing_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(weights: str | None) -> None:
        raise UserError("cannot get the points")

    monkeypatch.setattr(networks, "SecondObserver", gone)
    with opened(AtlasNetworksConfig()) as found:
        assert found.unavailable["second observer"] == "cannot get the points"
        assert "second" not in found.names
        assert found.names["face"] == "MediaPipe face landmarker"
        seen = found.observers.see(portrait())
    assert seen.found
    assert not np.isnan(seen.attributes_A).any()
    assert np.isnan(seen.second_B).all()
    assert seen.second_B.shape == (len(SECOND_ATTRIBUTES),)


def test_without_alexnet_there_is_no_path_length() -> None:
    with opened(AtlasNetworksConfig()) as found:
        assert found.lpips is None
        assert "steps" not in found.names
        assert found.unavailable["perceptual path length"].startswith("no weights: give networks.alexnet=PATH")
        assert not any("fid" in what for what in found.unavailable)  # which no atlas measures


@pytest.mark.parametrize("name", ["alexnet", "arcface", "dlib", "landmarks68", "face_landmarker"])
def test_weights_that_are_named_must_be_there(name: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(UserError, match=missing) as caught:
        open_observers(AtlasNetworksConfig.model_validate({name: missing}), "cpu")
    assert "\n" not in str(caught.value)
