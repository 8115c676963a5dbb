"""VGG-19 up to relu5_1, the fixed network that the perceptual term compares pictures by, and its published weights.

Simonyan & Zisserman 2014, "Very deep convolutional networks for large-scale image recognition", configuration E.

Shapes: B pictures, C channels, H W pixels.
"""

import math

import torch
from torch import Tensor, nn

from liax import weights

_WIDTHS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
"""Channels of each 3×3 convolution, stage by stage. The fifth stage's first is the last that is needed."""
_TAPS = (1, 6, 11, 20, 29)
"""Places of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 among the layers."""
_RANDOM_SEED = 19
"""Of the drawn weights: the same on every worker and in every run. Any other would do."""


class Vgg19(nn.Module):
    """The features after each stage's first activation: relu1_1, relu2_1, relu3_1, relu4_1, relu5_1.

    Parameters have torchvision's names and take no gradient. `published` fills them, or `drawn`.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, widths in enumerate(_WIDTHS):
            if stage > 0:
                layers.append(nn.MaxPool2d(2))
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.requires_grad_(False)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Features of pictures normalised as ImageNet's, B×3×H×W; fewer where a stage's map would be below 1 px."""
        tapped = []
        for place, layer in enumerate(self.features):
            if isinstance(layer, nn.MaxPool2d) and min(x_BCHW.shape[-2:]) < 2:
                break
            x_BCHW = layer(x_BCHW)
            if place in _TAPS:
                tapped.append(x_BCHW)
        return tapped


def drawn() -> Vgg19:
    """With drawn weights that keep the variance of activations (He et al. 2015, eq. 10), the same on every call."""
    network, source = _unfilled(), torch.Generator().manual_seed(_RANDOM_SEED)
    for parameter in network.parameters():
        if parameter.dim() == 1:
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, std=math.sqrt(2 / parameter[0].numel()), generator=source)
    return network


def published(source: str | None = None) -> Vgg19:
    """With torchvision's weights.

    Args:
        source: a copy of vgg19-dcbb9e9d.pth (a path, `s3://…` or `https://…`); default: `LIAX_VGG19`, else the
            publisher's.

    Raises:
        UserError: there is no such file, or it is not the published one.
    """
    path = weights.path_of(weights.VGG19, source)
    # On the CPU and not mapped: the file is in PyTorch's old format, which cannot be.
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    network = _unfilled()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])
    return network


def _unfilled() -> Vgg19:
    """Without first weights: drawing them would take time, and numbers that others are to get from the generator."""
    with torch.device("meta"):
        network = Vgg19()
    return network.to_empty(device="cpu")
