"""The models of the page: which there are, what visitors call them, and each loaded once for all visitors."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from liax.errors import LiaxError, UserError
from liax.inference.animator import Animator

MOST_NAMED = 2
"""How many models that visitors named themselves stay loaded. Our choice: each may take gigabytes."""


@dataclass(slots=True)
class _Place:
    """One model: where it comes from, and the model once somebody wanted it."""

    source: str
    animator: Animator | None = None
    loading: threading.Lock = field(default_factory=threading.Lock)


class Models:
    """Models by the names that visitors see.

    Args:
        sources: what the operator allows, at least one.
        load: makes a model of a source; called once for each.
        any_model: visitors may name others, which `load` is then given as they are.
        forget: told of a model that made room, which nobody is to keep.
    """

    def __init__(
        self,
        sources: Sequence[str],
        load: Callable[[str], Animator],
        any_model: bool = False,
        forget: Callable[[Animator], None] = lambda animator: None,
    ) -> None:
        self._load, self.any_model, self._forget = load, any_model, forget
        self._places = {name: _Place(source) for name, source in zip(shown_names(sources), sources, strict=True)}
        self._named: dict[str, _Place] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What the operator allows."""
        return list(self._places)

    def get(self, name: str | None) -> Animator:
        """The model of that name, None for a box that was emptied; others who want it meanwhile wait.

        Raises:
            UserError: there is none, or it cannot be loaded. The text has the model's name in place of its source.
        """
        name = name or ""
        place = self._places.get(name) or self._own(name.strip())
        with place.loading:
            if place.animator is None:
                try:
                    place.animator = self._load(place.source)
                except LiaxError as error:
                    raise UserError(str(error).replace(place.source, name)) from None
            return place.animator

    def _own(self, name: str) -> _Place:
        """The place of a model that a visitor named; the longest unused makes room."""
        if not self.any_model or not name:
            raise UserError(f"no model is called '{name}' here: choose one of {', '.join(self._places)}")
        with self._lock:
            place = self._named.pop(name, None) or _Place(name)
            self._named[name] = place
            while len(self._named) > MOST_NAMED:
                unused = self._named.pop(next(iter(self._named)))
                if unused.animator is not None:
                    self._forget(unused.animator)
            return place


def shown_names(sources: Sequence[str]) -> list[str]:
    """What to call each: the last part of a path, as much of it as tells them apart; a `models:/…` as it is.

    Raises UserError for a source that is named twice.
    """
    if len(set(sources)) < len(sources):
        twice = next(source for source in sources if sources.count(source) > 1)
        raise UserError(f"model {twice} is named twice: leave one out")
    parts = [[source] if source.startswith("models:/") else list(PurePath(source).parts) for source in sources]
    for length in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return list(sources)
