"""Piecewise-linear mesh warp: from triangles in two pictures to a sampling map.

Legend: V vertices, F triangles, H W pixels of the picture that is drawn.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SHIFT_BITS = 4  # OpenCV draws at 1/16 px


def triangulate(points_V2: Floats, width_px: int, height_px: int) -> NDArray[np.int64]:
    """Delaunay triangles_F3 (vertex numbers) of points inside a picture of this size."""
    plane = cv2.Subdiv2D((-1, -1, width_px + 2, height_px + 2))
    number: dict[tuple[float, float], int] = {}
    for index, (x_px, y_px) in enumerate(points_V2.astype(np.float32)):
        plane.insert((float(x_px), float(y_px)))
        number.setdefault((float(x_px), float(y_px)), index)
    corners_F32 = np.asarray(plane.getTriangleList()).reshape(-1, 3, 2)
    triangles = [[number.get((float(x), float(y)), -1) for x, y in corners] for corners in corners_F32]
    return np.array([triangle for triangle in triangles if min(triangle) >= 0], dtype=np.int64)


def sampling_map(
    source_V2: Floats,
    target_V2: Floats,
    depth_V: Floats,
    triangles_F3: NDArray[np.int64],
    width_px: int,
    height_px: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where each drawn pixel comes from, when the mesh moves from source_V2 to target_V2.

    Triangles are painted from far to near (depth_V grows away from the camera), so that a nose covers the cheek behind.
    Returns map_HW2 (x, y in the source picture; cv2.remap's convention) and inside_HW, False where no triangle lies.
    """
    target_F32 = target_V2[triangles_F3]
    order_F = np.argsort(-depth_V[triangles_F3].mean(1), kind="stable")
    owner_HW = np.zeros((height_px, width_px), dtype=np.int32)
    corners_F32 = np.round(target_F32 * (1 << _SHIFT_BITS)).astype(np.int32)
    for face in order_F:
        cv2.fillConvexPoly(owner_HW, corners_F32[face], int(face) + 1, lineType=cv2.LINE_8, shift=_SHIFT_BITS)
    affine_F23 = np.concatenate([np.zeros((1, 2, 3)), _affine(target_F32, source_V2[triangles_F3])])
    per_pixel_HW23 = affine_F23.astype(np.float32)[owner_HW]
    y_HW, x_HW = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    map_HW2 = (
        per_pixel_HW23[..., 0] * x_HW[..., None] + per_pixel_HW23[..., 1] * y_HW[..., None] + per_pixel_HW23[..., 2]
    )
    return map_HW2, owner_HW > 0


def _affine(from_F32: Floats, to_F32: Floats) -> Floats:
    """Affine maps_F23 that take each triangle onto its partner; a collapsed triangle maps to its first corner."""
    homogeneous_F33 = np.concatenate([from_F32, np.ones((*from_F32.shape[:2], 1))], axis=2)
    flat_F = np.abs(np.linalg.det(homogeneous_F33)) < 1e-6
    homogeneous_F33[flat_F] = np.eye(3)
    maps_F23 = np.swapaxes(np.linalg.solve(homogeneous_F33, to_F32), 1, 2)
    maps_F23[flat_F] = 0
    maps_F23[flat_F, :, 2] = to_F32[flat_F, 0]
    return maps_F23
