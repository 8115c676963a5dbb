"""A small shard set for tests of training: clips of a bright square that moves over a coloured ground."""

import io
from pathlib import Path

import av
import numpy as np

from liax.sample import Sample
from liax.shards import commit_shard, write_tar
from tests.samples import make_sample

FRAMES = 20


def write_shapes(folder: Path, clips: int = 4, validation: int = 1, size_px: int = 64) -> str:
    """Write a committed shard set and return its URL; the last `validation` clips are of that split."""
    samples = [
        _sample(f"clip{number}", number, "val" if number >= clips - validation else "train", size_px)
        for number in range(clips)
    ]
    tar = folder / "local.tar"
    folder.mkdir(parents=True, exist_ok=True)
    commit_shard(str(folder), 0, tar, write_tar(tar, [(sample.info, sample.members()) for sample in samples]))
    return str(folder)


def frame(seed: int, number: int, size_px: int = 64) -> np.ndarray:
    """The picture of a frame, uint8 H×W×3; what the square's place says can be read back from the picture."""
    ground = np.random.default_rng(seed).integers(20, 120, 3)
    picture = np.full((size_px, size_px, 3), ground, np.uint8)
    left = 4 + number * (size_px - 24) // FRAMES
    top = (seed * 7) % (size_px - 20)
    picture[top : top + 16, left : left + 16] = 255 - ground
    return picture


def video_of_shapes(seed: int, size_px: int = 64) -> bytes:
    """An H.264 clip at 25 fps with a key frame every 8 and no B-frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0", "g": "8", "threads": "1"})
        stream.width = stream.height = size_px
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(seed, number, size_px), format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _sample(key: str, seed: int, split: str, size_px: int) -> Sample:
    made = make_sample(key, FRAMES, video_of_shapes(seed, size_px), split)
    info = made.info.model_copy(update={"size_px": size_px, "keyframes": list(range(0, FRAMES, 8))})
    return Sample(info, made.video, made.faces)
