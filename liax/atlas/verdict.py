"""What a control must keep to be called certified, or approximate; and in words why it is no better.

Bounds are our choice. R², error and cross-talk are of people that the control was not fitted on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from liax.atlas.couplings import tied_sds
from liax.attributes import CONTROLS, DEGREES, SHARE
from liax.controls_file import Status

LEAST_PEOPLE = 2
"""Nothing can be said of others from one person …"""
CERTIFIED_PEOPLE = 8
"""… and from less than so many not enough for a certificate. Our choice."""
MOST_FALL = 0.15
"""How much of its reach a control may fall back by on the way up."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What must be kept.

    Args:
        r2: at least.
        errors: the error, in those of the control's definition, at most.
        share: or else this share of its safe range; 0 for no such way out.
        talk: at most so many SDs of any other control for one SD of this one's, beyond what the observer ties to it.
        all_talk: and so many in all, √Σ talk².
        second: correlation with the second observer at least, where it can see this.
        uneven: of a control of both sides of the face, how much more the one may move, in shares of what both do.
        people: to check on, at least.
        seen: share of the faces whose identity was compared, and which the second observer saw (where it is there and
            can see this), at least.
    """

    r2: float
    errors: float
    share: float
    talk: float
    all_talk: float
    second: float
    uneven: float
    people: int
    seen: float


CERTIFIED = Bounds(
    r2=0.95, errors=1.0, share=0.0, talk=0.25, all_talk=0.4, second=0.7, uneven=0.3, people=CERTIFIED_PEOPLE, seen=0.5
)
APPROXIMATE = Bounds(
    r2=0.7, errors=3.0, share=0.1, talk=0.5, all_talk=0.7, second=0.3, uneven=0.6, people=LEAST_PEOPLE, seen=0.0
)
"""Of 40 random directions, the best 4 for a control still move others by 0.53 in all, and by 0.8 in the median: a
bound on each other control alone would now and then certify what is chance. The second observer is weaker than the
first (on real faces they agree to 0.46 … 0.98, within people), so it is asked to confirm and not to measure."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a control's path turned out to be worth.

    Args:
        span: width of the safe range, in the control's unit.
        reach: the same if faces that are lost, or change to another person's, did not count.
        falls: the largest fall of the fit people's median change on its way up, in shares of its reach.
        people: how many it could be measured on, of those it was not fitted on.
        r2, error: None where they could not be.
        talk: by other control that is no kin, see `Bounds`.
        second: None where there is no second observer, it cannot see this, or saw too few faces.
        second_seen: share of the moved faces that the second observer saw; None where there is none, or it cannot see
            this.
        identity_seen: share of the moved faces whose identity was compared.
        uneven: see `Bounds`; None for a control that is not of both sides.
    """

    span: float
    reach: float
    falls: float
    people: int
    r2: float | None = None
    error: float | None = None
    talk: Mapping[str, float] = field(default_factory=dict)
    second: float | None = None
    second_seen: float | None = None
    identity_seen: float = 0.0
    uneven: float | None = None


def verdict(name: str, worth: Worth) -> tuple[Status, str]:
    """A control's status, and the reason why it is no better; empty for a certified one."""
    useless = _useless(name, worth)
    if useless:
        return "unavailable", useless
    weak = _missed(name, worth, APPROXIMATE)
    if weak:
        return "unavailable", "; ".join(weak)
    short = _missed(name, worth, CERTIFIED)
    return ("approximate", "; ".join(short)) if short else ("certified", "")


def in_unit(value: float, unit: str) -> str:
    """A size as it is read: `1.2 deg`."""
    return f"{value:.2g}" + {DEGREES: " deg", SHARE: ""}.get(unit, " of the picture's side")


def _useless(name: str, worth: Worth) -> str:
    """Why it is none at all; empty where it is one."""
    definition = CONTROLS[name]
    if not worth.falls <= MOST_FALL:
        return f"not monotone: on the way up it falls back by {worth.falls:.2f} of its reach"
    least = in_unit(definition.least_span, definition.unit)
    if worth.reach < definition.least_span:
        return f"moves it by {in_unit(worth.reach, definition.unit)} only; {least} is the least that is of use"
    if worth.span < definition.least_span:
        reach = in_unit(worth.span, definition.unit)
        return f"faces are lost, or become another's, beyond {reach}; {least} is the least that is of use"
    if worth.people < LEAST_PEOPLE:
        return f"seen on {worth.people} of the people that it was not fitted on; {LEAST_PEOPLE} are needed"
    if worth.r2 is None or worth.error is None or not all(np.isfinite(size) for size in worth.talk.values()):
        return "could not be measured on people that it was not fitted on: too few levels are in its safe range"
    return ""


def _missed(name: str, worth: Worth, bounds: Bounds) -> list[str]:
    """Which bounds are not kept, in words; the worst cross-talk first, as it is what one sees."""
    assert worth.r2 is not None
    assert worth.error is not None
    unit = CONTROLS[name].unit
    missed = []
    all_talk = float(np.sqrt(sum(size**2 for size in worth.talk.values())))
    other = max(worth.talk, key=lambda one: worth.talk[one], default=None)
    if other is not None and not worth.talk[other] <= bounds.talk:
        more = sum(not size <= bounds.talk for size in worth.talk.values()) - 1
        others = f", and {more} more" if more else ""
        beyond = " beyond what the observer adds" if tied_sds(name, other) else ""
        missed.append(f"also moves {other}: {worth.talk[other]:.2g} of its own effect{beyond}{others}")
    elif not all_talk <= bounds.all_talk:
        missed.append(f"also moves others, {other} most: {all_talk:.2g} of its own effect in all")
    if worth.uneven is not None and not worth.uneven <= bounds.uneven:
        missed.append(f"moves one side of the face more than the other, by {worth.uneven:.2g} of its own effect")
    if not worth.r2 >= bounds.r2:
        missed.append(f"R² {_down(worth.r2)}; {bounds.r2:g} is needed")
    most = max(bounds.errors * CONTROLS[name].error, bounds.share * worth.span)
    if not worth.error <= most:
        missed.append(f"error {in_unit(worth.error, unit)}; {in_unit(most, unit)} is the most")
    if worth.second is not None and not worth.second >= bounds.second:
        missed.append(f"a second observer agrees to {_down(worth.second)} only; {bounds.second:g} is needed")
    if worth.second_seen is not None and not worth.second_seen >= bounds.seen:
        missed.append(f"the second observer saw {worth.second_seen:.0%} of the faces only")
    if not worth.identity_seen >= bounds.seen:
        missed.append("identity was not measured" + (" on most faces" if worth.identity_seen else ""))
    if worth.people < bounds.people:
        missed.append(f"only {worth.people} people to check on; {bounds.people} are needed")
    return missed


def _down(value: float) -> str:
    """Rounded down, so that 0.948 does not read as 0.95."""
    return f"{np.floor(100 * value) / 100:.2f}"
