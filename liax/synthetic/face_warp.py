"""A portrait that moves: one photograph, its 478 landmarks, and a mesh warp driven by a Motion.

The photograph is bent as a relief (the landmarks' depth gives parallax when the head turns); eyeballs and teeth stay
behind lids and lips, which open and close over them; an opened mouth is dark inside. Our own method, chosen because it
needs nothing but a photograph and because every frame's landmarks are known exactly.

Legend: V mesh vertices, N the 478 landmarks, H W pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.synthetic import mesh, raster
from liax.synthetic.motion import Motion

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

MOUTH_INSIDE_RGB = (52, 16, 18)
PIVOT_BEHIND_NOSE = 0.75  # the turning axis lies this many face widths behind the nose tip (our choice: mid-head)


@dataclass(frozen=True, slots=True)
class View:
    """Where the portrait goes in a frame: out = scale · (point - centre) + (out_x, out_y)."""

    centre_x_px: float
    centre_y_px: float
    scale: float
    out_x_px: float
    out_y_px: float

    def place(self, points_V2: Floats, motion: Motion, frame_px: float) -> Floats:
        """Portrait points to frame points, with the motion's zoom and shift (fractions of frame_px)."""
        centre_2 = np.array([self.centre_x_px, self.centre_y_px])
        out_2 = np.array([self.out_x_px, self.out_y_px]) + frame_px * np.array([motion.x, motion.y])
        return self.scale * motion.scale * (points_V2 - centre_2) + out_2


