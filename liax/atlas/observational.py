"""What codes and faces have to do with each other in frames as they are: DCI, MIG and SAP.

What goes together need not hang together: people who turn also smile, and a direction that follows both is not one that
does either. So these numbers are reported, for they are what others report, and nothing is ever named by them.

Codes are the representation, controls the factors. Everything is learned on some people and told of others: a split by
frames would have each person on both sides. Controls of common attributes (both eyes' blink, and each one's) cannot be
disentangled by any model, so only the first of such kin is a factor; neither is one that hardly varies here.

Shapes: F frames, G frames of the others, M directions, C controls that are factors.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.atlas.observed import Observed
from liax.attributes import CONTROLS, kin, readout

Floats = NDArray[np.float64]

MOST_FRAMES = 2000
"""On either side, evenly spread. Our choice: more hardly change the numbers."""
LEAST_FRAMES = 20
"""Fewer on either side say nothing. Our choice."""
BINS = 20
"""For the mutual information, as Locatello et al. 2019 (arXiv:1811.12359, appendix C) have."""
TREES = 50
LEAST_LEAF = 5
"""The forest's trees, and frames in a leaf. Our choice."""
_LEAST_SD = 0.1
"""A control that varies by less, in errors of its definition, is no factor: what is overlooked is noise."""


def observational(observed: Observed) -> dict[str, Any]:
    """DCI, MIG and SAP of codes and controls, as JSON holds them.

    Returns:
        disentanglement, completeness, informativeness, mig, sap: see `dci`, `mig` and `sap`; None where there are too
            few people or frames, or fewer than two factors.
        informativeness_by_control, factors, not_factors (and why); people and frames of both sides; no_face: frames
            that were left out; reason: why there are no numbers, else empty.
    """
    found_F = ~np.isnan(observed.attributes_FA).any(axis=1)
    codes_FM = observed.codes_FM[found_F].astype(np.float64)
    values_FC = observed.attributes_FA[found_F].astype(np.float64) @ readout().T
    person_F = observed.person_F[found_F]
    learned_F = learned_on(person_F)
    learn, tell = _evenly(np.flatnonzero(learned_F)), _evenly(np.flatnonzero(~learned_F))
    factors, not_factors = _factors(values_FC[learn], values_FC[tell])
    told: dict[str, Any] = {
        "people": {"learned_on": len(set(person_F[learn])), "told_of": len(set(person_F[tell]))},
        "frames": {"learned_on": len(learn), "told_of": len(tell)},
        "no_face": int((~found_F).sum()),
        "factors": factors,
        "not_factors": not_factors,
    }
    reason = ""
    if min(len(learn), len(tell)) < LEAST_FRAMES:
        reason = f"{min(len(learn), len(tell))} frames of faces on one side; {LEAST_FRAMES} are needed"
    elif len(factors) < 2:
        reason = "fewer than two controls vary"
    if reason:
        names = ("disentanglement", "completeness", "informativeness", "mig", "sap")
        return told | dict.fromkeys(names) | {"informativeness_by_control": {}, "reason": reason}
    columns = [list(CONTROLS).index(name) for name in factors]
    values_FC = values_FC[:, columns]
    importance_MC, r2_C = importances(codes_FM[learn], values_FC[learn], codes_FM[tell], values_FC[tell])
    disentanglement, completeness = dci(importance_MC)
    return told | {
        "disentanglement": disentanglement,
        "completeness": completeness,
        "informativeness": float(np.mean(r2_C)),
        "mig": mig(codes_FM[tell], values_FC[tell]),
        "sap": sap(codes_FM[learn], values_FC[learn], codes_FM[tell], values_FC[tell]),
        "informativeness_by_control": dict(zip(factors, map(float, r2_C), strict=True)),
        "reason": "",
    }


