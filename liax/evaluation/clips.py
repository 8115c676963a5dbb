"""The clips of an evaluation: samples of a shard set, or whole video files.

Shapes: S side in pixels, C colours.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from liax import storage
from liax.config import Config
from liax.data.dataset import reduce
from liax.data.frames import OpenClip
from liax.errors import UserError, VideoError
from liax.evaluation.data_config import DataConfig
from liax.face import FaceFinder
from liax.inference.driving import constant_rate, open_driving
from liax.pictures import Picture
from liax.shards import CommitSample, ShardSet
from liax.video.ffmpeg import VIDEO_SUFFIXES

_READ_TOGETHER = 16
"""Frames of a shard's clip that are decoded in one go: two of its groups of pictures, and few in memory."""
_THREADS = 16


class Clip(Config):
    """One person for some seconds."""

    id: str
    """A sample's key, or the beginning of a video file's SHA-256."""
    name: str
    """For people."""
    person: str
    """Identity cluster, or what stands for it."""
    video_sha256: str
    """Of the whole source video: clips of one video are not independent."""
    url: str
    """The tar, or the video file."""
    sample: CommitSample | None
    """None for a video file."""


@dataclass(frozen=True, slots=True)
class ClipSet:
    """All clips, and what names them together."""

    clips: list[Clip]
    set_id: str
    training: list[Clip]
    """What a model that was trained on this set has seen; empty for videos."""


def list_clips(config: DataConfig, size_px: int) -> ClipSet:
    """The clips to measure on.

    Raises:
        UserError: there are none, or they are smaller than the model's pictures.
    """
    return _of_videos(config.video_urls) if config.shards is None else _of_shards(config, config.shards, size_px)


def clips_in(shards: ShardSet, split: str) -> list[Clip]:
    """A split's clips, sorted by key."""
    return [
        Clip(
            id=ref.sample.key,
            name=ref.sample.key,
            person=ref.sample.identity or ref.sample.source_sha256,
            video_sha256=ref.sample.source_sha256,
            url=ref.tar_url,
            sample=ref.sample,
        )
        for ref in shards.samples
        if ref.sample.split == split
    ]


def _of_shards(config: DataConfig, url: str, size_px: int) -> ClipSet:
    shards = ShardSet(url if storage.is_s3(url) else str(Path(url).absolute()))
    clips = clips_in(shards, config.split)
    if not clips:
        splits = ", ".join(sorted({ref.sample.split for ref in shards.samples}))
        raise UserError(f"no clip of {url} is of the split '{config.split}' (there is {splits}): choose another split=")
    small = next((clip.sample for clip in clips if clip.sample and clip.sample.size_px < size_px), None)
    if small is not None:
        raise UserError(
            f"the clips in {url} are {small.size_px} px and the model's pictures {size_px} px: "
            f"preprocess with clip.size_px={size_px} or more"
        )
    return ClipSet(clips, shards.set_id, clips_in(shards, "train"))


def _of_videos(urls: Sequence[str]) -> ClipSet:
    found: set[str] = set()
    for given in urls:
        names = storage.list_files(given)
        found |= {name for name in names if name == given or name.lower().endswith(VIDEO_SUFFIXES)}
    if not found:
        raise UserError(f"no video under {', '.join(urls)} (looked for {', '.join(VIDEO_SUFFIXES)})")
    names = sorted(name if storage.is_s3(name) else str(Path(name).absolute()) for name in found)
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        hashes = list(threads.map(_sha256, names))
    clips: dict[str, Clip] = {}  # the same video twice is one
    for name, sha256 in zip(names, hashes, strict=True):
        clip = Clip(id=sha256[:16], name=Path(name).name, person=sha256, video_sha256=sha256, url=name, sample=None)
        clips.setdefault(clip.id, clip)
    set_id = hashlib.sha256("".join(sorted(clips)).encode()).hexdigest()[:12]
    return ClipSet(list(clips.values()), f"videos-{set_id}", [])


def _sha256(url: str) -> str:
    with storage.local_copy(url) as path, path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class OpenedClip:
    """A clip whose pictures can be read, as often as needed.

    Args:
        fps: constant.
        frames_estimate: how many there are; None where a file does not say.
        pictures: reads them, uint8 S×S×C RGB, from the first; raises VideoError where they cannot be read.
    """

    fps: float
    frames_estimate: int | None
    pictures: Callable[[], Iterator[Picture]]


@contextmanager
def opened(clip: Clip, size_px: int, finder: FaceFinder | None, most: int | None = None) -> Iterator[OpenedClip]:
    """Open a clip.

    Args:
        size_px: side of the pictures.
        finder: looks for the face to frame in video files; None takes their middle.
        most: at most so many frames, from the first.

    Raises:
        VideoError: it cannot be read, or shows no face to be framed.
        LiaxError: the storage failed.
    """
    if clip.sample is not None:
        sample = clip.sample
        data = storage.read_bytes(clip.url, *sample.offsets["mp4"])
        with closing(OpenClip(data, sample.fps, f"{clip.url}:{clip.id}.mp4", sample.keyframes)) as video:
            count = _least(sample.frames, most)
            yield OpenedClip(sample.fps, count, lambda: islice(_decoded(video, sample.frames, size_px), most))
        return
    with storage.local_copy(clip.url) as path:
        try:
            driving = open_driving(path, size_px, finder)
            count = _least(driving.frames_estimate, most)
            yield OpenedClip(
                float(driving.fps), count, lambda: islice(constant_rate(driving.pictures(), driving.fps), most)
            )
        except UserError as error:  # what is wrong with the file, for a person who named it
            raise VideoError(clip.name, "unusable", str(error)) from None


def _decoded(video: OpenClip, frames: int, size_px: int) -> Iterator[Picture]:
    """All frames of a shard's clip in order."""
    for first in range(0, frames, _READ_TOGETHER):
        numbers = range(first, min(first + _READ_TOGETHER, frames))
        found = video.read(numbers)
        for number in numbers:
            yield reduce(found[number], size_px)


def first_picture(clip: Clip, size_px: int, finder: FaceFinder | None) -> Picture:
    """A clip's first frame, uint8 S×S×C. Raises as `opened`."""
    with opened(clip, size_px, finder, most=1) as footage:
        for picture_SSC in footage.pictures():
            return picture_SSC
    raise VideoError(clip.name, "no_frames")


def _least(count: int | None, most: int | None) -> int | None:
    known = [number for number in (count, most) if number is not None]
    return min(known) if known else None


def spread(frames: int | None, most: int) -> frozenset[int]:
    """Numbers of at most so many frames, evenly spread; the first ones where it is not known how many there are."""
    if frames is None or frames <= most:
        return frozenset(range(most))
    return frozenset(round((place + 0.5) * frames / most - 0.5) for place in range(most))
