"""A thread goes ahead of whoever uses its items, not too far, and ends with them."""

import threading
from collections.abc import Iterator

import pytest

from liax.data.ahead import ahead
from liax.errors import ProcessDied

pytestmark = pytest.mark.timeout(60)


def test_all_items_come_in_order() -> None:
    assert list(ahead(iter(range(100)), 3, lambda: None)) == list(range(100))
    assert list(ahead(iter(list[int]()), 3, lambda: None)) == []


def test_only_so_many_are_held() -> None:
    got: list[int] = []
    seen = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            got.append(number)
            if number == 2:
                seen.set()
            yield number

    given = ahead(items(), 2, lambda: None)
    assert next(given) == 0
    assert seen.wait(30)  # without anybody asking for it
    assert got == [0, 1, 2]
    given.close()  # type: ignore[attr-defined]


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ProcessDied("gone")

    given = ahead(items(), 5, lambda: None)
    assert [next(given), next(given)] == [1, 2]
    with pytest.raises(ProcessDied, match="gone"):
        next(given)


def test_a_thread_that_waits_is_stopped() -> None:
    woken, stops = threading.Event(), list[int]()

    def items() -> Iterator[int]:
        yield 1
        woken.wait()

    def stop() -> None:
        stops.append(1)
        woken.set()

    given = ahead(items(), 1, stop)
    assert next(given) == 1
    given.close()  # type: ignore[attr-defined]
    assert stops == [1]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
