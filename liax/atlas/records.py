"""An atlas's files, and the completion record of each piece of its work, by which it is resumed and from which all is
made. Records are named by all that decides what is in them.

work/observed/ID.npz   a clip's codes and attributes, or why it has none; written last
work/sources/ID.png    the clip's best frame
work/thumbs/ID.npz     its frames as small JPEGs
work/traced/ID.npz     what one path did to one person
work/strips/ID.jpg     pictures of one path
work/started/ID.N      see `liax.evaluation.attempts`
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax import storage
from liax.atlas.config import AtlasConfig
from liax.atlas.people import Person
from liax.atlas.response import Path, Traced
from liax.attributes import ATTRIBUTES
from liax.evaluation.clips import Clip
from liax.evaluation.subject import Subject

VERSION = 1
"""Counts changes of what is measured: records of another one are not used."""

CRASHED = "crashed"
"""Why there is nothing of an item whose worker died of it."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker is told. Small, so that it can be sent to all.

    Args:
        url: the output, absolute.
        subject: the model.
        config: what is done.
        observers: names of the networks behind what is observed: with others, it is observed again.
        second_attributes: what the second observer sees.
    """

    url: str
    subject: Subject
    config: AtlasConfig
    observers: tuple[tuple[str, str], ...]
    second_attributes: tuple[str, ...]

    def file(self, *parts: str) -> str:
        """A file of the output."""
        return storage.join(self.url, *parts)

    def observed_id(self, clip: Clip) -> str:
        """Names what is observed in a clip, unmoved."""
        crop = self.config.crop if clip.sample is None else None
        return self._id(clip=clip.id, frames=self.config.frames_per_clip, crop=crop)

    def traced_id(self, person: Person, path: Path) -> str:
        """Names what a path does to a person."""
        source = [person.clip, person.frame]
        return self._id(source=source, observers=self.observers, path=_bytes_of(path), **self._framing())

    def strip_id(self, people: Sequence[Person], path: Path) -> str:
        """Names the pictures of a path."""
        sources = [[person.clip, person.frame] for person in people]
        return self._id(sources=sources, path=_bytes_of(path), levels=self.config.strips.levels, **self._framing())

    def _framing(self) -> dict[str, bool]:
        """What decides which part of a frame the source's picture is; shards hold it framed already."""
        return {} if self.config.videos is None else {"crop": self.config.crop}

    def _id(self, **decisive: Any) -> str:
        given = {"version": VERSION, "model": self.subject.sha256, "dtype": self.config.dtype, **decisive}
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:24]

    def observed(self, item_id: str) -> str:
        """A clip's record."""
        return self.file("work", "observed", f"{item_id}.npz")

    def source(self, item_id: str) -> str:
        """A clip's best frame."""
        return self.file("work", "sources", f"{item_id}.png")

    def thumbs(self, item_id: str) -> str:
        """A clip's frames, small."""
        return self.file("work", "thumbs", f"{item_id}.npz")

    def traced(self, item_id: str) -> str:
        """A path's record."""
        return self.file("work", "traced", f"{item_id}.npz")

    def strip(self, item_id: str) -> str:
        """A path's pictures."""
        return self.file("work", "strips", f"{item_id}.jpg")

    def done(self, kind: str) -> set[str]:
        """Ids of finished work: of `observed`, `traced` or `strips`."""
        return {url.rsplit("/", 1)[-1].partition(".")[0] for url in storage.list_if_there(self.file("work", kind))}


def _bytes_of(path: Path) -> str:
    """A path's numbers: its name changes nothing that is measured."""
    numbers = np.concatenate([path.unit_M, path.levels_L]).astype("<f4")
    return hashlib.sha256(numbers.tobytes()).hexdigest()


def path_to_row(path: Path) -> dict[str, Any]:
    """A path as Ray carries it."""
    return {"name": path.name, "unit": path.unit_M.tolist(), "levels": path.levels_L.tolist()}


def path_of_row(row: Mapping[str, Any]) -> Path:
    """The path in a row: the same float32 numbers."""
    return Path(str(row["name"]), np.array(row["unit"], dtype=np.float32), np.array(row["levels"], dtype=np.float32))


def write_arrays(url: str, arrays: Arrays) -> None:
    """Write a record; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    storage.write_bytes(url, buffer.getvalue())


def read_arrays(urls: Sequence[str]) -> list[dict[str, NDArray[Any]]]:
    """Records in their order. Never unpickles."""
    found = []
    for data in storage.read_many(urls):
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found.append({name: arrays[name] for name in arrays.files})
    return found


def crashed(records: Mapping[str, str]) -> set[str]:
    """The ids whose records, by id, say that their worker died each time: another run begins them anew."""
    found = zip(records, read_arrays(list(records.values())), strict=True)
    return {item_id for item_id, arrays in found if str(arrays["reason"]) == CRASHED}


def write_traced(work: Work, item_id: str, traced: Traced, reason: str = "") -> None:
    """Write what a path did to a person.

    Args:
        reason: why nothing was measured, in one word; empty where it was.
    """
    arrays = {name: np.asarray(value) for name, value in asdict(traced).items()}
    write_arrays(work.traced(item_id), {**arrays, "reason": np.array(reason)})


def read_traced(work: Work, item_ids: Sequence[str]) -> tuple[list[Traced], list[str]]:
    """Records in their order, and why each was not measured; empty where it was."""
    traced, reasons = [], []
    for arrays in read_arrays([work.traced(item_id) for item_id in item_ids]):
        reasons.append(str(arrays.pop("reason")))
        render_s, observe_s = (float(arrays.pop(name)) for name in ("render_s", "observe_s"))
        traced.append(Traced(render_s=render_s, observe_s=observe_s, **arrays))
    return traced, reasons


def nothing_traced(levels: int, second_attributes: int) -> Traced:
    """Of a path that could not be looked at: no face anywhere."""

    def nan(*shape: int) -> NDArray[np.float32]:
        return np.full(shape, np.nan, dtype=np.float32)

    return Traced(
        values_LA=nan(levels, len(ATTRIBUTES)),
        second_LB=nan(levels, second_attributes),
        similarity_L=nan(levels),
        off_face_L=nan(levels),
        steps_K=nan(levels - 1),
        render_s=0.0,
        observe_s=0.0,
    )
