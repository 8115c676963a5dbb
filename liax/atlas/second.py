"""A second observer, of another make than MediaPipe: dlib's 68 points (Kazemi and Sullivan 2014) and the head pose that
explains the rigid ones among them best. It checks what controls do; nothing is ever fitted to it.

It is told where the face is by MediaPipe's box, as dlib's own detector misses turned heads (and is the slower the
larger the picture). The points are then found a second time, in a rectangle made from those of the first: so the box
says which face is meant, and hardly how the points come to lie (they differ by 0.8 % of the distance of the eyes, in
the median of 56 pictures, from those in the rectangle of dlib's own detector).

The points' weights were trained on iBUG 300-W, whose licence excludes commercial use. Without them, or without dlib,
there is no second observer, and nothing else is missing.

Shapes: P = 68 points, R rigid ones, B this observer's attributes, H W pixels, C colours.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.errors import UserError
from liax.face import Box, head_pose_deg
from liax.pictures import Picture
from liax.weights import DLIB_68_POINTS, path_of

Floats = NDArray[np.float64]

SECOND_ATTRIBUTES: tuple[str, ...] = (
    *("yaw", "pitch", "roll", "x", "y", "size"),
    *("mouth_open", "mouth_width", "eye_left", "eye_right", "eyes", "brow_height"),
)
"""Degrees with the project's signs; the middle and the longer side of the points' box in shares of the picture's side;
how far the lips are apart, and the corners of the mouth; how far the eyes are open, in shares of their width (Soukupová
and Čech 2016, eq. 1), and their mean; how far the eyebrows are above the eyes. Distances without a unit are shares of
that of the eyes' outer corners in a face that looks straight at the camera."""

SECOND_OF: dict[str, tuple[str, float]] = {
    **{name: (name, 1.0) for name in ("yaw", "pitch", "roll", "x", "y", "size", "mouth_open")},
    "smile": ("mouth_width", 1.0),
    "pucker": ("mouth_width", -1.0),
    "brow_raise": ("brow_height", 1.0),
    "brow_frown": ("brow_height", -1.0),
    "blink": ("eyes", -1.0),
    "blink_left": ("eye_left", -1.0),
    "blink_right": ("eye_right", -1.0),
    "squint": ("eyes", -1.0),
    "eyes_wide": ("eyes", 1.0),
}
"""By control: the attribute that must move with it, and which way: those that agree with MediaPipe on real faces (their
correlations within people are 0.46 to 0.98 in 353 frames of 24 videos). 68 points do not show gaze, cheeks and nose;
measures of a mouth that frowns, funnels or goes aside, and of the jaw, were tried and agreed with nothing (below 0.3).
"""

NAME = "dlib 68 points, PnP"

_RECTANGLE_OF_BOX = (0.0, 0.0, 0.93)
_RECTANGLE_OF_POINTS = (0.0, -0.08, 1.0)
"""dlib's rectangle for a face, measured on 56 pictures of 38 videos and portraits: its middle less that of MediaPipe's
box, or of the points' own, in shares of the box's longer side, and its side in the same."""
_FACE_PX = 320
"""Side of that rectangle when the points are looked for: dlib gives whole pixels, and small faces would have steps."""
_MARGIN = 0.3
"""What is cut out round the rectangle, in shares of its side."""

RIGID = (36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35)
"""Right eye's outer and inner corner, left eye's inner and outer one; the nose's bridge down to its tip; its right
wing's base, its base, its left wing's: what no expression moves much."""
RIGID_MM_R3 = np.array(
    [
        (-44.7, 0.0, 0.0), (-16.3, -1.0, 8.0), (16.3, -1.0, 8.0), (44.7, 0.0, 0.0),
        (0.0, 3.0, 19.0), (0.0, -10.0, 25.0), (0.0, -23.0, 32.0), (0.0, -36.0, 40.0),
        (-14.0, -46.0, 21.0), (0.0, -49.5, 25.0), (14.0, -46.0, 21.0),
    ]
)  # fmt: skip
"""x to the subject's left, y up, z forward, from the middle of the eyes' outer corners. Widths and heights are about
the means of women and men in Farkas 1994, *Anthropometry of the Head and Face* (outer corners of the eyes 89.5 mm
apart, inner ones 32.6, nose 52.7 high, 33.2 wide); depths, which he does not give, are our choice. A person's own face
differs, which shifts the angles by something constant; changes are what is compared."""
EYES_MM = 89.5
_FOCAL = 3.0
"""Of the camera, in sides of the face's rectangle: one that looks at the face from three times its height."""
_TO_CAMERA = np.diag([1.0, -1.0, -1.0])  # OpenCV's camera has y down and z away


