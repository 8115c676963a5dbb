"""Where the time of a run goes."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up seconds by part."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._parts_s: dict[str, float] = defaultdict(float)

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Count what runs inside as this part's."""
        started_s = time.monotonic()
        try:
            yield
        finally:
            self._parts_s[part] += time.monotonic() - started_s

    def seconds(self) -> dict[str, float]:
        """Seconds by part, and `total` since the clock was made."""
        return {**{part: round(s, 2) for part, s in self._parts_s.items()}, "total": self.total()}

    def total(self) -> float:
        """Seconds since the clock was made."""
        return round(time.monotonic() - self._started_s, 2)
