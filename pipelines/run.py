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
from liax.video.ffmpeg import ffmpeg_version
from pipelines.config import PIPELINE_VERSION, PreprocessConfig
from pipelines.outcomes import Source, SourceRecord

CLIP_EXTENSIONS = ("mp4", "npz")
"""What waits in `work/clips`; the third member of a sample, its json, is written when it is packed."""

CLAIMED = ("pipeline_version", "input", "configuration", "ffmpeg")
"""What must be the same for a run to be continued: else its shards would not be those of one run."""


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
        UserError: the output lies inside the input, belongs to a run with another input, configuration or ffmpeg, or
            holds other files.
    """
    output = _absolute(config.output)
    _check_apart(output, config.inputs)
    run = Run(output, config.content_id)
    claim = run.file("run.json")
    mine: dict[str, Any] = {
        "pipeline_version": PIPELINE_VERSION,
        "input": hashlib.sha256("\n".join(uris).encode()).hexdigest()[:12],
        "configuration": config.content_id,
        "ffmpeg": ffmpeg_version(),
        "settings": config.content,
    }
    # Asked again after listing, because another driver may be claiming the same output for the same run.
    if not storage.exists(claim) and _holds_files(output) and not storage.exists(claim):
        raise _other_files(output)
    storage.make_folder(output)
    if not storage.create_bytes(claim, json.dumps(mine, indent=1, sort_keys=True).encode()):
        theirs = _read_claim(run)
        other = [name for name in CLAIMED if theirs.get(name) != mine[name]]
        if other:
            raise UserError(
                f"{output} holds the shards of another run (other {' and '.join(other).replace('_', ' ')}): "
                "give another output=, or remove it"
            )
    return run


def _absolute(url: str) -> str:
    return url.rstrip("/") if storage.is_s3(url) else str(Path(url).absolute())


def _check_apart(output: str, inputs: Sequence[str]) -> None:
    """Clips that lie where videos are looked for would be taken for videos when the run is continued."""

    def place(url: str) -> str:
        return _absolute(url) if storage.is_s3(url) else str(Path(url).resolve())

    for given in inputs:
        if f"{place(output)}/".startswith(f"{place(given).rstrip('/')}/"):
            raise UserError(f"the output {output} lies inside the input {given}: give an output= beside it")


def _holds_files(output: str) -> bool:
    if not storage.is_s3(output):
        return Path(output).is_dir() and any(Path(output).iterdir())
    try:
        return bool(storage.list_files(output))
    except UserError:  # nothing under that prefix; what else is wrong with it, writing to it will say
        return False


def _read_claim(run: Run) -> dict[str, Any]:
    """What `run.json` says. Raises UserError if it is not one of this program's."""
    try:
        claim = json.loads(storage.read_bytes(run.file("run.json")))
    except ValueError:
        raise _other_files(run.url) from None
    if not isinstance(claim, dict) or "pipeline_version" not in claim:
        raise _other_files(run.url)
    return claim


def _other_files(output: str) -> UserError:
    return UserError(f"the output {output} holds other files: give an empty or new place as output=")


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
