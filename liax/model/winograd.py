"""3×3 convolutions on a CPU with a quarter of the multiplications: Winograd's F(4×4, 3×3) (Lavin and Gray 2016).

A tile of 6×6 pixels gives 4×4 results by one product for each of 36 transformed pixels. PyTorch has this for float32 on
no CPU. Its rounding errors are about three times those of the direct sum, some 2·10⁻⁶ of the result.

Shapes: B batch, C channels, I/O channels in/out, H W pixels, K taps, Y X tiles down and across, S = 6 transformed
pixels along one side of a tile.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

LEAST_PX = 32
"""Smaller maps have too few tiles to fill the matrix products."""
LEAST_CHANNELS, MOST_CHANNELS = 128, 256
"""Measured: with fewer channels the transforms cost more than they save; with more, the transformed weights, four times
the size of the weights, would need gigabytes."""
STRIPE_BYTES = 10 * 2**20
"""Transformed pixels that are held at a time: about what stays in the caches."""


def suits(x_BIHW: Tensor, weight_OIKK: Tensor) -> bool:
    """Whether this is the faster way for a convolution of stride 1 and padding 1."""
    out_channels, in_channels, kernel_px, _ = weight_OIKK.shape
    height_px, width_px = x_BIHW.shape[2:]
    return (
        (x_BIHW.device.type, x_BIHW.dtype, kernel_px) == ("cpu", torch.float32, 3)
        and min(in_channels, out_channels) >= LEAST_CHANNELS
        and max(in_channels, out_channels) <= MOST_CHANNELS
        and min(height_px, width_px) >= LEAST_PX
        and height_px % 4 == width_px % 4 == 0
        and not torch.compiler.is_compiling()
    )


def transformed(weight_OIKK: Tensor) -> Tensor:
    """The weights of `convolve`, 36×I×O, for constant 3×3 weights."""
    rows_SK = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    g_SK = torch.tensor(rows_SK, dtype=torch.float64) / 24
    # The second side first: the transforms below leave the pixels in that order.
    both_SSIO = torch.einsum("tk,oijk,sj->tsio", g_SK, weight_OIKK.double(), g_SK)
    return both_SSIO.flatten(0, 1).to(weight_OIKK.dtype).contiguous()


def convolve(x_BIHW: Tensor, weights_36IO: Tensor) -> Tensor:
    """Convolution with stride 1 and padding 1; H and W are multiples of 4. B×O×H×W, channels last."""
    batch, channels, height_px, width_px = x_BIHW.shape
    tiles_down, tiles_across = height_px // 4, width_px // 4
    padded_BHWI = functional.pad(x_BIHW.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    y_BYKXKO = x_BIHW.new_empty(batch, tiles_down, 4, tiles_across, 4, weights_36IO.shape[2])
    stripe = max(1, STRIPE_BYTES // (36 * 4 * channels * batch * tiles_across))
    for first in range(0, tiles_down, stripe):
        rows_BHWI = padded_BHWI[:, 4 * first : 4 * (first + stripe) + 2]
        _stripe(rows_BHWI, weights_36IO, y_BYKXKO[:, first : first + stripe])
    return y_BYKXKO.view(batch, height_px, width_px, -1).permute(0, 3, 1, 2)


def _stripe(padded_BHWI: Tensor, weights_36IO: Tensor, out_BYKXKO: Tensor) -> None:
    """Some rows of tiles."""
    batch, _, width_px, channels = padded_BHWI.shape
    _, down, _, across, _, out_channels = out_BYKXKO.shape
    rows_SBYWI = padded_BHWI.new_empty(6, batch, down, width_px, channels)
    _to_tiles([padded_BHWI[:, k : k + 4 * down - 3 : 4] for k in range(6)], rows_SBYWI)
    both_SSBYXI = padded_BHWI.new_empty(6, 6, batch, down, across, channels)
    _to_tiles([rows_SBYWI[:, :, :, k : k + 4 * across - 3 : 4] for k in range(6)], both_SSBYXI)
    product_SSBYXO = torch.bmm(both_SSBYXI.view(36, -1, channels), weights_36IO).view(*both_SSBYXI.shape[:-1], -1)
    across_SBYXKO = padded_BHWI.new_empty(6, batch, down, across, 4, out_channels)
    _from_tiles(product_SSBYXO, [across_SBYXKO[..., k, :] for k in range(4)])
    _from_tiles(across_SBYXKO, [out_BYKXKO[:, :, k] for k in range(4)])


def _to_tiles(pixels: Sequence[Tensor], out: Tensor) -> None:
    """The six pixels along one side of every tile, transformed: Bᵀ of the paper, common parts computed once."""
    x0, x1, x2, x3, x4, x5 = pixels
    even, odd = torch.sub(x4, x2, alpha=4), torch.sub(x3, x1, alpha=4)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.sub(x4, x2, out=even)
    torch.sub(x3, x1, out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
    torch.add(x4, x0, alpha=4, out=out[0]).sub_(x2, alpha=5)
    torch.add(x5, x1, alpha=4, out=out[5]).sub_(x3, alpha=5)


def _from_tiles(products: Tensor, out: Sequence[Tensor]) -> None:
    """Four results from six products along one side of every tile: Aᵀ of the paper."""
    m0, m1, m2, m3, m4, m5 = products
    even, odd, even2, odd2 = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    torch.add(even, even2, out=out[0]).add_(m0)
    torch.add(odd, odd2, alpha=2, out=out[1])
    torch.add(even, even2, alpha=4, out=out[2])
    torch.add(odd, odd2, alpha=8, out=out[3]).add_(m5)
