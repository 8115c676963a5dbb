"""The dictionary as a table: `atoms.parquet`, a row a direction.

Shapes: M directions, C controls.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.atlas.effects import Effects


@dataclass(frozen=True, slots=True)
class Atom:
    """One direction of the dictionary. None where something could not be measured.

    Args:
        direction: its number.
        dead: hardly anything moves it in held-out frames.
        mean, sd: of its coefficient in held-out frames.
        quantiles: of the same, by share.
        strongest: the control that it moves most; None where it moves none clearly.
        slope, monotonicity, monotone_share, r2: of that control.
        selectivity, drift, off_face, detection, path_length: see `liax.atlas.effects.Effects`.
        clear: the controls that it moves clearly.
        slopes, slope_sds, spans: by control: its change in SDs for one SD of the coefficient, the people's mean and SD;
            and from end to end of the path.
    """

    direction: int
    dead: bool
    mean: float
    sd: float
    quantiles: dict[float, float]
    strongest: str | None
    slope: float | None
    monotonicity: float | None
    monotone_share: float | None
    r2: float | None
    selectivity: float | None
    drift: float | None
    off_face: float | None
    detection: float | None
    path_length: float | None
    clear: tuple[str, ...]
    slopes: dict[str, float | None]
    slope_sds: dict[str, float | None]
    spans: dict[str, float | None]


def atoms(effects: Effects, passive: Mapping[str, Any]) -> list[Atom]:
    """The directions, each with what was measured of it.

    Args:
        effects: of the directions alone, in their order.
        passive: see `liax.atlas.statistics.passive`.
    """
    seen = passive["directions"]
    return [_atom(effects, place, seen[place], passive["quantiles"]) for place in range(len(seen))]


def _atom(effects: Effects, place: int, seen: Mapping[str, Any], shares: Sequence[float]) -> Atom:
    strongest = int(effects.strongest_P[place])

    def of_strongest(values_PC: NDArray[np.floating]) -> float | None:
        return None if strongest < 0 else _or_none(values_PC[place, strongest])

    def by_control(values_PC: NDArray[np.floating]) -> dict[str, float | None]:
        return dict(zip(effects.controls, map(_or_none, values_PC[place]), strict=True))

    return Atom(
        direction=place,
        dead=seen["dead"],
        mean=seen["mean"],
        sd=seen["sd"],
        quantiles=dict(zip(shares, seen["quantiles"], strict=True)),
        strongest=None if strongest < 0 else effects.controls[strongest],
        slope=of_strongest(effects.slope_PC),
        monotonicity=of_strongest(effects.monotonicity_PC),
        monotone_share=of_strongest(effects.monotone_share_PC),
        r2=of_strongest(effects.linearity_PC),
        selectivity=_or_none(effects.selectivity_P[place]),
        drift=_or_none(effects.drift_P[place]),
        off_face=_or_none(effects.off_face_P[place]),
        detection=_or_none(effects.detected_P[place]),
        path_length=_or_none(effects.path_length_P[place]),
        clear=tuple(name for name, clear in zip(effects.controls, effects.clear_PC[place], strict=True) if clear),
        slopes=by_control(effects.slope_PC),
        slope_sds=by_control(effects.slope_sd_PC),
        spans=by_control(effects.span_PC),
    )


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def atom_rows(found: Sequence[Atom]) -> list[dict[str, Any]]:
    """One flat row each: `slope_NAME`, `slope_sd_NAME` and `span_NAME` for each control, `quantile_01` and so on."""
    rows = []
    for atom in found:
        row = asdict(atom)
        row["clear"] = ", ".join(atom.clear)
        row |= {f"quantile_{share * 100:02.0f}": value for share, value in row.pop("quantiles").items()}
        for of, name in (("slopes", "slope"), ("slope_sds", "slope_sd"), ("spans", "span")):
            row |= {f"{name}_{control}": value for control, value in row.pop(of).items()}
        rows.append(row)
    return rows


def atoms_parquet(found: Sequence[Atom]) -> bytes:
    """The rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(atom_rows(found))
    for place, field in enumerate(table.schema):
        if pa.types.is_null(field.type):  # a column without any value would have no type
            kind = pa.string() if field.name == "strongest" else pa.float64()
            table = table.set_column(place, field.name, table.column(place).cast(kind))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
