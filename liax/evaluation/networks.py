"""The measures that need a network's weights: which are there, and why the others are not.

A measure without its weights is left out of the results with this reason; it never becomes a number. Weights that the
user names must be usable.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.errors import UserError
from liax.evaluation.config import NetworksConfig
from liax.evaluation.lpips import ALEXNET_FILE, Lpips, load_lpips
from liax.identity import ArcFaceEmbedder, DlibEmbedder, Embedder
from liax.pictures import Picture

INCEPTION_FILE = "inception-2015-12-05.pt"
"""As StyleGAN2-ADA publishes it and clean-fid loads it, under this name."""
INCEPTION_FEATURES = 2048


@dataclass(frozen=True, slots=True)
class Networks:
    """Ready to be used, on one device.

    Args:
        device: as PyTorch names it.
        lpips: of pairs of pictures.
        inception: float32 F×2048 features of uint8 pictures.
        embedder: of faces.
        unavailable: reasons by measure.
        names: which network and weights stand behind a measure, by measure.
    """

    device: str = "cpu"
    lpips: Lpips | None = None
    inception: Callable[[Sequence[Picture]], NDArray[np.float32]] | None = None
    embedder: Embedder | None = None
    unavailable: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def open_networks(config: NetworksConfig, device: str) -> Networks:
    """Load what is there. Raises UserError for a given file that cannot be used."""
    unavailable: dict[str, str] = {}
    names: dict[str, str] = {}
    lpips, inception = None, None
    if config.alexnet is None:
        unavailable["lpips"] = f"no weights: give networks.alexnet=PATH of {ALEXNET_FILE}"
    else:
        lpips = load_lpips(config.alexnet).to(device)
        names["lpips"] = f"AlexNet, {ALEXNET_FILE}"
    if config.inception is None:
        unavailable["fid"] = f"no weights: give networks.inception=PATH of {INCEPTION_FILE}"
    else:
        inception = load_inception(config.inception, device)
        names["fid"] = f"{INCEPTION_FILE}, SHA-256 {_sha256(config.inception)}"
    try:
        embedder: Embedder | None = _embedder(config)
    except _UnavailableError as error:
        embedder, unavailable["csim"] = None, str(error)
    else:
        assert embedder is not None
        names["csim"] = embedder.name
    return Networks(device, lpips, inception, embedder, unavailable, names)


class _UnavailableError(Exception):
    """Nobody asked for these weights by name, and they are not there."""


def _embedder(config: NetworksConfig) -> Embedder:
    if config.arcface is not None:
        return ArcFaceEmbedder(config.arcface)
    try:
        return DlibEmbedder(config.dlib)
    except ImportError:
        raise _UnavailableError(
            "dlib is not installed: pip install dlib-bin, or give networks.arcface=PATH of an ONNX network"
        ) from None
    except UserError as error:
        if config.dlib is not None:
            raise
        raise _UnavailableError(f"no weights: {error}; or give networks.arcface=PATH of an ONNX network") from None


def load_inception(path: str, device: str) -> Callable[[Sequence[Picture]], NDArray[np.float32]]:
    """clean-fid's features of pictures (Parmar et al. 2022): resized with a filter, not by picking single pixels.

    Raises:
        UserError: clean-fid is not installed, or the file is not the network.
    """
    if not Path(path).is_file() or Path(path).name != INCEPTION_FILE:
        raise UserError(f"no file {INCEPTION_FILE} at {path} (given as networks.inception)")
    try:
        from cleanfid.inception_torchscript import InceptionV3W
        from cleanfid.resize import build_resizer
    except ImportError as error:
        raise UserError(f"FID needs the package clean-fid ({error}): pip install clean-fid") from None
    import torch

    try:
        network: Any = InceptionV3W(str(Path(path).parent), download=False).to(device)
    except RuntimeError as error:
        raise UserError(f"{path} is not {INCEPTION_FILE}: {str(error).splitlines()[0]}") from None
    resize = build_resizer("clean")

    @torch.no_grad()
    def features(pictures: Sequence[Picture]) -> NDArray[np.float32]:
        resized = np.stack([resize(picture_HWC).transpose(2, 0, 1) for picture_HWC in pictures])
        found = network(torch.from_numpy(resized).to(device))
        return np.asarray(found.float().cpu().numpy(), dtype=np.float32)

    return features


def frechet_distance(real_F: NDArray[np.float32], made_F: NDArray[np.float32]) -> float:
    """FID of features F×2048, two pictures of each at least (Heusel et al. 2017, eq. 6; torchmetrics)."""
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        """Stands for the network: the features are known already."""

        num_features = real_F.shape[1]

        def forward(self, features_F: torch.Tensor) -> torch.Tensor:
            return features_F

    distance = FrechetInceptionDistance(feature=Given())
    distance.update(torch.from_numpy(real_F).double(), real=True)
    distance.update(torch.from_numpy(made_F).double(), real=False)
    return float(distance.compute())


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
