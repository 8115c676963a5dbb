"""Stage 8, pack: clips to one tar, uploaded and then made valid by a commit record (1 shard → 1 row)."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from liax import storage
from liax.errors import UserError
from liax.sample import SampleInfo
from liax.shards import commit_shard, commit_url, write_tar
from pipelines.contained import swept_folder
from pipelines.run import CLIP_EXTENSIONS, Run


def pack_shard(run: Run, number: int, clips: Sequence[SampleInfo]) -> None:
    """Write and commit a shard, unless it was committed before.

    Raises:
        UserError: a clip's file is missing.
    """
    commit = commit_url(run.url, number)
    if storage.exists(commit):
        return

    def samples() -> Iterator[tuple[SampleInfo, dict[str, bytes]]]:
        for clip in clips:  # one clip at a time is in memory
            files = {extension: storage.read_bytes(run.clip(clip.key, extension)) for extension in CLIP_EXTENSIONS}
            yield clip, {"json": clip.to_bytes(), **files}

    with swept_folder() as folder:
        tar = folder / "shard.tar"
        try:
            written = write_tar(tar, samples())
        except UserError:
            # Another driver on the same output may have committed this shard and removed the clips meanwhile.
            if storage.exists(commit):
                return
            raise
        commit_shard(run.url, number, tar, written)


def remove_packed(run: Run) -> None:
    """Remove what is not needed any more. Every shard must be committed.

    That is the clips' own files, also of clips that were left out, and what killed workers left half written anywhere
    in the output. What another driver is just writing is left alone.
    """
    storage.remove_unfinished(run.url)
    storage.remove_many(storage.list_if_there(run.file("work", "clips")))


def pack_row(row: dict[str, Any], run: Run) -> dict[str, Any]:
    """The stage for Ray Data: `number`, `clips` (JSON) → `seconds`."""
    started = time.monotonic()
    clips = [SampleInfo.model_validate(clip) for clip in json.loads(row["clips"])]
    pack_shard(run, row["number"], clips)
    return {"number": row["number"], "seconds": time.monotonic() - started}
