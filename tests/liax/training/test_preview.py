"""The grid that is looked at during training."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from liax.data.batch import PairBatch
from liax.model.config import preset
from liax.model.network import LiaX
from liax.training.preview import coloured, preview, warped


@pytest.fixture(scope="module")
def model() -> LiaX:
    torch.manual_seed(0)
    return LiaX(preset("tiny")).eval()


@pytest.fixture(scope="module")
def pairs() -> PairBatch:
    random = torch.Generator().manual_seed(1)
    source, driving = (torch.rand(2, 3, 64, 64, generator=random) * 2 - 1 for _ in range(2))
    return PairBatch(source=source, driving=driving)


def test_a_row_a_pair_and_six_columns(model: LiaX, pairs: PairBatch) -> None:
    picture = np.asarray(Image.open(io.BytesIO(preview(pairs["driving"], model, pairs))))
    assert picture.shape == (2 * 64, 6 * 64, 3)
    columns = picture.reshape(2, 64, 6, 64, 3).transpose(2, 0, 1, 3, 4).astype(float)
    wanted = ((pairs["source"].permute(0, 2, 3, 1) + 1) * 127.5).numpy()
    assert np.abs(columns[0] - wanted).max() <= 0.5
    assert np.array_equal(columns[1], columns[2])  # the results that were given are the driving pictures here
    assert np.array_equal(columns[4][..., 0], columns[4][..., 1])  # the mask is grey


def test_the_warp_is_the_networks_own(model: LiaX, pairs: PairBatch) -> None:
    result, flow, mask = warped(model, pairs["source"], pairs["driving"])
    with torch.no_grad():
        assert torch.equal(result, model(pairs["source"], pairs["driving"])[0])
    assert flow.shape == (2, 2, 64, 64)
    assert mask.shape == (2, 1, 64, 64)
    assert flow.abs().max() <= 1
    assert 0 <= mask.min() <= mask.max() <= 1
    assert not model.decoder.levels[-1]._forward_hooks


def test_no_motion_is_black_and_opposite_motions_differ() -> None:
    still = coloured(torch.zeros(1, 2, 4, 4))
    assert still.max() == -1
    right, left = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    right[:, 0], left[:, 0] = 0.5, -0.5
    assert coloured(right).max() == 1
    assert (coloured(right) - coloured(left)).abs().max() > 1
