"""Stage 7, plan: which clips are kept, who is in them, which side of the split and which shard they are in.

Decided once for all on the driver, from the completion records alone; whatever died before, the plan is the same.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from liax import storage
from liax.config import Config, build
from liax.sample import FaceArrays, SampleInfo, Split
from pipelines.config import PreprocessConfig, SplitConfig
from pipelines.identities import identify
from pipelines.near_duplicates import near_duplicates
from pipelines.outcomes import KEPT, Outcome, SegmentRecord
from pipelines.quality import verdict
from pipelines.run import Run

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class PlannedShard(Config):
    """A shard before it is packed."""

    number: int
    split: Split
    keys: list[str]


class Rejection(Config):
    """Why a clip that was made is left out."""

    stage: str
    reason: str
    detail: str


class Plan(Config):
    """The frozen decisions about every clip that was made."""

    shards: list[PlannedShard]
    identities: dict[str, str]
    """The person in each kept clip, by key."""
    rejections: dict[str, Rejection]
    """Clips that are left out, by key."""


def make_plan(
    records: Sequence[SegmentRecord], config: PreprocessConfig, motion_of: Callable[[str], FaceArrays]
) -> Plan:
    """Decide about every clip: people, then quality, then near duplicates, then split and shards.

    Args:
        records: of all segments.
        config: the run's settings.
        motion_of: reads what was measured of the face in a clip, by key; asked for few clips.
    """
    clips = sorted((clip for record in records for clip in record.clips), key=lambda clip: clip.key)
    signatures = {key: signature for record in records for key, signature in record.signatures.items()}
    sizes = {key: size for record in records for key, size in record.clip_bytes.items()}

    # Of all clips, so that a person's name does not hang on a threshold.
    identities = identify(clips, signatures, config.people)
    rejections = {}
    for clip in clips:
        failed = verdict(clip.scores, config.quality)
        if failed is not None:
            rejections[clip.key] = Rejection(stage="quality", reason=failed[0], detail=failed[1])
    clips = [clip for clip in clips if clip.key not in rejections]

    if config.people.remove_near_duplicates:
        for key, kept in near_duplicates(clips, signatures, identities, motion_of).items():
            detail = f"shows what {kept} does"
            rejections[key] = Rejection(stage="near_duplicates", reason="near_duplicate", detail=detail)
    clips = [clip for clip in clips if clip.key not in rejections]
    splits = split_people((identities[clip.key] for clip in clips), config.split)
    return Plan(
        shards=_shards(clips, identities, splits, sizes, config.shards.target_bytes),
        identities={clip.key: identities[clip.key] for clip in clips},
        rejections=rejections,
    )


def split_of(identity: str, config: SplitConfig) -> Split:
    """The side of the split that a person is on, the same in every run whoever else there is."""
    place = int(hashlib.sha256(identity.encode()).hexdigest()[:13], 16) / 16**13
    if place < config.val_fraction:
        return "val"
    return "test" if place < config.val_fraction + config.test_fraction else "train"


def split_people(identities: Iterable[str], config: SplitConfig) -> dict[str, Split]:
    """The split of every person. Where chance leaves nothing to train on (one person, say), all is for training."""
    splits = {identity: split_of(identity, config) for identity in identities}
    if "train" not in splits.values():
        return dict.fromkeys(splits, "train")
    return splits


def _shards(
    clips: Sequence[SampleInfo],
    identities: Mapping[str, str],
    splits: Mapping[str, Split],
    sizes: Mapping[str, int],
    target_bytes: int,
) -> list[PlannedShard]:
    """Fill shards of one split each with clips in the order of their keys.

    Keys begin with a content hash, so neighbouring sources in a folder end up in different shards.
    """
    planned: list[PlannedShard] = []
    for side in SPLITS:
        keys = sorted(clip.key for clip in clips if splits[identities[clip.key]] == side)
        planned += [
            PlannedShard(number=len(planned) + offset, split=side, keys=group)
            for offset, group in enumerate(_groups(keys, sizes, target_bytes))
        ]
    return planned


def _groups(keys: Sequence[str], sizes: Mapping[str, int], target_bytes: int) -> list[list[str]]:
    groups: list[list[str]] = []
    filled_bytes = target_bytes
    for key in keys:
        if filled_bytes >= target_bytes:
            groups.append([])
            filled_bytes = 0
        groups[-1].append(key)
        filled_bytes += sizes[key]
    return groups


def load_plan(run: Run) -> Plan | None:
    """The run's plan; None if it has not been made yet."""
    url = run.file("plan.json")
    return build(Plan, json.loads(storage.read_bytes(url)), url) if storage.exists(url) else None


def freeze_plan(run: Run, plan: Plan) -> Plan:
    """Fix the plan for good; of two drivers at once, the first one's plan holds for both."""
    storage.create_bytes(run.file("plan.json"), plan.model_dump_json(indent=1).encode())
    frozen = load_plan(run)
    assert frozen is not None
    return frozen


def planned_clips(plan: Plan, records: Iterable[SegmentRecord]) -> dict[str, SampleInfo]:
    """Every kept clip by key, with what the plan decided about it, in the order of the shards."""
    made = {clip.key: clip for record in records for clip in record.clips}
    clips = {
        key: made[key].model_copy(update={"split": shard.split, "identity": plan.identities[key]})
        for shard in plan.shards
        for key in shard.keys
    }
    sides: dict[str | None, Split] = {}
    for clip in clips.values():
        assert sides.setdefault(clip.identity, clip.split) == clip.split, f"{clip.identity} is on two sides"
    return clips


def planned_outcomes(plan: Plan, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The rows of all segments after the plan: a clip that it leaves out is no longer `kept`."""
    rows = []
    for row in outcomes:
        rejection = plan.rejections.get(row.key or "") if row.reason == KEPT else None
        rows.append(row if rejection is None else row.model_copy(update=rejection.model_dump()))
    return rows
