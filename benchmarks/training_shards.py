"""A committed shard set of drawn faces, for benchmarks of whole trainings."""

from pathlib import Path

import numpy as np

from liax.sample import SampleInfo
from liax.shards import commit_shard, write_tar
from liax.synthetic.videos import write_video
from liax.video.cut import cut_clip
from liax.video.probe import frame_table, probe
from pipelines.config import ClipConfig

FPS = 25


def write_shards(folder: Path, size_px: int, clips: int = 4, seconds: float = 3.0) -> str:
    """Write clips, the last of them for validation, as the preprocessing stores them; returns the set's URL."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for number in range(clips):
        video, clip = folder / f"video{number}.mp4", folder / f"clip{number}.mp4"
        write_video(video, seconds=seconds, size_px=size_px, seed=number)
        _cut(video, clip, round(seconds * FPS), size_px)
        split = "val" if number == clips - 1 else "train"
        samples.append((_info(clip, size_px, split), {"mp4": clip.read_bytes()}))
    tar = folder / "shard.tar"
    commit_shard(str(folder / "set"), 0, tar, write_tar(tar, samples))
    return str(folder / "set")


def _cut(video: Path, clip: Path, count: int, size_px: int) -> None:
    stored = ClipConfig()
    cut_clip(
        video,
        clip,
        probe(video),
        start_s=0.0,
        frames=count,
        fps=FPS,
        square_px=(0, 0, size_px),
        size_px=size_px,
        crf=stored.crf,
        keyframe_interval=stored.keyframe_interval,
        preset=stored.preset,
        fast_decoding=stored.fast_decoding,
        codec=stored.codec,
        jpeg_quality=stored.jpeg_quality,
    )


def _info(clip: Path, size_px: int, split: str) -> SampleInfo:
    """What a shard's commit record says of a clip; the rest of the sample is not read in training."""
    times_s, is_key = frame_table(clip)
    return SampleInfo.model_construct(
        key=clip.stem,
        split=split,
        identity=None,
        source_sha256=clip.stem,
        frames=len(times_s),
        fps=float(FPS),
        size_px=size_px,
        keyframes=np.flatnonzero(is_key).tolist(),
    )
