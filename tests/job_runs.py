"""`liax preprocess` as a process of its own, to be killed; and which processes it leaves behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from liax import storage
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pipelines.summary import Summary

MARK = "LIAX_TEST_RUN"
"""Variable in a job's environment, which all processes that it starts inherit."""

COMPARED = (".tar", "plan.json", "index.parquet")
"""With the commit records, what two runs of one command must agree in, byte by byte."""

SETTINGS = ("clip.size_px=64", "clip.least_s=0.3", "faces.least_face_px=40", "shards.target_bytes=60000")
"""For videos of 128 pixels and less than a second; shards so small that there are several."""

SOAK = int(os.environ.get("LIAX_SOAK", "1"))
"""How many times as much the reliability tests shall try; 1 takes minutes."""


def write_talks(folder: Path, count: int, seconds: float = 0.8) -> None:
    """Small videos of a talking face; the first one has two."""
    from liax.synthetic.videos import write_video

    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        kind = "face" if seed else "two_faces"
        write_video(folder / f"talk{seed}.mp4", kind, seconds=seconds, size_px=128, seed=seed, audio=True)
        (folder / f"talk{seed}.truth.json").unlink()


def run_here(given: str | Path, output: str | Path, *overrides: str) -> "Summary":
    """The job in this process, on the Ray that it is connected to."""
    from liax.config import load_config
    from pipelines.config import PreprocessConfig
    from pipelines.graph import open_preprocessing, preprocess

    config = load_config(PreprocessConfig, None, [f"input={given}", f"output={output}", *SETTINGS, *overrides])
    return preprocess(config, *open_preprocessing(config))


def accounted(output: Path, folder: Path) -> dict[str, set[str]]:
    """Check that the tables account for every file of a folder and that every kept clip can be read to its end.

    Returns:
        The reasons of each file, by its name.
    """
    import pyarrow.parquet as pq

    from liax.sample import FaceArrays, SampleInfo
    from liax.shards import ShardSet
    from liax.video.decode import frames

    reasons: dict[str, set[str]] = {path.name: set() for path in folder.iterdir()}
    rows = pq.read_table(output / "outcomes.parquet").to_pylist()
    for row in rows:
        assert row["reason"], row
        reasons[Path(row["source_uri"]).name].add(row["reason"])
    assert not [name for name, found in reasons.items() if not found], "files without any row"
    kept = sorted(row["key"] for row in rows if row["reason"] == "kept")
    shards = ShardSet(str(output))
    assert [ref.sample.key for ref in shards.samples] == kept
    assert sorted(pq.read_table(output / "index.parquet")["key"].to_pylist()) == kept
    for ref in shards.samples:
        info = SampleInfo.from_bytes(shards.read(ref, "json"))
        faces = FaceArrays.from_bytes(shards.read(ref, "npz"))
        clip = output / "clip.mp4"
        clip.write_bytes(shards.read(ref, "mp4"))
        assert sum(1 for _ in frames(clip)) == info.frames == len(faces.landmarks_TN3), info.key
        clip.unlink()
    return reasons


class Job:
    """One run of the command line.

    Args:
        log: the file that gets what the job prints.
        overrides: `section.field=value`.
        environment: variables beside this process's own, for example RAY_ADDRESS.
    """

    def __init__(self, log: Path, *overrides: str, environment: Mapping[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.log = log
        self._started = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jobs.preprocess", *SETTINGS, *overrides],
                cwd=ROOT,
                env=_own_environment() | {MARK: self.mark} | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.pid = self._process.pid

    def running(self) -> bool:
        """Whether the driver lives."""
        return self._process.poll() is None

    def succeeded(self) -> bool:
        """Whether the driver has ended well."""
        return self._process.poll() == 0

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def finish(self, limit_s: float = 300) -> None:
        """Wait for success. Raises AssertionError with the end of what the job printed."""
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = "no end"
        assert code == 0, f"{code}: {self.log.read_text(errors='replace')[-3000:]}"

    def wait(self, limit_s: float = 300) -> None:
        """Wait for the end, a good one or not."""
        self._process.wait(limit_s)

    def kill(self) -> None:
        """As a machine that loses power would end the driver."""
        if self.running():
            self._process.kill()
        self._process.wait()


def _own_environment() -> dict[str, str]:
    """This process's, without what would send a job to a developer's own Ray or MLflow."""
    own = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")}
    return own | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def run_job(log: Path, *overrides: str, environment: Mapping[str, str] | None = None, limit_s: float = 300) -> None:
    """Run the command to its end, which must be a good one."""
    Job(log, *overrides, environment=environment).finish(limit_s)


def shard_bytes(url: str | Path) -> dict[str, bytes]:
    """What makes a shard set, by name under its folder or prefix."""
    base = str(url)
    names = [name.removeprefix(base).strip("/") for name in storage.list_files(base)]
    chosen = [name for name in names if name.startswith("commits/") or ("/" not in name and name.endswith(COMPARED))]
    return {name: storage.read_bytes(storage.join(base, name)) for name in chosen}


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Names of what only one of two sets has, or has with other bytes."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


class Processes:
    """What runs on this machine, as /proc tells it."""

    def __init__(self) -> None:
        self.parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                parent = _parent(int(entry.name))
                if parent is not None:
                    self.parents[int(entry.name)] = parent

    def below(self, pid: int) -> Iterator[int]:
        """All descendants of a process."""
        for child in sorted(child for child, parent in self.parents.items() if parent == pid):
            yield child
            yield from self.below(child)

    def marked(self, name: str, value: str) -> list[int]:
        """Processes with a variable of that value in the environment they were started with."""
        wanted = f"{name}={value}".encode()
        return [pid for pid in self.parents if wanted in _read(pid, "environ").split(b"\0")]


def _parent(pid: int) -> int | None:
    """A living process's parent; None for what is gone or only waits to be collected."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields and fields[0] not in (b"Z", b"X") else None


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def command(pid: int) -> str:
    """A process's command line."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def kill(pid: int) -> bool:
    """SIGKILL. Returns whether there was such a process."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def left_of(job: Job, limit_s: float = 30) -> list[str]:
    """The command lines of a dead job's processes that are still there after a while."""
    deadline = time.monotonic() + limit_s
    while (left := Processes().marked(MARK, job.mark)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return [command(pid) for pid in left]
