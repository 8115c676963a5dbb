"""The shard-set contract: tars that are the same bytes every time, and the commit records that make them exist.

Under a set's URL: `<hash>.tar` (named by content), `commits/00000.json` (written last, exactly once a shard), and
`index.parquet`, a copy of the commit records for tools. Readers trust the commit records alone: a tar without one does
not exist, whatever died while it was written. A set may also be a choice of another set's samples: then its records
name the other set's tars.
"""

import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from liax import storage
from liax.config import Config, build
from liax.errors import UserError
from liax.sample import SampleInfo, Split

_TAR_BLOCK_BYTES = 512


class CommitSample(Config):
    """A sample in a shard: what a reader must know to choose it and to read parts of it without reading the tar."""

    key: str
    split: Split
    identity: str | None
    source_sha256: str
    frames: int
    fps: float
    size_px: int
    keyframes: list[int]
    offsets: dict[str, tuple[int, int]]
    """By extension: where the member's bytes start in the tar, and how many they are."""


class Commit(Config):
    """The record that makes a shard exist."""

    shard: int
    tar: str
    """Name of the tar in the set; for another set's tar, its path from this set (`../…`) or its whole URL."""
    sha256: str
    bytes: int
    samples: list[CommitSample]


@dataclass(frozen=True, slots=True)
class SampleRef:
    """A committed sample, and the tar that holds it."""

    sample: CommitSample
    tar_url: str


def write_tar(path: Path, samples: Iterable[tuple[SampleInfo, Mapping[str, bytes]]]) -> list[CommitSample]:
    """Write a tar whose bytes depend on the samples alone (fixed times, owners and modes), with their offsets.

    Args:
        path: the local file to write.
        samples: each sample's info and its files by extension, in the order in which they shall stand.
    """
    written = []
    with path.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, members in samples:
            offsets = {}
            for extension in sorted(members):
                entry = tarfile.TarInfo(f"{info.key}.{extension}")
                entry.size, entry.mode = len(members[extension]), 0o644
                offsets[extension] = (tar.offset + _TAR_BLOCK_BYTES, entry.size)
                tar.addfile(entry, io.BytesIO(members[extension]))
            shared = {name: getattr(info, name) for name in CommitSample.model_fields if name != "offsets"}
            written.append(CommitSample(**shared, offsets=offsets))
    return written


def commit_shard(set_url: str, shard: int, tar: Path, samples: list[CommitSample]) -> bool:
    """Upload a finished tar under its content's name, then write its commit record.

    Returns:
        Whether this call made the record; False when the shard was committed before (by an earlier run, or by another
        driver at the same time), which is as good.
    """
    with tar.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{sha256[:16]}.tar"
    if not storage.exists(storage.join(set_url, name)):
        storage.upload(tar, storage.join(set_url, name))
    commit = Commit(shard=shard, tar=name, sha256=sha256, bytes=tar.stat().st_size, samples=samples)
    data = json.dumps(commit.model_dump(mode="json"), sort_keys=True).encode()
    return storage.create_bytes(commit_url(set_url, shard), data)


def commit_url(set_url: str, shard: int) -> str:
    """Where a shard's commit record is."""
    return storage.join(set_url, "commits", f"{shard:05d}.json")


def tar_url(set_url: str, tar: str) -> str:
    """Where the tar is that a commit record of a set names."""
    if storage.is_s3(tar) or tar.startswith("/"):
        return tar
    joined = storage.join(set_url, tar)
    if not tar.startswith("../"):
        return joined
    # S3 knows no "..": the name itself is shortened.
    scheme = "s3://" if storage.is_s3(set_url) else ""
    return scheme + posixpath.normpath(joined.removeprefix(scheme))


def tar_name(set_url: str, url: str) -> str:
    """How a commit record of a set names a tar elsewhere: `tar_url` gives `url` again.

    Relative where both are local or in one bucket, so that the sets can be moved together. Both URLs are absolute.
    """
    if storage.is_s3(set_url) != storage.is_s3(url):
        return url
    if storage.is_s3(url) and set_url.split("/")[2] != url.split("/")[2]:
        return url
    return posixpath.relpath(url.removeprefix("s3:/"), set_url.removeprefix("s3:/"))


def load_commits(set_url: str) -> list[Commit]:
    """All commit records, in the order of shard numbers.

    Raises:
        UserError: there are none, or one cannot be read.
    """
    names = storage.list_if_there(storage.join(set_url, "commits"), [".json"])
    if not names:
        raise UserError(f"no committed shards under {set_url}: run `liax preprocess` with output={set_url} first")
    with ThreadPoolExecutor(max_workers=16) as threads:  # one small request a shard; on S3 each waits for the network
        records = list(threads.map(storage.read_bytes, names))
    commits = []
    for name, data in zip(names, records, strict=True):
        try:
            commits.append(build(Commit, json.loads(data), name))
        except json.JSONDecodeError:
            raise UserError(f"{name} is not a commit record; remove it and run the preprocessing again") from None
    return sorted(commits, key=lambda commit: commit.shard)


class ShardSet:
    """The committed samples under a URL.

    Raises:
        UserError: nothing is committed there.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.commits = load_commits(url)

    @cached_property
    def samples(self) -> list[SampleRef]:
        """Every committed sample, sorted by key."""
        refs = [SampleRef(s, tar_url(self.url, commit.tar)) for commit in self.commits for s in commit.samples]
        return sorted(refs, key=lambda ref: ref.sample.key)

    @property
    def set_id(self) -> str:
        """Names the set by its content."""
        # A choice of samples has the tars of the set that it was chosen from: their hashes do not tell the two apart.
        chosen = ("".join(s.key for s in commit.samples) if "/" in commit.tar else "" for commit in self.commits)
        joined = "".join(commit.sha256 + keys for commit, keys in zip(self.commits, chosen, strict=True))
        return hashlib.sha256(joined.encode()).hexdigest()[:12]

    def read(self, ref: SampleRef, extension: str) -> bytes:
        """One member of a sample, by a ranged read of its tar."""
        start, length = ref.sample.offsets[extension]
        return storage.read_bytes(ref.tar_url, start, length)
