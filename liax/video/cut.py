"""One ffmpeg pass from a source to a clip: cut, crop, scale, constant rate, encode; sound kept, all in YUV."""

import math
from pathlib import Path
from typing import Literal

import ffmpeg
import numpy as np

from liax.video.ffmpeg import (
    DETERMINISTIC,
    INPUT_OPTIONS,
    ffmpeg_path,
    file_url,
    h264_options,
    jpeg_options,
    run,
)
from liax.video.probe import BT601, BT709, VideoInfo, can_seek

Codec = Literal["h264", "mjpeg"]

MATRIX_NAMES = {BT709: "bt709", 4: "fcc", BT601: "bt601", 7: "smpte240m", 9: "bt2020"}
"""Of the YUV matrices, as ffmpeg's scaler calls them."""

MATRIX_TAGS = MATRIX_NAMES | {BT601: "bt470bg", 9: "bt2020nc"}
"""The same, as its encoders do."""

SCALER = "lanczos+full_chroma_int+full_chroma_inp+accurate_rnd+bitexact"
"""`bitexact`: the same bytes from every processor, whatever vector instructions it has. The `full_chroma` matter where
another matrix is needed: without them every value becomes 2 of 255 darker."""

KEEP_TIMES = ("-dts_delta_threshold", "1e9")
"""Without it ffmpeg closes long gaps in the time stamps of broadcast files, and its times are not those of PyAV."""

ONE_GRAPH = {"reinit_filter:v": 0}
"""Where a file changes its size midway the filters go on; begun anew, `fps` would repeat and drop frames there."""

SOUND_OPTIONS: dict[str, str | int] = {"c:a": "aac", "b:a": "128k"}

CLOCK_TICK_S = 1e-6
"""ffmpeg's own unit of time: what differs by less is the same moment."""


def cut_clip(
    path: str | Path,
    out: Path,
    info: VideoInfo,
    *,
    start_s: float,
    frames: int,
    fps: int,
    square_px: tuple[int, int, int],
    size_px: int,
    crf: int,
    keyframe_interval: int,
    preset: str = "veryfast",
    fast_decoding: bool = False,
    turn_deg: float = 0.0,
    codec: Codec = "h264",
    jpeg_quality: int = 2,
    time_limit_s: float = 600.0,
) -> None:
    """Write a square clip as mp4; the same call gives the same bytes.

    H.264 keeps the source's YUV matrix and states it: another one would cost 5 ms a frame and a bit of every value.

    Args:
        path: the source video, a local file.
        out: the file to write.
        info: `probe(path)`.
        start_s: the clip's first moment, counted from the start of the source.
        frames: number of frames to write; fewer come out when the source ends earlier.
        fps: constant frame rate of the clip; source frames are repeated or left out, never blended.
        square_px: (left, top, side) in pixels of the upright source picture; may leave it, the edge is then repeated.
        size_px: width and height of the clip.
        crf, keyframe_interval, preset, fast_decoding: see `h264_options`.
        turn_deg: the square is turned by this about its centre, clockwise in the picture.
        codec: `mjpeg` makes every frame a key frame.
        jpeg_quality: see `jpeg_options`.
        time_limit_s: after this many seconds the attempt is given up.

    Raises:
        VideoError: ffmpeg failed or took too long.
    """
    video, sound = _from(path, info, start_s)
    video = video.filter("fps", fps=fps, start_time=0, round="near")
    # Passes a picture of this size as it is; another where pixels are not square, or the file changes its size midway.
    video = video.filter("scale", info.width_px, info.height_px, flags=SCALER)
    video = _turned_crop(video, info, *square_px, turn_deg) if turn_deg else _crop(video, info, *square_px)
    matrix = BT601 if codec == "mjpeg" else info.yuv_matrix
    video = video.filter(
        "scale",
        size_px,
        size_px,
        flags=SCALER,
        in_color_matrix=MATRIX_NAMES[info.yuv_matrix],
        in_range="pc" if info.full_range else "tv",
        out_color_matrix=MATRIX_NAMES[matrix],
        out_range="pc" if codec == "mjpeg" else "tv",
    ).filter("setsar", 1)
    h264 = h264_options(crf, keyframe_interval, preset, MATRIX_TAGS[matrix], fast_decoding)
    streams, options = [video], jpeg_options(jpeg_quality) if codec == "mjpeg" else h264
    if info.has_audio:
        streams.append(sound)
        options |= SOUND_OPTIONS
    limits: dict[str, str | int] = {"frames:v": frames, "t": f"{frames / fps:.6f}", "filter_complex_threads": 1}
    _write(streams, out, options | limits, path, time_limit_s)


