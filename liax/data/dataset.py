"""Pairs of frames from a shard set. Shapes: C = 3 RGB, H W pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.data.clip_table import ClipReader, ClipTable
from liax.data.frames import OpenClip
from liax.data.order import Clips, Pair, PairOrder, number
from liax.errors import JobError, UserError, VideoError
from liax.sample import Split
from liax.shards import SampleRef, ShardSet

MOST_STAND_INS = 16
"""Other clips that are tried for one that cannot be read. Our choice: where so many in a row are bad, the set is."""
_MOST_KEPT_BYTES = 2**30
"""Of clips that a process keeps open for the pairs that follow, beside some 3 MB of decoder for each at 512 px. Our
choice, far above what a batch of 64 needs: 200 MB of clips of 8 s; a run's processes read its batch together."""


@dataclass(frozen=True, slots=True)
class ReadPair:
    """Source and driving frame, uint8 H×W×3."""

    source_HWC: NDArray[np.uint8]
    driving_HWC: NDArray[np.uint8]
    stand_in: bool
    """Whether another clip stands in for one that could not be read."""


class PairDataset:
    """The pair at every position of an order.

    Args:
        reader: gives the clips' videos.
        clips: of the samples that are used, see `choose_samples`.
        order: over these clips.
        size_px: side of the pictures; larger clips are reduced.
    """

    def __init__(self, reader: ClipReader, clips: ClipTable, order: PairOrder, size_px: int) -> None:
        self._reader, self._clips, self._order = reader, clips, order
        self.size_px = size_px
        self._kept: dict[int, _Kept] = {}

    @property
    def pair_bytes(self) -> int:
        """Of a pair's pictures."""
        return 2 * 3 * self.size_px**2

    def __getitem__(self, position: int) -> ReadPair:
        """The pair in memory of its own. Errors as `read`."""
        source_HWC, driving_HWC = np.empty((2, self.size_px, self.size_px, 3), np.uint8)
        stand_in = self.read(position, source_HWC, driving_HWC)
        return ReadPair(source_HWC, driving_HWC, stand_in)

    def read(self, position: int, source_HWC: NDArray[np.uint8], driving_HWC: NDArray[np.uint8]) -> bool:
        """Read the pair, or what stands in for it if its clip cannot be decoded: the same whoever reads.

        Args:
            position: in the order.
            source_HWC, driving_HWC: where the frames are written. (New arrays and a copy to where they are wanted would
                take a twentieth more time.)

        Returns:
            Whether another clip stands in.

        Raises:
            JobError: nor could `MOST_STAND_INS` other clips.
            LiaxError: the storage failed, or a shard is gone.
        """
        pair, first_error = self._order.at(position), None
        for attempt in range(1, MOST_STAND_INS + 2):
            try:
                self._decode(pair, position, source_HWC, driving_HWC)
            except VideoError as error:
                self._kept.pop(pair.sample, None)  # so that nobody's next pair of it depends on this one
                first_error = first_error or error
                pair = self._order.stand_in(position, attempt)
            else:
                return attempt > 1
        raise JobError(f"{first_error}; nor could {MOST_STAND_INS} other clips be read: preprocess the videos again")

    def _decode(self, pair: Pair, position: int, source_HWC: NDArray[np.uint8], driving_HWC: NDArray[np.uint8]) -> None:
        wanted = (pair.source_frame, pair.driving_frame)
        frames = self._open(pair.sample, position).read(set(wanted))
        for out_HWC, frame in zip((source_HWC, driving_HWC), wanted, strict=True):
            picture_HWC = reduce(frames[frame], self.size_px)
            out_HWC[:] = picture_HWC[:, ::-1] if pair.mirrored else picture_HWC

    def _open(self, sample: int, position: int) -> OpenClip:
        """A clip, kept open for its next pair, which comes in the next step if this was not the last.

        Opening it takes a tenth of a pair's time, fetching it from S3 a multiple.
        """
        kept, near = self._kept.pop(sample, None), 2 * self._order.batch
        self._kept = {other: open_ for other, open_ in self._kept.items() if abs(position - open_.position) < near}
        if kept is None:
            place = self._clips[sample]
            clip = OpenClip(self._reader.read(place), place.fps, place.name, place.keyframes)
        else:
            clip = kept.clip
        self._kept[sample] = _Kept(clip, position)
        while len(self._kept) > 1 and sum(open_.clip.size_bytes for open_ in self._kept.values()) > _MOST_KEPT_BYTES:
            del self._kept[next(iter(self._kept))]
        return clip

    def __getstate__(self) -> dict[str, object]:
        """Without open clips, which stay in their process."""
        return self.__dict__ | {"_kept": {}}


@dataclass(frozen=True, slots=True)
class _Kept:
    clip: OpenClip
    position: int
    """Of the pair for which it was read last."""


def choose_samples(shards: ShardSet, split: Split, size_px: int) -> list[SampleRef]:
    """The samples of one split, sorted by key.

    Raises:
        UserError: a clip is smaller than the model's pictures; a person is in this split and in another.
    """
    chosen = [ref for ref in shards.samples if ref.sample.split == split]
    small = next((ref.sample for ref in chosen if ref.sample.size_px < size_px), None)
    if small is not None:
        raise UserError(
            f"the clips in {shards.url} are {small.size_px} px and the model's pictures {size_px} px: "
            f"preprocess with clip.size_px={size_px} or more, or choose model.size_px={small.size_px} or less"
        )
    elsewhere = {_person(ref): ref.sample.split for ref in shards.samples if ref.sample.split != split}
    shared = next((ref for ref in chosen if _person(ref) in elsewhere), None)
    if shared is not None:
        raise UserError(
            f"in {shards.url} the person of clip {shared.sample.key} is in '{split}' and in "
            f"'{elsewhere[_person(shared)]}': the model would be judged on people it has seen; preprocess again"
        )
    return chosen


def clips_of(samples: Sequence[SampleRef]) -> Clips:
    """What the order of pairs needs to know of samples."""
    return Clips(
        frames=np.array([ref.sample.frames for ref in samples], dtype=np.int64),
        people=number([_person(ref) for ref in samples]),
        shards=number([ref.tar_url for ref in samples]),
    )


def reduce(picture_HWC: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A square picture at a smaller size (area average), or itself."""
    if picture_HWC.shape[0] == size_px:
        return picture_HWC
    return np.asarray(cv2.resize(picture_HWC, (size_px, size_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _person(ref: SampleRef) -> str:
    """The identity cluster; a source stands for a person where clusters were not computed."""
    return ref.sample.identity or ref.sample.source_sha256
