"""A run's files: what is where under the output, and that one output belongs to one run.

run.json            which run this output belongs to
work/sources.jsonl  the probed sources, frozen
work/done/ID.json   completion record of a source, written last
work/clips/KEY.mp4  (and .npz) clips on their way into shards; removed when those are committed
work/previews/      small pictures for the report
plan.json           which clip goes into which shard, frozen
HASH.tar, commits/  the shards (see liax.shards)
index.parquet, outcomes.parquet, summary.json, report.html, contact_sheet.png
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liax import storage
from liax.config import build
from liax.errors import UserError
from pipelines.config import PIPELINE_VERSION, PreprocessConfig
from pipelines.outcomes import Source, SourceRecord

CLIP_EXTENSIONS = ("mp4", "npz")
"""What waits in `work/clips`; the third member of a sample, its json, is written when it is packed."""


@dataclass(frozen=True, slots=True)
class Run:
    """The names of a run's files. Small, so that it can be sent to every worker."""

    url: str
    content_id: str

    def file(self, *parts: str) -> str:
        """A file of the run."""
        return storage.join(self.url, *parts)

    def record(self, source: Source) -> str:
        """A source's completion record."""
        return self.file("work", "done", f"{source.id}.json")

    def clip(self, key: str, extension: str) -> str:
        """A clip's file on its way into a shard."""
        return self.file("work", "clips", f"{key}.{extension}")

    def preview(self, name: str) -> str:
        """A picture for the report."""
        return self.file("work", "previews", f"{name}.jpg")


def open_run(config: PreprocessConfig, uris: Sequence[str]) -> Run:
    """Claim the output for this run, or continue the run that it belongs to.

    Raises:
        UserError: the output belongs to a run with another input or configuration, or is a folder of other files.
    """
    output = config.output if storage.is_s3(config.output) else str(Path(config.output).absolute())
    run = Run(output, config.content_id)
    mine: dict[str, Any] = {
        "pipeline_version": PIPELINE_VERSION,
        "input": hashlib.sha256("\n".join(uris).encode()).hexdigest()[:12],
        "configuration": config.content_id,
        "settings": config.content,
    }
    if not storage.is_s3(output) and not storage.exists(run.file("run.json")):
        if Path(output).is_dir() and any(Path(output).iterdir()):
            raise UserError(f"the output folder {output} holds other files: give an empty or new folder as output=")
        storage.make_folder(output)
    if not storage.create_bytes(run.file("run.json"), json.dumps(mine, indent=1, sort_keys=True).encode()):
        theirs = json.loads(storage.read_bytes(run.file("run.json")))
        other = [name for name in ("pipeline_version", "input", "configuration") if theirs.get(name) != mine[name]]
        if other:
            raise UserError(
                f"{output} holds the shards of another run (other {' and '.join(other).replace('_', ' ')}): "
                "give another output=, or remove it"
            )
    return run


def load_sources(run: Run) -> list[Source] | None:
    """The frozen list of probed sources; None if probing has not finished."""
    if not storage.exists(run.file("work", "sources.jsonl")):
        return None
    lines = storage.read_bytes(run.file("work", "sources.jsonl")).decode().splitlines()
    return [Source.model_validate_json(line) for line in lines]


def freeze_sources(run: Run, sources: Iterable[Source]) -> list[Source]:
    """Fix the list of sources for good; of two drivers at once, the first one's list holds for both."""
    ordered = sorted(sources, key=lambda source: source.uri)
    data = "".join(f"{source.model_dump_json()}\n" for source in ordered).encode()
    storage.create_bytes(run.file("work", "sources.jsonl"), data)
    frozen = load_sources(run)
    assert frozen is not None
    return frozen


def finished_ids(run: Run) -> set[str]:
    """Ids of the sources that have a completion record."""
    try:
        names = storage.list_files(run.file("work", "done"), [".json"])
    except UserError:  # nothing is there before the first record
        return set()
    return {name.rsplit("/", 1)[-1].removesuffix(".json") for name in names}


def load_record(run: Run, source: Source) -> SourceRecord:
    """A source's completion record."""
    url = run.record(source)
    return build(SourceRecord, json.loads(storage.read_bytes(url)), url)
