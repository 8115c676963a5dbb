"""Evaluations for tests: a tiny model on clips of moving shapes, measured in this process instead of on Ray."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from liax.evaluation.config import EvaluateConfig
from liax.evaluation.records import Work
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model

SIZE_PX = 64


def make_model(folder: Path) -> str:
    """A model that was never trained."""
    torch.manual_seed(0)
    save_model(LiaX(preset("tiny", SIZE_PX)), folder)
    return str(folder)


def configure(model: str, shards: str | None, output: Path, **changes: Any) -> EvaluateConfig:
    values = {"model": model, "shards": shards, "output": str(output), "frames": 6, "shown": {"clips": 1}}
    return EvaluateConfig.model_validate(values | changes)


def map_here(stage: type, items: Sequence[dict[str, Any]], work: Work, label: str) -> Iterator[dict[str, Any]]:
    """In place of `liax.evaluation.pool.through_pool`."""
    made = stage(work)
    try:
        for item in items:
            yield made(dict(item))
    finally:
        made.close()