def learned_on(person_F: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which frames are learned on: those of every other person, in the order of their ids' checksums."""
    people = sorted(set(person_F.tolist()), key=lambda person: (zlib.crc32(person.encode()), person))
    return np.isin(person_F, people[::2])


def importances(codes_FM: Floats, values_FC: Floats, codes_GM: Floats, values_GC: Floats) -> tuple[Floats, Floats]:
    """How much each code counts for each control, M×C, each column adding up to 1 (or 0); and R²_C on other people.

    By a random forest for each control, as Eastwood and Williams 2018 (section 3) do: it follows curves, and its
    importances (the share of the variance that splits by a code take away) are comparable. Ours is of extremely
    randomised trees (Geurts et al. 2006), which are several times faster. R² is no less than 0.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    importance_MC, r2_C = np.zeros((codes_FM.shape[1], values_FC.shape[1])), np.zeros(values_FC.shape[1])
    for column in range(values_FC.shape[1]):
        # Every split may choose among all codes: where it may not, codes that say nothing get their turn.
        forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAST_LEAF, max_features=1.0, random_state=0)
        forest.fit(codes_FM, values_FC[:, column])
        importance_MC[:, column] = forest.feature_importances_
        r2_C[column] = _r2(values_GC[:, column], forest.predict(codes_GM))
    return importance_MC, r2_C


def dci(importance_MC: Floats) -> tuple[float, float]:
    """Disentanglement and completeness (Eastwood and Williams 2018, section 2), 0 … 1.

    Disentanglement of a direction is 1 less the entropy, to the base C, of its importances for controls: 1 if it counts
    for one only; the mean over directions, weighted by their shares in all importance. Completeness of a control is the
    same of its column, to the base M: 1 if one direction counts for it; the mean over controls.
    """
    total = importance_MC.sum()
    if total <= 0:
        return 0.0, 0.0
    share_M = importance_MC.sum(axis=1) / total
    disentanglement_M = 1 - _entropy(importance_MC, axis=1)
    counted_C = importance_MC.sum(axis=0) > 0
    completeness_C = np.where(counted_C, 1 - _entropy(importance_MC, axis=0), 0)
    return float(disentanglement_M @ share_M), float(completeness_C.mean())


def mig(codes_FM: Floats, values_FC: Floats) -> float:
    """Mutual information gap (Chen et al. 2018, arXiv:1802.04942, eq. 6), 0 … 1.

    Of each control the gap between the two directions that tell most about it, in shares of the control's entropy; the
    mean over controls. Codes and controls are put into bins with equally many frames, so that neither their scale nor
    their distribution matters. (Few frames make all information seem larger; the gap hardly changes.)
    """
    codes_FM, values_FC = _binned(codes_FM), _binned(values_FC)
    gaps = []
    for value_F in values_FC.T:
        told_M = np.sort([_information(code_F, value_F) for code_F in codes_FM.T])
        entropy = _information(value_F, value_F)
        gaps.append((told_M[-1] - told_M[-2]) / entropy if entropy > 0 else 0.0)
    return float(np.mean(gaps))


def sap(codes_FM: Floats, values_FC: Floats, codes_GM: Floats, values_GC: Floats) -> float:
    """Separated attribute predictability (Kumar et al. 2018, arXiv:1711.00848, section 3), 0 … 1.

    Of each control the gap between the two directions from which a straight line foretells it best, in R² on other
    people, no less than 0; the mean over controls.
    """
    middle_M, middle_C = codes_FM.mean(axis=0), values_FC.mean(axis=0)
    square_M = ((codes_FM - middle_M) ** 2).sum(axis=0)
    slope_MC = (codes_FM - middle_M).T @ (values_FC - middle_C) / np.where(square_M > 0, square_M, 1)[:, None]
    r2_MC = np.zeros_like(slope_MC)
    for index, column in np.ndindex(slope_MC.shape):
        foretold_G = middle_C[column] + slope_MC[index, column] * (codes_GM[:, index] - middle_M[index])
        r2_MC[index, column] = _r2(values_GC[:, column], foretold_G)
    best_MC = np.sort(r2_MC, axis=0)
    return float((best_MC[-1] - best_MC[-2]).mean())


def _factors(values_FC: Floats, values_GC: Floats) -> tuple[list[str], dict[str, str]]:
    """The controls that are factors, and why the others are not."""
    factors, not_factors = list[str](), dict[str, str]()
    for column, (name, definition) in enumerate(CONTROLS.items()):
        related = next((factor for factor in factors if kin(factor, name)), None)
        sides = (values_FC[:, column], values_GC[:, column])
        sd = min((float(side.std()) for side in sides if len(side)), default=0.0)
        if related is not None:
            not_factors[name] = f"made of the same as {related}"
        elif sd < _LEAST_SD * definition.error:
            not_factors[name] = "hardly varies"
        else:
            factors.append(name)
    return factors, not_factors


def _evenly(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    if len(rows) <= MOST_FRAMES:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_FRAMES).round().astype(int)]


def _r2(values: Floats, foretold: Floats) -> float:
    """R², no less than 0; 0 where nothing varies."""
    whole = ((values - values.mean()) ** 2).sum()
    return max(0.0, float(1 - ((values - foretold) ** 2).sum() / whole)) if whole > 0 else 0.0


def _entropy(weights_MC: Floats, axis: int) -> Floats:
    """Of weights along an axis, to the base of their number; 0 where all are 0."""
    total = weights_MC.sum(axis=axis, keepdims=True)
    share_MC = weights_MC / np.where(total > 0, total, 1)
    logs_MC = np.log(np.where(share_MC > 0, share_MC, 1))
    return np.asarray(-(share_MC * logs_MC).sum(axis=axis) / np.log(max(weights_MC.shape[axis], 2)))


def _binned(values_FV: Floats) -> Floats:
    """Each value's bin: bins of equally many frames; what is equal is in one."""
    edges_EV = np.quantile(values_FV, np.linspace(0, 1, BINS + 1)[1:-1], axis=0)
    return np.stack(
        [np.searchsorted(edges_EV[:, v], values_FV[:, v], side="right") for v in range(values_FV.shape[1])], 1
    )


def _information(one_F: NDArray[np.integer], other_F: NDArray[np.integer]) -> float:
    """Mutual information of two bins, in nats."""
    joint_BB = np.zeros((BINS, BINS))
    np.add.at(joint_BB, (one_F, other_F), 1 / len(one_F))
    apart_BB = joint_BB.sum(axis=1, keepdims=True) * joint_BB.sum(axis=0)
    there_BB = joint_BB > 0
    return float((joint_BB[there_BB] * np.log(joint_BB[there_BB] / apart_BB[there_BB])).sum())
