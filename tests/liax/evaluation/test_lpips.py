"""LPIPS gives what the package `lpips` gives, with drawn weights."""

from pathlib import Path

import pytest
import torch

from liax.errors import UserError
from liax.evaluation.lpips import Lpips, load_lpips
from tests.liax.evaluation.drawn_alexnet import drawn_alexnet, pair

BY_THE_PACKAGE = [0.019588826224207878, 0.020283468067646027, 0.0]
"""What `lpips.LPIPS(net="alex")` of lpips 0.1.4 gives for `pair` with the weights of `drawn_alexnet`."""


def test_it_agrees_with_the_package() -> None:
    assert Lpips(drawn_alexnet())(*pair()).tolist() == pytest.approx(BY_THE_PACKAGE, rel=1e-4)


def test_it_is_the_same_both_ways_and_grows_with_the_noise() -> None:
    lpips, (one, other) = Lpips(drawn_alexnet()), pair()
    assert torch.allclose(lpips(one, other), lpips(other, one))
    assert (lpips(one[:2], (one + other)[:2] / 2) < lpips(one[:2], other[:2])).all()


def test_only_the_published_file_is_taken(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_lpips(tmp_path / "alexnet-owt-7be5be79.pth")
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"is not alexnet-owt-7be5be79.pth: its SHA-256 is"):
        load_lpips(tmp_path / "alexnet-owt-7be5be79.pth")
