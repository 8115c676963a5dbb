"""A run's files: what is where under the output, and that one output belongs to one run.

run.json            which run this output belongs to
work/probed/N.jsonl the sources of a batch, probed
work/done/ID.json   completion record of a segment, written last
work/clips/KEY.mp4  (and .npz) clips on their way into shards; removed when those are committed
work/previews/      small pictures for the report
plan.json           which clip goes into which shard, frozen
HASH.tar, commits/  the shards (see liax.shards)
index.parquet, outcomes.parquet, summary.json, report.html, contact_sheet.png
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from liax import storage
from liax.config import build
from liax.errors import UserError
from liax.sample import FaceArrays
from liax.video.ffmpeg import ffmpeg_version
from pipelines.config import PIPELINE_VERSION, PreprocessConfig
from pipelines.outcomes import Segment, SegmentRecord, Source

CLIP_EXTENSIONS = ("mp4", "npz")
"""What waits in `work/clips`; the third member of a sample, its json, is written when it is packed."""

RECORDS_AT_ONCE = 1000

LIBRARIES = ("av", "dlib-bin", "mediapipe", "opencv-contrib-python-headless", "scenedetect-headless")
"""What, beside ffmpeg, decides what is found in a video: another version may find a face a pixel further left."""

CLAIMED = ("pipeline_version", "input", "configuration", "ffmpeg", "libraries")
"""What must be the same for a run to be continued: else its shards would not be those of one run."""


@dataclass(frozen=True, slots=True)
class Run:
    """The names of a run's files. Small, so that it can be sent to every worker."""

    url: str
    content_id: str
    input_id: str = ""
    """Names the list of videos."""

    def file(self, *parts: str) -> str:
        """A file of the run."""
        return storage.join(self.url, *parts)

    def probed(self, batch: int) -> str:
        """The record of a batch of probed sources."""
        return self.file("work", "probed", f"{batch:06d}.jsonl")

    def record(self, segment: Segment) -> str:
        """A segment's completion record."""
        return self.file("work", "done", f"{segment.id}.json")

    def clip(self, key: str, extension: str) -> str:
        """A clip's file on its way into a shard."""
        return self.file("work", "clips", f"{key}.{extension}")

    def motion(self, key: str) -> FaceArrays:
        """What was measured of the face in a clip that is not in a shard yet."""
        return FaceArrays.from_bytes(storage.read_bytes(self.clip(key, "npz")))

    def preview(self, name: str) -> str:
        """A picture for the report."""
        return self.file("work", "previews", f"{name}.jpg")


def open_run(config: PreprocessConfig, uris: Sequence[str]) -> Run:
    """Claim the output for this run, or continue the run that it belongs to.

    Raises:
        UserError: the output lies inside the input, belongs to a run with another input, configuration, ffmpeg or
            library, or holds other files.
    """
    output = _absolute(config.output)
    _check_apart(output, config.inputs)
    run = Run(output, config.content_id, hashlib.sha256("\n".join(uris).encode()).hexdigest()[:12])
    claim = run.file("run.json")
    mine: dict[str, Any] = {
        "pipeline_version": PIPELINE_VERSION,
        "input": run.input_id,
        "configuration": config.content_id,
        "ffmpeg": ffmpeg_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
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


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # the same module under another name, or not installed
        return "none"


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
    return bool(storage.list_if_there(output))


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


def finished_batches(run: Run) -> set[int]:
    """Numbers of the batches of sources that are probed."""
    return {int(name) for name in _recorded(run, "probed", ".jsonl")}


def load_sources(run: Run, batches: int) -> list[Source]:
    """The probed sources of all batches, ordered by URI."""
    records = storage.read_many([run.probed(number) for number in range(batches)])
    sources = [Source.model_validate_json(line) for data in records for line in data.splitlines()]
    return sorted(sources, key=lambda source: source.uri)


def finished_segments(run: Run) -> set[str]:
    """Ids of the segments that have a completion record."""
    return set(_recorded(run, "done", ".json"))


def load_records(run: Run, segments: Sequence[Segment]) -> list[SegmentRecord]:
    """The completion records of segments, in their order."""
    urls = [run.record(segment) for segment in segments]
    records = []
    for first in range(0, len(urls), RECORDS_AT_ONCE):  # their text is larger than what it says
        some = urls[first : first + RECORDS_AT_ONCE]
        records += [
            build(SegmentRecord, json.loads(data), url) for url, data in zip(some, storage.read_many(some), strict=True)
        ]
    return records


def _recorded(run: Run, folder: str, extension: str) -> list[str]:
    """The names of the records of one kind."""
    urls = storage.list_if_there(run.file("work", folder), [extension])
    return [url.rsplit("/", 1)[-1].removesuffix(extension) for url in urls]
