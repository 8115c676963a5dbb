"""How good the averaged model is on clips of people that it is not trained on: the same pairs every time.

A clip's first frame is the source and later frames drive it, which is the paper's self-reenactment. Beside each number
stands the one of showing the source unchanged: a model that is not better than that has learnt nothing of motion.

Shapes: B pairs of a batch, N pairs in all, C = 3 channels, H W pixels, M directions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from liax.data.batch import PairBatch
from liax.data.dataset import reduce
from liax.data.frames import read_frames
from liax.errors import JobError, VideoError
from liax.evaluation.codes import code_statistics
from liax.evaluation.pictures import picture_errors
from liax.model.network import LiaX
from liax.pictures import Picture, from_model, to_model
from liax.progress import say
from liax.shards import SampleRef, ShardSet
from liax.training.records import Numbers
from liax.video.encode import VideoWriter

_AT_ONCE = 8
"""Pairs computed together: enough to keep a GPU busy, and few beside what a training step needs."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Pictures of clips, as uint8 H×W×3, since many of them wait here between validations."""

    pairs: list[tuple[Picture, Picture]]
    """Source and driving, of one clip after the other and round again."""
    clip: list[Picture]
    """The first frames of one clip, for the video."""
    fps: float
    """Of that clip."""

    def batch(self, first: int, count: int, device: torch.device) -> PairBatch:
        """Some of the pairs."""
        chosen = self.pairs[first : first + count]
        source, driving = (to_model([pair[side] for pair in chosen], str(device)) for side in (0, 1))
        return PairBatch(source=source, driving=driving)


def read_validation(shards: ShardSet, samples: list[SampleRef], size_px: int, pairs: int, frames: int) -> Validation:
    """Read what a validation needs.

    Args:
        shards: that hold the samples.
        samples: clips, of the validation split if there are any.
        size_px: side of the model's pictures.
        pairs: number of pairs, spread evenly over clips and their lengths.
        frames: at most so many frames of the first clip for the video.

    Raises:
        JobError: none of the clips can be decoded; one that cannot is left out, and others give its pairs.
    """
    rounds = -(-pairs // len(samples))
    by_clip: list[list[tuple[Picture, Picture]]] = []
    clip: list[Picture] = []
    fps = samples[0].sample.fps
    for ref in samples:
        if len(by_clip) == pairs:
            break
        wanted = [_later(ref.sample.frames, turn, rounds) for turn in range(rounds)]
        shown = [] if by_clip else list(range(min(frames, ref.sample.frames)))
        try:
            pictures = _frames(shards, ref, [0, *wanted, *shown], size_px)
        except VideoError as error:
            say(f"left out of the validation: {error}")
            continue
        if not by_clip:
            clip, fps = [pictures[frame] for frame in shown], ref.sample.fps
        by_clip.append([(pictures[0], pictures[frame]) for frame in wanted])
    if not by_clip:
        raise JobError(f"no validation clip of {shards.url} can be read: preprocess the videos again")
    found = [one[turn] for turn in range(rounds) for one in by_clip]
    return Validation((found * -(-pairs // len(found)))[:pairs], clip, fps)


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip to be redrawn from its first frame; pictures are uint8 H×W×3."""

    source: Picture
    driving: list[Picture]


def read_clip(shards: ShardSet, ref: SampleRef, size_px: int, every: int) -> Clip:
    """A whole clip, or every so-many-th of its frames after the first."""
    wanted = list(range(every, ref.sample.frames, every)) or [ref.sample.frames - 1]
    pictures = _frames(shards, ref, [0, *wanted], size_px)
    return Clip(pictures[0], [pictures[frame] for frame in wanted])


def _later(frames: int, turn: int, rounds: int) -> int:
    """The driving frame of a clip's turn: evenly spread, never the first frame unless there is no other."""
    return min(frames - 1, max(1, (turn + 1) * (frames - 1) // rounds))


def _frames(shards: ShardSet, ref: SampleRef, wanted: list[int], size_px: int) -> dict[int, Picture]:
    name = f"{ref.tar_url}:{ref.sample.key}.mp4"
    found = read_frames(shards.read(ref, "mp4"), wanted, ref.sample.fps, name) if wanted else {}
    return {number: reduce(picture, size_px) for number, picture in found.items()}


@torch.no_grad()
def validate(model: LiaX, validation: Validation, device: torch.device) -> Numbers:
    """L1, PSNR and SSIM of the model and of the unchanged source (`…_copy`), and how sparse the motion codes are."""
    ours: list[dict[str, Tensor]] = []
    copies: list[dict[str, Tensor]] = []
    codes: list[Tensor] = []
    for first in range(0, len(validation.pairs), _AT_ONCE):
        batch = validation.batch(first, _AT_ONCE, device)
        result_BCHW, driving_BM = model(batch["source"], batch["driving"])
        ours.append(picture_errors(result_BCHW, batch["driving"]))
        copies.append(picture_errors(batch["source"], batch["driving"]))
        codes.append(driving_BM)
    numbers: Numbers = {}
    for name in ours[0]:
        numbers[f"val/{name}"] = torch.cat([values[name] for values in ours]).mean().item()
        numbers[f"val/{name}_copy"] = torch.cat([values[name] for values in copies]).mean().item()
    return numbers | code_statistics(torch.cat(codes).cpu())


def validation_video(model: LiaX, validation: Validation, device: torch.device) -> bytes:
    """An mp4 of the first clip: source | driving | result. Needs at least one frame."""
    height_px, width_px, _ = validation.clip[0].shape
    with TemporaryDirectory(prefix="liax-") as folder:
        file = Path(folder) / "validation.mp4"
        with VideoWriter(file, 3 * width_px, height_px, validation.fps) as writer:
            for row_HWC in _rows(model, validation.clip, device):
                writer.write(row_HWC)
        return file.read_bytes()


@torch.no_grad()
def _rows(model: LiaX, clip: list[Picture], device: torch.device) -> Iterator[Picture]:
    source_1CHW = to_model(clip[:1], str(device))
    for first in range(0, len(clip), _AT_ONCE):
        driving_BCHW = to_model(clip[first : first + _AT_ONCE], str(device))
        sources_BCHW = source_1CHW.expand(len(driving_BCHW), -1, -1, -1)
        result_BCHW = model(sources_BCHW, driving_BCHW)[0]
        yield from from_model(torch.cat((sources_BCHW, driving_BCHW, result_BCHW), dim=3))
