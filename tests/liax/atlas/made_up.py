"""A made-up atlas, of about what a real one holds: known directions, dead ones, one that does not rise and one that
breaks faces. Nothing in it was measured.

Shapes: N people, P paths, M directions, L levels, A attributes, B those of the second observer, F frames.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from liax.atlas.atoms import Atom, atoms
from liax.atlas.effects import Effects, Spread, effects, spread_of
from liax.atlas.observed import Observed
from liax.atlas.response import Response
from liax.atlas.scores import interventional
from liax.atlas.shown import Shown
from liax.atlas.statistics import passive
from liax.atlas.strips import strip, to_jpeg
from liax.attributes import ATTRIBUTES, CONTROLS, readout
from liax.controls_file import ControlsFile, MeasuredControl
from liax.pictures import Picture

SECOND = ("yaw", "pitch", "roll", "mouth_open")
PLANTED = (
    {"yaw": 12.0},
    {"pitch": 8.0},
    {"roll": 6.0},
    {"jawOpen": 0.35},
    {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.28},
    {"yaw": 7.0, "mouthSmileLeft": 0.15, "mouthSmileRight": 0.15},
    {"eyeBlinkLeft": 0.4, "eyeBlinkRight": 0.38},
)
NOT_RISING, BREAKING, DEAD = 7, 8, (9, 10, 11)
SCALES = {"yaw": 12.0, "pitch": 8.0, "roll": 6.0, "x": 0.03, "y": 0.03, "size": 0.04}
"""About how much attributes differ within people; blendshapes by 0.1."""


def scales_A() -> NDArray[np.float64]:
    return np.array([SCALES.get(name, 0.1) for name in ATTRIBUTES])


def truth_MA(directions: int) -> NDArray[np.float64]:
    """Change of each attribute for each direction's level of 1."""
    random = np.random.default_rng(5)
    found_MA = random.normal(0, 0.06, (directions, len(ATTRIBUTES))) * scales_A()
    for row, planted in enumerate(PLANTED[:directions]):
        found_MA[row] *= 0.2
        for name, value in planted.items():
            found_MA[row, ATTRIBUTES.index(name)] = value
    found_MA[[row for row in DEAD if row < directions]] = 0
    return found_MA


@cache
def observed(directions: int = 40, people: int = 24, frames: int = 40) -> Observed:
    random = np.random.default_rng(1)
    count = people * frames
    spreads_M = np.where(np.isin(np.arange(directions), DEAD), 1e-7, random.uniform(0.2, 1.0, directions))
    codes_FM = random.laplace(0, 0.7, (count, directions)) * spreads_M
    values_FA = codes_FM @ truth_MA(directions) + random.normal(0, 0.2, (count, len(ATTRIBUTES))) * scales_A()
    values_FA[::97] = np.nan
    person_F = np.repeat([f"person-{one:02d}" for one in range(people)], frames)
    return Observed(
        codes_FM=codes_FM.astype(np.float32),
        attributes_FA=values_FA.astype(np.float32),
        person_F=person_F,
        clip_F=np.char.add(person_F, "-0"),
        frame_F=np.tile(np.arange(frames) * 5, people),
    )


@cache
def response(people: int = 32, directions: int = 40) -> Response:
    """Directions by people."""
    units_PM = np.eye(directions, dtype=np.float32)
    quantiles_L = np.array([-1.7, -1.0, -0.6, -0.25, 0, 0.3, 0.7, 1.1, 1.9])
    scales_P = np.random.default_rng(2).uniform(0.4, 1.2, directions)
    levels_PL = quantiles_L * scales_P[:, None]
    means_PLA = levels_PL[..., None] * truth_MA(directions)[:, None]
    if directions > BREAKING:
        pucker = ATTRIBUTES.index("mouthPucker")
        means_PLA[NOT_RISING, :, pucker] = 0.2 * levels_PL[NOT_RISING] ** 2
    return _response(people, tuple(map(str, range(directions))), units_PM, levels_PL, means_PLA)


@cache
def controls_response(people: int = 16, directions: int = 40) -> Response:
    """The paths of the controls that `controls_file` does not call unavailable."""
    chosen = [name for name, control in controls_file(directions).controls.items() if control.weights]
    read_CA = readout(tuple(chosen))
    units_PM = np.zeros((len(chosen), directions), np.float32)
    for row, name in enumerate(chosen):
        for index, weight in controls_file(directions).controls[name].weights.items():
            units_PM[row, index] = weight
    levels_PL = np.tile(np.linspace(-1.6, 1.6, 9), (len(chosen), 1))
    moved_PLA = levels_PL[..., None] * (units_PM @ truth_MA(directions))[:, None]
    moved_PLA += 0.1 * levels_PL[..., None] * (read_CA * scales_A())[:, None]
    return _response(people, tuple(chosen), units_PM, levels_PL, moved_PLA)


