"""Models whose truth is known, and an atlas of one of them.

With `UndrawnAnimator` and `TruthObservers` that costs nothing: what the model does is read from the table, and nothing
is drawn or looked at.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liax.atlas.effects import Effects, Spread, effects, spread_of
from liax.atlas.interventions import intervene
from liax.atlas.observed import Observed
from liax.atlas.observers import Observing, Sighting
from liax.atlas.response import Path, Response, stack
from liax.atlas.second import SECOND_ATTRIBUTES
from liax.atlas.statistics import levels
from liax.atlas.trace import look_unmoved, trace
from liax.attributes import ATTRIBUTES
from liax.controls_file import MeasuredControl
from liax.pictures import Picture
from liax.synthetic.animator import PLANTED, Planted, SyntheticAnimator
from liax.synthetic.motion import Motion
from liax.synthetic.people import Person

_HALF_SIZES = {
    "yaw_deg": 5.0, "pitch_deg": 4.0, "roll_deg": 4.0, "x": 0.02, "y": 0.02, "scale": 0.04, "mouth_open": 0.2,
    "smile": 0.3, "blink_left": 0.2, "blink_right": 0.2,
}  # fmt: skip


def many(further: int = 20) -> tuple[Planted, ...]:
    """The planted directions, and so many that each move two things."""
    random, found = np.random.default_rng(7), list(PLANTED)
    for number in range(further):
        two = random.choice(list(_HALF_SIZES), 2, replace=False)
        found.append(Planted(f"two things {number}", {name: _HALF_SIZES[name] * random.normal() for name in two}))
    return tuple(found)


SIDE_PX = 8
CODES_OF_A_PERSON = 300


class UndrawnAnimator(SyntheticAnimator):
    """Its pictures are noise that no two motions share."""

    def __init__(self, planted: Sequence[Planted] = PLANTED, size_px: int = SIDE_PX, *args: Any) -> None:
        super().__init__(planted, size_px, *args)

    def _draw(self, who: Person, motion: Motion, light: float) -> Picture:
        # Rounded, as float32 is not exact in a batch of another size.
        shown = [round(value, 4) for value in (*motion.as_dict().values(), light)]
        digest = hashlib.sha256(repr((id(who), shown)).encode()).digest()
        noise = np.frombuffer(digest, dtype=np.uint8)
        return np.resize(noise, (SIDE_PX, SIDE_PX, 3)).copy()


class TruthObservers:
    """Sees what the table says, exactly, in both observers. Blendshapes are 0 … 1 as the motion's fields are."""

    second_attributes = SECOND_ATTRIBUTES

    def __init__(self, animator: SyntheticAnimator) -> None:
        self._animator = animator

    def see(self, picture: Picture) -> Sighting:
        _, motion, _ = self._animator.truth(picture)
        smile = (motion.smile + 2.4) / 3.4
        shown = {
            "yaw": motion.yaw_deg, "pitch": motion.pitch_deg, "roll": motion.roll_deg,
            "x": 0.5 + motion.x, "y": 0.5 + motion.y, "size": 0.5 * motion.scale,
            "jawOpen": motion.mouth_open, "mouthSmileLeft": smile, "mouthSmileRight": smile,
            "eyeBlinkLeft": motion.blink_left, "eyeBlinkRight": motion.blink_right,
        }  # fmt: skip
        second = {
            **{name: shown[name] for name in ("yaw", "pitch", "roll", "x", "y", "size")},
            "mouth_open": motion.mouth_open, "mouth_width": smile, "eye_left": 1 - motion.blink_left,
            "eye_right": 1 - motion.blink_right, "eyes": 1 - (motion.blink_left + motion.blink_right) / 2,
        }  # fmt: skip
        turn = np.radians(motion.yaw_deg)
        return Sighting(
            attributes_A=np.array([shown.get(name, 0.1) for name in ATTRIBUTES], dtype=np.float32),
            second_B=np.array([second.get(name, 0.1) for name in SECOND_ATTRIBUTES], dtype=np.float32),
            embedding_D=np.array([np.cos(turn), np.sin(turn)], dtype=np.float32),
            box_px=(2, 2, 5, 5),
            hull_K2=np.array([(2, 2), (5, 2), (5, 5), (2, 5)], dtype=np.float32),
        )


