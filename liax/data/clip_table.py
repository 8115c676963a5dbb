"""What reading a clip takes, for all clips of a set: kept in arrays, so that a million clips go to another process in
a moment and need some hundred bytes each there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from liax import storage
from liax.shards import SampleRef


@dataclass(frozen=True, slots=True)
class ClipPlace:
    """Where a clip's video is, and what must be known to decode parts of it."""

    tar_url: str
    key: str
    start: int
    length: int
    fps: float
    keyframes: list[int]
    """Frames at which decoding can start, in order."""

    @property
    def name(self) -> str:
        """For errors."""
        return f"{self.tar_url}:{self.key}.mp4"


class ClipReader(Protocol):
    """Where clips come from."""

    def read(self, clip: ClipPlace) -> bytes:
        """A clip's video."""


class TarReader:
    """Reads clips where they lie, by a ranged read of their tar."""

    def read(self, clip: ClipPlace) -> bytes:
        """Errors as `storage.read_bytes`."""
        return storage.read_bytes(clip.tar_url, clip.start, clip.length)


class ClipTable:
    """The places of samples' clips, in the samples' order."""

    def __init__(self, samples: Sequence[SampleRef]) -> None:
        self._tar_urls = sorted({ref.tar_url for ref in samples})
        numbers = {url: number for number, url in enumerate(self._tar_urls)}
        self._tars = np.array([numbers[ref.tar_url] for ref in samples], np.int32)
        # Bytes, because an array of texts takes four bytes a letter.
        self._keys = np.array([ref.sample.key.encode() for ref in samples])
        self._spans = np.array([ref.sample.offsets["mp4"] for ref in samples], np.int64)
        self._fps = np.array([ref.sample.fps for ref in samples])
        counts = [len(ref.sample.keyframes) for ref in samples]
        self._keyframes_end = np.cumsum(counts)
        self._keyframes = np.fromiter(
            (frame for ref in samples for frame in ref.sample.keyframes), np.int32, count=sum(counts)
        )

    def __len__(self) -> int:
        return len(self._tars)

    def __getitem__(self, index: int) -> ClipPlace:
        start, length = self._spans[index].tolist()
        first = int(self._keyframes_end[index - 1]) if index else 0
        return ClipPlace(
            tar_url=self._tar_urls[self._tars[index]],
            key=self._keys[index].decode(),
            start=start,
            length=length,
            fps=float(self._fps[index]),
            keyframes=self._keyframes[first : int(self._keyframes_end[index])].tolist(),
        )

    def __iter__(self) -> Iterator[ClipPlace]:
        return (self[index] for index in range(len(self)))
