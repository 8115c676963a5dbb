"""torch.compile sees the whole generator, forward and backward; which kernels it makes of it is a GPU's affair."""

import pytest
import torch
from torch import Tensor

from liax.model.config import preset
from liax.model.network import LiaX


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_generator_is_one_graph_with_the_same_gradients(dtype: torch.dtype) -> None:
    (plain, plain_gradient), (compiled, compiled_gradient) = (step(dtype, compiled=flag) for flag in (False, True))
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    assert (compiled - plain).abs().max() < tolerance * plain.abs().max()
    assert (compiled_gradient - plain_gradient).norm() < tolerance * plain_gradient.norm()
    assert plain_gradient.norm() > 0


def step(dtype: torch.dtype, *, compiled: bool) -> tuple[Tensor, Tensor]:
    """A result and the whole gradient."""
    torch.manual_seed(0)
    model = LiaX(preset("tiny"))
    if compiled:
        torch.compiler.reset()
        model.compile(backend="aot_eager", fullgraph=True)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        result, codes = model(pictures, pictures.flip(0))
    (result.abs().mean() + codes.abs().mean()).backward()
    return result.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
