"""Many people made of one photograph: mirrored or not, stretched, under another light, framed and resting otherwise.

They are different enough that a rule which holds for one by chance fails for the others; to a network that compares
faces they are one person, so they say nothing of identity.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.synthetic.face_warp import FaceWarp, Picture, View
from liax.synthetic.motion import Motion
from liax.synthetic.scenes import portrait_warp

FACE_HEIGHT, CENTRE_Y = 0.54, 0.55
"""Of the frame: about how LIA-X's videos frame a face (see `liax.crop`)."""
AROUND_FACE = 1.9
"""Where the surroundings begin, in shares of the face's height across: beyond the hair."""


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person, ready to be drawn.

    Args:
        face: scaled to the frame.
        view: where it is in the frame.
        rest: pose and expression of the unmoved person.
        around_HW1: how much of a place belongs to the surroundings, 0…1.
        backdrop_HWC: what shows where the photograph ends.
    """

    face: FaceWarp
    view: View
    rest: Motion
    around_HW1: NDArray[np.float32]
    backdrop_HWC: Picture

    def draw(self, motion: Motion, light: float = 0.0) -> Picture:
        """A picture, uint8 S×S×3 RGB, of this person in a motion; `light` is added to the surroundings, in [-1, 1]."""
        picture_HWC = self.face.render(motion, self.view, self.backdrop_HWC)
        if light == 0.0:
            return picture_HWC
        return np.clip(np.round(picture_HWC + 255 * light * self.around_HW1), 0, 255).astype(np.uint8)

    def landmarks(self, motion: Motion) -> NDArray[np.float64]:
        """Where the face's landmarks_N2 are then, in pixels."""
        return self.face.landmarks(motion, self.view, len(self.backdrop_HWC))


def person(number: int, size_px: int) -> Person:
    """Person `number` of endlessly many, in pictures of this side. The same number is always the same person."""
    random = np.random.default_rng([number, 20])
    across, down = random.uniform(0.93, 1.07, 2)
    height = FACE_HEIGHT * random.uniform(0.94, 1.06)
    face = _proportioned(portrait_warp(mirrored=bool(number % 2)), across, down, height * size_px, random)
    centre_x, centre_y = 0.5 + random.uniform(-0.02, 0.02), CENTRE_Y + random.uniform(-0.02, 0.02)
    rest = Motion(
        yaw_deg=random.uniform(-2, 2),
        pitch_deg=random.uniform(-2, 2),
        roll_deg=random.uniform(-2, 2),
        # The photograph's broad smile is half taken back, so that there is room for more and for less.
        smile=random.uniform(-1.25, -1.1),
        mouth_open=random.uniform(0.0, 0.02),
    )
    y_HW, x_HW = (np.mgrid[0:size_px, 0:size_px] + 0.5) / size_px
    far_HW = np.hypot((x_HW - centre_x) * AROUND_FACE / across, y_HW - centre_y) / height
    around_HW1 = np.clip((far_HW - 1.0) / 0.2, 0, 1)[..., None].astype(np.float32)
    backdrop_HWC = np.full((size_px, size_px, 3), random.integers(80, 170, 3), dtype=np.uint8)
    around_HW1 = cv2.GaussianBlur(around_HW1, (0, 0), 1.0)[..., None]
    return Person(face, face.view(height, size_px, centre_x, centre_y), rest, around_HW1, backdrop_HWC)


def _proportioned(
    photograph: FaceWarp, across: float, down: float, face_height_px: float, random: np.random.Generator
) -> FaceWarp:
    """The photograph so many times as wide and as high, under another light, its face of this height or smaller: shrunk
    before it is rendered, or fine detail turns into noise."""
    shrink = min(1.0, face_height_px / (down * photograph.face_height_px))
    stretch_3 = shrink * np.array([across, down, (across + down) / 2])
    lit_HWC = np.clip(photograph.picture_HWC * random.uniform(0.86, 1.12, 3), 0, 255).astype(np.uint8)
    picture_HWC = cv2.resize(lit_HWC, None, fx=stretch_3[0], fy=stretch_3[1], interpolation=cv2.INTER_AREA)
    return FaceWarp(np.asarray(picture_HWC, dtype=np.uint8), photograph.landmarks_N3 * stretch_3, exaggerated=True)
