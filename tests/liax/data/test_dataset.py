"""From a shard to the pictures a model sees."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from liax.data import dataset
from liax.data.clip_table import ClipPlace, ClipReader, ClipTable, TarReader
from liax.data.dataset import PairDataset, ReadPair, choose_samples, clips_of
from liax.data.frames import OpenClip, read_frames
from liax.data.order import OrderSettings, PairOrder
from liax.errors import JobError, NoFileError, UserError, VideoError
from liax.shards import SampleRef, ShardSet, commit_shard, write_tar
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


def test_damage_within_a_clip_is_seen() -> None:
    """FFmpeg decodes most of it to pictures that are wrong, and only notes so."""
    whole, random = video_of_shapes(3, 256), np.random.default_rng(0)
    start = whole.index(b"mdat") + 700  # behind what the encoder says of itself
    for place in random.integers(start, whole.index(b"moov") - 8, 20):
        damaged = bytearray(whole)
        damaged[place : place + 8] = random.bytes(8)
        with pytest.raises(VideoError, match=r"clip: (damaged|unreadable|frame missing)"):
            read_frames(bytes(damaged), range(FRAMES), 25.0, "clip")


def test_frames_of_one_group_of_pictures_are_decoded_in_one_go() -> None:
    video = video_of_shapes(seed=3)
    for wanted in ({2, 6}, {2, 9}, {0, 7, 8, 15, 19}):
        apart = read_frames(video, wanted, 25.0, "clip")
        together = read_frames(video, wanted, 25.0, "clip", keyframes=range(0, FRAMES, 8))
        assert together.keys() == wanted
        assert all(np.array_equal(together[number], apart[number]) for number in wanted)


def test_frames_are_the_same_whatever_was_read_before() -> None:
    video, keyframes = video_of_shapes(seed=3), range(0, FRAMES, 8)
    alone = read_frames(video, range(FRAMES), 25.0, "clip")
    clip, random = OpenClip(video, 25.0, "clip", keyframes), np.random.default_rng(0)
    for _ in range(100):
        wanted = set(random.integers(FRAMES, size=2).tolist())
        for number, picture in clip.read(wanted).items():
            assert np.array_equal(picture, alone[number])


def test_a_pair_is_two_frames_of_the_clip_at_the_models_size(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=2, validation=0, size_px=128)), "train", 64)
    order = settle()
    pair = PairOrder(clips_of(samples), order).at(0)
    got = pairs_of(samples, order)[0]
    assert got.source_HWC.shape == got.driving_HWC.shape == (64, 64, 3)
    assert not got.stand_in
    for picture, number in ((got.source_HWC, pair.source_frame), (got.driving_HWC, pair.driving_frame)):
        assert near(picture, halved(frame(seed_of(samples[pair.sample]), number, 128)))


def test_a_mirrored_pair_is_mirrored_in_both_frames(shapes: str) -> None:
    samples = choose_samples(ShardSet(shapes), "train", 64)
    as_is, mirrored = (pairs_of(samples, settle(flip_share=share))[5] for share in (0, 1))
    assert np.array_equal(mirrored.source_HWC, as_is.source_HWC[:, ::-1])
    assert np.array_equal(mirrored.driving_HWC, as_is.driving_HWC[:, ::-1])


class Broken(TarReader):
    """Counts clips that are read, some of which are no videos."""

    def __init__(self, *bad: str) -> None:
        self.bad, self.read_clips = bad, list[str]()

    def read(self, clip: ClipPlace) -> bytes:
        self.read_clips.append(clip.key)
        return b"no video at all" if clip.key in self.bad else super().read(clip)


def test_a_clip_that_cannot_be_read_has_the_same_stand_in_for_everybody(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=8, validation=1)), "train", 64)

    def read_all(positions: range) -> list[ReadPair]:
        pairs = pairs_of(samples, settle(), Broken("clip0", "clip3"))
        return [pairs[position] for position in positions]

    one, other = read_all(range(28)), read_all(range(27, -1, -1))[::-1]
    order = PairOrder(clips_of(samples), settle())
    bad = [samples[order.sample_at(position)].sample.key in ("clip0", "clip3") for position in range(28)]
    assert [pair.stand_in for pair in one] == bad
    assert sum(bad) == 8
    assert all(np.array_equal(a.source_HWC, b.source_HWC) for a, b in zip(one, other, strict=True))


def test_a_set_of_bad_clips_is_told_once(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=3, validation=0)), "train", 64)
    with pytest.raises(JobError, match=r"clip\d\.mp4: unreadable .* nor could 16 other clips be read"):
        pairs_of(samples, settle(), Broken("clip0", "clip1", "clip2"))[0]


def test_a_shard_that_is_gone_is_no_bad_clip(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=3, validation=0)), "train", 64)
    next(tmp_path.glob("[0-9a-f]*.tar")).unlink()
    with pytest.raises(NoFileError, match="no such file"):
        pairs_of(samples, settle())[0]


def test_a_clip_is_read_once_for_its_pairs(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=8, validation=0)), "train", 64)
    counting = Broken()
    pairs = pairs_of(samples, settle(), counting)
    assert len([pairs[position] for position in range(32)]) == 32
    assert sorted(counting.read_clips) == [f"clip{number}" for number in range(8)]


def test_clips_that_are_done_with_do_not_stay_in_memory(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=24, validation=0)), "train", 64)
    pairs = pairs_of(samples, settle())
    for position in range(96):
        assert pairs[position]
        assert len(pairs._kept) <= 2 * 4


def test_open_clips_do_not_go_to_other_processes(tmp_path: Path) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=8, validation=0)), "train", 64)
    pairs = pairs_of(samples, settle())
    here = pairs[0]
    assert pairs._kept
    there = pickle.loads(pickle.dumps(pairs))[0]  # noqa: S301 - written in this line
    assert np.array_equal(here.source_HWC, there.source_HWC)


def test_much_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = choose_samples(ShardSet(write_shapes(tmp_path, clips=8, validation=0)), "train", 64)
    monkeypatch.setattr(dataset, "_MOST_KEPT_BYTES", 1)
    pairs = pairs_of(samples, settle())
    for position in range(32):
        assert pairs[position]
        assert len(pairs._kept) == 1


def test_clips_smaller_than_the_model_are_refused(shapes: str) -> None:
    with pytest.raises(UserError, match=r"64 px .* 128 px"):
        choose_samples(ShardSet(shapes), "train", 128)


def test_a_person_in_two_splits_is_refused(tmp_path: Path) -> None:
    samples = [make_sample(key, split=split) for key, split in (("a", "train"), ("b", "val"))]
    same = [s.info.model_copy(update={"source_sha256": "0" * 64}) for s in samples]
    tar = tmp_path / "local.tar"
    members = [s.members() for s in samples]
    commit_shard(str(tmp_path), 0, tar, write_tar(tar, zip(same, members, strict=True)))
    with pytest.raises(UserError, match="is in 'train' and in 'val': the model would be judged"):
        choose_samples(ShardSet(str(tmp_path)), "train", 64)


def pairs_of(samples: list[SampleRef], order: OrderSettings, reader: ClipReader | None = None) -> PairDataset:
    return PairDataset(reader or TarReader(), ClipTable(samples), PairOrder(clips_of(samples), order), 64)


def settle(flip_share: float = 0.0) -> OrderSettings:
    return OrderSettings(batch=4, pairs_per_clip=4, least_gap_frames=5, flip_share=flip_share)


def seed_of(ref: SampleRef) -> int:
    return int(ref.sample.key.removeprefix("clip"))


def halved(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture.reshape(64, 2, 64, 2, 3).mean((1, 3)))


def near(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one.astype(float) - other).mean() < 2.5)
