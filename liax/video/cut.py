"""One ffmpeg pass from a source to a clip: cut, crop, scale, constant rate, encode; sound kept, all in YUV."""

import math
from pathlib import Path

import ffmpeg
import numpy as np

from liax.video.ffmpeg import DETERMINISTIC, INPUT_OPTIONS, ffmpeg_path, file_url, h264_options, run
from liax.video.probe import BT601, BT709, VideoInfo, can_seek

MATRIX_NAMES = {BT709: "bt709", 4: "fcc", BT601: "bt601", 7: "smpte240m", 9: "bt2020"}
SCALER = "lanczos+accurate_rnd+bitexact"
"""`bitexact`: the same bytes from every processor, whatever vector instructions it has."""

KEEP_TIMES = ("-dts_delta_threshold", "1e9")
"""Without it ffmpeg closes long gaps in the time stamps of broadcast files, and its times are not those of PyAV."""

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
    time_limit_s: float = 600.0,
) -> None:
    """Write a square clip as mp4; the same call gives the same bytes.

    Args:
        path: the source video, a local file.
        out: the file to write.
        info: `probe(path)`.
        start_s: the clip's first moment, counted from the start of the source.
        frames: number of frames to write; fewer come out when the source ends earlier.
        fps: constant frame rate of the clip; source frames are repeated or left out, never blended.
        square_px: (left, top, side) in pixels of the upright source picture; may leave it, the edge is then repeated.
        size_px: width and height of the clip.
        crf, keyframe_interval, preset: see `h264_options`.
        time_limit_s: after this many seconds the attempt is given up.

    Raises:
        VideoError: ffmpeg failed or took too long.
    """
    video, sound = _from(path, info, start_s)
    video = video.filter("fps", fps=fps, start_time=0, round="near")
    if not info.square_pixels:
        video = video.filter("scale", info.width_px, info.height_px, flags=SCALER)
    video = _crop(video, info, *square_px)
    video = video.filter(
        "scale",
        size_px,
        size_px,
        flags=SCALER,
        in_color_matrix=MATRIX_NAMES[info.yuv_matrix],
        in_range="pc" if info.full_range else "tv",
        out_color_matrix="bt709",
        out_range="tv",
    ).filter("setsar", 1)
    streams, options = [video], h264_options(crf, keyframe_interval, preset)
    if info.has_audio:
        streams.append(sound)
        options |= {"c:a": "aac", "b:a": "128k"}
    limits: dict[str, str | int] = {"frames:v": frames, "t": f"{frames / fps:.6f}", "filter_complex_threads": 1}
    options |= {**DETERMINISTIC, **limits, "movflags": "+faststart", "format": "mp4"}
    command = ffmpeg.output(*streams, file_url(out), **options).global_args("-v", "error", "-y", *KEEP_TIMES)
    run(command.compile(cmd=ffmpeg_path()), path, time_limit_s)


def _from(path: str | Path, info: VideoInfo, start_s: float) -> tuple[ffmpeg.nodes.Stream, ffmpeg.nodes.Stream]:
    """The source's picture and sound from a moment on, with times counted from it."""
    if can_seek(info.container):
        source = ffmpeg.input(file_url(path), ss=f"{start_s:.6f}", threads=1, **INPUT_OPTIONS)
        return source[str(info.stream_index)], source["a:0"]
    source = ffmpeg.input(file_url(path), threads=1, **INPUT_OPTIONS)
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
