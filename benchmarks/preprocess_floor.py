"""The bare stages of the preprocessing, one after the other in one process, without Ray: the floor of its time.

    python -m benchmarks.preprocess_floor JOB.json

1. ffmpeg decodes every frame of the source and brings the sampled ones to analysis size.
2. MediaPipe looks at the sampled pictures. Their decoding is not counted here: it was in the first stage.
3. For each clip, one ffmpeg pass cuts, crops, scales and encodes it, sound included.

Prints the seconds of each stage as JSON. Everything is single-threaded; starting Python and loading the face model do
not count.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from liax.face import FaceFinder
from liax.sample import SampleInfo
from liax.video.cut import MATRIX_NAMES, MATRIX_TAGS, SCALER
from liax.video.decode import frames
from liax.video.ffmpeg import ffmpeg_path, file_url, h264_options
from liax.video.probe import VideoInfo, probe
from pipelines.config import PreprocessConfig

QUIET = ["-v", "error", "-y", "-nostdin"]


@dataclass(slots=True)
class FloorSeconds:
    """Time by stage."""

    decode: float = 0.0
    faces: float = 0.0
    encode: float = 0.0

    @property
    def total(self) -> float:
        return self.decode + self.faces + self.encode


def bare_stages(path: Path, clips: list[SampleInfo], config: PreprocessConfig) -> FloorSeconds:
    """Time the stages on one source.

    Args:
        path: the source.
        clips: what the pipeline made of it: where and how large.
        config: the pipeline's settings.
    """
    info, faces, spent = probe(path), config.faces, FloorSeconds()
    started_s = time.perf_counter()
    _decode(path, info, config)
    spent.decode = time.perf_counter() - started_s
    with FaceFinder(faces.most_faces, faces.least_confidence, faces.weights) as finder:
        for _, picture_HWC in frames(path, rate_fps=faces.rate_fps, longest_side_px=faces.longest_side_px):
            started_s = time.perf_counter()
            finder.find(picture_HWC)
            spent.faces += time.perf_counter() - started_s
    started_s = time.perf_counter()
    for made in clips:
        _encode(path, info, made, config)
    spent.encode = time.perf_counter() - started_s
    return spent


def _decode(path: Path, info: VideoInfo, config: PreprocessConfig) -> None:
    faces = config.faces
    longest_px = max(info.width_px, info.height_px)
    share = min(1.0, (faces.longest_side_px or longest_px) / longest_px)
    size = f"{round(info.width_px * share)}:{round(info.height_px * share)}"
    filters = f"fps={faces.rate_fps}" + (f",scale={size}:flags=bicubic" if share < 1 else "")
    _ffmpeg(["-i", file_url(path), "-map", f"0:{info.stream_index}", "-vf", filters, "-f", "null", "-"])


def _encode(path: Path, info: VideoInfo, made: SampleInfo, config: PreprocessConfig) -> None:
    crop, clip = made.crop, config.clip
    left, top = max(crop.left_px, 0), max(crop.top_px, 0)
    width, height = min(crop.side_px, info.width_px - left), min(crop.side_px, info.height_px - top)
    # The matrix stays what it is, as in the pipeline's clips: else ffmpeg converts every frame once more.
    matrix = MATRIX_NAMES[info.yuv_matrix]
    filters = f"fps={clip.fps},crop={width}:{height}:{left}:{top},scale={made.size_px}:{made.size_px}:flags={SCALER}"
    filters += f":in_color_matrix={matrix}:out_color_matrix={matrix}"
    options = [
        word
        for name, value in h264_options(
            clip.crf, clip.keyframe_interval, clip.preset, MATRIX_TAGS[info.yuv_matrix], clip.fast_decoding
        ).items()
        for word in (f"-{name}", str(value))
    ]
    sound = ["-map", "0:a:0", "-c:a", "aac", "-b:a", "128k"] if info.has_audio else []
    with tempfile.TemporaryDirectory(prefix="liax-floor-") as folder:
        source = ["-ss", f"{made.start_s}", "-i", file_url(path), "-map", f"0:{info.stream_index}", "-vf", filters]
        length = ["-frames:v", str(made.frames), "-t", f"{made.frames / clip.fps:.6f}"]
        _ffmpeg([*source, *sound, *options, *length, "-f", "mp4", str(Path(folder, "clip.mp4"))])


def _ffmpeg(arguments: list[str]) -> None:
    command = [ffmpeg_path(), *QUIET, "-threads", "1", "-filter_threads", "1", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main() -> None:
    """Time the sources of a job file: `config` (settings) and `sources` (by path, the clips made of it)."""
    job = json.loads(Path(sys.argv[1]).read_text())
    config, total = PreprocessConfig.model_validate(job["config"]), FloorSeconds()
    for path, made in job["sources"].items():
        spent = bare_stages(Path(path), [SampleInfo.model_validate(one) for one in made], config)
        for stage, seconds in asdict(spent).items():
            setattr(total, stage, getattr(total, stage) + seconds)
    print(json.dumps(asdict(total)))


if __name__ == "__main__":
    main()
