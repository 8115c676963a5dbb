"""What has its weights is used, what has not says why, and FID of known distributions is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from liax.errors import UserError
from liax.evaluation.config import NetworksConfig
from liax.evaluation.networks import (
    INCEPTION_FEATURES,
    INCEPTION_FILE,
    frechet_distance,
    load_inception,
    open_networks,
)


class Layers(torch.nn.Module):
    """In place of Inception's layers: the mean of each colour, over and over."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3)).repeat(1, 683)[:, :2048]


class StandIn(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def test_missing_weights_have_a_reason() -> None:
    networks = open_networks(NetworksConfig(), "cpu")
    assert networks.lpips is None
    assert networks.inception is None
    assert "networks.alexnet=PATH" in networks.unavailable["lpips"]
    assert "networks.inception=PATH" in networks.unavailable["fid"]


def test_an_identity_network_that_is_not_there_is_unavailable_but_a_named_one_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIAX_DLIB_FACE_RECOGNITION", str(tmp_path / "gone.dat"))
    assert "no weights: no such file" in open_networks(NetworksConfig(), "cpu").unavailable["csim"]
    with pytest.raises(UserError, match="no such file"):
        open_networks(NetworksConfig(dlib=str(tmp_path / "gone.dat")), "cpu")
    with pytest.raises(UserError, match="no such file"):
        open_networks(NetworksConfig(arcface=str(tmp_path / "gone.onnx")), "cpu")
    with pytest.raises(UserError, match="no such file"):
        open_networks(NetworksConfig(alexnet=str(tmp_path / "gone.pth")), "cpu")


def test_inception_is_loaded_from_a_path(tmp_path: Path) -> None:
    pytest.importorskip("cleanfid")
    file = tmp_path / INCEPTION_FILE
    torch.jit.script(StandIn()).save(str(file))
    features_F = load_inception(str(file), "cpu")([np.full((64, 64, 3), 192, np.uint8)] * 2)
    assert features_F.shape == (2, INCEPTION_FEATURES)
    assert features_F == pytest.approx(0.5, abs=1e-5)  # (192 - 128) / 128


def test_a_file_that_is_no_inception_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=INCEPTION_FILE):
        load_inception(str(tmp_path / "inception.pt"), "cpu")
    pytest.importorskip("cleanfid")
    (tmp_path / INCEPTION_FILE).write_bytes(b"something else")
    with pytest.raises(UserError, match=f"is not {INCEPTION_FILE}"):
        load_inception(str(tmp_path / INCEPTION_FILE), "cpu")


def test_the_frechet_distance_of_shifted_and_stretched_normals_is_the_known_one() -> None:
    real = np.random.default_rng(0).normal(size=(4000, 3)).astype(np.float32)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(real, real + np.float32(0.5)) == pytest.approx(3 * 0.25, rel=1e-3)
    # Tr(C + 4C - 2·2C) = Tr(C), about 3 for unit variances, and the means' distance of next to nothing.
    assert frechet_distance(real, 2 * real) == pytest.approx(3, rel=0.05)
