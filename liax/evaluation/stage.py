"""Ray Data's stages: a trial is measured (1 trial → 1 record), or shown (1 trial → 1 video).

Each is an actor with a model of its own, loaded once.
"""

import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax import storage
from liax.errors import VideoError
from liax.evaluation.attempts import ATTEMPTS, may_begin
from liax.evaluation.clips import OpenedClip, first_picture, opened, spread
from liax.evaluation.faces import FaceSeer
from liax.evaluation.measuring import ClipMeter
from liax.evaluation.networks import open_networks
from liax.evaluation.records import TrialRecord, Work, write_record
from liax.evaluation.trials import Trial
from liax.face import FaceFinder
from liax.inference.framing import MOST_FACES
from liax.inference.loading import load
from liax.inference.motion_source import measured
from liax.inference.renderer import Renderer
from liax.inference.side_by_side import panel_px, side_by_side
from liax.inference.transfer import moved
from liax.pictures import Picture
from liax.video.encode import VideoWriter

TOGETHER = 8
"""Frames that are measured together. Our choice, as in validation: enough to keep a GPU busy, and few in memory."""


class _Stage:
    """The model, and how clips are framed."""

    def __init__(self, work: Work) -> None:
        subject, config = work.subject, work.config
        self._work = work
        self._renderer: Renderer = load(subject.url, config.device, config.dtype, subject.tracking_uri)[0]
        framed = config.videos is not None and config.crop
        self._finder = FaceFinder(MOST_FACES, weights=config.networks.face_landmarker) if framed else None

    def close(self) -> None:
        """Free the finder: MediaPipe cannot do so itself once the interpreter is ending."""
        if self._finder is not None:
            self._finder.close()

    def _results(self, trial: Trial, source: Picture, footage: OpenedClip) -> Iterator[tuple[Picture, Picture]]:
        """Each driving picture with its result."""
        steps = measured(self._renderer, footage.pictures(), self._renderer.batch)
        still_M = np.zeros(self._renderer.directions, dtype=np.float32)
        mode = self._work.config.mode(trial.protocol)
        for driving, (result,) in moved(self._renderer, [source], steps, mode, still_M):
            assert driving is not None  # a motion file alone has no pictures
            yield driving, result

    def _source(self, trial: Trial) -> Picture:
        return first_picture(trial.source, self._renderer.size_px, self._finder)


class MeasureTrial(_Stage):
    """`trial` (its JSON) and `id` → its record is written."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        networks = work.config.networks
        self._networks = open_networks(networks, self._renderer.device)
        finder = FaceFinder(max_faces=1, weights=networks.face_landmarker)
        self._seer = FaceSeer(finder, self._networks.embedder)

    def close(self) -> None:
        """See `_Stage.close`."""
        super().close()
        self._seer.close()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        trial, trial_id = Trial.model_validate_json(row["trial"]), str(row["id"])
        record = TrialRecord(
            protocol=trial.protocol,
            source=trial.source.id,
            driving=trial.driving.id,
            source_name=trial.source.name,
            driving_name=trial.driving.name,
            video_sha256=trial.driving.video_sha256,
        )
        if not may_begin(self._work.url, trial_id):
            detail = f"its worker died {ATTEMPTS} times"
            write_record(self._work, trial_id, record.model_copy(update={"reason": "crashed", "detail": detail}))
            return {"frames": 0}
        started = time.monotonic()
        features: dict[str, NDArray[np.float32]] = {}
        try:
            found, features = self._measure(trial)
        except VideoError as error:
            found = {"reason": error.reason, "detail": error.detail or str(error)}
        found["seconds"] = time.monotonic() - started
        record = record.model_copy(update=found)
        write_record(self._work, trial_id, record, features)
        return {"frames": record.frames}

    def _measure(self, trial: Trial) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """The numbers of a record, and the features. Raises VideoError for a clip that cannot be used."""
        config, size_px = self._work.config, self._renderer.size_px
        source = self._source(trial)
        with opened(trial.driving, size_px, self._finder, config.frames) as footage:
            meter = ClipMeter(
                self._networks,
                self._seer,
                source,
                trial.protocol,
                relative=config.mode(trial.protocol) == "relative",
                every=config.faces.every,
                fid_frames=spread(footage.frames_estimate, config.fid_frames),
            )
            frames, shown = 0, self._results(trial, source, footage)
            while pairs := list(islice(shown, TOGETHER)):
                meter.add([driving for driving, _ in pairs], [result for _, result in pairs])
                frames += len(pairs)
        if not frames:
            raise VideoError(trial.driving.name, "no_frames")
        values = meter.measured()
        return {"frames": frames, "values": values.values, "missing": values.missing}, values.features


class ShowTrial(_Stage):
    """`trial` (its JSON) and `file` → the video source | driving | result is written there."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        trial, url = Trial.model_validate_json(row["trial"]), str(row["file"])
        source, size_px = self._source(trial), self._renderer.size_px
        side_px = panel_px(size_px)
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            local = Path(folder, "shown.mp4")
            with (
                opened(trial.driving, size_px, self._finder, self._work.config.frames) as footage,
                VideoWriter(local, 3 * side_px, side_px, footage.fps) as writer,
            ):
                for driving, result in self._results(trial, source, footage):
                    writer.write(side_by_side([source, driving, result]))
            storage.make_folder(url.rsplit("/", 1)[0])
            storage.upload(local, url)
        return {"file": url}
