"""From a shard to the pictures a model sees."""

from pathlib import Path

import numpy as np
import pytest

from liax.data.dataset import PairDataset, choose_samples
from liax.data.frames import read_frames
from liax.data.loader import StepSampler, batches
from liax.data.order import PairOrder
from liax.errors import UserError, VideoError
from liax.pictures import from_model
from liax.shards import ShardSet, commit_shard, write_tar
from tests.moving_shapes import FRAMES, frame, video_of_shapes, write_shapes
from tests.samples import make_sample


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


def test_the_frames_asked_for_are_the_frames_that_come() -> None:
    video = video_of_shapes(seed=3)
    found = read_frames(video, range(FRAMES), 25.0, "clip")
    for number in range(FRAMES):
        # H.264 halves the colours' resolution, so edges differ; the next frame, moved 2 px, differs far more.
        assert np.abs(found[number].astype(int) - frame(3, number)).mean() < 2.5
    alone = read_frames(video, {13}, 25.0, "clip")
    assert list(alone) == [13]
    assert np.array_equal(alone[13], found[13])


def test_what_cannot_be_decoded_is_named() -> None:
    with pytest.raises(VideoError, match="clip: frame missing"):
        read_frames(video_of_shapes(0), {FRAMES}, 25.0, "clip")
    with pytest.raises(VideoError, match="clip: unreadable"):
        read_frames(b"no video at all", {0}, 25.0, "clip")


def test_a_pair_is_two_frames_of_the_clip_at_the_models_size(tmp_path: Path) -> None:
    shards = ShardSet(write_shapes(tmp_path, clips=2, validation=0, size_px=128))
    samples = choose_samples(shards, "train", 64)
    order = PairOrder([FRAMES, FRAMES], seed=0, least_gap_frames=5)
    pair = order.at(0)
    got = PairDataset(shards, samples, order, 64)[0]
    assert got["source"].shape == got["driving"].shape == (3, 64, 64)
    seed = int(samples[pair.sample].sample.key.removeprefix("clip"))
    wanted = frame(seed, pair.driving_frame, 128).reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(from_model(got["driving"][None])[0] - wanted).mean() < 2.5


def test_loading_in_processes_gives_the_same(shapes: str) -> None:
    shards = ShardSet(shapes)
    samples = choose_samples(shards, "train", 64)
    dataset = PairDataset(shards, samples, PairOrder([FRAMES] * len(samples), 0), 64)
    here = list(batches(dataset, StepSampler(range(3, 6), 4, 1, 2), 0))
    there = list(batches(dataset, StepSampler(range(3, 6), 4, 1, 2), 1))
    assert [len(batch["source"]) for batch in here] == [2, 2, 2]
    for one, other in zip(here, there, strict=True):
        assert one["source"].equal(other["source"])
        assert one["driving"].equal(other["driving"])


@pytest.mark.parametrize("loader_workers", [0, 1])
def test_an_error_is_the_same_from_every_process(shapes: str, loader_workers: int) -> None:
    shards = ShardSet(shapes)
    samples = choose_samples(shards, "train", 64)
    dataset = PairDataset(shards, samples, PairOrder([FRAMES + 1000] * len(samples), 0), 64)
    with pytest.raises(VideoError, match=r"clip\d\.mp4: frame missing \(frame \d+\)$") as error:
        list(batches(dataset, StepSampler(range(1), 4, 0, 1), loader_workers))
    assert error.value.reason == "frame_missing"


def test_clips_smaller_than_the_model_are_refused(shapes: str) -> None:
    with pytest.raises(UserError, match=r"64 px .* 128 px"):
        choose_samples(ShardSet(shapes), "train", 128)


def test_a_person_in_two_splits_is_refused(tmp_path: Path) -> None:
    samples = [make_sample(key, split=split) for key, split in (("a", "train"), ("b", "val"))]
    same = [s.info.model_copy(update={"source_sha256": "0" * 64}) for s in samples]
    tar = tmp_path / "local.tar"
    members = [s.members() for s in samples]
    commit_shard(str(tmp_path), 0, tar, write_tar(tar, zip(same, members, strict=True)))
    with pytest.raises(UserError, match="another split"):
        choose_samples(ShardSet(str(tmp_path)), "train", 64)
