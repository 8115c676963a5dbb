"""One segment's clips: tracks are cut into parts, and each part becomes a clip or a row that says why not."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from liax import storage
from liax.crop import CropRejected
from liax.errors import VideoError
from liax.identity import Embedder
from liax.sample import CropInfo, SampleInfo
from liax.video.cut import first_moment
from liax.video.decode import frame_at
from liax.video.probe import frame_table, probe
from pipelines.analysis import Analysis
from pipelines.config import PIPELINE_VERSION, ClipConfig, PreprocessConfig
from pipelines.cutting import MadeClip, Material, TooShort, make_clip
from pipelines.outcomes import KEPT, Outcome, Segment, rejected
from pipelines.previews import preview
from pipelines.run import Run
from pipelines.scoring import clip_scores
from pipelines.signatures import ClipSignature, clip_signature
from pipelines.stills import stills_of
from pipelines.tracking import Track


class ClipMaker:
    """Makes the clips of one segment.

    Args:
        run: where the clips go.
        config: the run's settings.
        segment: what the clips are of.
        path: the source, as a local file.
        embedder: makes faces comparable; None leaves that out.

    Raises:
        VideoError: the source cannot be read.
    """

    def __init__(
        self, run: Run, config: PreprocessConfig, segment: Segment, path: Path, embedder: Embedder | None
    ) -> None:
        self._run, self._config, self._embedder = run, config, embedder
        self._segment, self._source = segment, segment.source
        self._material = Material(path, probe(path), *frame_table(path))
        self.clips: list[SampleInfo] = []
        self.clip_bytes: dict[str, int] = {}
        self.signatures: dict[str, ClipSignature] = {}
        self.outcomes: list[Outcome] = []

    def add_analysis(self, analysis: Analysis) -> None:
        """Make the clips of all tracks, and a row of everything else."""
        for span in analysis.dropped:
            detail = f"{span.end_s - span.start_s:.2f} s"
            shown = self._show_rejected("shots", span.reason, None, span.start_s, None)
            self._add("shots", span.reason, detail, None, span.start_s, None, shown)
        for number, track in enumerate(analysis.tracks):
            shot_ends_s = [end_s for start_s, end_s in analysis.shots if start_s <= track.times_s[0] < end_s]
            self.add_track(number, track, min(shot_ends_s, default=math.inf))
        if not analysis.shots and not analysis.tracks:
            self._reject_segment("no_frames", "the video ends before this segment")
        elif not analysis.tracks:
            self._reject_segment("no_face", "no face was found in any sampled frame")

    def add_track(self, number: int, track: Track, latest_s: float = math.inf) -> None:
        """Make a track's clips. Each of its parts, or the whole track, adds at least one outcome.

        Args:
            number: the track's place in the segment.
            track: in pixels of the source.
            latest_s: no clip goes beyond it: the end of the shot.
        """
        config, frame_s = self._config, self._material.frame_s
        first_s = float(track.times_s[0])
        seen_s = min(float(track.times_s[-1]) + frame_s, latest_s) - first_s
        if track.face_px < config.faces.least_face_px:
            detail = f"{track.face_px:.0f} px; the least is {config.faces.least_face_px:.0f}"
            self._reject("faces", "face_too_small", detail, number, first_s, track)
        elif seen_s < config.clip.least_s:
            self._reject("faces", "too_short", f"seen for {seen_s:.2f} s", number, first_s, track)
        else:
            for start_s, end_s in parts(first_s, seen_s, config.clip):
                self._add_part(number, track, start_s, end_s)

    def _add_part(self, number: int, track: Track, start_s: float, end_s: float) -> None:
        part = track.between(start_s - self._material.frame_s, end_s)
        if not part.times_s.size:
            self._reject("clips", "no_face", "the face was not seen in this part", number, start_s, part)
            return
        try:
            self._make_clip(number, track, part, start_s, end_s)
        except CropRejected as refusal:
            self._reject("clips", str(refusal), "no square round the face fits", number, start_s, part)
        except TooShort as short:
            self._reject("clips", "too_short", str(short), number, start_s, part)
        except VideoError as error:
            self._reject("clips", error.reason, error.detail, number, start_s, part)

    def _make_clip(self, number: int, track: Track, part: Track, begin_s: float, end_s: float) -> None:
        config, start_s = self._config, first_moment(begin_s)
        key = f"{self._source.sha256[:12]}-{self._run.content_id[:6]}-{number:02d}-{round(start_s * 1000):08d}"
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            made = make_clip(self._material, track, part, start_s, end_s, config.crop, config.clip, Path(folder))
            stills = stills_of(made.path, made.keyframes)
            scores = clip_scores(stills, made.faces, part, made.crop, made.size_px, config.clip.fps)
            signature = clip_signature(stills, made.faces, self._embedder)
            sample = self._sample(key, number, start_s, made, scores)
            members = {"mp4": made.path.read_bytes(), "npz": made.faces.to_bytes()}
            for extension, data in members.items():
                storage.write_bytes(self._run.clip(key, extension), data)
            shown = self._show_clip(sample, made.path)
        self.clips.append(sample)
        self.signatures[key] = signature
        self.clip_bytes[key] = sum(len(data) for data in members.values()) + len(sample.to_bytes())
        detail = f"{made.crop.side_px} px square, {sample.frames} frames"
        self._add("clips", KEPT, detail, number, start_s, key, shown)

    def _sample(self, key: str, number: int, start_s: float, made: MadeClip, scores: dict[str, float]) -> SampleInfo:
        """The clip's description. Who it shows and its split are decided when every clip is known."""
        frames, fps = len(made.faces.measured_T), self._config.clip.fps
        return SampleInfo(
            key=key,
            source_uri=self._source.uri,
            source_sha256=self._source.sha256,
            segment=self._segment.number,
            track=number,
            start_s=start_s,
            end_s=start_s + frames / fps,
            fps=fps,
            frames=frames,
            size_px=made.size_px,
            crop=made.crop,
            scores=scores,
            identity=None,
            split="train",
            has_audio=probe(made.path).has_audio,
            keyframes=made.keyframes,
            pipeline_version=PIPELINE_VERSION,
            config_id=self._run.content_id,
        )

    def _show_clip(self, sample: SampleInfo, clip: Path) -> str | None:
        """Show the clip at a key frame of the source, which costs no decoding of the frames before it."""
        times_s, is_key = self._material.times_s, self._material.is_key
        last_s = sample.end_s - 1 / sample.fps
        keys_s = times_s[is_key & (times_s >= sample.start_s) & (times_s <= last_s)]
        moment_s = float(keys_s[len(keys_s) // 2]) if keys_s.size else sample.start_s
        # Half a frame earlier, since the clip's rate and the source's are not in step.
        in_clip_s = max(0.0, moment_s - sample.start_s - 0.5 / sample.fps)
        return self._show(sample.key, moment_s, box_of(sample.crop), (clip, in_clip_s), sample.crop.turn_deg)

    def _show(
        self,
        name: str,
        moment_s: float,
        box: tuple[float, float, float, float] | None,
        cut: tuple[Path, float] | None = None,
        turn_deg: float = 0.0,
    ) -> str | None:
        """Save a picture for the report; None if the source has no readable one there, which is no loss of a clip."""
        try:
            clip_HWC = frame_at(*cut) if cut else None
            made = preview(frame_at(self._material.path, moment_s), box, clip_HWC, turn_deg)
        except VideoError:
            return None
        storage.write_bytes(self._run.preview(name), made)
        return name

    def _reject(self, stage: str, reason: str, detail: str, number: int, start_s: float, part: Track) -> None:
        """Add the row of a track, or a part of it, that gave no clip."""
        shown = None
        if part.times_s.size:
            left, top, right, bottom = (float(edge) for edge in part.boxes_K4[0])
            shown = self._show_rejected(stage, reason, number, float(part.times_s[0]), (left, top, right, bottom))
        self._add(stage, reason, detail, number, start_s, None, shown)

    def _show_rejected(
        self,
        stage: str,
        reason: str,
        number: int | None,
        moment_s: float,
        box: tuple[float, float, float, float] | None,
    ) -> str | None:
        """Show what gave no clip, if it is the segment's first with this reason."""
        if any((row.stage, row.reason) == (stage, reason) and row.preview for row in self.outcomes):
            return None
        track = "" if number is None else f"-{number:02d}"
        return self._show(f"{self._segment.id}{track}-{round(moment_s * 1000):08d}-{reason}", moment_s, box)

    def _reject_segment(self, reason: str, detail: str) -> None:
        """Add the row of a segment in which nothing was found, with a picture of it."""
        row = rejected(self._source, "faces", reason, detail, self._segment.number)
        shown = self._show(f"{self._segment.id}-{reason}", self._segment.start_s, None)
        self.outcomes.append(row.model_copy(update={"preview": shown}))

    def _add(
        self,
        stage: str,
        reason: str,
        detail: str,
        number: int | None,
        start_s: float,
        key: str | None,
        shown: str | None,
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


def box_of(crop: CropInfo) -> tuple[float, float, float, float]:
    """The square's left, top, right and bottom in the source, before it is turned."""
    return crop.left_px, crop.top_px, crop.left_px + crop.side_px, crop.top_px + crop.side_px
