"""Which pairs a validation takes, and that its numbers are those of the model on them."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from liax.data.dataset import choose_samples
from liax.model.config import preset
from liax.model.network import LiaX
from liax.shards import ShardSet
from liax.training.validation import Validation, read_validation, validate, validation_video
from tests.moving_shapes import FRAMES, frame, write_shapes

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return ShardSet(write_shapes(tmp_path_factory.mktemp("shapes"), clips=4, validation=2))


@pytest.fixture(scope="module")
def validation(shards: ShardSet) -> Validation:
    return read_validation(shards, choose_samples(shards, "val", 64), 64, pairs=6, frames=5)


def test_a_clips_first_frame_and_later_ones_of_validation_clips_in_turn(validation: Validation) -> None:
    assert len(validation.pairs) == 6
    for number, (source, driving) in enumerate(validation.pairs):
        clip = 2 + number % 2  # the last two of four; each gives three pairs
        assert near(source, frame(clip, 0))
        assert near(driving, frame(clip, (number // 2 + 1) * (FRAMES - 1) // 3))


def test_the_clip_for_the_video_begins_at_its_first_frame(validation: Validation) -> None:
    assert len(validation.clip) == 5
    assert all(near(picture, frame(2, number)) for number, picture in enumerate(validation.clip))


def test_more_pairs_than_frames_are_possible(shards: ShardSet) -> None:
    many = read_validation(shards, choose_samples(shards, "val", 64), 64, pairs=60, frames=0)
    assert len(many.pairs) == 60
    assert many.clip == []


def test_a_model_that_shows_the_source_has_the_numbers_of_the_copy(validation: Validation) -> None:
    class Copy(LiaX):
        def forward(self, source_BCHW: torch.Tensor, driving_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return source_BCHW, torch.eye(len(source_BCHW), 20)

    numbers = validate(Copy(preset("tiny")), validation, CPU)
    expected = np.mean([np.abs(a.astype(float) - b).mean() / 255 for a, b in validation.pairs])
    assert numbers["val/l1"] == pytest.approx(expected, rel=1e-4)
    for name in ("l1", "psnr", "ssim"):
        assert numbers[f"val/{name}"] == numbers[f"val/{name}_copy"]
    assert numbers["codes/hoyer"] == pytest.approx(1)  # one direction at a time


def test_the_video_has_three_pictures_side_by_side(validation: Validation, tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "validation.mp4"
    file.write_bytes(validation_video(LiaX(preset("tiny")), validation, CPU))
    with av.open(str(file)) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    assert len(pictures) == 5
    assert pictures[3].shape == (64, 192, 3)
    assert near(pictures[3][:, :64], frame(2, 0), 6)
    assert near(pictures[3][:, 64:128], frame(2, 3), 6)


def near(one: np.ndarray, other: np.ndarray, grey_levels: float = 2.5) -> bool:
    return bool(np.abs(one.astype(float) - other).mean() < grey_levels)
