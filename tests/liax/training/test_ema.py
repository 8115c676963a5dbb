"""The running average follows the formula, also where weights are gathered some at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from liax.model.config import preset
from liax.model.network import LiaX
from liax.training import ema as ema_module
from liax.training.config import EmaConfig
from liax.training.ema import Ema, update_average


class Gathering:
    """An engine of which only the gathering is asked for."""

    def __init__(self, module: nn.Module) -> None:
        self.module: nn.Module = module
        self.entered: list[int] = []

    @contextmanager
    def gathered(self, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
        self.entered.append(len(parameters))
        yield


def test_a_weight_counts_half_after_a_half_life() -> None:
    ema = Ema(LiaX(preset("tiny")), EmaConfig(half_life_pictures=100, ramp=1))
    assert ema.share(batch=100, pictures_seen=1000) == pytest.approx(0.5)
    assert ema.share(batch=50, pictures_seen=1000) == pytest.approx(1 - 0.5**0.5)


def test_early_on_the_half_life_is_a_share_of_what_was_seen() -> None:
    ema = Ema(LiaX(preset("tiny")), EmaConfig(half_life_pictures=20_000, ramp=0.05))
    assert ema.share(batch=8, pictures_seen=160) == pytest.approx(0.5)


@pytest.mark.parametrize("at_once", [1, 50_000, 10**9])
def test_every_weight_is_averaged_however_many_are_gathered_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ema_module, "_AT_ONCE", at_once)
    torch.manual_seed(0)
    model = LiaX(preset("tiny"))
    ema = Ema(model, EmaConfig(half_life_pictures=8, ramp=100))
    before = {name: weight.clone() for name, weight in ema.model.named_parameters()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    engine: Any = Gathering(model)
    update_average(ema, engine, batch=8, pictures_seen=8)
    for name, average in ema.model.named_parameters():
        assert torch.allclose(average, before[name] + 0.5, atol=1e-6), name
    assert sum(engine.entered) == len(before)
    if at_once == 50_000:
        assert 1 < len(engine.entered) < len(before)
    else:
        assert len(engine.entered) == (len(before) if at_once == 1 else 1)


def test_a_worker_without_an_average_takes_part_in_the_gathering() -> None:
    engine: Any = Gathering(LiaX(preset("tiny")))
    update_average(None, engine, batch=8, pictures_seen=8)
    assert engine.entered
