"""Portraits that visitors work on: looked at and encoded once, then only moved.

Legend: M directions, S side in pixels, H W pixels, C colours.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from liax.inference.animator import Animator
from liax.inference.framing import check_choice, optional_finder
from liax.inference.portraits import Portraits, open_portraits
from liax.inference.renderer import Encoded
from liax.pictures import Picture

MOST_KEPT = 8
"""Encoded portraits of all visitors together. Our choice: one of a large model holds some hundred megabytes."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Which file, which of its faces, and what is made of it; see `Animator.edit`."""

    path: str
    face: str | None
    paste_back: bool
    crop: bool

    def check(self) -> None:
        """Raise UserError for a choice that cannot be followed."""
        check_choice(self.face, self.crop, self.paste_back)


@dataclass(frozen=True, slots=True)
class Source:
    """A portrait, ready to be moved by one model."""

    animator: Animator
    portraits: Portraits
    encoded: list[Encoded]

    def moved(self, delta_M: NDArray[np.float32]) -> Picture:
        """The whole picture, its faces moved by δ: z + Q(a + δ) (LIA-X, arXiv 2508.09959, eq. 10)."""
        return self.portraits.compose([next(self._along(one, [delta_M])) for one in self.encoded])

    def along(self, deltas: Iterable[NDArray[np.float32]]) -> Iterator[Picture]:
        """The first face, uint8 S×S×C, moved by each δ_M in turn."""
        return self._along(self.encoded[0], deltas)

    def _along(self, encoded: Encoded, deltas: Iterable[NDArray[np.float32]]) -> Iterator[Picture]:
        renderer = self.animator.renderer
        for delta_M in deltas:
            delta_1M = torch.from_numpy(delta_M)[None].to(renderer.device)
            z_1D = renderer.navigate(encoded.z_BD, encoded.motion_BM + delta_1M)
            yield from renderer.decode(z_1D, encoded.features)


def open_source(animator: Animator, framing: Framing) -> Source:
    """Look for the faces and encode them. Raises UserError as `open_portraits` does."""
    framing.check()
    with optional_finder(framing.crop) as finder:
        portraits = open_portraits(framing.path, animator.size_px, finder, framing.face, paste_back=framing.paste_back)
    return Source(animator, portraits, [animator.renderer.encode([one]) for one in portraits.pictures])


class Sources:
    """The portraits that were used last, of all visitors.

    Args:
        make: see `open_source`.
        most: how many are kept.
    """

    def __init__(self, make: Callable[[Animator, Framing], Source] = open_source, most: int = MOST_KEPT) -> None:
        self._make, self._most = make, most
        self._kept: OrderedDict[tuple[str, int, Framing], Source] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tab: str, animator: Animator, framing: Framing) -> Source:
        """A tab's portrait; made if it was not, or its place was needed. Raises what `make` raises."""
        key = (tab, id(animator), framing)
        with self._lock:
            source = self._kept.get(key)
            if source is not None:
                self._kept.move_to_end(key)
                return source
        source = self._make(animator, framing)  # long, and others do not wait for it
        with self._lock:
            self._kept[key] = source
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return source

    def forget(self, tab: str) -> None:
        """Keep nothing of a tab that was closed."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == tab]:
                del self._kept[key]

    def forget_model(self, animator: Animator) -> None:
        """Keep nothing of a model that made room, and so not the model either."""
        with self._lock:
            for key in [key for key, source in self._kept.items() if source.animator is animator]:
                del self._kept[key]
