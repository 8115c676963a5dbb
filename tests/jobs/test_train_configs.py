"""The named training runs: each is valid, can be shared out, and says nothing but what differs from the defaults."""

from typing import Any

import pytest
import yaml

from liax.config import load_config
from liax.training.config import TrainConfig
from liax.training.share import divide
from tests.conftest import ROOT

FILES = sorted((ROOT / "jobs/configs").glob("train_*.yaml"))
PRESET_FILES = [file for file in FILES if file.stem.count("_") == 2]
NEEDED = ["shards=s", "output=o"]


def load(name: str, *overrides: str) -> TrainConfig:
    return load_config(TrainConfig, ROOT / "jobs/configs" / name, [*NEEDED, *overrides])


def test_every_preset_and_size_has_its_file() -> None:
    expected = {f"train_{name}_{size_px}" for name in ("tiny", "base", "middle", "large") for size_px in (256, 512)}
    assert {file.stem for file in PRESET_FILES} == expected | {"train_small_128"}


@pytest.mark.parametrize("file", PRESET_FILES, ids=lambda file: file.stem)
def test_a_file_trains_what_its_name_says(file: Any) -> None:
    config = load(file.name)
    _, preset, size_px = file.stem.split("_")
    assert (config.model.preset, config.model.generator().size_px) == (preset, int(size_px))
    assert file.read_text().startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_batch_can_be_shared_out(file: Any) -> None:
    config = load(file.name)
    for workers in {1, 2, config.workers} | ({4, 8, 16} if config.device == "cuda" else set()):
        share = divide(config.batch, workers, config.compute.micro_batch)
        assert share.pairs * share.micro_batches * workers == config.batch
    alone = divide(config.batch, config.workers, config.compute.micro_batch)
    if config.compute.micro_batch is not None:
        assert alone.pairs == config.compute.micro_batch, "the file states another number than is computed at once"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_file_repeats_a_default(file: Any) -> None:
    defaults = load_config(TrainConfig, None, NEEDED).model_dump(mode="json")
    stated = flat(yaml.safe_load(file.read_text()))
    repeated = {name for name, value in stated.items() if value == flat(defaults).get(name, "no such default")}
    assert not repeated


@pytest.mark.parametrize("file", PRESET_FILES, ids=lambda file: file.stem)
def test_r1_follows_its_rule(file: Any) -> None:
    """γ = 1 at 512 px and batch 64, ∝ size², ∝ 1/batch."""
    config = load(file.name)
    assert config.loss.r1_gamma == (config.model.generator().size_px / 512) ** 2 * 64 / config.batch


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names to values."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found
