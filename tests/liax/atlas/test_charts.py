"""The charts: readable SVG that says what it shows, whatever is missing, and the same bytes every time."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from liax.atlas import charts
from liax.attributes import readout
from tests.liax.atlas import made_up

HOSTILE = "<script>$\\frac{1}{0}$ & '\""


def texts(svg: bytes) -> set[str]:
    """What is written in a chart, which must be well-formed."""
    found = ElementTree.fromstring(svg)
    names = {element.tag.rsplit("}")[-1] for element in found.iter()}
    assert "script" not in names
    return {"".join(element.itertext()).strip() for element in found.iter() if element.tag.endswith("}text")}


def yaw_changes() -> tuple[np.ndarray, np.ndarray]:
    response = made_up.controls_response()
    path = response.paths.index("yaw")
    return response.levels_PL[path], (response.changes_NPLA[:, path] @ readout(("yaw",)).T)[..., 0]


def test_a_calibration_names_its_unit() -> None:
    levels_L, changes_NL = yaw_changes()
    drawn = charts.calibration("yaw", made_up.controls_file().controls["yaw"], levels_L, changes_NL)
    assert {"change of yaw, °", "coefficient, t", "safe range", "each person", "curve"} <= texts(drawn)
    assert drawn == charts.calibration("yaw", made_up.controls_file().controls["yaw"], levels_L, changes_NL)


def test_a_calibration_of_a_control_that_cannot_be_used() -> None:
    levels_L, changes_NL = yaw_changes()
    control = made_up.controls_file().controls["cheek"]
    shown = texts(charts.calibration("cheek", control, levels_L, np.full_like(changes_NL, np.nan)))
    assert "safe range" not in shown
    assert "curve" not in shown


def test_response_curves() -> None:
    response = made_up.response()
    changes_NLC = response.changes_NPLA[:, made_up.BREAKING, :, :3]
    assert np.isnan(changes_NLC).any()
    shown = texts(charts.response_curves(response.levels_PL[0], changes_NLC, ["yaw", "pitch", HOSTILE]))
    assert {"yaw", "pitch", HOSTILE, "change, SDs"} <= shown
    assert "change, SDs" in texts(charts.response_curves(response.levels_PL[0], changes_NLC[..., :0], []))


def test_a_table_in_colours() -> None:
    values_RC = np.array([[1.0, -0.5, np.nan], [0.01, 0.0, 12.0]])
    shown = texts(charts.heat_map(values_RC, ["yaw", HOSTILE], ["a", "b", "c"], "SDs", 1.0, written=True))
    assert {"yaw", HOSTILE, "a", "b", "c", "SDs", "1.00", "−.50", "12"} <= shown
    assert "nan" not in shown


def test_a_large_table_names_some_rows_only() -> None:
    rows = [f"row {place}" for place in range(700)]
    drawn = charts.heat_map(np.zeros((700, 2)), rows, ["a", "b"], "SDs", 1.0)
    named = {text for text in texts(drawn) if text.startswith("row")}
    assert "row 0" in named
    assert 100 < len(named) < 700
    assert float(ElementTree.fromstring(drawn).attrib["height"].removesuffix("pt")) / 72 < 25


@pytest.mark.parametrize("codes_F", [np.zeros(50), np.array([]), np.array([np.nan, 1.0])])
def test_a_histogram_of_anything(codes_F: np.ndarray) -> None:
    assert {"coefficient", "frames"} <= texts(charts.code_histogram(codes_F, np.array([-1.0, 0.0, 1.0])))


def test_bars_beside_each_other() -> None:
    shown = texts(charts.bars_beside({"raw": {"codes": 0.53, "Gaussian": 0.2}, "normalised": {"codes": 0.3}}, "Hoyer"))
    assert {"raw", "normalised", "codes", "Gaussian", "0.53", "Hoyer"} <= shown


def test_similarities() -> None:
    shown = texts(charts.similarities(np.array([0.2, -0.9, 0.85]), 0.8))
    assert {"the same: 0.8", "pairs, most alike first"} <= shown


def test_units_as_they_are_read() -> None:
    assert [charts.unit_text(unit) for unit in ("deg", "side", "m")] == ["°", "of the picture's side", "m"]
    assert [charts.with_unit("1", unit) for unit in ("deg", "side", "share")] == ["1°", "1 side", "1"]
