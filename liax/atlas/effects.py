"""What each path does to people's faces, in numbers: how strongly, how evenly, how purely, and at what price.

Effects are compared in SDs: of a control's value within people in held-out frames, for one SD of the population's
codes along the path. So degrees and blendshapes, and directions of large and of small codes, can stand side by side.

Shapes: N people, P paths, M directions, L levels, A attributes, C controls, F frames, V either of A and C.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from liax.atlas.observed import Observed
from liax.atlas.response import Response
from liax.attributes import ATTRIBUTES, CONTROLS, PLACE, POSE, kin, readout

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_LEVELS = 3
"""A person's slope needs so many levels with a face. Our choice."""
CLEAR_ERRORS = 3.0
"""An effect is clear that is this many of its standard errors over people from 0 …"""
CLEAR_SDS = 0.1
"""… and moves its control by this many SDs from one end of the path to the other. Our choices: the observers are never
quite still, and 40 directions × 24 controls have many chances."""
MONOTONE = 0.9
"""|Spearman| from which on a response counts as rising or falling throughout. Our choice: of 9 levels in order, two
neighbours or so may change places."""
TIE_SDS = 0.05
"""Changes are ranked in steps of so many SDs. Our choice, half of what is clear: an eye that is open and cannot open
further stays as it is, and what is measured of it then, a little more or less, must not count as going to and fro."""
_FLOORS = dict.fromkeys(POSE, 1.0) | dict.fromkeys(PLACE, 0.005)
_SHAPE_FLOOR = 0.025
"""SDs are never taken to be smaller than this, about half of what one overlooks (see `liax.attributes`): what hardly
varies in these frames, as MediaPipe's cheekPuff, would otherwise drown all else."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How much held-out frames vary: the units of all comparisons.

    Args:
        code_M: SD of each direction's coefficient over all frames.
        attribute_A, control_C: SD within people (about each person's own mean), no smaller than the floors above.
    """

    code_M: Floats
    attribute_A: Floats
    control_C: Floats

    @property
    def by_control(self) -> dict[str, float]:
        """By control's name, in its unit."""
        return dict(zip(CONTROLS, map(float, self.control_C), strict=True))


@dataclass(frozen=True, slots=True)
class Effects:
    """What each path does. NaN where it could not be measured.

    Args:
        paths, attributes, controls: names, in the order of P, A and C.
        scale_P: coefficient along the path that is one SD of the population's codes.
        slope_PA, slope_PC: mean over people of the SDs that one SD of the code moves.
        slope_sd_PC: SD of that over people; NaN for a single one.
        people_PC: how many people that is.
        clear_PC: whether that is more than chance (`CLEAR_ERRORS`, `CLEAR_SDS`).
        span_PC: largest less smallest of the people's mean change along the path, in SDs; a path that goes up and down
            again has a span and no slope.
        monotonicity_PC: |Spearman| of the people's mean change, in steps of `TIE_SDS`, with the level.
        monotone_share_PC: share of people whose own response rises (or falls) throughout as the mean does.
        linearity_PC: R² of a straight line through the people's mean change.
        strongest_P: place of the control with the largest clear slope among `controls`; -1 where none is clear.
        selectivity_P: share that it takes in the sum of all clear slopes' magnitudes; kin controls (the two eyes' blink
            and each one's) count once, with their largest. NaN where none is clear.
        drift_P: mean over people and moved levels of 1 - cosine to the unmoved face's embedding.
        off_face_P: the same mean of the absolute difference, in [0, 1], off the face.
        detected_P: share of the moved pictures with a face, of people with one in the unmoved picture.
        path_length_P: perceptual path length (after Karras et al. 2019, StyleGAN, section 4.1): sum of LPIPS over sum
            of squared steps, in SDs of the code, over all people and steps. Not the mean of their ratios: quantiles
            of sparse codes lie close together, and what LPIPS sees of nothing is much for the square of a tiny step.
        moves_P: whether it moves any control clearly.
    """

    paths: tuple[str, ...]
    attributes: tuple[str, ...]
    controls: tuple[str, ...]
    scale_P: Floats
    slope_PA: Floats
    slope_PC: Floats
    slope_sd_PC: Floats
    people_PC: NDArray[np.int64]
    clear_PC: Bools
    span_PC: Floats
    monotonicity_PC: Floats
    monotone_share_PC: Floats
    linearity_PC: Floats
    strongest_P: NDArray[np.int64]
    selectivity_P: Floats
    drift_P: Floats
    off_face_P: Floats
    detected_P: Floats
    path_length_P: Floats

    @property
    def moves_P(self) -> Bools:
        """Whether a path moves any control clearly."""
        return np.asarray(self.clear_PC.any(axis=1))


