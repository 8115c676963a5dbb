"""The frozen assignment of clips to splits and shards."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.sample import CropInfo, SampleInfo
from pipelines.config import ShardConfig, SplitConfig
from pipelines.outcomes import Source, SourceRecord
from pipelines.planning import freeze_plan, make_plan, split_of, split_sources
from pipelines.run import Run

CROP = CropInfo(left_px=0, top_px=0, side_px=64, source_width_px=64, source_height_px=64, align="clip", padded=False)


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def record(number: int, sizes: list[int]) -> SourceRecord:
    sha256 = digest(number)
    source = Source(uri=f"/videos/{number}.mp4", sha256=sha256)
    clips = [
        SampleInfo(
            key=f"{sha256[:12]}-{index}",
            source_uri=source.uri,
            source_sha256=sha256,
            track=index,
            start_s=0,
            end_s=1,
            fps=25,
            frames=25,
            size_px=64,
            crop=CROP,
            scores={},
            identity=None,
            split="train",
            has_audio=False,
            keyframes=[0],
            pipeline_version="1",
            config_id="0",
        )
        for index in range(len(sizes))
    ]
    by_key = {clip.key: size for clip, size in zip(clips, sizes, strict=True)}
    return SourceRecord(source=source, clips=clips, clip_bytes=by_key, outcomes=[], seconds={})


@given(st.lists(st.lists(st.integers(1, 100), max_size=5), max_size=30), st.integers(1, 300), st.randoms())
def test_every_clip_is_in_one_shard_of_its_sources_split(sizes: list, target: int, random: object) -> None:
    records = [record(number, each) for number, each in enumerate(sizes)]
    split, shards = SplitConfig(val_fraction=0.2, test_fraction=0.2), ShardConfig(target_bytes=target)
    plan = make_plan(records, split, shards)

    keys = [key for shard in plan.shards for key in shard.keys]
    assert sorted(keys) == sorted(clip.key for r in records for clip in r.clips)
    assert len(keys) == len(set(keys))
    assert [shard.number for shard in plan.shards] == list(range(len(plan.shards)))
    side_of = {key[:12]: shard.split for shard in plan.shards for key in shard.keys}
    assert all(side_of[key[:12]] == shard.split for shard in plan.shards for key in shard.keys)
    bytes_of = {key: size for r in records for key, size in r.clip_bytes.items()}
    for shard in plan.shards:
        assert sum(bytes_of[key] for key in shard.keys[:-1]) < target
    shuffled = random.sample(records, len(records))  # type: ignore[attr-defined]
    assert make_plan(shuffled, split, shards) == plan


def test_the_split_has_the_asked_shares_and_is_stable() -> None:
    config = SplitConfig(val_fraction=0.1, test_fraction=0.2)
    sides = [split_of(digest(number), config) for number in range(4000)]
    assert sides.count("val") / 4000 == pytest.approx(0.1, abs=0.02)
    assert sides.count("test") / 4000 == pytest.approx(0.2, abs=0.02)
    more = SplitConfig(val_fraction=0.1, test_fraction=0.3)
    moved = {(a, b) for a, b in zip(sides, (split_of(digest(n), more) for n in range(4000)), strict=True) if a != b}
    assert moved == {("train", "test")}


def test_there_is_always_something_to_train_on() -> None:
    config = SplitConfig(val_fraction=0.9, test_fraction=0.0)
    held_back = [digest(n) for n in range(50) if split_of(digest(n), config) == "val"][:3]
    assert set(split_sources(held_back, config).values()) == {"train"}


def test_the_first_frozen_plan_holds(tmp_path: Path) -> None:
    run = Run(str(tmp_path), "0")
    first = make_plan([record(1, [10, 10])], SplitConfig(), ShardConfig())
    second = make_plan([record(2, [10])], SplitConfig(), ShardConfig())
    assert freeze_plan(run, first) == first
    assert freeze_plan(run, second) == first
