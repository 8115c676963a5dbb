"""Where a training's leading worker puts what its starter shows: how far it is, and why it stopped."""

from dataclasses import dataclass, field
from typing import Protocol

from liax.training.records import Numbers


@dataclass(slots=True)
class BoardState:
    """What stands on a board."""

    step: int = 0
    numbers: Numbers = field(default_factory=dict)
    failure: str | None = None
    """Why training cannot go on, one line; a failure that a restart may mend is not put here."""


class Board(Protocol):
    """A board as worker and starter see it."""

    def show(self, step: int, numbers: Numbers) -> None:
        """Put the steps done and the step's numbers."""

    def fail(self, failure: str) -> None:
        """Put why training cannot go on."""

    def read(self) -> BoardState:
        """What stands there now."""


class LocalBoard:
    """A board within one process; also what a shared one holds."""

    def __init__(self) -> None:
        self._state = BoardState()

    def show(self, step: int, numbers: Numbers) -> None:
        self._state.step, self._state.numbers = step, numbers

    def fail(self, failure: str) -> None:
        self._state.failure = self._state.failure or failure

    def read(self) -> BoardState:
        return self._state
