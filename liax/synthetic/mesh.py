"""Geometry of the synthetic face: which landmarks move how, in the portrait's own pixels.

Landmark numbers are those of MediaPipe's 478-point face mesh. Legend: V mesh vertices, N face landmarks.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MESH_POINTS = 468  # without the ten iris points, which lie on top of others
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
INNER_LIP_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)  # with both corners
INNER_LIP_LOWER = (95, 88, 178, 87, 14, 317, 402, 318, 324)
MOUTH_CORNER_RIGHT, MOUTH_CORNER_LEFT = 61, 291
NOSE_TIP, CHIN, FOREHEAD = 1, 152, 10
# (upper lid, lower lid) pairs from the outer corner inwards; the corners close both contours.
LIDS_RIGHT = ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155))
LIDS_LEFT = ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382))
EYE_CORNERS_RIGHT, EYE_CORNERS_LEFT = (33, 133), (263, 362)
FOLD_RIGHT = (247, 30, 29, 27, 28, 56, 190)  # the row above the upper lid, in the lids' order
FOLD_LEFT = (467, 260, 259, 257, 258, 286, 414)

# Rings of extra vertices round the face oval: (size relative to the oval, share of the head's motion they follow).
# Our choice, because hair must turn with the face while the edges of the picture stay where they are.
RINGS = ((1.18, 1.0), (1.45, 0.9), (1.9, 0.45), (2.6, 0.1))
FIRM_LID, FIRM_FOLD = 1.5, 1.2  # eyes shut so firmly that MediaPipe sees a third of a blink (our choice: tried)
DEEP = (0.35, 1.4)  # a relief that MediaPipe sees turning by 0.65 of its yaw (our choice: deeper ones fold visibly)
MOUTH_TRAVEL = 0.2  # how far the lower lip drops when wide open, in face heights (our choice, because it looks natural)


def eye_contour(lids: tuple[tuple[int, int], ...], corners: tuple[int, int]) -> list[int]:
    """Landmark numbers round one eye opening, in order."""
    return [corners[0], *(upper for upper, _ in lids), corners[1], *(lower for _, lower in reversed(lids))]


def mouth_contour() -> list[int]:
    """Landmark numbers round the mouth's opening, in order."""
    return [*INNER_LIP_UPPER, *reversed(INNER_LIP_LOWER)]


def flattened(landmarks_N3: Floats, limit: float = 0.2, depth: float = 1.0) -> Floats:
    """The landmarks with the depth of cheeks and jaw limited, so that no part of the skin is steep.

    A photograph shows nothing of what a steep side hides; turning it would fold the mesh into visible teeth.

    Args:
        limit: of the depth, in shares of the face's width.
        depth: how many times as deep as MediaPipe says.
    """
    limit_px = limit * np.ptp(landmarks_N3[:, 0])
    depth_N = depth * landmarks_N3[:, 2]
    limited_N = np.where(depth_N > 0, limit_px * np.tanh(depth_N / limit_px), depth_N)
    return np.column_stack([landmarks_N3[:, :2], limited_N])


def surround(landmarks_N3: Floats, width_px: int, height_px: int) -> tuple[Floats, Floats]:
    """Adds vertices for hair, shoulders and background.

    Returns vertices_V3 (the 468 landmarks, the rings, then points round the border of a picture of the given size; px,
    z away from the camera) and follow_V, the share of the head's motion that each vertex makes.
    """
    oval_K3 = landmarks_N3[list(OVAL)]
    centre_2 = (oval_K3[:, :2].min(0) + oval_K3[:, :2].max(0)) / 2
    depth = float(oval_K3[:, 2].mean())
    vertices = [landmarks_N3[:MESH_POINTS]]
    follow = [np.ones(MESH_POINTS)]
    for size, share in RINGS:
        ring_K2 = centre_2 + size * (oval_K3[::2, :2] - centre_2)
        inside_K = ((ring_K2 > 2) & (ring_K2 < (width_px - 3, height_px - 3))).all(1)
        ring_K2 = ring_K2[inside_K]
        # The nearest ring keeps the oval's depth, or the jaw would slide over the neck and fold the mesh.
        depth_K = share * oval_K3[::2, 2][inside_K] + (1 - share) * depth
        vertices.append(np.column_stack([ring_K2, depth_K]))
        follow.append(np.full(len(ring_K2), share))
    steps = np.linspace(0, 1, 9)[:-1]
    right, bottom = width_px - 1, height_px - 1
    border_K2 = np.concatenate(
        [[(t * right, 0), (right, t * bottom), (right - t * right, bottom), (0, bottom - t * bottom)] for t in steps]
    )
    vertices.append(np.column_stack([border_K2, np.full(len(border_K2), depth)]))
    follow.append(np.zeros(len(border_K2)))
    return np.concatenate(vertices), np.concatenate(follow)


