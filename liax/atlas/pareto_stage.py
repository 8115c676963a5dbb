"""What trainings are compared by, clip by clip: the faces in it (1 clip → 1 record), and a model's codes of its frames
and how well it redraws them from the first (1 run × 1 clip → 1 record).

work/faces/ID.npz    attributes of a clip's frames, or why it has none
work/runs/ID.npz     a model's codes and errors on it
work/started/ID.N    see `liax.evaluation.attempts`

Legend: F frames, M directions, A attributes, S side in pixels, C colours.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax import storage
from liax.atlas.frames import NO_FRAMES, attributes_in, read_frames
from liax.atlas.pareto_config import ParetoConfig
from liax.atlas.records import CRASHED, write_arrays
from liax.errors import VideoError
from liax.evaluation.attempts import may_begin
from liax.evaluation.clips import Clip
from liax.evaluation.pictures import VERSION as PICTURES_VERSION
from liax.evaluation.pictures import picture_errors
from liax.evaluation.subject import Subject
from liax.face import FaceFinder
from liax.inference.framing import MOST_FACES
from liax.inference.loading import load
from liax.inference.renderer import Renderer
from liax.pictures import Picture, to_model

VERSION = 1
"""Counts changes of what is measured: records of another one are not used."""
_TOGETHER = 8
"""Frames that go through a model together. Our choice: enough to keep a GPU busy, and few in memory."""


@dataclass(frozen=True, slots=True)
class ParetoWork:
    """What every worker is told. Small, so that it can be sent to all.

    Args:
        url: the output, absolute.
        subjects: the runs' models, whose pictures are all of one side.
        config: what is done.
    """

    url: str
    subjects: tuple[Subject, ...]
    config: ParetoConfig

    @property
    def size_px(self) -> int:
        """S."""
        return self.subjects[0].size_px

    def file(self, *parts: str) -> str:
        """A file of the output."""
        return storage.join(self.url, *parts)

    def faces_id(self, clip: Clip) -> str:
        """Names what is found in a clip."""
        return self._id(clip, size_px=self.size_px)

    def run_id(self, subject: Subject, clip: Clip) -> str:
        """Names what a model makes of a clip."""
        return self._id(clip, model=subject.sha256, dtype=self.config.dtype, pictures=PICTURES_VERSION)

    def record(self, kind: str, item_id: str) -> str:
        """A record: of `faces` or `runs`."""
        return self.file("work", kind, f"{item_id}.npz")

    def done(self, kind: str) -> set[str]:
        """Ids of finished records."""
        return {url.rsplit("/", 1)[-1].partition(".")[0] for url in storage.list_if_there(self.file("work", kind))}

    def _id(self, clip: Clip, **decisive: Any) -> str:
        crop = self.config.crop if clip.sample is None else None
        given = {"version": VERSION, "clip": clip.id, "frames": self.config.frames_per_clip, "crop": crop, **decisive}
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:24]


class _Stage:
    """Reads clips."""

    kind: str

    def __init__(self, work: ParetoWork) -> None:
        self._work = work
        weights = work.config.networks.face_landmarker
        framed = work.config.videos is not None and work.config.crop
        self._framing = FaceFinder(MOST_FACES, weights=weights) if framed else None

    def close(self) -> None:
        """Free the finder: MediaPipe cannot do so itself once the interpreter is ending."""
        if self._framing is not None:
            self._framing.close()

    def _record(self, row: dict[str, Any]) -> dict[str, Any]:
        """Measure, and write the record, with the reason where a clip gives nothing."""
        clip, item_id = Clip.model_validate_json(row["clip"]), str(row["id"])
        (numbers, pictures), reason = NO_FRAMES, CRASHED
        if may_begin(self._work.url, item_id):
            reason = ""
            try:
                numbers, pictures = read_frames(
                    clip, self._work.size_px, self._framing, self._work.config.frames_per_clip, first=True
                )
            except VideoError as error:
                reason = error.reason
        arrays = {"frame_F": numbers, "reason": np.array(reason), **self._measured(pictures, row)}
        write_arrays(self._work.record(self.kind, item_id), arrays)
        return {"frames": len(pictures)}

    def _measured(self, pictures: Sequence[Picture], row: dict[str, Any]) -> dict[str, NDArray[Any]]:
        raise NotImplementedError


class FacesOfClip(_Stage):
    """`clip` (its JSON) and `id` → what its frames' faces show is written."""

    kind = "faces"

    def __init__(self, work: ParetoWork) -> None:
        super().__init__(work)
        self._finder = FaceFinder(max_faces=1, weights=work.config.networks.face_landmarker)

    def close(self) -> None:
        """See `_Stage.close`."""
        super().close()
        self._finder.close()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return self._record(row)

    def _measured(self, pictures: Sequence[Picture], row: dict[str, Any]) -> dict[str, NDArray[Any]]:
        return {"attributes_FA": attributes_in(pictures, self._finder)}


class RunOnClip(_Stage):
    """`clip` (its JSON), `run` (its place) and `id` → codes and errors are written."""

    kind = "runs"

    def __init__(self, work: ParetoWork) -> None:
        super().__init__(work)
        # Items of one run follow each other, so one model at a time is enough.
        self._renderer = lru_cache(1)(self._load)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return self._record(row)

    def _load(self, place: int) -> Renderer:
        subject, config = self._work.subjects[place], self._work.config
        return load(subject.url, config.device, config.dtype, subject.tracking_uri)[0]

    def _measured(self, pictures: Sequence[Picture], row: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Codes of all frames, and errors of those after the first, redrawn from it with their own codes."""
        renderer = self._renderer(int(row["run"]))
        codes, l1, psnr = [np.zeros((0, renderer.directions))], [np.zeros(0)], [np.zeros(0)]
        encoded = renderer.encode(pictures[:1]) if pictures else None
        for start in range(0, len(pictures), _TOGETHER):
            some = pictures[start : start + _TOGETHER]
            motion_BM = renderer.motion(some)
            codes.append(motion_BM.float().cpu().numpy())
            assert encoded is not None
            results = renderer.decode(renderer.navigate(encoded.z_BD, motion_BM), encoded.features)
            errors = picture_errors(to_model(results, "cpu"), to_model(some, "cpu"))
            l1.append(errors["l1"].numpy())
            psnr.append(errors["psnr"].numpy())
        return {
            "codes_FM": np.concatenate(codes).astype(np.float32),
            "l1_K": np.concatenate(l1)[1:].astype(np.float32),
            "psnr_K": np.concatenate(psnr)[1:].astype(np.float32),
        }
