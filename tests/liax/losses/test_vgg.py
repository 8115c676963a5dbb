"""VGG-19 against the same network written the long way, and the files its weights come from."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from liax import weights
from liax.errors import UserError
from liax.losses import vgg

PLACES = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28]
"""Where torchvision's `features` have the convolutions up to conv5_1."""


def the_long_way() -> nn.Sequential:
    """torchvision's `vgg19().features` up to relu5_1, with drawn weights."""
    layers: list[nn.Module] = []
    channels = 3
    for item in [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512]:
        if item == 0:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers += [nn.Conv2d(channels, item, kernel_size=3, padding=1), nn.ReLU()]
            channels = item
    return nn.Sequential(*layers)


def published_tensors(network: nn.Sequential) -> dict[str, Tensor]:
    """As in the published file: with the later layers and the classifier too."""
    tensors = {f"features.{name}": tensor for name, tensor in network.state_dict().items()}
    return tensors | {"features.30.weight": torch.zeros(2), "classifier.0.weight": torch.zeros(3)}


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return the_long_way()


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a developer's copy nor the publisher's half gigabyte."""
    monkeypatch.delenv("LIAX_VGG19", raising=False)
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "VGG19", replace(weights.VGG19, url="http://127.0.0.1:9/vgg19.pth"))


def assert_same_features(found: vgg.Vgg19, network: nn.Sequential) -> None:
    picture = torch.randn(1, 3, 48, 32, generator=torch.Generator().manual_seed(1))
    expected, x = [], picture
    for place, layer in enumerate(network):
        x = layer(x)
        if place in (1, 6, 11, 20, 29):  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
            expected.append(x)
    features = found(picture)
    assert [tuple(feature.shape[1:]) for feature in features] == [
        (64, 48, 32), (128, 24, 16), (256, 12, 8), (512, 6, 4), (512, 3, 2),
    ]  # fmt: skip
    for feature, wanted in zip(features, expected, strict=True):
        torch.testing.assert_close(feature, wanted)


def test_the_published_format(network: nn.Sequential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "copy.pth"
    torch.save(published_tensors(network), path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"copy\.pth is not vgg19-dcbb9e9d\.pth: its SHA-256 is"):
        vgg.published(str(path))
    publish(path, monkeypatch)
    monkeypatch.setenv("LIAX_VGG19", str(path))
    assert_same_features(vgg.published(), network)


def test_a_file_from_s3(
    network: nn.Sequential, tmp_path: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liax import storage

    path = tmp_path / "vgg.pth"
    torch.save(published_tensors(network), path, _use_new_zipfile_serialization=False)
    publish(path, monkeypatch)
    storage.upload(path, f"{s3_bucket}/vgg.pth")
    assert_same_features(vgg.published(f"{s3_bucket}/vgg.pth"), network)


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be the published one."""
    hashed = replace(weights.VGG19, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(weights, "VGG19", hashed)


def test_the_names_are_torchvisions(network: nn.Sequential) -> None:
    names = [f"features.{place}.{kind}" for place in PLACES for kind in ("weight", "bias")]
    state = vgg.Vgg19().state_dict()
    assert list(state) == names
    published = published_tensors(network)
    assert {name: tensor.shape for name, tensor in state.items()} == {name: published[name].shape for name in names}


def test_drawn_weights_are_the_same_everywhere_and_keep_the_variance() -> None:
    before = torch.get_rng_state()
    first = vgg.drawn()
    assert torch.equal(torch.get_rng_state(), before)  # and nobody else's numbers change
    torch.manual_seed(4)
    second = vgg.drawn()
    for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other), name
        assert not one.requires_grad
    for feature in first(torch.randn(2, 3, 128, 128)):  # pooling raises it, padding lowers it
        assert 0.2 < feature.square().mean().item() < 10


def test_a_map_below_one_pixel_is_left_out() -> None:
    network = vgg.drawn()
    for size_px, features in ((16, 5), (15, 4), (8, 4), (4, 3), (2, 2), (1, 1)):
        assert len(network(torch.zeros(1, 3, size_px, size_px))) == features
    assert len(network(torch.zeros(1, 3, 64, 8))) == 4