def spread_of(observed: Observed) -> Spread:
    """The units of an atlas, from its frames. Frames without a face count for the codes alone."""
    values_FA = observed.attributes_FA.astype(np.float64)
    found_F = ~np.isnan(values_FA).any(axis=1)
    floor_A = np.array([_FLOORS.get(name, _SHAPE_FLOOR) for name in ATTRIBUTES])
    floor_C = np.array([definition.error / 2 for definition in CONTROLS.values()])
    person_F = observed.person_F[found_F]
    return Spread(
        code_M=observed.codes_FM.astype(np.float64).std(axis=0),
        attribute_A=np.maximum(_within(values_FA[found_F], person_F), floor_A),
        control_C=np.maximum(_within(values_FA[found_F] @ readout().T, person_F), floor_C),
    )


def effects(response: Response, spread: Spread) -> Effects:
    """Measure what the paths of a response do.

    Args:
        response: of directions or of controls' paths.
        spread: of the same model's held-out frames.
    """
    scale_P = path_scale(response.unit_PM, spread.code_M)
    changes_NPLA = response.changes_NPLA.astype(np.float64)
    steps_PL = response.levels_PL.astype(np.float64) / scale_P[:, None]
    in_sds_NPLC = changes_NPLA @ readout().T / spread.control_C
    slope_NPC = slopes(steps_PL, in_sds_NPLC)
    mean_PLC = mean_of_found(in_sds_NPLC, axis=0)
    rank_PC = rank_correlation(np.moveaxis(np.round(mean_PLC / TIE_SDS), 1, -1))
    own_NPC = rank_correlation(np.moveaxis(np.round(in_sds_NPLC / TIE_SDS), 2, -1))
    slope_PC, people_PC = mean_of_found(slope_NPC, axis=0), (~np.isnan(slope_NPC)).sum(axis=0)
    slope_sd_PC = _sd_of_found(slope_NPC)
    clear_PC = _clear(slope_PC, slope_sd_PC, people_PC, np.ptp(steps_PL, axis=1))
    strongest_P, selectivity_P = _selectivity(np.where(clear_PC, np.abs(slope_PC), 0))
    with np.errstate(invalid="ignore"):
        as_mean_NPC = np.where(np.isnan(own_NPC), np.nan, own_NPC * np.sign(rank_PC) >= MONOTONE)
    return Effects(
        paths=response.paths,
        attributes=response.attributes,
        controls=tuple(CONTROLS),
        scale_P=scale_P,
        slope_PA=mean_of_found(slopes(steps_PL, changes_NPLA / spread.attribute_A), axis=0),
        slope_PC=slope_PC,
        slope_sd_PC=slope_sd_PC,
        people_PC=people_PC,
        clear_PC=clear_PC,
        span_PC=_range_of_found(mean_PLC),
        monotonicity_PC=np.abs(rank_PC),
        monotone_share_PC=mean_of_found(as_mean_NPC, axis=0),
        linearity_PC=_linearity(steps_PL, mean_PLC),
        strongest_P=strongest_P,
        selectivity_P=selectivity_P,
        drift_P=_mean_moved(response, 1 - response.similarity_NPL),
        off_face_P=_mean_moved(response, response.off_face_NPL),
        detected_P=_mean_moved(response, _detected(response)),
        path_length_P=_path_length(response.steps_NPK, np.diff(steps_PL)),
    )