def add_sound(
    pictures: Path,
    path: str | Path,
    out: Path,
    info: VideoInfo,
    *,
    start_s: float,
    length_s: float,
    time_limit_s: float,
) -> None:
    """Put a source's sound under pictures that were made from it, from a moment on.

    Args:
        pictures: a video without sound; its pictures are copied as they are.
        path, info: the source, and `probe(path)`.
        out: the mp4 to write.
        start_s: the moment of the source that the first picture shows.
        length_s: of the pictures.
        time_limit_s: after this many seconds the attempt is given up.

    Raises:
        VideoError: ffmpeg failed or took too long.
    """
    _, sound = _from(path, info, start_s)
    video = ffmpeg.input(file_url(pictures), **INPUT_OPTIONS)["v:0"]
    _write([video, sound], out, {"c:v": "copy", **SOUND_OPTIONS, "t": f"{length_s:.6f}"}, path, time_limit_s)


def _write(
    streams: list[ffmpeg.nodes.Stream],
    out: Path,
    options: dict[str, str | int],
    path: str | Path,
    time_limit_s: float,
) -> None:
    options = {**DETERMINISTIC, **options, "movflags": "+faststart", "format": "mp4"}
    command = ffmpeg.output(*streams, file_url(out), **options).global_args("-v", "error", "-y", *KEEP_TIMES)
    run(command.compile(cmd=ffmpeg_path()), path, time_limit_s)


def _from(path: str | Path, info: VideoInfo, start_s: float) -> tuple[ffmpeg.nodes.Stream, ffmpeg.nodes.Stream]:
    """The source's picture and sound from a moment on, with times counted from it."""
    # A picture that ffmpeg turns upright passes a filter that cannot bear another size.
    whole = INPUT_OPTIONS if info.rotation_deg else INPUT_OPTIONS | ONE_GRAPH
    if can_seek(info.container):
        source = ffmpeg.input(file_url(path), ss=f"{start_s:.6f}", threads=1, **whole)
        return source[str(info.stream_index)], source["a:0"]
    source = ffmpeg.input(file_url(path), threads=1, **whole)
    since = f"PTS-{start_s:.6f}/TB"
    video = source[str(info.stream_index)].filter("trim", start=f"{start_s:.6f}").filter("setpts", since)
    # Silence where the sound has ended already: ffmpeg takes a track without any sound for an error.
    sound = source["a:0"].filter("atrim", start=f"{start_s:.6f}").filter("asetpts", since).filter("apad")
    return video, sound


def _crop(video: ffmpeg.nodes.Stream, info: VideoInfo, left_px: int, top_px: int, side_px: int) -> ffmpeg.nodes.Stream:
    """Cut the square out; what lies outside the picture repeats its edge."""
    inside_left, inside_top = max(left_px, 0), max(top_px, 0)
    # Even numbers, because a chroma sample covers 2x2 pixels.
    inside_right = min(left_px + side_px, info.width_px - info.width_px % 2)
    inside_bottom = min(top_px + side_px, info.height_px - info.height_px % 2)
    width_px, height_px = inside_right - inside_left, inside_bottom - inside_top
    video = video.filter("crop", width_px, height_px, inside_left, inside_top)
    if (width_px, height_px) == (side_px, side_px):
        return video
    borders = {"left": inside_left - left_px, "top": inside_top - top_px}
    borders |= {"right": side_px - width_px - borders["left"], "bottom": side_px - height_px - borders["top"]}
    video = video.filter("pad", side_px, side_px, borders["left"], borders["top"])
    return video.filter("fillborders", **borders, mode="smear")


def _turned_crop(
    video: ffmpeg.nodes.Stream, info: VideoInfo, left_px: int, top_px: int, side_px: int, turn_deg: float
) -> ffmpeg.nodes.Stream:
    """Cut a square out that is turned about its centre: the upright square that holds it first, then its middle."""
    angle = math.radians(turn_deg)
    # At least two pixels on each side more than the turned square, so that the interpolation meets no border.
    margin_px = math.ceil((side_px * (abs(math.cos(angle)) + abs(math.sin(angle)) - 1) / 2 + 2) / 2) * 2
    video = _crop(video, info, left_px - margin_px, top_px - margin_px, side_px + 2 * margin_px)
    return video.filter("rotate", angle=f"{-angle:.9f}", ow=side_px, oh=side_px)


def shown_times(times_s: np.ndarray, start_s: float, frames: int, fps: int) -> np.ndarray:
    """Which moment of the source each frame of a clip shows, by the rule of ffmpeg's `fps` filter with `round=near`.

    Args:
        times_s: (S,) ascending times of the source's frames (see `frame_table`).
        start_s, frames, fps: as given to `cut_clip`.

    Returns:
        (frames,) float64, each one of `times_s`.
    """
    from_start_s = times_s[times_s >= start_s - CLOCK_TICK_S] - start_s
    if not from_start_s.size:
        raise ValueError(f"the video has no frame at or after {start_s} s")
    # ffmpeg counts in whole clock ticks and rounds ties up; the small term keeps float error from rounding them down.
    places = np.floor(from_start_s * fps + 0.5 + 1e-6)
    latest = np.searchsorted(places, np.arange(frames), side="right") - 1
    return start_s + from_start_s[np.clip(latest, 0, None)]


def first_moment(time_s: float) -> float:
    """A frame's time rounded down to the millisecond: a cut there includes the frame, whatever the clock's rounding."""
    return max(0.0, math.floor(time_s * 1000 + 1e-6) / 1000)
