"""An iterator that a thread goes through, some items ahead of whoever uses them."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], count: int, stop: Callable[[], None]) -> Iterator[T]:
    """Let a thread get the next items while the last one is used.

    Args:
        items: none of them None; what they raise comes after the items before it.
        count: how many are held ready.
        stop: called at the end, however it comes: makes `items` raise or end where it waits for something.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:

        def following() -> Future[T | None]:
            return thread.submit(next, items, None)

        try:
            coming = deque(following() for _ in range(count))
            while (item := coming.popleft().result()) is not None:
                coming.append(following())
                yield item
        finally:
            stop()
            thread.shutdown(cancel_futures=True)
