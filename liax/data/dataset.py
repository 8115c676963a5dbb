"""Pairs of frames from a shard set. Shapes: C = 3 RGB, H W pixels, B pairs of a batch."""

from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from liax.data.frames import read_frames
from liax.data.order import PairOrder
from liax.errors import UserError
from liax.pictures import to_model
from liax.sample import Split
from liax.shards import SampleRef, ShardSet


class PairBatch(TypedDict):
    """Source and driving frames, float32 B×3×H×W in [-1, 1]; without the B when it is one pair."""

    source: Tensor
    driving: Tensor


class PairDataset(Dataset[PairBatch]):
    """The pair at every position of an order.

    Args:
        shards: the committed samples.
        samples: those that are used, see `choose_samples`.
        order: over these samples.
        size_px: side of the pictures; larger clips are reduced.
    """

    def __init__(self, shards: ShardSet, samples: list[SampleRef], order: PairOrder, size_px: int) -> None:
        self._shards, self._samples, self._order, self._size_px = shards, samples, order, size_px

    def __getitem__(self, position: int) -> PairBatch:
        """Raises VideoError if the clip cannot be decoded."""
        pair = self._order.at(position)
        ref = self._samples[pair.sample]
        frames = read_frames(
            self._shards.read(ref, "mp4"),
            {pair.source_frame, pair.driving_frame},
            ref.sample.fps,
            f"{ref.tar_url}:{ref.sample.key}.mp4",
        )
        chosen = (frames[pair.source_frame], frames[pair.driving_frame])
        source, driving = to_model([reduce(picture, self._size_px) for picture in chosen])
        return PairBatch(source=source, driving=driving)


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
    elsewhere = {_person(ref) for ref in shards.samples if ref.sample.split != split}
    shared = next((ref.sample for ref in chosen if _person(ref) in elsewhere), None)
    if shared is not None:
        raise UserError(f"in {shards.url} the person of clip {shared.key} is in '{split}' and in another split")
    return chosen


def reduce(picture_HWC: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A square picture at a smaller size (area average), or itself."""
    if picture_HWC.shape[0] == size_px:
        return picture_HWC
    return np.asarray(cv2.resize(picture_HWC, (size_px, size_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _person(ref: SampleRef) -> str:
    """The identity cluster; a source stands for a person where clusters were not computed."""
    return ref.sample.identity or ref.sample.source_sha256
