"""How fast random pairs of frames are read back from shards, by how the clips are stored.

    .venv/bin/python -m benchmarks.pair_reading [--videos DIR] [--size 512]

The same clips are stored as H.264 with key frames every 2, 4, 8 and 12 frames, and as JPEG of several qualities, each
in a shard of its own. Pairs are read from the tars by `liax.data` as in training, in one process and one thread, the
same pairs from every shard; the shards take turns, and the fastest of their rounds counts. PSNR is of RGB, against a
lossless copy of the clips. The shards lie in the page cache: what a disk or S3 would add grows with bytes a frame.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.environment import environment
from benchmarks.preprocess_videos import make_videos
from liax.data.dataset import PairDataset
from liax.data.loader import open_pairs
from liax.sample import SampleInfo
from liax.shards import ShardSet, commit_shard, write_tar
from liax.training.config import DataConfig
from liax.video.cut import Codec, cut_clip
from liax.video.decode import frames
from liax.video.ffmpeg import VIDEO_SUFFIXES
from liax.video.probe import frame_table, probe
from pipelines.config import ClipConfig

FPS = 25
LOSSLESS_CRF = 0
COMPARED_EVERY = 5
"""PSNR is of every fifth frame: no interval divides by five, so frames at every distance from a key frame count."""
DEFAULTS = ClipConfig()


@dataclass(frozen=True, slots=True)
class Storage:
    """One way to store clips."""

    name: str
    codec: Codec
    keyframe_interval: int = 1
    jpeg_quality: int = 1


STORAGES = (
    *(Storage(f"H.264, key frame every {n}", "h264", keyframe_interval=n) for n in (2, 4, 8, 12)),
    *(Storage(f"JPEG, quality {q}", "mjpeg", jpeg_quality=q) for q in (2, 3, 5)),
)


@dataclass(slots=True)
class Row:
    """What was measured of one storage."""

    storage: Storage
    bytes_a_frame: float
    psnr_db: float
    pairs_per_s: float = 0.0


def main() -> None:
    """Measure and print the table."""
    options = _parse()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for name, value in environment().items():
        print(f"- {name}: {value}")
    print(
        f"- clips: {options.size} px, {FPS} fps, H.264 with crf {DEFAULTS.crf} "
        f"preset {DEFAULTS.preset}, fast decoding {DEFAULTS.fast_decoding}\n"
    )
    with tempfile.TemporaryDirectory(prefix="liax-pairs-") as scratch:
        folder = Path(scratch)
        videos = options.videos or make_videos(folder, "512px", 4, options.seconds)
        originals = _originals(videos, folder, options)
        sets, rows = [], []
        for number, storage in enumerate(STORAGES):
            shards, row = _stored(originals, folder / f"{number}", storage, options.size)
            sets.append(shards)
            rows.append(row)
        datasets = [_dataset(shards, options.size) for shards in sets]
        for _ in range(options.rounds):
            for row, dataset in zip(rows, datasets, strict=True):
                row.pairs_per_s = max(row.pairs_per_s, _pairs_per_s(dataset, options.pairs))
    print("| stored as | bytes a frame | PSNR, dB | pairs/s/core |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row.storage.name} | {row.bytes_a_frame:,.0f} | {row.psnr_db:.1f} | {row.pairs_per_s:.1f} |")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, metavar="DIR", help="their middle squares are the clips")
    parser.add_argument("--most", type=int, default=8, help="videos to use (default: 8)")
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="of the clips (default: 512)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a clip (default: 8)")
    parser.add_argument("--pairs", type=int, default=100, help="to read in each round (default: 100)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    return parser.parse_args()


def _originals(videos: Path, folder: Path, options: argparse.Namespace) -> list[Path]:
    """Lossless clips of the videos' middle squares."""
    found = sorted(file for file in videos.iterdir() if file.name.lower().endswith(VIDEO_SUFFIXES))
    made = []
    for file in found[: options.most]:
        info = probe(file)
        side = min(info.width_px, info.height_px) // 2 * 2
        left, top = (info.width_px - side) // 4 * 2, (info.height_px - side) // 4 * 2
        frames_wanted = math.floor(min(options.seconds, info.duration_s) * FPS)
        made.append(folder / f"original-{file.stem}.mp4")
        _cut(file, made[-1], (left, top, side), frames_wanted, options.size, Storage("", "h264"), LOSSLESS_CRF)
    if not made:
        raise SystemExit(f"no video in {videos}")
    return made


def _cut(
    path: Path, out: Path, square_px: tuple[int, int, int], count: int, size_px: int, storage: Storage, crf: int
) -> None:
    cut_clip(
        path,
        out,
        replace(probe(path), has_audio=False),  # it would count as bytes of the frames
        start_s=0.0,
        frames=count,
        fps=FPS,
        square_px=square_px,
        size_px=size_px,
        crf=crf,
        keyframe_interval=storage.keyframe_interval,
        preset=DEFAULTS.preset,
        fast_decoding=DEFAULTS.fast_decoding,
        codec=storage.codec,
        jpeg_quality=storage.jpeg_quality,
    )


def _stored(originals: Sequence[Path], folder: Path, storage: Storage, size_px: int) -> tuple[ShardSet, Row]:
    """The clips in a committed shard, and what they weigh and lose."""
    folder.mkdir()
    samples, differences = [], []
    for original in originals:
        clip, count = folder / original.name, len(frame_table(original)[0])
        _cut(original, clip, (0, 0, size_px), count, size_px, storage, DEFAULTS.crf)
        samples.append((_info(clip, size_px), {"mp4": clip.read_bytes()}))
        differences += _squared_differences(original, clip)
    tar = folder / "shard.tar"
    commit_shard(str(folder / "set"), 0, tar, write_tar(tar, samples))
    frames_stored = sum(info.frames for info, _ in samples)
    psnr_db = 10 * math.log10(255**2 / float(np.mean(differences)))
    size_bytes = sum(len(members["mp4"]) for _, members in samples)
    return ShardSet(str(folder / "set")), Row(storage, size_bytes / frames_stored, psnr_db)


def _info(clip: Path, size_px: int) -> SampleInfo:
    """What a shard's commit record says of a clip; the rest of the sample is not read here."""
    times_s, is_key = frame_table(clip)
    return SampleInfo.model_construct(
        key=clip.stem,
        split="train",
        identity=None,
        source_sha256=clip.stem,
        frames=len(times_s),
        fps=float(FPS),
        size_px=size_px,
        keyframes=np.flatnonzero(is_key).tolist(),
    )


def _squared_differences(original: Path, clip: Path) -> list[float]:
    """Mean squared difference of some frames."""
    found = []
    for number, ((_, one_HWC), (_, other_HWC)) in enumerate(zip(frames(original), frames(clip), strict=True)):
        if number % COMPARED_EVERY == 0:
            found.append(float(np.mean(np.square(one_HWC.astype(np.float32) - other_HWC))))
    return found


def _dataset(shards: ShardSet, size_px: int) -> PairDataset:
    """Random pairs: each reads another clip."""
    return open_pairs(shards, DataConfig(pairs_per_clip=1), seed=0, size_px=size_px, batch=1)


def _pairs_per_s(dataset: PairDataset, pairs: int) -> float:
    started_s = time.process_time()
    for position in range(pairs):
        dataset[position]
    return pairs / (time.process_time() - started_s)


if __name__ == "__main__":
    main()
