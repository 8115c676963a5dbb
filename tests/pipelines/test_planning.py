"""The frozen decisions about every clip: quality, people, split, shards."""

import base64
import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.sample import CropInfo, FaceArrays, SampleInfo
from pipelines.config import PreprocessConfig, SplitConfig
from pipelines.outcomes import KEPT, Outcome, Segment, SegmentRecord, Source
from pipelines.planning import (
    Plan,
    freeze_plan,
    load_plan,
    make_plan,
    planned_clips,
    planned_outcomes,
    split_of,
    split_people,
)
from pipelines.run import Run
from pipelines.signatures import ClipSignature

CROP = CropInfo(left_px=0, top_px=0, side_px=64, source_width_px=64, source_height_px=64, align="clip", padded=False)


def config_of(**settings: object) -> PreprocessConfig:
    """Without an embedder, so that a person is a source."""
    return PreprocessConfig.model_validate({"input": "-", "output": "-", "people": {"embedder": "none"}, **settings})


def no_motion(key: str) -> FaceArrays:
    raise AssertionError(f"nothing is compared with {key}")


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def record(number: int, sizes: list[int], scores: dict[str, float] | None = None) -> SegmentRecord:
    sha256 = digest(number)
    source = Source(uri=f"/videos/{number}.mp4", sha256=sha256)
    clips = [
        SampleInfo(
            key=f"{sha256[:12]}-{'0' * 6}-{index:02d}-{0:08d}",
            source_uri=source.uri,
            source_sha256=sha256,
            segment=0,
            track=index,
            start_s=0,
            end_s=1,
            fps=25,
            frames=25,
            size_px=64,
            crop=CROP,
            scores={"face_px": 200.0} | (scores or {}),
            identity=None,
            split="train",
            has_audio=False,
            keyframes=[0],
            pipeline_version="1",
            config_id="0",
        )
        for index in range(len(sizes))
    ]
    return SegmentRecord(
        segment=Segment(id=sha256[:16], source=source, number=0, start_s=0, end_s=None),
        clips=clips,
        clip_bytes={clip.key: size for clip, size in zip(clips, sizes, strict=True)},
        signatures={clip.key: ClipSignature(embedder=None, embedding=None, hashes=[]) for clip in clips},
        outcomes=[
            Outcome(
                source_uri=source.uri, source_sha256=sha256, stage="clips", reason=KEPT, track=clip.track, key=clip.key
            )
            for clip in clips
        ],
        seconds={},
    )


@given(
    st.lists(st.lists(st.integers(1, 100), max_size=5), max_size=30),
    st.integers(1, 300),
    st.randoms(use_true_random=False),
)
def test_every_clip_is_in_one_shard_of_its_persons_split(
    sizes: list[list[int]], target: int, order: random.Random
) -> None:
    records = [record(number, each) for number, each in enumerate(sizes)]
    config = config_of(split={"val_fraction": 0.2, "test_fraction": 0.2}, shards={"target_bytes": target})
    plan = make_plan(records, config, no_motion)

    keys = [key for shard in plan.shards for key in shard.keys]
    assert sorted(keys) == sorted(clip.key for r in records for clip in r.clips)
    assert len(keys) == len(set(keys))
    assert [shard.number for shard in plan.shards] == list(range(len(plan.shards)))
    side_of: dict[str, str] = {}
    for shard in plan.shards:
        for key in shard.keys:
            assert side_of.setdefault(plan.identities[key], shard.split) == shard.split
    bytes_of = {key: size for r in records for key, size in r.clip_bytes.items()}
    for shard in plan.shards:
        assert sum(bytes_of[key] for key in shard.keys[:-1]) < target
    shuffled = order.sample(records, len(records))
    assert make_plan(shuffled, config, no_motion) == plan


def test_a_clip_that_is_not_good_enough_is_a_row_with_the_reason() -> None:
    records = [record(1, [10, 10], {"sharpness": 0.9}), record(2, [10], {"sharpness": 0.1})]
    plan = make_plan(records, config_of(quality={"least_sharpness": 0.5}), no_motion)
    (blurred,) = (clip.key for clip in records[1].clips)
    assert set(plan.rejections) == {blurred}
    assert blurred not in planned_clips(plan, records)
    rows = planned_outcomes(plan, [row for each in records for row in each.outcomes])
    assert [(row.reason, row.stage) for row in rows[:2]] == [(KEPT, "clips")] * 2
    assert (rows[2].stage, rows[2].key) == ("quality", blurred)
    assert rows[2].reason != KEPT
    assert "0.1" in rows[2].detail

    kept = make_plan(records, config_of(quality={"least_sharpness": 0.5, "score_only": True}), no_motion)
    assert not kept.rejections


def test_a_near_duplicate_is_in_no_shard() -> None:
    """The same recording in two files: equal embeddings, hashes and motion."""
    records = [record(1, [10]), record(2, [10], {"face_px": 100.0})]
    generator = np.random.default_rng(0)
    embedding = base64.b64encode((generator.normal(size=128) / 128**0.5).astype("<f2").tobytes()).decode()
    signature = ClipSignature(embedder="dlib", embedding=embedding, hashes=["0123456789abcdef"])
    records = [each.model_copy(update={"signatures": dict.fromkeys(each.signatures, signature)}) for each in records]
    turning = np.cumsum(generator.normal(size=(25, 3)), axis=0).astype(np.float32)
    motion = FaceArrays(
        landmarks_TN3=np.zeros((25, 478, 3), np.float32),
        boxes_T4=np.zeros((25, 4), np.float32),
        head_pose_T3=turning,
        blendshapes_TS=np.zeros((25, 52), np.float32),
        measured_T=np.ones(25, np.bool_),
    )
    larger, smaller = (each.clips[0].key for each in records)
    plan = make_plan(records, config_of(people={"embedder": "dlib"}), lambda key: motion)
    assert set(plan.rejections) == {smaller}
    assert larger in plan.rejections[smaller].detail
    assert set(plan.identities) == set(planned_clips(plan, records)) == {larger}

    both = make_plan(records, config_of(people={"remove_near_duplicates": False}), lambda key: motion)
    assert set(both.identities) == {larger, smaller}
    assert not both.rejections


def test_a_person_on_two_sides_is_noticed() -> None:
    records = [record(1, [10]), record(2, [10])]
    plan = make_plan(records, config_of(), no_motion)
    (one, other) = sorted(plan.identities)
    shards = [
        {"number": 0, "split": "train", "keys": [one]},
        {"number": 1, "split": "val", "keys": [other]},
    ]
    torn = Plan.model_validate({"shards": shards, "identities": {one: "p", other: "p"}, "rejections": {}})
    with pytest.raises(AssertionError, match="p is on two sides"):
        planned_clips(torn, records)


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
    assert set(split_people(held_back, config).values()) == {"train"}


def test_the_first_frozen_plan_holds(tmp_path: Path) -> None:
    run = Run(str(tmp_path), "0")
    assert load_plan(run) is None
    first = make_plan([record(1, [10, 10])], config_of(), no_motion)
    second = make_plan([record(2, [10])], config_of(), no_motion)
    assert freeze_plan(run, first) == first
    assert freeze_plan(run, second) == first
    assert load_plan(run) == first