def observe(animator: SyntheticAnimator, observers: Observing, people: range, frames: int) -> Observed:
    """So many random frames of each person, one clip each."""
    codes, attributes = [], []
    for number in people:
        codes_FM, pictures = animator.frames(number, frames)
        codes.append(codes_FM)
        attributes.append(np.stack([observers.see(picture).attributes_A for picture in pictures]))
    names = np.repeat(np.array([f"person-{number}" for number in people]), frames)
    return Observed(
        codes_FM=np.concatenate(codes),
        attributes_FA=np.concatenate(attributes),
        person_F=names,
        clip_F=names,
        frame_F=np.tile(np.arange(frames), len(people)),
    )


def respond(
    animator: SyntheticAnimator, observers: Observing, people: Sequence[int], paths: tuple[Path, ...]
) -> Response:
    """What the paths do to the people."""
    encoded = [animator.encode([animator.portrait(number)]) for number in people]
    traced = []
    for one in encoded:
        unmoved = look_unmoved(animator, one, observers)
        traced.append([trace(animator, one, path, observers, unmoved=unmoved) for path in paths])
    names = tuple(f"person-{number}" for number in people)
    return stack(names, paths, ATTRIBUTES, observers.second_attributes, traced)


def direction_paths(levels_ML: np.ndarray) -> tuple[Path, ...]:
    """Each direction alone."""
    eye_MM = np.eye(len(levels_ML), dtype=np.float32)
    return tuple(Path(str(number), eye_MM[number], levels_ML[number]) for number in range(len(levels_ML)))


@dataclass(frozen=True, slots=True)
class Atlas:
    """What was measured of an animator.

    Args:
        directions: what each direction did to all people.
        controls: by name, from the paths that half of them gave.
    """

    observed: Observed
    spread: Spread
    directions: Response
    effects: Effects
    controls: dict[str, MeasuredControl]

    def weights(self, control: str) -> dict[int, float]:
        """A control's, by direction."""
        return self.controls[control].weights

    def with_status(self, *status: str) -> set[str]:
        """The controls of this status."""
        return {name for name, control in self.controls.items() if control.status in status}


def measure(
    animator: SyntheticAnimator,
    observers: Observing,
    people: range,
    frames_of: range,
    frames: int = 12,
    levels_count: int = 9,
    only: tuple[str, ...] | None = None,
) -> Atlas:
    """An atlas, as `liax atlas` makes it.

    Args:
        people: whose faces are moved; controls are fitted on every other one.
        frames_of, frames: whose frames are looked at unmoved, and how many of each.
        only: the controls that are certified, of which there must be a path; None for all, () for none.
    """
    observed = observe(animator, observers, frames_of, frames)
    spread = spread_of(observed)
    # More codes than frames are looked at, so that the outermost levels are no single frame's.
    codes_FM = np.concatenate([animator.codes(number, CODES_OF_A_PERSON) for number in frames_of])
    paths = direction_paths(levels(codes_FM, levels_count))

    # Odd people are mirrored: in an order of pairs turned round by turns, both halves have some of either kind.
    ordered = [number ^ (number // 2 % 2) for number in people]

    def move(wanted: Sequence[Path], _: str) -> Response:
        chosen = tuple(path for path in wanted if wanted is paths or only is None or path.name in only)
        return respond(animator, observers, ordered, chosen)

    if only == ():
        directions = move(paths, "")
        return Atlas(observed, spread, directions, effects(directions, spread), {})
    found = intervene(move, paths, spread)
    directions = found.directions
    return Atlas(observed, spread, directions, effects(directions, spread), found.controls)
