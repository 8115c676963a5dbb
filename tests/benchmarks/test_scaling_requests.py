"""The requests to S3 that scale on paper counts from the code, against those of real runs on a server on loopback."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.scaling_preprocess import Corpus, Requests, requests
from liax import ray_session, storage
from tests.faulty_s3 import BUCKET, FaultyS3, serve_s3
from tests.job_runs import run_here, write_talks

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(1200)]

FEW, MORE = 2, 4
"""Videos of two runs, below one batch of probed sources; what they differ in is what a video costs."""
TAR_BYTES = 2**20
"""Each clip has a shard of its own here, which goes up in one part."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Counter[str]]]:
    """Requests of each run by what they cost, `put` or `get`."""
    folder = tmp_path_factory.mktemp("videos")
    write_talks(folder, 1 + MORE)  # the first one has two faces, which would give two clips
    seen: list[tuple[str, str]] = []
    serve = FaultyS3.__call__

    def serve_and_note(self: FaultyS3, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append((_cost(environ), environ["PATH_INFO"]))
        return serve(self, environ, start_response)

    found = {}
    with pytest.MonkeyPatch.context() as patch, serve_s3() as _, ray_session.session(num_cpus=2):
        patch.setattr(FaultyS3, "__call__", serve_and_note)
        for count in (FEW, MORE):
            given, output = f"s3://{BUCKET}/videos{count}", f"s3://{BUCKET}/faces{count}"
            for video in sorted(folder.iterdir())[1 : 1 + count]:
                storage.upload(video, f"{given}/{video.name}")
            seen.clear()
            # Pairs of clips that look alike are read again, as many as there are: not counted, so not done here.
            assert run_here(given, output, "people.remove_near_duplicates=false").clips == count
            # Of the previews only a fixed number is read, however many clips there are.
            found[count] = Counter(cost for cost, path in seen if not (cost == "get" and "/work/previews/" in path))
        yield found


def test_a_video_takes_so_many_requests(asked: dict[int, Counter[str]]) -> None:
    few, more = (_expected(count) for count in (FEW, MORE))
    assert asked[MORE]["get"] - asked[FEW]["get"] == more.get - few.get
    assert asked[MORE]["put"] - asked[FEW]["put"] == more.put - few.put


def test_a_runs_own_requests_are_few(asked: dict[int, Counter[str]]) -> None:
    for count, found in asked.items():
        expected = _expected(count)
        assert 0 <= found["get"] - expected.get <= 10
        assert 0 <= found["put"] - expected.put <= 20


def _expected(count: int) -> Requests:
    return requests(Corpus(videos=count, frames=20 * count, clips=count), shards=count, tar_bytes=TAR_BYTES)


def _cost(environ: dict[str, Any]) -> str:
    method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    if method == "DELETE" or (method == "POST" and "delete" in query):
        return "free"
    return "put" if method in ("PUT", "POST") or "list-type" in query else "get"
