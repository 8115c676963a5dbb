"""The atlas's page: everything on it, nothing from elsewhere, whatever names and gaps there are."""

from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from liax.atlas.page import index_html
from liax.atlas.plots import cross_talk, plots
from liax.atlas.shown import Shown
from liax.attributes import CONTROLS
from liax.controls_file import ControlsFile, MeasuredControl
from tests.liax.atlas import made_up

HOSTILE = "</script><img src=http://evil.example/x onerror='alert(1)'> \" & '"
DIRECTIONS = 12


class Page(HTMLParser):
    """A page's elements, its text, and what it would fetch."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._within = ""
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within not in ("style", "script"):
            self.text += data

    def ids(self, start: str) -> list[str]:
        return [given["id"] for _, given in self.elements if "id" in given and given["id"].startswith(start)]

    def fetched(self) -> Iterator[str]:
        for _, given in self.elements:
            yield from (value for name, value in given.items() if name in ("src", "href", "srcset", "action", "data"))


@pytest.fixture(scope="module")
def shown() -> Shown:
    return made_up.shown(people=8, directions=DIRECTIONS)


@pytest.fixture(scope="module")
def drawn(shown: Shown) -> dict[str, bytes]:
    return plots(shown)


@pytest.fixture(scope="module")
def page(shown: Shown, drawn: dict[str, bytes]) -> Page:
    return Page(index_html(shown, drawn))


def test_every_control_is_there_with_status_and_reason(shown: Shown, page: Page) -> None:
    assert sorted(page.ids("control-")) == sorted(f"control-{name}" for name in CONTROLS)
    statuses = [given["data-status"] for tag, given in page.elements if "data-status" in given]
    assert statuses == ["certified"] * 4 + ["approximate"] * 2 + ["unavailable"] * 18, "the useful ones first"
    for control in shown.controls.controls.values():
        assert control.meaning in page.text
        assert control.reason in page.text


def test_a_control_says_how_far_and_how_well(page: Page) -> None:
    assert "−14.4 … +16.8°" in page.text
    assert "−0.42 … +0.49" in page.text
    assert "Moves too, for +10°" in page.text
    links = [given["href"] for tag, given in page.elements if tag == "a"]
    assert {"#direction-0", "#direction-5"} <= set(links)
    assert all(link[1:] in page.ids("") for link in links), "every link leads somewhere"


def test_every_direction_is_there_with_its_charts(page: Page) -> None:
    assert page.ids("direction-") == [f"direction-{number}" for number in range(DIRECTIONS)]
    given = {given["id"]: given for tag, given in page.elements if given.get("id", "").startswith("direction-")}
    assert given["direction-9"]["data-dead"] == "1"
    assert given["direction-0"]["data-words"].split()[:2] == ["0", "yaw"]
    assert float(given["direction-0"]["data-slope"]) > 0.5
    assert float(given[f"direction-{made_up.BREAKING}"]["data-detection"]) < 0.9
    alts = [one["alt"] for tag, one in page.elements if tag == "img"]
    for number in range(DIRECTIONS):
        assert f"Histogram of the coefficients of direction {number}" in alts
        assert f"People moved along direction {number}, level by level" in alts
    assert all(alts), "every picture says what it shows"


def test_it_asks_for_nothing(page: Page) -> None:
    assert all(address.startswith(("data:image/", "#")) for address in page.fetched())
    assert {tag for tag, _ in page.elements}.isdisjoint({"link", "iframe", "object", "embed", "base", "form"})
    assert sum(tag == "script" for tag, _ in page.elements) == 1


def test_how_to_measure_it_again(shown: Shown, page: Page) -> None:
    for text in (shown.command, shown.controls.model_sha256, "dlib 68 points", "docs/controls.md"):
        assert text in page.text


def test_what_was_missing_is_said(page: Page) -> None:
    assert "no weights: give networks.alexnet=FILE" in page.text
    assert "2: unreadable" in page.text


def test_numbers_of_the_whole_dictionary(page: Page) -> None:
    assert {"codes", "observation", "stability"} <= set(page.ids(""))
    for text in ("3 directions are dead: 9, 10, 11.", "Observation confounds", "0.410", "learned on 12 people"):
        assert text in page.text
    assert f"{DIRECTIONS - 3} of {DIRECTIONS} directions move something clearly. Of those, medians: sel" in page.text
    assert "runs/atlas-seed-1" in page.text
    assert "0.550" in page.text
    assert "95 % of draws stay within 0.100; p = 0.001" in page.text
    assert "direction 0 and its 11" in page.text


def test_numbers_that_there_are_not(shown: Shown) -> None:
    nothing = dict.fromkeys(("disentanglement", "completeness", "informativeness", "mig", "sap"))
    unmatched = {"share_alike": None, "alike": 0.8, "matches": [], "still": [12, 12], "moving": [0, 0]}
    unmatched["chance"] = {"permuted": None}
    scores = {
        "interventional": {"directions": 12, "moving": 0, "selectivity": None},
        "observational": {**nothing, "reason": "fewer than two controls vary", "informativeness_by_control": {}},
        "stability": {HOSTILE: unmatched},
    }
    bare = replace(shown, scores=scores)
    found = Page(index_html(bare, {name: b"" for name in plots(bare) if name.startswith("stability")}))
    assert "No numbers: fewer than two controls vary." in found.text
    assert "12 and 12" in found.text
    assert "0 of 12 directions move something clearly." in found.text
    assert "medians" not in found.text
    assert HOSTILE in found.text
    assert sum(tag == "script" for tag, _ in found.elements) == 1


def test_hostile_names_are_text(shown: Shown) -> None:
    control = replace_control(shown.controls, HOSTILE, meaning=HOSTILE, reason=HOSTILE)
    changed = replace(shown, model=HOSTILE, command=HOSTILE, controls=control, pictures={f"controls/{HOSTILE}": b"x"})
    found = Page(index_html(changed, {}))
    assert sum(tag == "script" for tag, _ in found.elements) == 1
    assert not any("onerror" in given for _, given in found.elements)
    assert all(address.startswith(("data:image/", "#")) for address in found.fetched())
    assert found.ids(f"control-{HOSTILE}")
    assert found.text.count(HOSTILE) >= 4


def replace_control(file: ControlsFile, name: str, **changed: Any) -> ControlsFile:
    control = file.controls["yaw"].model_copy(update={**changed, "cross_talk": {HOSTILE: 0.1}})
    return file.model_copy(update={"controls": {name: control}})


def test_what_is_missing_is_left_out(shown: Shown) -> None:
    nothing = {
        name: MeasuredControl(unit="deg", meaning="turns", status="unavailable", reason="no direction moves it")
        for name in ("yaw", "pitch")
    }
    file = shown.controls.model_copy(update={"controls": nothing})
    bare = replace(shown, controls=file, controls_response=None, scores={}, pictures={})
    drawn = plots(bare)
    assert not [name for name in drawn if name.startswith(("calibration", "cross_talk", "stability"))]
    found = Page(index_html(bare, drawn))
    assert "No control can be used with this model" in found.text
    assert "no direction moves it" in found.text
    assert not set(found.ids("")) & {"codes", "observation", "stability", "cross-talk"}
    assert len(found.ids("direction-")) == DIRECTIONS


def test_without_any_measured_number(shown: Shown) -> None:
    atom = replace(
        shown.atoms[0],
        strongest=None,
        clear=(),
        slopes=dict.fromkeys(CONTROLS),
        spans=dict.fromkeys(CONTROLS),
        **dict.fromkeys(("slope", "monotonicity", "r2", "selectivity", "drift", "off_face", "detection")),
    )
    found = Page(index_html(replace(shown, atoms=[atom]), {}))
    (given,) = [given for _, given in found.elements if given.get("id") == "direction-0"]
    assert given["data-slope"] == given["data-drift"] == ""
    assert "nothing" in found.text
    assert "nan" not in found.text.lower().split()


def test_plots_are_files_of_their_own(drawn: dict[str, bytes]) -> None:
    assert {"effects", "cross_talk", "codes", "calibration/yaw", "codes/9", "response/0", "stability/0"} <= set(drawn)
    assert "response/9" not in drawn, "a dead direction moves nothing"
    assert f"response/{made_up.NOT_RISING}" in drawn
    assert all(svg.startswith(b"<?xml") for svg in drawn.values())


def test_cross_talk_in_sds(shown: Shown) -> None:
    spread = dict(shown.spread.by_control)
    rows, columns, values_RC = cross_talk(shown.controls, spread | {"x": 0.0})
    assert rows == [name for name in CONTROLS if name in ("yaw", "pitch", "roll", "mouth_open", "smile", "blink")]
    yaw = shown.controls.controls["yaw"]
    at = values_RC[rows.index("yaw")]
    assert at[columns.index("yaw")] == 1
    assert at[columns.index("smile")] == pytest.approx(yaw.cross_talk["smile"] * spread["yaw"] / spread["smile"])
    assert np.isnan(at[columns.index("x")]), "what does not vary has no SD"
