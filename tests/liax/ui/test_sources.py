"""Portraits are looked at and encoded once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from liax.errors import UserError
from liax.inference.animator import Animator
from liax.synthetic.scenes import portrait
from liax.ui.sources import Framing, Source, Sources, open_source
from tests.liax.ui.measured_model import make_unmeasured_model

ANIMATOR: Any = object()


class Maker:
    """Counts what is made, and makes nothing."""

    def __init__(self) -> None:
        self.made: list[Framing] = []

    def __call__(self, animator: Animator, framing: Framing) -> Any:
        self.made.append(framing)
        if framing.path == "broken":
            raise UserError("no face")
        return object()


def framing(path: str = "me.png", **changes: Any) -> Framing:
    return Framing(**{"path": path, "face": "largest", "paste_back": False, "crop": True, **changes})


def test_a_tabs_portrait_is_made_once() -> None:
    maker = Maker()
    sources = Sources(maker)
    first = sources.get("tab", ANIMATOR, framing())
    assert all(sources.get("tab", ANIMATOR, framing()) is first for _ in range(5))
    others = [framing(face="leftmost"), framing(paste_back=True), framing("other.png")]
    assert all(sources.get("tab", ANIMATOR, other) is not first for other in others)
    assert sources.get("another tab", ANIMATOR, framing()) is not first
    assert sources.get("tab", object(), framing()) is not first  # type: ignore[arg-type]
    assert maker.made == [framing(), *others, framing(), framing()]


def test_those_used_last_are_kept() -> None:
    maker = Maker()
    sources = Sources(maker, most=2)
    for path in ("a", "b", "a", "c", "a", "b"):
        sources.get("tab", ANIMATOR, framing(path))
    assert [one.path for one in maker.made] == ["a", "b", "c", "b"]


def test_a_closed_tabs_are_forgotten_and_failures_are_not_kept() -> None:
    maker = Maker()
    sources = Sources(maker)
    kept = sources.get("stays", ANIMATOR, framing())
    sources.get("closed", ANIMATOR, framing())
    sources.forget("closed")
    assert list(sources._kept) == [("stays", id(ANIMATOR), framing())]
    assert sources.get("stays", ANIMATOR, framing()) is kept
    for _ in range(2):
        with pytest.raises(UserError, match="no face"):
            sources.get("stays", ANIMATOR, framing("broken"))
    assert [one.path for one in maker.made].count("broken") == 2


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("source")
    Image.fromarray(portrait()).save(folder / "me.png")
    animator = Animator.from_pretrained(make_unmeasured_model(folder / "model"), "cpu")
    return open_source(animator, framing(str(folder / "me.png"), paste_back=True))


def test_it_is_moved_as_the_animator_moves_it(source: Source, tmp_path: Path) -> None:
    Image.fromarray(portrait()).save(tmp_path / "me.png")
    expected = source.animator.edit(tmp_path / "me.png", None, {"3": 0.5}, face="largest", paste_back=True)
    moved = source.moved(source.animator.controls.delta({"3": 0.5}))
    assert moved.shape == (512, 512, 3)
    assert np.abs(moved.astype(int) - expected).max() <= 1
    first, second = source.along([source.animator.controls.delta({"3": value}) for value in (0.0, 0.5)])
    assert first.shape == (64, 64, 3)
    assert not np.array_equal(first, second)


def test_a_choice_that_cannot_be_followed(source: Source) -> None:
    with pytest.raises(UserError, match="gives several results"):
        open_source(source.animator, framing(face="all"))
    with pytest.raises(UserError, match="no such file"):
        open_source(source.animator, framing("nowhere.png"))


def test_a_model_that_made_room_is_not_kept(source: Source) -> None:
    sources = Sources(lambda animator, framing: Source(animator, source.portraits, source.encoded))
    other: Any = object()
    sources.get("tab", ANIMATOR, framing())
    sources.get("tab", other, framing())
    sources.forget_model(ANIMATOR)
    assert [kept.animator for kept in sources._kept.values()] == [other]
