"""Blocks that are computed again give the same gradients and keep less."""

import pytest
import torch
from torch import Tensor, nn

from liax.model.config import ModelConfig
from liax.model.network import LiaX
from liax.training.recompute import recompute_blocks, recomputed_blocks

pytestmark = pytest.mark.usefixtures("one_thread")

PRECISIONS = [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_gradients_are_the_same_numbers(dtype: torch.dtype) -> None:
    kept, again = network(), network()
    recompute_blocks(again)
    _, expected = one_pass(kept, dtype)
    _, gradients = one_pass(again, dtype)
    assert list(expected) == list(gradients)
    assert all(gradients[name].equal(expected[name]) for name in expected)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_less_is_kept_for_the_backward_pass(dtype: torch.dtype) -> None:
    kept, again = network(), network()
    recompute_blocks(again)
    assert one_pass(again, dtype)[0] < one_pass(kept, dtype)[0] / 2.5


def test_weights_keep_their_names_and_blocks_are_known() -> None:
    model = network()
    names = list(model.state_dict())
    assert not recomputed_blocks(model)
    recompute_blocks(model)
    assert list(model.state_dict()) == names
    # Encoder: 4 blocks. Decoder: 4 levels of one flow and one render block, flow's 1×1 and `up`; `render_up` in three.
    assert len(recomputed_blocks(model)) == 4 + 4 * 4 + 3


def test_without_gradients_nothing_changes() -> None:
    kept, again = network(), network()
    recompute_blocks(again)
    with torch.no_grad():
        assert again(*pictures())[0].equal(kept(*pictures())[0])


def network() -> LiaX:
    torch.manual_seed(0)
    return LiaX(ModelConfig(size_px=64, width=1 / 8, blocks=1, directions=20))


def pictures() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    source, driving = (torch.rand(2, 3, 64, 64, generator=random) * 2 - 1 for _ in range(2))
    return source, driving


def one_pass(model: nn.Module, dtype: torch.dtype) -> tuple[int, dict[str, Tensor]]:
    """Bytes that the forward pass keeps beside the weights, and the gradients by name."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    source, driving = pictures()
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32),
    ):
        result, coefficients = model(source, driving)
        loss = (result - driving).abs().mean() + coefficients.abs().mean()
    loss.backward()
    return sum(kept.values()), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
