"""Which models there are, and that each is loaded once."""

import threading
from typing import Any

import pytest

from liax.errors import UserError
from liax.ui.models import MOST_NAMED, Models, shown_names


class Loader:
    """In place of `Animator.from_pretrained`."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, source: str) -> Any:
        self.loaded.append(source)
        if "broken" in source:
            raise UserError(f"no model in {source}: give a folder")
        return object()


def test_names_tell_models_apart_without_their_paths() -> None:
    assert shown_names(["/srv/a/model", "/srv/b/other", "models:/face@champion"]) == [
        "model", "other", "models:/face@champion"
    ]  # fmt: skip
    assert shown_names(["/srv/a/model", "/srv/b/model"]) == ["a/model", "b/model"]
    with pytest.raises(UserError, match="named twice"):
        shown_names(["x", "x"])


def test_a_model_is_loaded_once_for_everybody() -> None:
    loader = Loader()
    models = Models(["/srv/one", "/srv/two"], loader)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(models.get("one"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loader.loaded == ["/srv/one"]
    assert all(one is found[0] for one in found)


def test_visitors_get_what_the_operator_allows() -> None:
    loader = Loader()
    models = Models(["/srv/one"], loader)
    for name in ("/srv/one", "/etc", "models:/other@x", ""):
        with pytest.raises(UserError, match="choose one of one"):
            models.get(name)
    assert loader.loaded == []


def test_a_model_that_cannot_be_loaded_is_named_without_its_path() -> None:
    models = Models(["/srv/one", "/srv/broken"], Loader())
    with pytest.raises(UserError, match=r"^no model in broken: give a folder$"):
        models.get("broken")


def test_few_of_the_models_that_visitors_name_stay_loaded() -> None:
    loader = Loader()
    models = Models(["one"], loader, any_model=True)
    names = [f"/mine/{place}" for place in range(MOST_NAMED + 1)]
    for name in [*names, names[-1], names[0]]:
        models.get(name)
    assert loader.loaded == [*names, names[0]]


def test_a_model_that_makes_room_is_forgotten() -> None:
    forgotten: list[Any] = []
    models = Models(["one"], Loader(), any_model=True, forget=forgotten.append)
    animators = [models.get(f"/mine/{place}") for place in range(MOST_NAMED + 1)]
    assert forgotten == animators[:1]


def test_a_box_that_was_emptied() -> None:
    with pytest.raises(UserError, match="choose one of one"):
        Models(["one"], Loader(), any_model=True).get(None)
