"""The command that a page shows is the one that makes it again."""

import shlex
from typing import Any

import pytest

from liax.atlas.config import AtlasConfig
from liax.atlas.records import Work
from liax.atlas.results import command_of
from liax.config import load_config
from liax.evaluation.subject import Subject


@pytest.mark.parametrize(
    "settings",
    [
        {"shards": "runs/faces", "output": "runs/atlas"},
        {"shards": "my faces/it's one", "output": "out of $HOME; here", "networks": {"alexnet": "my weights.pth"}},
        {"videos": ["two people", "a, b", "c: d # e"], "output": "o", "crop": False, "compare": ["other atlas"]},
        {"shards": "s", "output": "o", "strips": {"levels": 3}, "workers": 2, "cpus_per_worker": 0.5},
    ],
)
def test_a_shell_reads_the_command_as_the_same_settings(settings: dict[str, Any]) -> None:
    config = AtlasConfig.model_validate({"model": "a model", **settings})
    work = Work("o", Subject(given="m", url="m", sha256="0", size_px=64), config, (), ())
    liax, atlas, *words = shlex.split(command_of(work))
    assert (liax, atlas) == ("liax", "atlas")
    assert load_config(AtlasConfig, None, words) == config
