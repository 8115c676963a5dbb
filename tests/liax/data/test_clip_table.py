"""The table of clips says of each what its sample says, and is small."""

import pickle
from pathlib import Path

from liax.data.clip_table import ClipPlace, ClipTable, TarReader
from liax.shards import CommitSample, SampleRef, ShardSet
from tests.moving_shapes import write_shapes


def sample(number: int) -> SampleRef:
    keyframes = list(range(0, 5 * number, 8))
    info = CommitSample.model_construct(
        key=f"clip{number}", fps=24.0 + number, keyframes=keyframes, offsets={"mp4": (512 * number, 10**10 + number)}
    )
    return SampleRef(info, f"s3://bucket/{(number * 7) % 3}.tar")


def test_a_clips_place_is_its_samples() -> None:
    samples = [sample(number) for number in (0, 12, 3, 3, 7)]
    table = ClipTable(samples)
    assert len(table) == 5
    for index, ref in enumerate(samples):
        one = ref.sample
        assert table[index] == ClipPlace(ref.tar_url, one.key, *one.offsets["mp4"], one.fps, one.keyframes)


def test_a_clip_is_read_where_it_lies(tmp_path: Path) -> None:
    shards = ShardSet(write_shapes(tmp_path, clips=3))
    table = ClipTable(shards.samples)
    for index, ref in enumerate(shards.samples):
        assert TarReader().read(table[index]) == shards.read(ref, "mp4")
        assert table[index].name == f"{ref.tar_url}:{ref.sample.key}.mp4"


def test_a_clip_needs_few_bytes_in_another_process() -> None:
    """As objects it would be some 400, and a hundred times as long on the way."""
    samples = [sample(number % 40) for number in range(10_000)]
    assert len(pickle.dumps(ClipTable(samples))) < 10_000 * 150
