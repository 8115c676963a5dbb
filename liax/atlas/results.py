"""An atlas's results as files, from what was measured.

controls.json            the controls, for the registered model
index.html               the page to browse
response.npz             what each direction did; response_controls.npz: what each control's path did
observed.npz             held-out frames' codes and attributes
atoms.parquet            a row a direction
scores.json              all numbers of the whole dictionary; removed first and written last
stability.json           how the dictionary matches others', where they were given
plots/, strips/          as on the page
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liax import __version__, storage
from liax.atlas.atoms import atoms, atoms_parquet
from liax.atlas.effects import Effects, Spread
from liax.atlas.observed import Observed
from liax.atlas.page import index_html
from liax.atlas.plots import plots
from liax.atlas.records import Work
from liax.atlas.response import Response
from liax.atlas.shown import Shown
from liax.controls_file import CONTROLS_FILE, ControlsFile, MeasuredControl

_OBSERVATION = ("disentanglement", "completeness", "informativeness", "mig", "sap")
RESPONSE_FILE, OBSERVED_FILE, SCORES_FILE = "response.npz", "observed.npz", "scores.json"
_OF_ONE = ("response/", "codes/")
"""Plots of single directions, which stand in the page alone."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured, and what follows from it.

    Args:
        observed, spread: held-out frames.
        directions, controls_response: what paths did; None where no control's path was traced.
        effects: of the directions.
        controls: the certified ones, and the others.
        scores: all numbers of the whole dictionary.
        stability: `liax.atlas.stability.Match.to_json`, by the other atlas; empty where none was given.
        pictures: JPEGs as in `liax.atlas.shown.Shown`.
    """

    observed: Observed
    spread: Spread
    directions: Response
    controls_response: Response | None
    effects: Effects
    controls: dict[str, MeasuredControl]
    scores: dict[str, Any]
    stability: dict[str, Any]
    pictures: Mapping[str, bytes]


def controls_file(work: Work, findings: Findings, set_id: str) -> ControlsFile:
    """What goes into the registered model."""
    config = work.config
    measured_on: dict[str, str | int | float] = {
        "set": set_id,
        **({"split": config.split} if config.shards is not None else {}),
        "identities": len(findings.directions.people),
        "frames": len(findings.observed.frame_F),
        "levels": config.levels,
        **dict(work.observers),
        "liax": __version__,
    }
    return ControlsFile(
        model_sha256=work.subject.sha256,
        directions=findings.observed.codes_FM.shape[1],
        measured_on=measured_on,
        controls=findings.controls,
    )


def write_results(work: Work, findings: Findings, controls: ControlsFile) -> list[str]:
    """Write all files. Returns the names of those for MLflow: strips are within the page."""
    passive = findings.scores["passive"]
    found = atoms(findings.effects, passive)
    shown = Shown(
        model=work.subject.given,
        command=command_of(work),
        atoms=found,
        directions=findings.directions,
        observed=findings.observed,
        spread=findings.spread,
        controls=controls,
        controls_response=findings.controls_response,
        scores=findings.scores,
        pictures=findings.pictures,
    )
    drawn = plots(shown)
    files = {
        CONTROLS_FILE: _json(controls.model_dump(mode="json")),
        RESPONSE_FILE: findings.directions.to_npz(),
        OBSERVED_FILE: findings.observed.to_npz(),
        "atoms.parquet": atoms_parquet(found),
        "index.html": index_html(shown, drawn),
    }
    if findings.controls_response is not None:
        files["response_controls.npz"] = findings.controls_response.to_npz()
    if findings.stability:
        files["stability.json"] = _json(findings.stability)
    files |= {f"plots/{_flat(name)}.svg": svg for name, svg in drawn.items() if not name.startswith(_OF_ONE)}
    logged = [*files, SCORES_FILE]
    files |= {f"strips/{_flat(name)}.jpg": jpeg for name, jpeg in findings.pictures.items()}
    _remove_old(work, set(files))
    for name, content in files.items():
        storage.make_folder(work.file(*name.split("/")[:-1]))
        storage.write_bytes(work.file(name), content)
    storage.write_bytes(work.file(SCORES_FILE), _json(findings.scores))
    return [work.file(name) for name in logged]


def command_of(work: Work) -> str:
    """The command that makes the same again, as a shell takes it, without the addresses of logs."""
    given = work.config.model_dump(mode="json", exclude_defaults=True)
    return shlex.join(["liax", "atlas", *(f"{name}={_value(value)}" for name, value in _dotted(given).items())])


def _dotted(values: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _dotted(value, f"{under}{name}.") if isinstance(value, Mapping) else {f"{under}{name}": value}
    return found


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)  # JSON is YAML


def _flat(name: str) -> str:
    """`directions/7` → `directions_07`: MLflow keeps files under their last name, and lists are read in order."""
    folder, _, last = name.rpartition("/")
    return "_".join(part for part in (folder, last.zfill(2) if last.isdigit() else last) if part)


def _remove_old(work: Work, kept: set[str]) -> None:
    """Plots and strips of an earlier atlas in the same place, files that this one has none of, and first of all the
    one whose presence says that the others are whole."""
    storage.remove_many([work.file(SCORES_FILE)])
    shown = [*storage.list_if_there(work.file("plots")), *storage.list_if_there(work.file("strips"))]
    names = {work.file(name) for name in kept}
    optional = [work.file(name) for name in ("stability.json", "response_controls.npz")]
    old = [url for url in [*shown, *optional] if url not in names]
    storage.remove_many(old)


def numbers_of(scores: Mapping[str, Any], controls: Mapping[str, MeasuredControl]) -> dict[str, float]:
    """The numbers that MLflow shows beside those of other atlases."""
    passive, observation = scores["passive"], scores["observational"]
    numbers = {
        f"codes/{kind}/{name}": passive[kind][name] for kind in ("absolute", "relative") for name in passive[kind]
    }
    numbers |= {"codes/energy_90": passive["energy_90"], "codes/dead": len(passive["dead"])}
    numbers |= {f"observation/{name}": observation[name] for name in _OBSERVATION if observation.get(name) is not None}
    moved = {name: value for name, value in scores["interventional"].items() if isinstance(value, int | float)}
    numbers |= {f"directions/{name}": value for name, value in moved.items()}
    for place, one in enumerate(scores["stability"].values()):
        numbers |= {} if one["share_alike"] is None else {f"stability/{place}": one["share_alike"]}
    numbers |= {f"controls/{status}": len(names) for status, names in scores["controls"].items()}
    for name, control in controls.items():
        if control.status != "unavailable":
            numbers |= {
                f"{name}/{of}": getattr(control, of) for of in ("r2", "error") if getattr(control, of) is not None
            }
    return {name: float(value) for name, value in numbers.items()}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
