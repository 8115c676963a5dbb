"""Stage 6, plan: which side of the split a source is on and which clip goes into which shard, decided once for all."""

import json
from collections.abc import Sequence

from liax import storage
from liax.config import Config, build
from liax.sample import SampleInfo, Split
from pipelines.config import ShardConfig, SplitConfig
from pipelines.outcomes import SourceRecord
from pipelines.run import Run

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class PlannedShard(Config):
    """A shard before it is packed."""

    number: int
    split: Split
    keys: list[str]


class Plan(Config):
    """The frozen assignment of clips to shards."""

    shards: list[PlannedShard]


def split_of(source_sha256: str, config: SplitConfig) -> Split:
    """The side of the split that a source's content is on, the same in every run whatever other sources there are."""
    place = int(source_sha256[:13], 16) / 16**13
    if place < config.val_fraction:
        return "val"
    return "test" if place < config.val_fraction + config.test_fraction else "train"


def split_sources(sha256s: Sequence[str], config: SplitConfig) -> dict[str, Split]:
    """The split of every source. Where chance leaves nothing to train on (one video, say), all is for training."""
    splits = {sha256: split_of(sha256, config) for sha256 in sha256s}
    if "train" not in splits.values():
        return dict.fromkeys(splits, "train")
    return splits


def make_plan(records: Sequence[SourceRecord], split: SplitConfig, shards: ShardConfig) -> Plan:
    """Fill shards of one split each with clips in the order of their keys.

    Keys begin with a content hash, so neighbouring sources in a folder end up in different shards.
    """
    splits = split_sources([record.source.sha256 for record in records if record.clips], split)
    sizes = {key: size for record in records for key, size in record.clip_bytes.items()}
    planned: list[PlannedShard] = []
    for side in SPLITS:
        keys = sorted(clip.key for record in records for clip in record.clips if splits[record.source.sha256] == side)
        planned += [
            PlannedShard(number=len(planned) + offset, split=side, keys=group)
            for offset, group in enumerate(_groups(keys, sizes, shards.target_bytes))
        ]
    return Plan(shards=planned)


def _groups(keys: Sequence[str], sizes: dict[str, int], target_bytes: int) -> list[list[str]]:
    groups: list[list[str]] = []
    filled_bytes = target_bytes
    for key in keys:
        if filled_bytes >= target_bytes:
            groups.append([])
            filled_bytes = 0
        groups[-1].append(key)
        filled_bytes += sizes[key]
    return groups


def freeze_plan(run: Run, plan: Plan) -> Plan:
    """Fix the plan for good; of two drivers at once, the first one's plan holds for both."""
    storage.create_bytes(run.file("plan.json"), plan.model_dump_json(indent=1).encode())
    return build(Plan, json.loads(storage.read_bytes(run.file("plan.json"))), run.file("plan.json"))


def decided(clip: SampleInfo, shard: PlannedShard) -> SampleInfo:
    """A clip with what the plan decided about it."""
    return clip.model_copy(update={"split": shard.split})
