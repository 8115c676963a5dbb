"""The whole job from S3 to S3: on a server that fails now and then, and after a death between any two writes."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from liax import ray_session, storage
from tests.faulty_s3 import BUCKET, FAULTS, FaultyS3, serve_s3
from tests.job_runs import SOAK, differences, run_here, shard_bytes, write_talks

pytestmark = pytest.mark.server

VIDEOS, CALM = f"s3://{BUCKET}/videos", f"s3://{BUCKET}/calm"
STORM_SHARE = 0.2
"""Of the requests go wrong: more than ever should, because a small run makes few."""

CRASHES = 3 * SOAK
"""How many of the moments between two writes are tried."""


@dataclass(frozen=True)
class Calm:
    """A run that nothing disturbed."""

    server: FaultyS3
    shards: dict[str, bytes]
    writes: Sequence[tuple[str, str, bytes]]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calm]:
    folder = tmp_path_factory.mktemp("videos")
    write_talks(folder, 2)
    # The server first: Ray's processes inherit the credentials from the environment.
    with serve_s3(seed=1) as server, ray_session.session(num_cpus=2):
        for video in folder.iterdir():
            storage.upload(video, f"{VIDEOS}/{video.name}")
        before = len(server.writes)
        assert run_here(VIDEOS, CALM).clips == 3
        yield Calm(server, shard_bytes(CALM), server.writes[before:])


def test_a_server_that_fails_now_and_then_changes_nothing(calm: Calm) -> None:
    calm.server.share = STORM_SHARE
    try:
        for number in range(SOAK):
            output = f"s3://{BUCKET}/storm{number}"
            run_here(VIDEOS, output)
            assert differences(shard_bytes(output), calm.shards) == []
    finally:
        calm.server.share = 0.0
    assert sum(calm.server.faults.values()) >= len(FAULTS), "too few requests went wrong to show anything"


def test_a_death_between_any_two_writes_is_made_good(calm: Calm) -> None:
    """An S3 write happens as a whole or not at all, so the first n writes are what any death can leave behind."""
    moments = random.Random(2).sample(range(1, len(calm.writes)), min(CRASHES, len(calm.writes) - 1))
    for moment in sorted(moments):
        output = f"s3://{BUCKET}/dead{moment:04d}"
        for method, path, body in calm.writes[:moment]:
            name = path.replace(f"/{BUCKET}/calm", output)
            if method == "PUT":
                storage.write_bytes(name, body)
            else:
                storage.remove(name)
        run_here(VIDEOS, output)
        assert differences(shard_bytes(output), calm.shards) == [], f"after {moment} of {len(calm.writes)} writes"
        left = [name for name in _names(output) if "/work/clips/" in name]
        assert left == [], f"clips are kept twice after {moment} of {len(calm.writes)} writes"


def test_a_finished_run_is_read_but_not_made_again(calm: Calm) -> None:
    before = len(calm.server.writes)
    run_here(VIDEOS, CALM)
    assert differences(shard_bytes(CALM), calm.shards) == []
    written = {path.removeprefix(f"/{BUCKET}/calm/") for _, path, _ in calm.server.writes[before:]}
    assert not [name for name in written if name.startswith(("work/", "commits/")) or name.endswith(".tar")]


def _names(url: str) -> list[str]:
    return [name.removeprefix(url) for name in storage.list_files(url)]


@pytest.mark.skipif(SOAK == 1, reason="a third run, for LIAX_SOAK=2 and more")
def test_the_same_videos_in_a_folder_give_the_same_pictures(calm: Calm, tmp_path: Path) -> None:
    for name in storage.list_files(VIDEOS):
        (tmp_path / "in" / Path(name).name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / Path(name).name).write_bytes(storage.read_bytes(name))
    run_here(tmp_path / "in", tmp_path / "out")
    assert differences(_pictures(tmp_path / "out"), _pictures(CALM)) == []


def _pictures(url: str | Path) -> dict[str, bytes]:
    from liax.shards import ShardSet

    shards = ShardSet(str(url))
    return {f"{ref.sample.key}.{kind}": shards.read(ref, kind) for ref in shards.samples for kind in ("mp4", "npz")}
