"""From a stretch of a face track to the clip's file and the face in every frame of it, by the configured alignment.

Shapes: T frames of the clip.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liax.crop import CropConfig, CropRejected, Square, crop_square, robust_union, turned_square
from liax.errors import VideoError
from liax.sample import CropInfo, FaceArrays
from liax.video.cut import CLOCK_TICK_S, add_sound, cut_clip, shown_times
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.probe import VideoInfo, frame_table
from pipelines.align import Aligned, aligned_squares
from pipelines.config import ClipConfig
from pipelines.measure import aligned_arrays, face_arrays, mean_roll_deg, source_arrays
from pipelines.tracking import Track


@dataclass(frozen=True, slots=True)
class Material:
    """A source that clips are cut from.

    Args:
        path: a local file.
        info: `probe(path)`.
        times_s, is_key: `frame_table(path)`.
    """

    path: Path
    info: VideoInfo
    times_s: NDArray[np.float64]
    is_key: NDArray[np.bool_]

    @property
    def frame_s(self) -> float:
        """How long a frame is shown, in the median."""
        return float(np.median(np.diff(self.times_s))) if len(self.times_s) > 1 else 0.04


@dataclass(frozen=True, slots=True)
class MadeClip:
    """A clip that lies in a file.

    Args:
        path: the mp4.
        keyframes: numbers of the frames at which decoding can start.
        faces: the face in every frame, in pixels of the clip.
        crop: what was cut.
        size_px: width and height.
    """

    path: Path
    keyframes: list[int]
    faces: FaceArrays
    crop: CropInfo
    size_px: int


class TooShort(Exception):  # noqa: N818 - an outcome with a reason, not a fault
    """The stretch is shorter than a frame of the clip; `str()` says how short."""


def make_clip(
    source: Material,
    track: Track,
    part: Track,
    start_s: float,
    end_s: float,
    crop: CropConfig,
    clip: ClipConfig,
    folder: Path,
) -> MadeClip:
    """Cut a stretch of a source round a face.

    Args:
        source: what to cut.
        track: the face, in pixels of the source; beyond the stretch too, so that its first and last frames are
            interpolated.
        part: the samples within the stretch: what the square is made from.
        start_s, end_s: the stretch.
        crop, clip: what the clip shall be.
        folder: an empty one, for the clip and what is needed to make it.

    Raises:
        CropRejected: no square round the face fits.
        TooShort: no frame of the clip fits into the stretch.
        VideoError: the source cannot be read, or ffmpeg failed.
    """
    count = math.floor((end_s - start_s) * clip.fps + 1e-6)
    if crop.align == "frame":  # by pictures of the source, which may end earlier than the stretch
        count = min(count, math.floor((source.times_s[-1] + source.frame_s - start_s) * clip.fps + 1e-6))
    if count < 1:
        raise TooShort(f"{end_s - start_s:.2f} s hold no frame at {clip.fps} fps")
    if crop.align == "frame":
        return _align_frames(source, track, start_s, count, crop, clip, folder)
    square = _square(part, source.info, crop)
    size_px = square.side_px if crop.align == "none" else clip.size_px
    made = folder / "clip.mp4"
    cut_clip(
        source.path,
        made,
        source.info,
        start_s=start_s,
        frames=count,
        fps=clip.fps,
        square_px=(square.left_px, square.top_px, square.side_px),
        size_px=size_px,
        crf=clip.crf,
        keyframe_interval=clip.keyframe_interval,
        preset=clip.preset,
        fast_decoding=clip.fast_decoding,
        turn_deg=square.turn_deg,
        codec=clip.codec,
        jpeg_quality=clip.jpeg_quality,
        time_limit_s=clip.time_limit_s,
    )
    times_s, is_key = frame_table(made)
    shown_T = shown_times(source.times_s, start_s, len(times_s), clip.fps)
    faces = face_arrays(track, shown_T, square, size_px)
    return MadeClip(made, np.flatnonzero(is_key).tolist(), faces, _crop_info(square, source.info, crop), size_px)


def _square(track: Track, info: VideoInfo, crop: CropConfig) -> Square:
    if crop.roll:
        return turned_square(track.landmarks_KN3, mean_roll_deg(track), info.width_px, info.height_px, crop)
    return crop_square(robust_union(track.boxes_K4, crop), info.width_px, info.height_px, crop)


def _align_frames(
    source: Material, track: Track, start_s: float, count: int, crop: CropConfig, clip: ClipConfig, folder: Path
) -> MadeClip:
    """Every frame by a square of its own: decoded, warped and encoded again, since ffmpeg crops whole pixels only."""
    info = source.info
    shown_T = shown_times(source.times_s, start_s, count, clip.fps)
    faces = source_arrays(track, shown_T)
    aligned = aligned_squares(faces.landmarks_TN3)
    outside = aligned.most_outside(info.width_px, info.height_px)
    if outside > crop.most_outside and crop.outside == "reject":
        raise CropRejected("crop_out_of_frame")
    silent, made = folder / "silent.mp4", folder / "clip.mp4"
    with VideoWriter(
        silent,
        clip.size_px,
        clip.size_px,
        clip.fps,
        crf=clip.crf,
        keyframe_interval=clip.keyframe_interval,
        preset=clip.preset,
        fast_decoding=clip.fast_decoding,
        jpeg_quality=clip.jpeg_quality if clip.codec == "mjpeg" else None,
    ) as writer:
        for frame, picture_HWC in enumerate(_pictures(source.path, shown_T)):
            writer.write(aligned.warp(frame, picture_HWC, clip.size_px))
    if info.has_audio:
        length_s = count / clip.fps
        add_sound(silent, source.path, made, info, start_s=start_s, length_s=length_s, time_limit_s=clip.time_limit_s)
    else:
        silent.rename(made)
    _, is_key = frame_table(made)
    square = _middle_square(aligned, padded=outside > 0)
    return MadeClip(
        made,
        np.flatnonzero(is_key).tolist(),
        aligned_arrays(faces, aligned, clip.size_px),
        _crop_info(square, info, crop),
        clip.size_px,
    )


def _pictures(path: Path, shown_T: NDArray[np.float64]) -> Iterator[NDArray[np.uint8]]:
    """The source's picture at each of some ascending moments, each of which is a frame's time."""
    moments = iter(shown_T.tolist())
    moment_s = next(moments, None)
    for time_s, picture_HWC in frames(path, start=float(shown_T[0])):
        while moment_s is not None and moment_s <= time_s + CLOCK_TICK_S:
            yield picture_HWC
            moment_s = next(moments, None)
        if moment_s is None:
            return
    raise VideoError(path, "no_frames", f"none at or after {moment_s:.2f} s")


def _middle_square(aligned: Aligned, padded: bool) -> Square:
    side_px = round(float(np.median(aligned.sides_T)))
    left_px, top_px = (round(float(center) - side_px / 2) for center in np.median(aligned.centers_T2, axis=0))
    turns = np.radians(aligned.turns_deg_T)
    turn_deg = float(np.degrees(np.arctan2(np.sin(turns).mean(), np.cos(turns).mean())))
    return Square(left_px, top_px, side_px, padded, turn_deg)


def _crop_info(square: Square, info: VideoInfo, crop: CropConfig) -> CropInfo:
    return CropInfo(
        left_px=square.left_px,
        top_px=square.top_px,
        side_px=square.side_px,
        source_width_px=info.width_px,
        source_height_px=info.height_px,
        align=crop.align,
        padded=square.padded,
        turn_deg=round(square.turn_deg, 6),
    )
