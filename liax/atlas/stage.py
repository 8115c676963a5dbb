"""Ray Data's stages: a clip is observed (1 clip → 1 record), a person is moved along a path (1 person × 1 path →
1 record), and a path is drawn (1 path → 1 strip of pictures).

Each is an actor with a model of its own, loaded once.

Legend: B batch, S side in pixels, C colours, F frames, L levels, M directions.
"""

import io
import socket
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from liax import storage
from liax.atlas.frames import NO_FRAMES, attributes_in, read_frames
from liax.atlas.networks import Opened, open_observers
from liax.atlas.people import Person, unsuited
from liax.atlas.records import (
    CRASHED,
    Work,
    nothing_traced,
    path_of_row,
    write_arrays,
    write_traced,
)
from liax.atlas.strips import TILE_PX, strip, to_jpeg
from liax.atlas.trace import Unmoved, draw, look_unmoved, trace
from liax.errors import JobError, VideoError
from liax.evaluation.attempts import may_begin
from liax.evaluation.clips import Clip
from liax.face import FaceFinder
from liax.inference.framing import MOST_FACES
from liax.inference.loading import load
from liax.inference.renderer import Encoded, Renderer
from liax.pictures import Picture, load_picture

_TOGETHER = 8
"""Frames whose codes are taken together. Our choice: enough to keep a GPU busy, and few in memory."""
_KEPT_PEOPLE = 4
"""Encoded pictures that a worker keeps: the pieces of work of one person mostly follow each other."""


class _Stage:
    """The model, and what observes."""

    def __init__(self, work: Work) -> None:
        subject, config = work.subject, work.config
        self._work = work
        self._renderer: Renderer = load(subject.url, config.device, config.dtype, subject.tracking_uri)[0]
        self._encoded = lru_cache(_KEPT_PEOPLE)(self._encode)

    def _encode(self, picture_url: str) -> Encoded:
        with storage.local_copy(picture_url) as path:
            return self._renderer.encode([load_picture(path)])

    def close(self) -> None:
        """Free what a stage holds."""