def path_scale(unit_PM: NDArray[np.floating], code_M: Floats) -> Floats:
    """Coefficient of each path at which its δ is one SD of the population's codes.

    For a direction alone that is its own SD; for a combination, 1 / ‖unit / SD‖, so that its directions' SDs add up as
    independent ones do.
    """
    least = 1e-6 * max(float(code_M.max(initial=0)), 1e-12)
    length_P = np.linalg.norm(unit_PM.astype(np.float64) / np.maximum(code_M, least), axis=1)
    return 1 / np.maximum(length_P, 1e-12)


def slopes(steps_PL: Floats, changes_NPLV: Floats) -> Floats:
    """Least-squares slopes_NPV of changes over steps, over the levels with a face; NaN where they are too few."""
    found_NPL = ~np.isnan(changes_NPLV[..., 0])
    count_NP = found_NPL.sum(axis=2)
    steps_NPL = np.where(found_NPL, steps_PL, 0)
    middle_NP = steps_NPL.sum(axis=2) / np.maximum(count_NP, 1)
    centred_NPL = np.where(found_NPL, steps_PL - middle_NP[..., None], 0)
    square_NP = (centred_NPL**2).sum(axis=2)
    # The mean change needs no subtracting: the centred steps add up to 0.
    product_NPV = np.einsum("npl,nplv->npv", centred_NPL, np.nan_to_num(changes_NPLV))
    slope_NPV = product_NPV / np.where(square_NP > 0, square_NP, 1)[..., None]
    slope_NPV[(count_NP < LEAST_LEVELS) | (square_NP == 0)] = np.nan
    return slope_NPV


def rank_correlation(values_L: Floats) -> Floats:
    """Spearman's correlation of values (…, L) with their order, over those that are no NaN; NaN where they are fewer
    than `LEAST_LEVELS`, 0 where all are equal."""
    found_L = ~np.isnan(values_L)
    count = found_L.sum(axis=-1)
    below = (values_L[..., None, :] < values_L[..., :, None]).sum(axis=-1)
    equal = (values_L[..., None, :] == values_L[..., :, None]).sum(axis=-1)
    middle = (count[..., None] + 1) / 2
    rank_L = np.where(found_L, below + (equal + 1) / 2 - middle, 0)
    order_L = np.where(found_L, np.cumsum(found_L, axis=-1) - middle, 0)
    size = np.sqrt((rank_L**2).sum(axis=-1) * (order_L**2).sum(axis=-1))
    correlation = (rank_L * order_L).sum(axis=-1) / np.where(size > 0, size, 1)
    return np.where(count >= LEAST_LEVELS, correlation, np.nan)


