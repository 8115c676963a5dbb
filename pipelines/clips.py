"""Stage 6, clips: one fixed square crop per track, cut and encoded in one ffmpeg pass (1 segment → 1 record).

The clips go to `work/clips`; the segment's completion record, written after them, makes them count.
"""

import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from liax import storage
from liax.crop import CropRejected, Square, crop_square, robust_union
from liax.errors import VideoError
from liax.sample import CropInfo, SampleInfo
from liax.video.cut import cut_clip, first_moment, shown_times
from liax.video.decode import frame_at
from liax.video.probe import VideoInfo, frame_table, probe
from pipelines.analysis import Analysis, analysis_from_bytes
from pipelines.config import PIPELINE_VERSION, ClipConfig, PreprocessConfig
from pipelines.contained import Contained, GivenUp
from pipelines.measure import face_arrays
from pipelines.outcomes import KEPT, Outcome, Segment, SegmentRecord, rejected
from pipelines.previews import preview
from pipelines.probing import source_file
from pipelines.run import Run
from pipelines.tracking import Track


class ClipMaker:
    """Makes the clips of one segment.

    Args:
        run: where the clips go.
        config: the run's settings.
        segment: what the clips are of.
        path: the source, as a local file.

    Raises:
        VideoError: the source cannot be read.
    """

    def __init__(self, run: Run, config: PreprocessConfig, segment: Segment, path: Path) -> None:
        self._run, self._config, self._path = run, config, path
        self._segment, self._source = segment, segment.source
        self._info: VideoInfo = probe(path)
        self._times_s, self._is_key = frame_table(path)
        self._frame_s = float(np.median(np.diff(self._times_s))) if len(self._times_s) > 1 else 1 / config.clip.fps
        self.clips: list[SampleInfo] = []
        self.clip_bytes: dict[str, int] = {}
        self.outcomes: list[Outcome] = []

    def add_track(self, number: int, track: Track) -> None:
        """Make a track's clips. Each of its parts, or the whole track, adds at least one outcome."""
        config = self._config
        first_s = float(track.times_s[0])
        seen_s = float(track.times_s[-1]) - first_s + self._frame_s
        if track.face_px < config.faces.least_face_px:
            detail = f"{track.face_px:.0f} px; the least is {config.faces.least_face_px:.0f}"
            self._reject("faces", "face_too_small", detail, number, first_s, track)
        elif seen_s < config.clip.least_s:
            self._reject("faces", "too_short", f"seen for {seen_s:.2f} s", number, first_s, track)
        else:
            for start_s, end_s in parts(first_s, seen_s, config.clip):
                self._add_part(number, track.between(start_s - self._frame_s, end_s), start_s, end_s)

    def _add_part(self, number: int, part: Track, start_s: float, end_s: float) -> None:
        if not part.times_s.size:
            self._reject("clips", "no_face", "the face was not seen in this part", number, start_s, part)
            return
        try:
            self._make_clip(number, part, start_s, end_s)
        except CropRejected as refusal:
            self._reject("clips", str(refusal), "no square round the face fits", number, start_s, part)
        except VideoError as error:
            self._reject("clips", error.reason, error.detail, number, start_s, part)

    def _make_clip(self, number: int, track: Track, begin_s: float, end_s: float) -> None:
        config = self._config.clip
        start_s = first_moment(begin_s)
        info, crop = self._info, self._config.crop
        square = crop_square(robust_union(track.boxes_K4, crop), info.width_px, info.height_px, crop)
        key = f"{self._source.sha256[:12]}-{self._run.content_id[:6]}-{number:02d}-{round(start_s * 1000):08d}"
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            made = Path(folder) / "clip.mp4"
            cut_clip(
                self._path,
                made,
                info,
                start_s=start_s,
                frames=math.floor((end_s - start_s) * config.fps + 1e-6),
                fps=config.fps,
                square_px=(square.left_px, square.top_px, square.side_px),
                size_px=config.size_px,
                crf=config.crf,
                keyframe_interval=config.keyframe_interval,
                preset=config.preset,
                time_limit_s=config.time_limit_s,
            )
            clip_times_s, clip_is_key = frame_table(made)
            shown_T = shown_times(self._times_s, start_s, len(clip_times_s), config.fps)
            members = {
                "mp4": made.read_bytes(),
                "npz": (faces := face_arrays(track, shown_T, square, config.size_px)).to_bytes(),
            }
            has_audio = probe(made).has_audio
            for extension, data in members.items():
                storage.write_bytes(self._run.clip(key, extension), data)
            shown = self._show_clip(key, square, start_s, len(clip_times_s), made)
        sample = SampleInfo(
            key=key,
            source_uri=self._source.uri,
            source_sha256=self._source.sha256,
            track=number,
            start_s=start_s,
            end_s=start_s + len(clip_times_s) / config.fps,
            fps=config.fps,
            frames=len(clip_times_s),
            size_px=config.size_px,
            crop=_crop_info(square, info),
            scores={
                "face_px": round(track.face_px, 1),
                "measured": round(float(faces.measured_T.mean()), 3),
                "yaw_range_deg": round(float(np.ptp(faces.head_pose_T3[:, 0])), 1),
                "pitch_range_deg": round(float(np.ptp(faces.head_pose_T3[:, 1])), 1),
            },
            identity=None,
            split="train",
            has_audio=has_audio,
            keyframes=np.flatnonzero(clip_is_key).tolist(),
            pipeline_version=PIPELINE_VERSION,
            config_id=self._run.content_id,
        )
        self.clips.append(sample)
        self.clip_bytes[key] = sum(len(data) for data in members.values()) + len(sample.to_bytes())
        self._add("clips", KEPT, f"{square.side_px} px square, {sample.frames} frames", number, start_s, key, shown)

    def _show_clip(self, key: str, square: Square, start_s: float, count: int, clip: Path) -> str | None:
        """Show the clip at a key frame of the source, which costs no decoding of the frames before it."""
        last_s = start_s + (count - 1) / self._config.clip.fps
        keys_s = self._times_s[self._is_key & (self._times_s >= start_s) & (self._times_s <= last_s)]
        moment_s = float(keys_s[len(keys_s) // 2]) if keys_s.size else start_s
        box = (square.left_px, square.top_px, square.left_px + square.side_px, square.top_px + square.side_px)
        return self._show(key, moment_s, box, (clip, max(0.0, moment_s - start_s - 0.02)))

    def _show(
        self,
        name: str,
        moment_s: float,
        box: tuple[float, float, float, float] | None,
        cut: tuple[Path, float] | None = None,
    ) -> str | None:
        """Save a picture for the report; None if the source has no readable one there, which is no loss of a clip."""
        try:
            made = preview(frame_at(self._path, moment_s), box, frame_at(*cut) if cut else None)
        except VideoError:
            return None
        storage.write_bytes(self._run.preview(name), made)
        return name

    def _reject(self, stage: str, reason: str, detail: str, number: int, start_s: float, part: Track) -> None:
        """Add the row of what gave no clip, and a picture if it is the source's first with this reason."""
        shown = None
        if part.times_s.size and not any(row.reason == reason and row.preview for row in self.outcomes):
            name = f"{self._segment.id}-{number:02d}-{round(start_s * 1000):08d}-{reason}"
            left, top, right, bottom = (float(edge) for edge in part.boxes_K4[0])
            shown = self._show(name, float(part.times_s[0]), (left, top, right, bottom))
        self._add(stage, reason, detail, number, start_s, None, shown)

    def reject_source(self, reason: str, detail: str) -> None:
        """Add the row of a source in which no face was found, with a picture of it."""
        row = rejected(self._source, "faces", reason, detail, self._segment.number)
        shown = self._show(f"{self._segment.id}-{reason}", self._segment.start_s, None)
        self.outcomes.append(row.model_copy(update={"preview": shown}))

    def _add(
        self, stage: str, reason: str, detail: str, number: int, start_s: float, key: str | None, shown: str | None
    ) -> None:
        self.outcomes.append(
            Outcome(
                source_uri=self._source.uri,
                source_sha256=self._source.sha256,
                stage=stage,
                reason=reason,
                detail=detail,
                segment=self._segment.number,
                track=number,
                start_s=round(start_s, 3),
                key=key,
                preview=shown,
            )
        )


def parts(start_s: float, length_s: float, config: ClipConfig) -> Iterator[tuple[float, float]]:
    """Cut a span into the fewest equal parts that are no longer than a clip may be; yields (start_s, end_s)."""
    count = max(1, math.ceil(length_s / config.longest_s - 1e-9))
    for index in range(count):
        yield start_s + index * length_s / count, start_s + (index + 1) * length_s / count


def _crop_info(square: Square, info: VideoInfo) -> CropInfo:
    return CropInfo(
        left_px=square.left_px,
        top_px=square.top_px,
        side_px=square.side_px,
        source_width_px=info.width_px,
        source_height_px=info.height_px,
        align="clip",
        padded=square.padded,
    )


def make_clips(run: Run, config: PreprocessConfig, segment: Segment, analysis: Analysis) -> SegmentRecord:
    """Make all clips of a segment.

    Raises:
        VideoError: the source cannot be read.
    """
    with source_file(segment.source.uri) as path:
        maker = ClipMaker(run, config, segment, path)
        for number, track in enumerate(analysis.tracks):
            maker.add_track(number, track)
        if not analysis.tracks:
            maker.reject_source("no_face", "no face was found in any sampled frame")
    return SegmentRecord(
        segment=segment,
        clips=maker.clips,
        clip_bytes=maker.clip_bytes,
        signatures={},
        outcomes=maker.outcomes,
        seconds={},
    )


class ClipWork:
    """The work in the child process."""

    def __init__(self, run: Run, config: PreprocessConfig) -> None:
        self._run, self._config = run, config

    def __call__(self, segment: Segment, analysis: bytes) -> SegmentRecord:
        return make_clips(self._run, self._config, segment, analysis_from_bytes(analysis))


class MakeClips:
    """The stage for Ray Data, an actor: makes the clips and writes the segment's completion record."""

    def __init__(self, run: Run, config: PreprocessConfig) -> None:
        self._run, self._work = run, config.work
        self._contained = Contained(ClipWork, (run, config), config.work.attempts)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        segment = Segment.model_validate_json(row["segment"])
        if row["reason"]:
            record = _nothing(segment, "faces", row["reason"], row["detail"], row["attempts"])
        else:
            record = self._make(segment, row["analysis"])
        seconds = {"faces": row["faces_s"], "clips": time.monotonic() - started}
        record = record.model_copy(update={"seconds": seconds})
        # Of two drivers at once the first one's record stands: what is planned is planned from one of them.
        storage.create_bytes(self._run.record(segment), record.model_dump_json(indent=1).encode())
        return {"segment": segment.id, "clips": len(record.clips)}

    def _make(self, segment: Segment, analysis: bytes) -> SegmentRecord:
        seen_s = sum(float(np.ptp(track.times_s)) for track in analysis_from_bytes(analysis).tracks)
        try:
            made: SegmentRecord = self._contained(
                segment, analysis, time_limit_s=self._work.time_limit_s(segment.length_s + seen_s)
            )
        except VideoError as error:
            return _nothing(segment, "clips", error.reason, error.detail)
        except GivenUp as error:
            return _nothing(segment, "clips", error.reason, error.detail, error.attempts)
        return made


def _nothing(segment: Segment, stage: str, reason: str, detail: str, attempts: int = 1) -> SegmentRecord:
    """The record of a segment that could not be worked on."""
    row = rejected(segment.source, stage, reason, detail, segment.number, attempts)
    return SegmentRecord(segment=segment, clips=[], clip_bytes={}, signatures={}, outcomes=[row], seconds={})