def opened_mouth(vertices_V3: Floats) -> Floats:
    """Displacement_V2 (px) of every vertex when the mouth is wide open: the jaw drops, lips and chin with it."""
    left, right = vertices_V3[MOUTH_CORNER_LEFT], vertices_V3[MOUTH_CORNER_RIGHT]
    half_px = abs(left[0] - right[0]) / 2
    middle_x_px = (left[0] + right[0]) / 2
    gap_upper_K2, gap_lower_K2 = vertices_V3[list(INNER_LIP_UPPER[1:-1]), :2], vertices_V3[list(INNER_LIP_LOWER), :2]
    gap_K2 = (gap_upper_K2 + gap_lower_K2) / 2
    gap_K2 = gap_K2[np.argsort(gap_K2[:, 0])]
    line_V = np.interp(vertices_V3[:, 0], gap_K2[:, 0], gap_K2[:, 1])
    chin_px = vertices_V3[CHIN, 1] - float(np.median(line_V[:MESH_POINTS]))
    below_V = (vertices_V3[:, 1] - line_V) / chin_px  # 0 at the lips' meeting line, 1 at the chin
    reach_V = half_px * (1 + 0.9 * np.clip(below_V, 0, 1.5))
    across_V = np.sqrt(np.clip(1 - ((vertices_V3[:, 0] - middle_x_px) / reach_V) ** 2, 0, 1))
    fade_V = np.clip((2.2 - below_V) / 1.2, 0, 1)  # the neck below the chin gives way
    jaw_V = np.where(below_V > 0, across_V * fade_V, 0.0)
    jaw_V[list(INNER_LIP_UPPER)] = 0.0
    # The lips' own weights come from the same curve; a closed mouth's lower lip lies on the line and still has to drop.
    lower = list(INNER_LIP_LOWER)
    jaw_V[lower] = across_V[lower]
    travel_px = MOUTH_TRAVEL * (vertices_V3[CHIN, 1] - vertices_V3[FOREHEAD, 1])
    narrow_V = np.where(across_V > 0, np.exp(-((below_V / 0.5) ** 2)), 0) * (middle_x_px - vertices_V3[:, 0]) * 0.12
    return np.column_stack([narrow_V, travel_px * jaw_V])


def smile(vertices_V3: Floats) -> Floats:
    """Displacement_V2 (px) of every vertex for smile = 1: mouth corners and cheeks out and up."""
    offset_V2 = np.zeros((len(vertices_V3), 2))
    width_px = abs(vertices_V3[MOUTH_CORNER_LEFT, 0] - vertices_V3[MOUTH_CORNER_RIGHT, 0])
    for corner, outwards in ((MOUTH_CORNER_LEFT, 1.0), (MOUTH_CORNER_RIGHT, -1.0)):
        distance_V = np.linalg.norm(vertices_V3[:, :2] - vertices_V3[corner, :2], axis=1) / (0.3 * width_px)
        offset_V2 += np.exp(-(distance_V**2))[:, None] * width_px * np.array([0.07 * outwards, -0.08])
    return offset_V2


def closed_eye(
    vertices_V3: Floats,
    lids: tuple[tuple[int, int], ...],
    fold: tuple[int, ...],
    travel: float = 1.0,
    fold_travel: float = 0.35,
) -> Floats:
    """Displacement_V2 (px) of every vertex when this eye is shut: the upper lid meets the lower one.

    Args:
        travel: how far the upper lid goes, in shares of the eye's opening; beyond 1 it takes the lower one along.
        fold_travel: how far the row above the upper lid follows, in the same.
    """
    offset_V2 = np.zeros((len(vertices_V3), 2))
    for (upper, lower), above in zip(lids, fold, strict=True):
        opening_2 = vertices_V3[lower, :2] - vertices_V3[upper, :2]
        offset_V2[upper] = travel * opening_2
        offset_V2[lower] = (travel - 1) * opening_2
        offset_V2[above] = fold_travel * opening_2
    return offset_V2
