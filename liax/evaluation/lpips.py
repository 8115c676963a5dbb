"""LPIPS (Zhang et al. 2018, arXiv 1801.03924), version 0.1 on AlexNet, without torchvision.

The package `lpips` and torchmetrics take AlexNet from torchvision, whose wheels on the package index do not load beside
a CPU build of PyTorch (nor would torchmetrics then). AlexNet's five convolutions are therefore here; the learnt weights
of the channels are those that torchmetrics brings along. A test compares with numbers of the package `lpips`.

Shapes: B pictures, C channels, H W pixels.
"""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from liax.errors import UserError
from liax.model.layers import full_precision

ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
"""As torchvision publishes it (https://download.pytorch.org/models/); the digits begin its SHA-256."""
_ALEXNET_SHA256 = "7be5be79"

_MEAN, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's statistics for pictures in [-1, 1], as the package `lpips` has them."""
_TAPS = (1, 4, 7, 9, 11)
"""Places of AlexNet's activations among its layers (Zhang et al. 2018, appendix B)."""
_LEAST = 1e-10
"""Added to a length before dividing by it, as the package `lpips` does."""


class AlexNet(nn.Module):
    """The features after each of AlexNet's five activations (Krizhevsky 2014, arXiv 1404.5997).

    Parameters have torchvision's names and take no gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        self.requires_grad_(False)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        tapped = []
        for place, layer in enumerate(self.features):
            x_BCHW = layer(x_BCHW)
            if place in _TAPS:
                tapped.append(x_BCHW)
        return tapped


class Lpips(nn.Module):
    """The distance of pictures, see `forward`.

    Args:
        alexnet: with its weights.
    """

    mean_1C11: Tensor
    scale_1C11: Tensor

    def __init__(self, alexnet: AlexNet) -> None:
        super().__init__()
        self.alexnet = alexnet
        self.channels = nn.ParameterList(nn.Parameter(weight, requires_grad=False) for weight in _channel_weights())
        self.register_buffer("mean_1C11", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("scale_1C11", torch.tensor(_SCALE).view(1, 3, 1, 1))

    @torch.no_grad()
    def forward(self, one_BCHW: Tensor, other_BCHW: Tensor) -> Tensor:
        """LPIPS of each pair of pictures in [-1, 1]: float32 of length B."""
        with full_precision(one_BCHW):
            features = [
                self.alexnet((picture_BCHW.float().clamp(-1, 1) - self.mean_1C11) / self.scale_1C11)
                for picture_BCHW in (one_BCHW, other_BCHW)
            ]
            distance_B = torch.zeros(len(one_BCHW), device=one_BCHW.device)
            for weight_1C11, a_BCHW, b_BCHW in zip(self.channels, *features, strict=True):
                squared_BCHW = (_unit(a_BCHW) - _unit(b_BCHW)).square()
                distance_B = distance_B + (squared_BCHW * weight_1C11).sum(1).mean((1, 2))
            return distance_B


def load_lpips(path: str | Path) -> Lpips:
    """With torchvision's weights of AlexNet.

    Args:
        path: a local copy of `ALEXNET_FILE`.

    Raises:
        UserError: there is no such file, or it is not the published one.
    """
    if not Path(path).is_file():
        raise UserError(f"no such file: {path} (given as networks.alexnet)")
    with Path(path).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(_ALEXNET_SHA256):
        raise UserError(f"{path} is not {ALEXNET_FILE}: its SHA-256 is {found}, not {_ALEXNET_SHA256}…")
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    network = AlexNet()
    network.load_state_dict({name: value for name, value in tensors.items() if name.startswith("features.")})
    return Lpips(network)


def _unit(features_BCHW: Tensor) -> Tensor:
    """Every place's features at length 1."""
    return features_BCHW / (features_BCHW.square().sum(1, keepdim=True).sqrt() + _LEAST)


def _channel_weights() -> list[Tensor]:
    """How much each channel of each layer counts, 1×C×1×1, as fitted to human judgements."""
    import torchmetrics

    file = Path(torchmetrics.__file__).parent / "functional" / "image" / "lpips_models" / "alex.pth"
    tensors = torch.load(file, map_location="cpu", weights_only=True)
    return [tensors[f"lin{layer}.model.1.weight"] for layer in range(len(_TAPS))]