def _response(
    people: int,
    paths: tuple[str, ...],
    units_PM: NDArray[np.float32],
    levels_PL: NDArray[np.float64],
    means_PLA: NDArray[np.float64],
) -> Response:
    random = np.random.default_rng(3)
    shape = (people, *levels_PL.shape)
    gains_N = random.normal(1, 0.12, people)[:, None, None, None]
    base_NA = random.normal(0, 0.3, (people, len(ATTRIBUTES))) * scales_A()
    noise = random.normal(0, 0.03, (*shape, len(ATTRIBUTES))) * scales_A()
    values_NPLA = base_NA[:, None, None] + means_PLA * gains_N + noise
    effort_NPL = np.abs(levels_PL) * np.ones(shape)
    if len(paths) > BREAKING:
        values_NPLA[:, BREAKING, 7:] = np.where(
            random.random((people, 2, 1)) < 0.7, np.nan, values_NPLA[:, BREAKING, 7:]
        )
    second = [ATTRIBUTES.index(name) for name in ("yaw", "pitch", "roll", "jawOpen")]
    similarity_NPL = 1 - 0.06 * effort_NPL**2 * random.uniform(0.5, 1.5, shape)
    similarity_NPL[np.isnan(values_NPLA[..., 0])] = np.nan
    return Response(
        people=tuple(f"person-{one:02d}" for one in range(people)),
        paths=paths,
        attributes=ATTRIBUTES,
        second_attributes=SECOND,
        unit_PM=units_PM,
        levels_PL=levels_PL.astype(np.float32),
        values_NPLA=values_NPLA.astype(np.float32),
        second_NPLB=(values_NPLA[..., second] * random.normal(0.95, 0.05, (*shape, 4))).astype(np.float32),
        similarity_NPL=similarity_NPL.astype(np.float32),
        off_face_NPL=(0.004 * effort_NPL * random.uniform(0.5, 1.5, shape)).astype(np.float32),
        steps_NPK=(0.02 * np.abs(np.diff(levels_PL)) * random.uniform(0.5, 1.5, (*shape[:2], 8))).astype(np.float32),
    )


@cache
def spread(directions: int = 40) -> Spread:
    return spread_of(observed(directions))


@cache
def direction_effects(people: int = 32, directions: int = 40) -> Effects:
    return effects(response(people, directions), spread(directions))


def direction_atoms(people: int = 32, directions: int = 40) -> list[Atom]:
    return atoms(direction_effects(people, directions), passive(observed(directions)))


def strips(directions: int, names: Iterable[str]) -> dict[str, bytes]:
    """A strip for each direction and name, and the frames of each direction."""
    turns = (-0.9, -0.4, 0.0, 0.5, 1.0)
    drawn = to_jpeg(strip([[picture(turn, shade) for turn in turns] for shade in (90, 120, 150)], turns, "moved"))
    frames = to_jpeg(
        strip(
            [[picture(turn) for turn in (-0.9, -0.8, -0.7, 0.6, 0.8, 0.9)]],
            ["−2", "−1.9", "−1.7", "+2", "+2.2", "+2.3"],
        )
    )
    found = {
        f"{kind}/{number}": data
        for number in range(directions)
        for kind, data in (("directions", drawn), ("frames", frames))
    }
    return found | {f"controls/{name}": drawn for name in names}


def scores(directions: int) -> dict[str, Any]:
    """What a run with everything writes, in the form of `scores.json`."""
    names = [name for name in CONTROLS if not name.startswith("blink_")]
    matches = [
        {"one": place, "other": directions - 1 - place, "cosine": (-0.97) ** place} for place in range(directions)
    ]
    return {
        "passive": passive(observed(directions)),
        "observational": {
            **{"disentanglement": 0.41, "completeness": 0.38, "informativeness": 0.52, "mig": 0.12, "sap": 0.09},
            "informativeness_by_control": dict(zip(names, np.linspace(0.9, 0.02, len(names)).tolist(), strict=True)),
            "people": {"learned_on": 12, "told_of": 12},
            "frames": {"learned_on": 470, "told_of": 480},
            "no_face": 10,
            "reason": "",
        },
        "stability": {
            "runs/atlas-seed-1": {
                "share_alike": 0.55,
                "moving": [40, 38],
                "alike": 0.8,
                "matches": matches,
                "still": [3, 4],
                "chance": {
                    "permuted": {"mean": 0.01, "most_95": 0.05, "p": 0.001},
                    "rotated": {"mean": 0.05, "most_95": 0.1, "p": 0.001},
                },
            }
        },
        "interventional": interventional(direction_effects(8, directions)),
        "unavailable": {"lpips": "no weights: give networks.alexnet=FILE"},
        "left_out": {"clips": {"unreadable": 2}, "paths": {}},
    }


