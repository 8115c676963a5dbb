"""The videos that the preprocessing is measured on, made from the synthetic face: 1080p and 512 px, H.264."""

import math
from pathlib import Path

from liax.synthetic.videos import write_video
from liax.video.ffmpeg import ffmpeg_path, file_url, run

GROUPS = ("1080p", "512px")
RENDERED_S, RENDERED_PX = 4.0, 512
TIME_LIMIT_S = 1800.0
SHAPES = {
    "1080p": "scale=1080:1080:flags=bicubic,pad=1920:1080:420:0:gray",
    "512px": "null",
}
"""What is done to the rendered pictures. At 1080p the face is as high as in the others, 45 % of the picture."""
GRAIN = "noise=alls=5:allf=t:all_seed=1"
"""Rendered pictures are smoother than a camera's, and would be decoded faster."""


def make_videos(folder: Path, group: str, count: int, seconds: float) -> Path:
    """Make some videos of one group, unless they are there.

    A few seconds are rendered and played to and fro, so that the motion never jumps.

    Args:
        folder: where these videos get a folder of their own.
        group: one of `GROUPS`.
        count: how many, each with a motion of its own.
        seconds: length of each.

    Returns:
        That folder.
    """
    made = folder / f"{group}-{count}x{seconds:g}s"
    made.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        out, rendered = made / f"{number}.mp4", folder / "rendered" / f"{number}.mp4"
        if out.is_file():
            continue
        if not rendered.is_file():
            write_video(rendered, seconds=RENDERED_S, size_px=RENDERED_PX, seed=number, audio=True)
        _to_and_fro(rendered, out, SHAPES[group], seconds)
    return made


def _to_and_fro(rendered: Path, out: Path, shape: str, seconds: float) -> None:
    frames = round(2 * RENDERED_S * 25)
    chain = (
        f"[0:v]split[there][again];[again]reverse[back];[there][back]concat,loop=-1:{frames}:0,"
        f"setpts=N/25/TB,{shape},{GRAIN}[v]"
    )
    part = out.with_suffix(".part")
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "22", "-pix_fmt", "yuv420p", "-r", "25"]
    sound = ["-af", "apad", "-c:a", "aac"]
    command = [ffmpeg_path(), "-v", "error", "-y", "-i", file_url(rendered), "-filter_complex", chain]
    command += ["-map", "[v]", "-map", "0:a", *encoder, *sound, "-t", f"{seconds:g}", "-f", "mp4", str(part)]
    run(command, out, TIME_LIMIT_S)
    part.replace(out)  # last: a video that is there is whole


def repeat(video: Path, out: Path, seconds: float, length_s: float) -> None:
    """A long video of the same packets over and over, which costs no encoding.

    Args:
        video, length_s: what is repeated, and how long it is.
        out, seconds: the file to write, and how long it shall be at least.
    """
    times = max(0, math.ceil(seconds / length_s) - 1)
    again = ["-stream_loop", str(times), "-i", file_url(video), "-c", "copy", "-f", "mp4", str(out)]
    run([ffmpeg_path(), "-v", "error", "-y", *again], out, TIME_LIMIT_S)