class FaceWarp:
    """One portrait, ready to be rendered in any pose.

    picture_HWC: uint8 RGB. landmarks_N3: the face's 478 landmarks in the picture's px, z growing away from the camera.
    exaggerated: deeper, and shut eyes are squeezed shut: less natural, but MediaPipe sees 0.65 of its yaw's degrees
    instead of 0.41, and a third of a blink instead of an eighth.
    """

    def __init__(self, picture_HWC: Picture, landmarks_N3: NDArray[np.floating], *, exaggerated: bool = False) -> None:
        self.picture_HWC = picture_HWC
        self._exaggerated = exaggerated
        self.landmarks_N3 = landmarks_N3.astype(np.float64)
        height_px, width_px = picture_HWC.shape[:2]
        self._relief_N3 = mesh.flattened(self.landmarks_N3, *(mesh.DEEP if exaggerated else ()))
        self._vertices_V3, self._follow_V = mesh.surround(self._relief_N3, width_px, height_px)
        self._triangles_F3 = raster.triangulate(self._vertices_V3[:, :2], width_px, height_px)
        self._open_V2 = mesh.opened_mouth(self._vertices_V3)
        self._smile_V2 = mesh.smile(self._vertices_V3)
        travel = (mesh.FIRM_LID, mesh.FIRM_FOLD) if exaggerated else ()
        self._blink_left_V2 = mesh.closed_eye(self._vertices_V3, mesh.LIDS_LEFT, mesh.FOLD_LEFT, *travel)
        self._blink_right_V2 = mesh.closed_eye(self._vertices_V3, mesh.LIDS_RIGHT, mesh.FOLD_RIGHT, *travel)
        self._mouth_HWC = self._mouth_layer()

    @property
    def face_height_px(self) -> float:
        """Height of the landmarks' extent in the portrait."""
        return float(np.ptp(self.landmarks_N3[:, 1]))

    def scaled(self, factor: float) -> "FaceWarp":
        """The same portrait, factor times as large. Shrink before rendering small, or fine detail turns into noise."""
        picture_HWC = cv2.resize(self.picture_HWC, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return self._with(np.asarray(picture_HWC, dtype=np.uint8), self.landmarks_N3 * factor)

    def recoloured(self, gain_C: Floats) -> "FaceWarp":
        """The same portrait with each colour multiplied by its gain, as under another light."""
        return self._with(np.clip(self.picture_HWC * gain_C, 0, 255).astype(np.uint8), self.landmarks_N3)

    def _with(self, picture_HWC: Picture, landmarks_N3: Floats) -> "FaceWarp":
        return FaceWarp(picture_HWC, landmarks_N3, exaggerated=self._exaggerated)

    def view(self, face_height: float, frame_px: int, centre_x: float = 0.5, centre_y: float = 0.52) -> View:
        """Places the face in a frame of height frame_px: face_height and centre are fractions of that height."""
        middle_2 = (self.landmarks_N3[:, :2].min(0) + self.landmarks_N3[:, :2].max(0)) / 2
        scale = face_height * frame_px / self.face_height_px
        return View(float(middle_2[0]), float(middle_2[1]), scale, centre_x * frame_px, centre_y * frame_px)

    def landmarks(self, motion: Motion, view: View, frame_px: int) -> Floats:
        """Ground truth: landmarks_N2 in the frame's px that `render` draws for this motion (irises stay in place)."""
        points_V3 = np.concatenate([self._vertices_V3, self._relief_N3[mesh.MESH_POINTS :]])
        follow_V = np.concatenate([self._follow_V, np.ones(len(points_V3) - len(self._follow_V))])
        offset_V2 = np.zeros((len(points_V3), 2))
        offset_V2[: len(self._vertices_V3)] = self._expression(motion)
        moved_V2, _ = self._turned(points_V3, offset_V2, follow_V, motion)
        wanted = [*range(mesh.MESH_POINTS), *range(len(self._vertices_V3), len(points_V3))]
        return view.place(moved_V2[wanted], motion, frame_px)

    def render(self, motion: Motion, view: View, backdrop_HWC: Picture) -> Picture:
        """Draws the portrait in this motion over a backdrop (uint8 RGB; its height scales the motion's shifts)."""
        height_px, width_px = backdrop_HWC.shape[:2]
        still_V2 = np.zeros((len(self._vertices_V3), 2))
        skin_V2, depth_V = self._turned(self._vertices_V3, self._expression(motion), self._follow_V, motion)
        skull_V2, _ = self._turned(self._vertices_V3, still_V2, self._follow_V, motion)
        skin_V2, skull_V2 = (view.place(points, motion, height_px) for points in (skin_V2, skull_V2))
        source_V2, size = self._vertices_V3[:, :2], (width_px, height_px)
        skin_map, inside_HW = raster.sampling_map(source_V2, skin_V2, depth_V, self._triangles_F3, *size)
        skull_map, _ = raster.sampling_map(source_V2, skull_V2, depth_V, self._triangles_F3, *size)
        frame_HWC = np.where(inside_HW[..., None], _sample(self.picture_HWC, skin_map), backdrop_HWC)
        eyes = (
            mesh.eye_contour(mesh.LIDS_LEFT, mesh.EYE_CORNERS_LEFT),
            mesh.eye_contour(mesh.LIDS_RIGHT, mesh.EYE_CORNERS_RIGHT),
        )
        openings = [(contour, self.picture_HWC) for contour in eyes] + [(mesh.mouth_contour(), self._mouth_HWC)]
        for contour, layer_HWC in openings:
            frame_HWC = _fill_opening(frame_HWC, skin_V2[contour], layer_HWC, skull_map)
        return frame_HWC

    def _expression(self, motion: Motion) -> Floats:
        """Displacement_V2 of the vertices in the portrait, before the head turns."""
        return (
            motion.mouth_open * self._open_V2
            + motion.smile * self._smile_V2
            + motion.blink_left * self._blink_left_V2
            + motion.blink_right * self._blink_right_V2
        )

    def _turned(self, points_V3: Floats, offset_V2: Floats, follow_V: Floats, motion: Motion) -> tuple[Floats, Floats]:
        """Points after expression and head turn: positions_V2 and depth_V in the portrait's px."""
        left, top = self.landmarks_N3[:, :2].min(0)
        right, bottom = self.landmarks_N3[:, :2].max(0)
        nose_3 = self.landmarks_N3[mesh.NOSE_TIP]
        pivot_3 = np.array([(left + right) / 2, (top + bottom) / 2, nose_3[2] + PIVOT_BEHIND_NOSE * (right - left)])
        points_V3 = points_V3 + np.pad(offset_V2, ((0, 0), (0, 1)))
        yaw, pitch, roll = np.radians([motion.yaw_deg, motion.pitch_deg, motion.roll_deg])
        x_V, y_V, z_V = (points_V3 - pivot_3).T  # z < 0 is nearer to the camera than the axis
        x_V, z_V = x_V * np.cos(yaw) - z_V * np.sin(yaw), x_V * np.sin(yaw) + z_V * np.cos(yaw)
        y_V, z_V = y_V * np.cos(pitch) + z_V * np.sin(pitch), z_V * np.cos(pitch) - y_V * np.sin(pitch)
        # The head tilts about the neck, one face half-height below the middle.
        neck_px = (bottom - top) / 2
        x_V, y_V = (
            x_V * np.cos(roll) - (y_V - neck_px) * np.sin(roll),
            x_V * np.sin(roll) + (y_V - neck_px) * np.cos(roll) + neck_px,
        )
        moved_V3 = np.column_stack([x_V, y_V, z_V]) + pivot_3
        moved_V3 = points_V3 + follow_V[:, None] * (moved_V3 - points_V3)
        return moved_V3[:, :2], moved_V3[:, 2]

    def _mouth_layer(self) -> Picture:
        """The picture with everything but the mouth's inside painted dark: what an opening mouth uncovers."""
        contour_K2 = self._vertices_V3[mesh.mouth_contour(), :2]
        mask_HW1 = _soft_mask(contour_K2, self.picture_HWC.shape[1], self.picture_HWC.shape[0], blur_px=1.0)[..., None]
        dark_HWC = np.full_like(self.picture_HWC, MOUTH_INSIDE_RGB)
        return np.round(self.picture_HWC * mask_HW1 + dark_HWC * (1 - mask_HW1)).astype(np.uint8)


def _sample(picture_HWC: Picture, map_HW2: NDArray[np.float32]) -> Picture:
    x_HW, y_HW = map_HW2[..., 0], map_HW2[..., 1]
    sampled_HWC = cv2.remap(picture_HWC, x_HW, y_HW, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled_HWC, dtype=np.uint8)


def _soft_mask(contour_K2: Floats, width_px: int, height_px: int, blur_px: float) -> NDArray[np.float32]:
    """mask_HW in [0, 1] of a polygon with a soft edge."""
    mask_HW = np.zeros((height_px, width_px), dtype=np.uint8)
    cv2.fillPoly(mask_HW, [np.round(contour_K2 * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(mask_HW, (0, 0), blur_px) / 255, dtype=np.float32)


def _fill_opening(frame_HWC: Picture, contour_K2: Floats, layer_HWC: Picture, map_HW2: NDArray[np.float32]) -> Picture:
    """Shows layer_HWC, sampled by map_HW2, inside the contour; works on the contour's neighbourhood only."""
    height_px, width_px = frame_HWC.shape[:2]
    left, top = np.maximum(np.floor(contour_K2.min(0)).astype(int) - 3, 0)
    right, bottom = np.minimum(np.ceil(contour_K2.max(0)).astype(int) + 4, (width_px, height_px))
    if left >= right or top >= bottom:
        return frame_HWC
    patch = np.s_[top:bottom, left:right]
    mask_HW1 = _soft_mask(contour_K2 - (left, top), right - left, bottom - top, blur_px=0.6)[..., None]
    below_HWC = _sample(layer_HWC, np.ascontiguousarray(map_HW2[patch]))
    frame_HWC = frame_HWC.copy()
    frame_HWC[patch] = np.round(below_HWC * mask_HW1 + frame_HWC[patch] * (1 - mask_HW1)).astype(np.uint8)
    return frame_HWC
