"""The official names, there and back, and what is refused."""

import pytest
import torch
from torch import Tensor

from liax.errors import UserError
from liax.model.config import ModelConfig
from liax.model.network import LiaX
from liax.model.official import from_official, names, to_official
from tests.liax.model import drawn

CONFIG = ModelConfig(size_px=512, width=1 / 16, blocks=2, directions=20)


@pytest.fixture(scope="module")
def whole() -> dict[str, Tensor]:
    shapes = {name: tuple(tensor.shape) for name, tensor in to_official(LiaX(CONFIG)).items()}
    return drawn.official(shapes)


@pytest.fixture
def state(whole: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(whole)


def test_the_released_layout_has_596_names() -> None:
    mapping = names(ModelConfig(width=2))
    assert len(mapping) == 596
    ours = [our for our in mapping.values() if our is not None]
    with torch.device("meta"):
        assert sorted(ours) == sorted(LiaX(ModelConfig(width=2)).state_dict())


def test_there_and_back_bit_for_bit(state: dict[str, Tensor]) -> None:
    model = from_official(state)
    assert model.config == CONFIG
    assert not model.training
    back = to_official(model)
    assert list(back) == list(state)
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


def test_the_model_owns_its_weights(state: dict[str, Tensor]) -> None:
    model = from_official(state)
    before = model.to_motion.bias.clone()
    state["enc.enc_r2t.0.bias"] += 1
    torch.testing.assert_close(model.to_motion.bias, before)
    state["enc.enc_r2t.0.bias"] -= 1


def test_missing_unexpected_and_misshapen_entries_are_listed(state: dict[str, Tensor]) -> None:
    del state["dec.conv3_2_up.1.weight"]
    state["dec.extra"] = torch.zeros(1)
    state["dec.rgb2.bias"] = torch.zeros(1, 4, 1, 1)
    with pytest.raises(UserError) as caught:
        from_official(state)
    message = str(caught.value)
    assert "dec.conv3_2_up.1.weight is missing" in message
    assert "dec.extra is unexpected" in message
    assert "dec.rgb2.bias has shape [1, 4, 1, 1] instead of [1, 3, 1, 1]" in message


def test_another_blur_kernel_is_refused(state: dict[str, Tensor]) -> None:
    state["dec.rgb2.up.kernel"] = state["dec.rgb2.up.kernel"] / 4
    with pytest.raises(UserError, match=r"dec\.rgb2\.up\.kernel is not the blur kernel"):
        from_official(state)


def test_what_is_no_official_state_dict_is_refused(state: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match=r"dec\.direction\.weight"):
        from_official({"weight": torch.zeros(1)})
    with pytest.raises(UserError, match="64×100"):
        from_official(state | {"dec.direction.weight": torch.zeros(64, 100)})


def test_official_names_exist_for_512_px_only(state: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match="512"):
        from_official(state, size=256)
    with pytest.raises(UserError, match="64 px"):
        to_official(LiaX(ModelConfig(size_px=64, width=1 / 8, blocks=1)))