class SecondObserver:
    """See the module. Not to be shared between threads.

    Args:
        weights: path or URL of `shape_predictor_68_face_landmarks.dat`; None for the usual places.

    Raises:
        UserError: dlib or the weights are not to be had.
    """

    name = NAME

    def __init__(self, weights: str | None = None) -> None:
        try:
            import dlib
        except ImportError:
            raise UserError("the second observer needs dlib: pip install 'liax[atlas]'") from None
        self._dlib = dlib
        self._predictor = dlib.shape_predictor(str(path_of(DLIB_68_POINTS, weights)))

    def see(self, picture_HWC: Picture, box_px: Box) -> NDArray[np.float32]:
        """What the face in this box (MediaPipe's, of all landmarks) shows: float32 B.

        Args:
            picture_HWC: uint8 RGB, square.
        """
        return attributes_of_points(self.points(picture_HWC, box_px), picture_HWC.shape[0])

    def points(self, picture_HWC: Picture, box_px: Box) -> Floats:
        """The face's points_P2 in pixels of the picture."""
        points_P2 = self._points(picture_HWC, *_rectangle(*box_px, _RECTANGLE_OF_BOX))
        left, top = points_P2.min(axis=0)
        right, bottom = points_P2.max(axis=0)
        return self._points(picture_HWC, *_rectangle(left, top, right, bottom, _RECTANGLE_OF_POINTS))

    def _points(self, picture_HWC: Picture, x_px: float, y_px: float, side_px: float) -> Floats:
        """The points in a square of this middle and side, looked for at a fixed size."""
        scale = _FACE_PX / side_px
        margin_px, whole_px = _MARGIN * _FACE_PX, round((1 + 2 * _MARGIN) * _FACE_PX)
        # Pixel centres are whole numbers.
        shift_2 = whole_px / 2 - 0.5 - scale * np.array([x_px, y_px])
        matrix_23 = np.column_stack([scale * np.eye(2), shift_2])
        smoothed_HWC = cv2.GaussianBlur(picture_HWC, (0, 0), 0.5 / scale) if scale < 0.5 else picture_HWC
        cut_HWC = cv2.warpAffine(smoothed_HWC, matrix_23, (whole_px, whole_px), borderMode=cv2.BORDER_REPLICATE)
        first, last = round(margin_px), round(margin_px) + _FACE_PX - 1
        found = self._predictor(cut_HWC, self._dlib.rectangle(first, first, last, last))
        return (np.array([(point.x, point.y) for point in found.parts()], dtype=np.float64) - shift_2) / scale


def attributes_of_points(points_P2: Floats, side_px: int) -> NDArray[np.float32]:
    """What 68 points in a square picture of this side show: float32 B, in the order of `SECOND_ATTRIBUTES`."""
    pose_deg_3, eyes_px = pose_of_points(points_P2)
    low_2, high_2 = points_P2.min(axis=0), points_P2.max(axis=0)
    place_3 = np.array([*(low_2 + high_2) / 2, (high_2 - low_2).max()]) / side_px
    across_2 = points_P2[45] - points_P2[36]  # to the subject's left
    across_2 = across_2 / max(float(np.linalg.norm(across_2)), 1e-6)
    up_2 = np.array([across_2[1], -across_2[0]])
    brows_2, eyes_2 = points_P2[17:27].mean(axis=0), points_P2[[36, 39, 42, 45]].mean(axis=0)
    lips_px, mouth_px = _apart(points_P2, ((61, 67), (62, 66), (63, 65))), _apart(points_P2, ((48, 54),))
    eye_left = _apart(points_P2, ((43, 47), (44, 46))) / max(_apart(points_P2, ((42, 45),)), 1e-6)
    eye_right = _apart(points_P2, ((37, 41), (38, 40))) / max(_apart(points_P2, ((36, 39),)), 1e-6)
    mouth_2 = np.array([lips_px, mouth_px]) / eyes_px
    brow_height = (brows_2 - eyes_2) @ up_2 / eyes_px
    values_B = [*pose_deg_3, *place_3, *mouth_2, eye_left, eye_right, (eye_left + eye_right) / 2, brow_height]
    return np.array(values_B, dtype=np.float32)


def pose_of_points(points_P2: Floats) -> tuple[NDArray[np.float32], float]:
    """Yaw, pitch and roll in degrees that explain the rigid points best; and how many pixels the eyes' outer corners
    would be apart if the face looked straight at the camera. NaN where no pose does."""
    extent_px = float(np.ptp(points_P2, axis=0).max())
    rigid_R2 = points_P2[list(RIGID)] - points_P2[list(RIGID)].mean(axis=0)  # the camera looks at the face
    focal_px = _FOCAL * max(extent_px, 1.0)
    camera_33 = np.array([[focal_px, 0, 0], [0, focal_px, 0], [0, 0, 1]])
    start_3, away_3 = np.array([np.pi, 0, 0]), np.array([0, 0, _FOCAL * 2 * EYES_MM])
    found, turn_3, place_3 = cv2.solvePnP(
        RIGID_MM_R3, rigid_R2, camera_33, None, start_3[:, None].copy(), away_3[:, None].copy(), True
    )
    if not found or not np.isfinite(turn_3).all() or place_3[2, 0] <= 0:
        return np.full(3, np.nan, dtype=np.float32), float("nan")
    rotation_44 = np.eye(4)
    rotation_44[:3, :3] = _TO_CAMERA @ cv2.Rodrigues(turn_3)[0]
    return head_pose_deg(rotation_44), focal_px * EYES_MM / float(place_3[2, 0])


def _rectangle(
    left: float, top: float, right: float, bottom: float, rule: tuple[float, float, float]
) -> tuple[float, float, float]:
    side_px = max(right - left, bottom - top, 1.0)
    return (left + right) / 2 + rule[0] * side_px, (top + bottom) / 2 + rule[1] * side_px, rule[2] * side_px


def _apart(points_P2: Floats, pairs: tuple[tuple[int, int], ...]) -> float:
    """Mean distance of pairs of points."""
    one, other = np.array(pairs).T
    return float(np.linalg.norm(points_P2[one] - points_P2[other], axis=1).mean())
