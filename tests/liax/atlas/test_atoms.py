"""The dictionary as a table."""

import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from liax.atlas.atoms import Atom, atom_rows, atoms, atoms_parquet
from liax.atlas.statistics import passive
from liax.attributes import CONTROLS
from tests.liax.atlas import made_up

DIRECTIONS = 12


@pytest.fixture(scope="module")
def found() -> list[Atom]:
    return made_up.direction_atoms(8, DIRECTIONS)


def test_a_direction_says_what_it_does(found: list[Atom]) -> None:
    assert [atom.direction for atom in found] == list(range(DIRECTIONS))
    yaw = found[0]
    assert yaw.strongest == "yaw"
    assert yaw.slope == yaw.slopes["yaw"]
    assert yaw.slope == pytest.approx(0.8, abs=0.1)
    assert yaw.r2 is not None
    assert yaw.r2 > 0.95
    assert yaw.monotonicity == pytest.approx(1, abs=0.02)
    assert "yaw" in yaw.clear
    assert yaw.quantiles[0.01] < yaw.quantiles[0.5] < yaw.quantiles[0.99]


def test_dead_and_breaking_ones(found: list[Atom]) -> None:
    assert [atom.direction for atom in found if atom.dead] == list(made_up.DEAD)
    assert all(found[dead].strongest is None and found[dead].slope is None for dead in made_up.DEAD)
    detection = found[made_up.BREAKING].detection
    assert detection is not None
    assert detection < 0.9


def test_what_was_not_measured_is_none() -> None:
    effects = made_up.direction_effects(8, DIRECTIONS)
    unmeasured = np.full(DIRECTIONS, np.nan)
    atom = atoms(replace(effects, drift_P=unmeasured, path_length_P=unmeasured), passive(made_up.observed(DIRECTIONS)))[
        0
    ]
    assert atom.drift is None
    assert atom.path_length is None


def test_the_file(found: list[Atom]) -> None:
    without = [replace(atom, path_length=None) for atom in found]
    table = pq.read_table(io.BytesIO(atoms_parquet(without)))
    assert table.num_rows == DIRECTIONS
    assert {f"{kind}_{name}" for kind in ("slope", "slope_sd", "span") for name in CONTROLS} <= set(table.column_names)
    assert {"quantile_01", "quantile_50", "quantile_99", "dead", "strongest"} <= set(table.column_names)
    assert str(table.schema.field("path_length").type) == "double", "an empty column has its type all the same"
    assert table.column("slope_yaw").to_pylist() == [atom.slopes["yaw"] for atom in found]
    assert "yaw" in table.column("clear").to_pylist()[0].split(", ")


def test_the_file_of_a_dictionary_that_does_nothing(found: list[Atom]) -> None:
    idle = [replace(found[9], slopes=dict.fromkeys(CONTROLS), slope_sds=dict.fromkeys(CONTROLS)) for _ in range(2)]
    table = pq.read_table(io.BytesIO(atoms_parquet(idle)))
    assert table.column("strongest").to_pylist() == [None, None]
    assert str(table.schema.field("strongest").type) == "string"
    assert str(table.schema.field("slope_yaw").type) == "double"
    assert atom_rows(idle)[0]["clear"] == ""
