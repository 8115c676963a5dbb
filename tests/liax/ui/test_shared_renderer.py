"""A model that several threads use."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from liax.inference.renderer import Renderer
from liax.model.config import preset
from liax.model.network import LiaX
from liax.ui.shared_renderer import SharedRenderer, Turns


def test_turns_go_to_whoever_waited_longest() -> None:
    turns, order, asked = Turns(), [], []

    def wait_for(name: str) -> None:
        asked.append(name)
        with turns.turn():
            order.append(name)

    with turns.turn():
        threads = []
        for name in "abc":
            threads.append(threading.Thread(target=wait_for, args=(name,)))
            threads[-1].start()
            while len(turns._waiting) < len(threads):
                pass
    with turns.turn():  # whoever has just had a turn comes last
        order.append("again")
    for thread in threads:
        thread.join()
    assert order == ["a", "b", "c", "again"]


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    with turns.turn():
        pass


def test_it_draws_what_the_renderer_draws_from_many_threads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    renderer = Renderer(LiaX(preset("tiny")).eval(), "cpu")
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    source = renderer.encode([picture])
    expected = renderer.decode(renderer.navigate(source.z_BD, source.motion_BM), source.features)[0]
    shared, results = SharedRenderer(renderer), []

    def draw() -> None:
        mine = shared.encode([picture])
        z_BD = shared.navigate(mine.z_BD, shared.motion([picture]))
        results.append(shared.decode(z_BD, mine.features)[0])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.abs(result.astype(int) - expected).max() <= 1 for result in results)
    assert (shared.size_px, shared.directions, shared.batch) == (64, renderer.directions, renderer.batch)