def mean_of_found(values: NDArray[np.floating], axis: int | tuple[int, ...]) -> Floats:
    """The mean of what is no NaN; NaN where nothing is."""
    found = ~np.isnan(values)
    count = found.sum(axis=axis)
    total = np.where(found, values, 0).sum(axis=axis, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@cache
def kin_groups() -> tuple[tuple[int, ...], ...]:
    """Controls that share attributes, directly or through others, as places among `CONTROLS`: each is in one group."""
    names, groups = tuple(CONTROLS), list[set[int]]()
    for place, name in enumerate(names):
        related = [group for group in groups if any(kin(name, names[other]) for other in group)]
        groups = [group for group in groups if group not in related] + [{place}.union(*related)]
    return tuple(tuple(sorted(group)) for group in groups)


def _within(values_FV: Floats, person_F: NDArray[np.str_]) -> Floats:
    """SD about each person's own mean, pooled over people; 0 where there are no frames."""
    people, place_F = np.unique(person_F, return_inverse=True)
    if len(place_F) <= len(people):
        return np.zeros(values_FV.shape[1])
    mean_NV = np.zeros((len(people), values_FV.shape[1]))
    np.add.at(mean_NV, place_F, values_FV)
    mean_NV /= np.bincount(place_F)[:, None]
    square_V: Floats = ((values_FV - mean_NV[place_F]) ** 2).sum(axis=0)
    return np.sqrt(square_V / (len(place_F) - len(people)))


def _sd_of_found(values_NPC: Floats) -> Floats:
    """SD over people; NaN where there are fewer than two."""
    count_PC = (~np.isnan(values_NPC)).sum(axis=0)
    apart_NPC = values_NPC - mean_of_found(values_NPC, axis=0)
    square_PC = mean_of_found(apart_NPC**2, axis=0) * count_PC / np.maximum(count_PC - 1, 1)
    return np.where(count_PC > 1, np.sqrt(square_PC), np.nan)


def _clear(slope_PC: Floats, sd_PC: Floats, people_PC: NDArray[np.int64], length_P: Floats) -> Bools:
    """Whether effects are more than chance."""
    error_PC = sd_PC / np.sqrt(np.maximum(people_PC, 1))
    large_PC = np.abs(slope_PC) * length_P[:, None] >= CLEAR_SDS
    clear_PC: Bools = large_PC & (np.abs(slope_PC) >= CLEAR_ERRORS * error_PC)
    return clear_PC


def _range_of_found(mean_PLC: Floats) -> Floats:
    missing_PLC = np.isnan(mean_PLC)
    high_PC = np.where(missing_PLC, -np.inf, mean_PLC).max(axis=1)
    low_PC = np.where(missing_PLC, np.inf, mean_PLC).min(axis=1)
    return np.where(missing_PLC.all(axis=1), np.nan, high_PC - np.where(np.isinf(low_PC), 0, low_PC))


def _linearity(steps_PL: Floats, mean_PLC: Floats) -> Floats:
    """R² of a straight line through the mean change; NaN where nothing moves."""
    slope_PC = slopes(steps_PL, mean_PLC[None])[0]
    centre_P1C = mean_of_found(mean_PLC, axis=1)[:, None]
    found_PL1 = ~np.isnan(mean_PLC[..., :1])
    middle_P11 = mean_of_found(np.where(found_PL1, steps_PL[..., None], np.nan), axis=1)[:, None]
    left_PLC = mean_PLC - centre_P1C - (steps_PL[..., None] - middle_P11) * slope_PC[:, None]
    whole_PC = np.nansum((mean_PLC - centre_P1C) ** 2, axis=1)
    left_PC = np.nansum(left_PLC**2, axis=1)
    return np.where((whole_PC > 0) & ~np.isnan(slope_PC), 1 - left_PC / np.where(whole_PC > 0, whole_PC, 1), np.nan)


def _selectivity(size_PC: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The strongest control, and its share; of clear slopes' magnitudes, 0 for others."""
    size_PG = np.stack([size_PC[:, list(group)].max(axis=1) for group in kin_groups()], axis=1)
    total_P = size_PG.sum(axis=1)
    share_P = np.where(total_P > 0, size_PG.max(axis=1) / np.where(total_P > 0, total_P, 1), np.nan)
    return np.where(total_P > 0, size_PC.argmax(axis=1), -1).astype(np.int64), share_P


def _detected(response: Response) -> Floats:
    """1 where a face was found and 0 where not, NaN for people whose unmoved picture shows none."""
    found_NPL = response.detected_NPL
    unmoved_NP1 = np.take_along_axis(found_NPL, response.zero_P[None, :, None], axis=2)
    return np.where(unmoved_NP1, found_NPL, np.nan)


def _path_length(lpips_NPK: NDArray[np.floating], step_PK: Floats) -> Floats:
    """NaN where nothing was measured."""
    square_NPK = np.where(np.isnan(lpips_NPK), np.nan, step_PK**2)
    square_P = mean_of_found(square_NPK, axis=(0, 2))
    return mean_of_found(lpips_NPK, axis=(0, 2)) / np.where(square_P > 0, square_P, np.nan)


def _mean_moved(response: Response, values_NPL: NDArray[np.floating]) -> Floats:
    """The mean over people and all levels but the unmoved one."""
    moved_PL = np.arange(response.levels_PL.shape[1]) != response.zero_P[:, None]
    return mean_of_found(np.where(moved_PL, values_NPL, np.nan), axis=(0, 2))
