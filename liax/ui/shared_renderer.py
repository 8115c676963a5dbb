"""One model for everybody: its calls take turns, so that a preview waits for a frame and not for a whole video.

Legend: B batch, S side in pixels, C colours, D style width, M directions.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from liax.inference.renderer import Encoded, Renderer
from liax.pictures import Picture


class Turns:
    """A lock that is given to whoever has waited longest.

    `threading.Lock` is not: a thread that frees it and wants it again at once, as one that draws a video does, would
    keep it from the others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The block runs alone."""
        called = threading.Event()
        with self._lock:
            if self._taken:
                self._waiting.append(called)
            else:
                self._taken = True
                called.set()
        called.wait()
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().set()
                else:
                    self._taken = False


class SharedRenderer(Renderer):
    """A renderer that several threads may use: each call waits for its turn.

    Args:
        renderer: the one that does the work, which nobody else may use from now on.
    """

    def __init__(self, renderer: Renderer) -> None:
        self.__dict__.update(renderer.__dict__)
        self._renderer, self._turns = renderer, Turns()

    def encode(self, pictures: Sequence[Picture]) -> Encoded:
        """See `Renderer.encode`."""
        with self._turns.turn():
            return self._renderer.encode(pictures)

    def motion(self, pictures: Sequence[Picture]) -> Tensor:
        """See `Renderer.motion`."""
        with self._turns.turn():
            return self._renderer.motion(pictures)

    def navigate(
        self, z_BD: Tensor, a_BM: Tensor, start_BM: Tensor | None = None, source_BM: Tensor | None = None
    ) -> Tensor:
        """See `Renderer.navigate`."""
        with self._turns.turn():
            return self._renderer.navigate(z_BD, a_BM, start_BM, source_BM)

    def decode(self, z_BD: Tensor, features: Sequence[Tensor]) -> list[Picture]:
        """See `Renderer.decode`."""
        with self._turns.turn():
            return self._renderer.decode(z_BD, features)
