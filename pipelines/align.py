"""Every frame aligned by its own eyes and mouth, as in the FFHQ data set, which takes the head's motion out.

Source: Karras et al., A Style-Based Generator Architecture for GANs (CVPR 2019), appendix A; the formula is that of
`recreate_aligned_images` in https://github.com/NVlabs/ffhq-dataset. Its eyes are means over landmarks of the rim, ours
of the two corners, and the mouth is the middle of its corners in both.

Shapes: T frames, N landmarks, C coordinates, H W pixels, G points of a grid. Coordinates in pixels, x right, y down.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.crop import rotation

RIGHT_EYE, LEFT_EYE, MOUTH = (33, 133), (362, 263), (61, 291)
"""Corners, among MediaPipe's landmarks; right and left are the subject's."""

GRID = 16
"""Points a side with which the share of a square outside the picture is counted."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """A square of its own for every frame.

    Args:
        centers_T2: float64.
        sides_T: float64.
        turns_deg_T: float64; clockwise in the picture.
    """

    centers_T2: NDArray[np.float64]
    sides_T: NDArray[np.float64]
    turns_deg_T: NDArray[np.float64]

    def most_outside(self, width_px: int, height_px: int) -> float:
        """The largest share of a square's area that lies outside the picture, 0 to 1."""
        steps = (np.arange(GRID) + 0.5) / GRID - 0.5
        grid_G2 = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        shares = []
        for center_2, side, turn_deg in zip(self.centers_T2, self.sides_T, self.turns_deg_T, strict=True):
            points_G2 = center_2 + side * grid_G2 @ rotation(turn_deg).T
            shares.append(1 - ((points_G2 >= 0) & (points_G2 < (width_px, height_px))).all(axis=1).mean())
        return float(max(shares))

    def landmarks(self, landmarks_TNC: NDArray[np.floating], size_px: int) -> NDArray[np.float32]:
        """Landmarks of the source picture in pixels of the aligned pictures; depth is scaled along."""
        moved = np.array(landmarks_TNC, dtype=np.float64)
        for index, (center_2, turn_deg) in enumerate(zip(self.centers_T2, self.turns_deg_T, strict=True)):
            moved[index, :, :2] = (moved[index, :, :2] - center_2) @ rotation(turn_deg)
        moved *= (size_px / self.sides_T)[:, None, None]
        moved[..., :2] += size_px / 2
        return moved.astype(np.float32)

    def warp(self, frame: int, picture_HWC: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
        """Cut one frame's square out of its picture; what lies outside repeats the picture's edge.

        By interpolation between pixels, because a square of whole pixels would make the face tremble.
        """
        import cv2  # not needed where only the geometry is used

        scale = size_px / self.sides_T[frame]
        shrink = max(1, int(1 / scale))  # first by whole pixels: the warp alone would leave pixels out
        height_px, width_px = (length // shrink * shrink for length in picture_HWC.shape[:2])
        if shrink > 1:
            whole: NDArray = picture_HWC[:height_px, :width_px]
            smaller = cv2.resize(whole, (width_px // shrink, height_px // shrink), interpolation=cv2.INTER_AREA)
            picture_HWC = np.asarray(smaller, dtype=np.uint8)
        turned_22 = scale * shrink * rotation(-self.turns_deg_T[frame])
        # OpenCV counts from the middle of the first pixel, liax from its corner.
        offset_2 = turned_22 @ (0.5 - self.centers_T2[frame] / shrink) + size_px / 2 - 0.5
        warped = cv2.warpAffine(
            picture_HWC,
            np.concatenate([turned_22, offset_2[:, None]], axis=1),
            (size_px, size_px),
            flags=cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, dtype=np.uint8)


def aligned_squares(landmarks_TNC: NDArray[np.floating]) -> Aligned:
    """Each frame's square, by FFHQ's rule.

    Args:
        landmarks_TNC: MediaPipe's, in every frame.
    """
    points_TN2 = np.asarray(landmarks_TNC, dtype=np.float64)[..., :2]
    right_T2, left_T2, mouth_T2 = (
        points_TN2[:, list(corners)].mean(axis=1) for corners in (RIGHT_EYE, LEFT_EYE, MOUTH)
    )
    eyes_T2 = (right_T2 + left_T2) / 2
    across_T2, down_T2 = left_T2 - right_T2, mouth_T2 - eyes_T2
    direction_T2 = across_T2 + np.stack([down_T2[:, 1], -down_T2[:, 0]], axis=1)
    half_T = np.maximum(np.linalg.norm(across_T2, axis=1) * 2.0, np.linalg.norm(down_T2, axis=1) * 1.8)
    return Aligned(
        centers_T2=eyes_T2 + 0.1 * down_T2,
        sides_T=2 * half_T,
        turns_deg_T=np.degrees(np.arctan2(direction_T2[:, 1], direction_T2[:, 0])),
    )