class PassiveClip(_Stage):
    """`clip` (its JSON) and `id` → its codes and attributes, its best frame and its frames as small pictures."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        weights = work.config.networks.face_landmarker
        framed = work.config.videos is not None and work.config.crop
        self._framing = FaceFinder(MOST_FACES, weights=weights) if framed else None
        self._finder = FaceFinder(max_faces=1, weights=weights)

    def close(self) -> None:
        """Free the finders: MediaPipe cannot do so itself once the interpreter is ending."""
        self._finder.close()
        if self._framing is not None:
            self._framing.close()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        clip, item_id = Clip.model_validate_json(row["clip"]), str(row["id"])
        reason = CRASHED
        numbers, pictures = NO_FRAMES
        if may_begin(self._work.url, item_id):
            reason = ""
            try:
                numbers, pictures = read_frames(
                    clip, self._renderer.size_px, self._framing, self._work.config.frames_per_clip
                )
            except VideoError as error:
                reason = error.reason
        self._write(item_id, numbers, pictures, reason)
        return {"frames": len(pictures)}

    def _write(self, item_id: str, numbers_F: NDArray[np.int64], pictures: list[Picture], reason: str) -> None:
        """The record, after the pictures that it speaks of."""
        attributes_FA = attributes_in(pictures, self._finder)
        codes = [
            self._renderer.motion(pictures[start : start + _TOGETHER]).cpu().numpy()
            for start in range(0, len(pictures), _TOGETHER)
        ]
        codes_FM = np.concatenate([*codes, np.zeros((0, self._renderer.directions))]).astype(np.float32)
        best, unmoved_found = -1, False
        if pictures:
            thumbs = {str(number): _bytes(_thumb(picture)) for number, picture in zip(numbers_F, pictures, strict=True)}
            write_arrays(self._work.thumbs(item_id), thumbs)
            best = int(np.argmin(unsuited(attributes_FA)))
            storage.write_bytes(self._work.source(item_id), _png(pictures[best]))
            encoded = self._renderer.encode([pictures[best]])
            still_1M = np.zeros((1, self._renderer.directions), dtype=np.float32)
            unmoved_found = bool(self._finder.find(draw(self._renderer, encoded, still_1M)[0]))
        write_arrays(
            self._work.observed(item_id),
            {
                "frame_F": numbers_F,
                "codes_FM": codes_FM,
                "attributes_FA": attributes_FA,
                "best": np.array(best),
                "unmoved_found": np.array(unmoved_found),
                "reason": np.array(reason),
            },
        )


class TraceItem(_Stage):
    """`person` (its JSON), `path` and `id` → what the path does to the person is written."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        opened_here = open_observers(work.config.networks, self._renderer.device)
        try:
            _require_same(work, opened_here)
        except JobError:
            opened_here.observers.close()
            raise
        self._observers, self._lpips = opened_here.observers, opened_here.lpips
        self._unmoved = lru_cache(_KEPT_PEOPLE)(self._look)

    def _look(self, picture_url: str) -> Unmoved:
        return look_unmoved(self._renderer, self._encoded(picture_url), self._observers)

    def close(self) -> None:
        """Free the observers: MediaPipe cannot do so itself once the interpreter is ending."""
        self._observers.close()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        person, path, item_id = Person.model_validate_json(row["person"]), path_of_row(row["path"]), str(row["id"])
        if not may_begin(self._work.url, item_id):
            nothing = nothing_traced(len(path.levels_L), len(self._work.second_attributes))
            write_traced(self._work, item_id, nothing, CRASHED)
            return {"pictures": 0}
        encoded, unmoved = self._encoded(person.picture), self._unmoved(person.picture)
        traced = trace(self._renderer, encoded, path, self._observers, self._lpips, unmoved)
        write_traced(self._work, item_id, traced)
        return {"pictures": len(path.levels_L)}


class DrawStrip(_Stage):
    """`people` (their JSON), `path` and `id` → the strip of pictures is written."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        people = [Person.model_validate_json(text) for text in row["people"]]
        path = path_of_row(row["path"])
        levels_L = chosen_levels(path.levels_L, self._work.config.strips.levels)
        deltas_LM = levels_L[:, None] * path.unit_M
        rows = [draw(self._renderer, self._encoded(person.picture), deltas_LM) for person in people]
        picture = strip(rows, [float(level) for level in levels_L])
        storage.write_bytes(self._work.strip(str(row["id"])), to_jpeg(picture))
        return {"pictures": len(people) * len(levels_L)}


def _require_same(work: Work, here: Opened) -> None:
    """Raises JobError where a node's observers are others than those whose names the records bear: what one of them
    lacks would stay unmeasured for good."""
    wanted = dict(work.observers)
    told = [f"lacks {name} ({kind})" for kind, name in wanted.items() if here.names.get(kind) != name]
    told += [f"has {name} ({kind})" for kind, name in here.names.items() if wanted.get(kind) != name]
    if not told:
        return
    why = "".join(f"; {what}: {reason}" for what, reason in here.unavailable.items())
    raise JobError(
        f"node {socket.gethostname()} observes with other weights than the machine where this was started: it "
        f"{', '.join(told)}{why}; put the same weights at the same place on every node"
    )


def chosen_levels(levels_L: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """So many of the levels, evenly spread, with both ends and the unmoved one."""
    zero = int(np.abs(levels_L).argmin())
    half = (count - 1) // 2
    below = np.linspace(0, zero, half + 1).round().astype(int)
    above = np.linspace(zero, len(levels_L) - 1, half + 1).round().astype(int)
    return levels_L[np.unique(np.concatenate([below, above]))]


def _thumb(picture: Picture) -> bytes:
    image = Image.fromarray(picture)
    image.thumbnail((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    return to_jpeg(np.asarray(image, dtype=np.uint8))


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
