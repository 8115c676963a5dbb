"""What the synthetic videos show: faces of several sizes, or none.

Legend: H W pixels, C colours.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np

from liax.errors import UserError
from liax.synthetic.face_warp import FaceWarp, Picture, View
from liax.synthetic.motion import STILL, Motion, motion_track

Kind = Literal["face", "two_faces", "no_face", "small_face", "still"]
KINDS: tuple[str, ...] = get_args(Kind)
FACE_HEIGHT, SMALL_FACE_HEIGHT = 0.45, 0.14  # of the frame
_HEADROOM_PX = 96  # the photograph ends just above the hair; its flat background is continued


@dataclass(frozen=True, slots=True)
class Actor:
    """A portrait in one square of the frame, and what it does."""

    face: FaceWarp
    view: View
    track: list[Motion]
    left_px: int

    def truth(self, frame: int, frame_px: int) -> dict[str, Any]:
        """Motion and landmarks' box (left, top, right, bottom; px of the frame), for the ground-truth file."""
        points_N2 = self.face.landmarks(self.track[frame], self.view, frame_px) + np.array([self.left_px, 0])
        box = [*points_N2.min(0), *points_N2.max(0)]
        return {"motion": self.track[frame].as_dict(), "box_px": [round(float(edge), 2) for edge in box]}


class Scene:
    """A synthetic video's frames.

    Args:
        kind: what is seen. `two_faces` is twice as wide as high, all others are square.
        frames, fps: how many, and how many a second.
        size_px: height, even.
        seed: decides motion, colours and whether the portrait is mirrored.
    """

    def __init__(self, kind: Kind, frames: int, fps: float, size_px: int, seed: int) -> None:
        if kind not in KINDS:
            raise ValueError(f"no kind of video is called {kind!r}; there are {', '.join(KINDS)}")
        self.frames, self.height_px = frames, size_px
        self.width_px = 2 * size_px if kind == "two_faces" else size_px
        self._random = np.random.default_rng([seed, 1])
        self._backdrop_phases = self._random.uniform(0, 2 * np.pi, (3, 2))
        self._fps = fps
        heads = {"two_faces": 2, "no_face": 0}.get(kind, 1)
        height = SMALL_FACE_HEIGHT if kind == "small_face" else FACE_HEIGHT
        self.actors = [self._actor(kind, height, seed + 1000 * head, head) for head in range(heads)]

    def pictures(self) -> Iterator[Picture]:
        """The frames, uint8 H×W×3 RGB."""
        for frame in range(self.frames):
            picture_HWC = self._backdrop(frame)
            for actor in self.actors:
                place = np.s_[:, actor.left_px : actor.left_px + self.height_px]
                picture_HWC[place] = actor.face.render(actor.track[frame], actor.view, picture_HWC[place])
            yield picture_HWC

    def _actor(self, kind: Kind, height: float, seed: int, head: int) -> Actor:
        face = portrait_warp(mirrored=bool((seed + head) % 2))
        shrink = height * self.height_px / face.face_height_px
        face = face.recoloured(self._random.uniform(0.86, 1.12, 3)).scaled(min(1.0, shrink))
        track = [STILL] * self.frames if kind == "still" else motion_track(seed, self.frames / self._fps, self._fps)
        return Actor(face, face.view(height, self.height_px), track, head * self.height_px)

    def _backdrop(self, frame: int) -> Picture:
        """Smooth colours that drift slowly."""
        time_s = frame / self._fps
        y_HW, x_HW = np.mgrid[0 : self.height_px, 0 : self.width_px] / self.height_px
        waves = [
            np.sin(3 * x_HW + 0.4 * time_s + across) + np.cos(2.5 * y_HW - 0.3 * time_s + down)
            for across, down in self._backdrop_phases
        ]
        return np.round(128 + 40 * np.stack(waves, axis=-1)).astype(np.uint8)


def portrait() -> Picture:
    """The photograph of an astronaut (NASA, public domain) that scikit-image ships, uint8 512×512×3 RGB.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        import skimage.data
    except ImportError:
        raise UserError("synthetic faces need scikit-image: pip install 'liax[demo]'") from None
    return np.asarray(skimage.data.astronaut(), dtype=np.uint8)


@functools.cache
def portrait_warp(mirrored: bool = False) -> FaceWarp:
    """The astronaut, ready to be moved; finding her face takes a second, so it is done once."""
    from liax.face import FaceFinder

    photograph_HWC = np.ascontiguousarray(portrait()[:, ::-1] if mirrored else portrait())
    picture_HWC = np.pad(photograph_HWC, ((_HEADROOM_PX, 0), (0, 0), (0, 0)), mode="edge")
    with FaceFinder() as finder:
        face = finder.find(picture_HWC)[0]
    return FaceWarp(_out_of_focus_below(picture_HWC, face.box_px), face.landmarks_N3)


def _out_of_focus_below(picture_HWC: Picture, box_px: tuple[float, float, float, float]) -> Picture:
    """The picture with everything well below the face blurred: the suit's shiny collar is taken for small faces."""
    _, top, _, bottom = box_px
    below_H = (np.arange(len(picture_HWC)) - bottom) / (bottom - top)
    share_H11 = np.clip((below_H - 0.15) / 0.25, 0, 1)[:, None, None]
    blurred_HWC = cv2.GaussianBlur(picture_HWC, (0, 0), 0.05 * (bottom - top))
    return np.round(picture_HWC * (1 - share_H11) + blurred_HWC * share_H11).astype(np.uint8)