def shown(people: int = 32, directions: int = 40, **changed: Any) -> Shown:
    """All of it."""
    found = controls_response(directions=directions)
    whole = Shown(
        model="models:/face-animator@candidate",
        command="liax atlas model=models:/face-animator@candidate shards=runs/faces output=runs/atlas",
        atoms=direction_atoms(people, directions),
        directions=response(people, directions),
        observed=observed(directions),
        spread=spread(directions),
        controls=controls_file(directions),
        controls_response=found,
        scores=scores(directions),
        pictures=strips(directions, found.paths),
    )
    return replace(whole, **changed)


def controls_file(directions: int = 40) -> ControlsFile:
    """Some certified, some approximate, the rest unavailable."""
    good: dict[str, tuple[dict[int, float], float, float]] = {
        "yaw": ({0: 1.0, 5: -0.2}, 12.0, 0.99),
        "pitch": ({1: 1.0}, 8.0, 0.97),
        "roll": ({2: 1.0, 8: 0.11}, 6.0, 0.91),
        "mouth_open": ({3: 1.0}, 0.35, 0.98),
        "smile": ({4: 1.0, 5: 0.3, 0: -0.12}, 0.33, 0.9),
        "blink": ({6: 1.0}, 0.4, 0.96),
    }
    controls = {}
    for name, definition in CONTROLS.items():
        if name not in good:
            controls[name] = MeasuredControl(
                unit=definition.unit,
                meaning=definition.meaning,
                status="unavailable",
                reason="also moves blink_right: 0.95 of its own effect"
                if name == "blink_left"
                else "moves it by 0.04 only; 0.15 is the least that is of use",
                weights={6: 1.0} if name == "blink_left" else {},
            )
            continue
        weights, size, r2 = good[name]
        steps = np.linspace(-1.6, 1.6, 9)
        controls[name] = MeasuredControl(
            unit=definition.unit,
            meaning=definition.meaning,
            status="certified" if r2 >= 0.95 else "approximate",
            reason="" if r2 >= 0.95 else f"R² {r2:.2f} on held-out people; 0.95 is needed",
            weights=weights,
            units=[float(step * size) for step in steps],
            coefficients=[float(step) for step in steps],
            safe=(-1.2 * size, 1.4 * size),
            r2=r2,
            error=definition.error * (1.6 - r2),
            cross_talk=cross_talk(name),
            second=0.97 if name in SECOND else None,
        )
    measured_on: dict[str, str | int | float] = {"identities": 32, "second observer": "dlib 68 points", "liax": "0.1.0"}
    return ControlsFile(model_sha256="3" * 64, directions=directions, measured_on=measured_on, controls=controls)


def cross_talk(name: str) -> dict[str, float]:
    """Up to ±0.3 SDs of each other control for one SD of this one."""
    scales = {other: SCALES.get(other, 0.1) for other in CONTROLS}
    sizes = np.random.default_rng(len(name)).uniform(-0.3, 0.3, len(CONTROLS))
    others = zip(CONTROLS, sizes, strict=True)
    return {other: float(size * scales[other] / scales[name]) for other, size in others if other != name}


def picture(turn: float = 0.0, shade: int = 120, side_px: int = 128) -> Picture:
    """A face that a child could draw; `turn`, -1…1, moves its features."""
    sheet = Image.new("RGB", (side_px, side_px), (96, 112, 120))
    draw = ImageDraw.Draw(sheet)
    at = side_px / 128
    shift = 14 * turn
    draw.ellipse((24 * at, 14 * at, 104 * at, 118 * at), (shade + 80, shade + 40, shade + 10))
    for x in (46, 82):
        draw.ellipse(((x - 7 + shift) * at, 50 * at, (x + 7 + shift) * at, 60 * at), (250, 250, 250))
        draw.ellipse(((x - 3 + shift) * at, 51 * at, (x + 3 + shift) * at, 59 * at), (40, 30, 30))
    draw.arc(((46 + shift) * at, 70 * at, (82 + shift) * at, 98 * at), 20, 160, (120, 30, 40), round(4 * at))
    return np.asarray(sheet, np.uint8)
