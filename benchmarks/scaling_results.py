"""Rows of the tables in `benchmarks/results/`, on which `benchmarks/scaling.py` rests; and how it writes its own."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scaling_machines import GPUS
from liax.errors import UserError

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures that the document rests on."""

    preprocess_frames_per_s: dict[str, float]
    """Source frames a second and core with two workers, without a job's start, by kind of video."""
    preprocess_on: str
    """The processor."""
    loader_pairs_per_s: float
    """Pairs a second and core, of clips of 512 px."""
    loader_on: str
    frame_bytes: float
    """Of a clip of 512 px, a frame, as clips are stored by default."""
    driver: tuple["DriverMeasured", "DriverMeasured"]
    """Of the two largest numbers of clips."""


@dataclass(frozen=True, slots=True)
class DriverMeasured:
    """What `benchmarks/preprocess_driver.py` printed of a number of clips."""

    clips: int
    record_bytes: float
    """Of JSON, a clip."""
    memory_bytes: float
    """A clip."""
    planning_s: float
    """Of the processor."""


@dataclass(frozen=True, slots=True)
class GpuMeasured:
    """What `benchmarks/train_step.py` printed on a GPU."""

    gpu: str
    """A name in `GPUS`."""
    mfu: dict[tuple[str, int], float]
    """Of our formulation, by preset and size; the best of all numbers of pairs."""


def read_measured(folder: Path) -> Measured:
    """Read the figures from the result files of a folder.

    Raises:
        UserError: a file is missing or has no such row.
    """
    preprocess, loader = folder / "preprocess-cpu.md", folder / "loader-cpu.md"
    rates = {
        row["videos"]: _number(row, "without its start", preprocess)
        for row in rows_of(preprocess, "videos", "workers", "without its start")
        if row["workers"] == "2"
    }
    for videos in ("1080p", "512 px", "corpus"):
        if videos not in rates:
            raise UserError(f"{preprocess} has no row of '{videos}' with 2 workers: run benchmarks.preprocess again")
    pairs = folder / "pair-reading-cpu.md"
    stored = row_of(pairs, "stored as", "H.264, key frame every 8", "bytes a frame")
    loaded = row_of(loader, "", "loader, 2 processes", "pairs/s/core")
    return Measured(
        preprocess_frames_per_s=rates,
        preprocess_on=fact_of(preprocess, "processor"),
        loader_pairs_per_s=_number(loaded, "pairs/s/core", loader),
        loader_on=fact_of(loader, "processor"),
        frame_bytes=_number(stored, "bytes a frame", pairs),
        driver=_read_driver(folder / "preprocess-driver-cpu.md"),
    )


def read_gpu(file: Path) -> GpuMeasured:
    """Read what `benchmarks.train_step --device cuda` printed.

    Raises:
        UserError: the file is not that, or of a GPU that is not among `GPUS`.
    """
    name = fact_of(file, "gpu")
    gpu = next((known for known in GPUS if re.search(rf"\b{known}\b", name)), None)
    if gpu is None:
        raise UserError(f"{file} was measured on '{name}', and benchmarks/scaling_machines.py knows {', '.join(GPUS)}")
    best: dict[tuple[str, int], float] = {}
    for row in rows_of(file, "preset", "px", "what", "MFU"):
        if row["what"].startswith("ours") and row["MFU"].endswith("%"):
            network = row["preset"], int(_number(row, "px", file))
            best[network] = max(best.get(network, 0.0), _number(row, "MFU", file) / 100)
    if not best:
        raise UserError(f"{file} has no row of ours with an MFU: run benchmarks.train_step --device cuda")
    return GpuMeasured(gpu, best)


def _read_driver(file: Path) -> tuple[DriverMeasured, DriverMeasured]:
    heads = ("clips", "KiB of JSON a record", "KiB of memory a clip", "planned, s of CPU")
    rows = [[_number(row, head, file) for head in heads] for row in rows_of(file, *heads)]
    found = sorted((DriverMeasured(int(row[0]), 1024 * row[1], 1024 * row[2], row[3]) for row in rows), key=_clips)
    if len(found) < 2 or found[-1].clips == found[-2].clips:
        raise UserError(f"{file} has no two numbers of clips: run benchmarks.preprocess_driver again")
    return found[-2], found[-1]


def _clips(row: DriverMeasured) -> int:
    return row.clips


def rows_of(file: Path, *heads: str) -> list[Row]:
    """The rows of all tables of a Markdown file that have these columns, by column.

    Raises:
        UserError: no such file or table.
    """
    found: list[Row] = []
    columns: list[str] | None = None
    for line in _text(file).splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if columns is None:
            columns = cells
        elif set("".join(cells)) - set("-: ") and set(heads) <= set(columns):
            if len(cells) != len(columns):
                raise UserError(f"{file}: the row '{line}' does not fit its table's {len(columns)} columns")
            found.append(dict(zip(columns, cells, strict=True)))
    if not found:
        raise UserError(f"{file} has no table with the columns {', '.join(filter(None, heads))}")
    return found


def row_of(file: Path, head: str, name: str, *heads: str) -> Row:
    """The first row that has a name in a column. Errors as `rows_of`, and where there is none."""
    for row in rows_of(file, head, *heads):
        if row[head] == name:
            return row
    raise UserError(f"{file} has no row '{name}'")


def fact_of(file: Path, name: str) -> str:
    """A line `- name: value` of a result's head. Raises UserError where there is none."""
    found = re.search(rf"^- {re.escape(name)}: (.+)$", _text(file), re.MULTILINE)
    if found is None:
        raise UserError(f"{file} does not say its '{name}'")
    return found[1].strip()


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads), *map(list, rows)]
    text = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([text[0], "|---" * len(lines[0]) + "|", *text[1:]])


def _number(row: Row, head: str, file: Path) -> float:
    text = row[head].replace(",", "").rstrip("%")
    try:
        number = float(text)
    except ValueError:
        raise UserError(f"{file}: '{row[head]}' under '{head}' is no number") from None
    if not number > 0:
        raise UserError(f"{file}: '{row[head]}' under '{head}' must be above 0")
    return number


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the result {file}: {error}") from None
