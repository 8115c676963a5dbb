"""One path on one person: the pictures are drawn, and all that is measured in them. Nothing here needs Ray.

Legend: L levels, M directions, H W pixels, C colours.
"""

import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liax.atlas.observers import Observing, Sighting
from liax.atlas.response import Floats, Path, Traced
from liax.inference.renderer import Encoded
from liax.inference.rendering import Rendering
from liax.pictures import Picture, to_model

AROUND_FACE = 0.15
"""How far round the landmarks' hull a picture shows the face, in shares of its longer side. Our choice: brow, ears and
the jaw's shadow move with the head and are no fault."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""Of pairs of pictures B×C×H×W in [-1, 1]: `liax.evaluation.lpips.Lpips`."""


Unmoved = tuple[Picture, Sighting]
"""A person as the model draws them where nothing is moved, and what is seen of it."""


def look_unmoved(renderer: Rendering, encoded: Encoded, observers: Observing) -> Unmoved:
    """Level 0 of all of a person's paths, which is drawn and looked at once."""
    (picture,) = draw(renderer, encoded, np.zeros((1, renderer.directions), dtype=np.float32))
    return picture, observers.see(picture)


def trace(
    renderer: Rendering,
    encoded: Encoded,
    path: Path,
    observers: Observing,
    lpips: Distance | None = None,
    unmoved: Unmoved | None = None,
) -> Traced:
    """Move one person along one path and look at every level.

    Args:
        encoded: one picture, by this renderer.
        path: its levels have 0 among them.
        lpips: measures the steps from level to level; None where there is no network for it.
        unmoved: `look_unmoved` of the same picture and observers; None to do that now.

    Raises:
        ValueError: the path does not pass 0, or has another model's directions.
    """
    zero = _zero(path, renderer)
    still_HWC, still = unmoved or look_unmoved(renderer, encoded, observers)
    started_s = time.perf_counter()
    moved = draw(renderer, encoded, np.delete(path.levels_L, zero)[:, None] * path.unit_M)
    rendered_s = time.perf_counter()
    pictures = [*moved[:zero], still_HWC, *moved[zero:]]
    seen = [still if level == zero else observers.see(picture) for level, picture in enumerate(pictures)]
    off_face_L = [off_face(still_HWC, still, picture, one) for picture, one in zip(pictures, seen, strict=True)]
    steps_K = _steps(pictures, lpips, renderer)
    observed_s = time.perf_counter()
    return Traced(
        values_LA=np.stack([one.attributes_A for one in seen]),
        second_LB=np.stack([one.second_B for one in seen]),
        similarity_L=np.array([similarity(still, one) for one in seen], dtype=np.float32),
        off_face_L=np.array(off_face_L, dtype=np.float32),
        steps_K=steps_K,
        render_s=rendered_s - started_s,
        observe_s=observed_s - rendered_s,
    )


def draw(renderer: Rendering, encoded: Encoded, deltas_LM: NDArray[np.floating]) -> list[Picture]:
    """One encoded picture, drawn with its motion changed by each delta: uint8 S×S×C; a batch at a time."""
    pictures: list[Picture] = []
    with torch.inference_mode():
        for start in range(0, len(deltas_LM), renderer.batch):
            some_BM = torch.from_numpy(np.asarray(deltas_LM[start : start + renderer.batch], dtype=np.float32))
            motion_BM = encoded.motion_BM + some_BM.to(encoded.motion_BM)
            pictures += renderer.decode(renderer.navigate(encoded.z_BD, motion_BM), encoded.features)
    return pictures


def similarity(unmoved: Sighting, moved: Sighting) -> float:
    """Cosine of the faces' embeddings; NaN without."""
    if unmoved.embedding_D is None or moved.embedding_D is None:
        return float("nan")
    return min(1.0, float(unmoved.embedding_D.astype(np.float64) @ moved.embedding_D))


def off_face(unmoved_HWC: Picture, unmoved: Sighting, moved_HWC: Picture, moved: Sighting) -> float:
    """Mean absolute difference, in [0, 1], where neither picture shows its face or what is just round it.

    NaN where a face was not found, or there is nothing but faces.
    """
    if unmoved.hull_K2 is None or moved.hull_K2 is None:
        return float("nan")
    face_HW = _covered(unmoved, unmoved_HWC.shape[:2]) | _covered(moved, moved_HWC.shape[:2])
    if face_HW.all():
        return float("nan")
    return float(cv2.absdiff(unmoved_HWC, moved_HWC)[~face_HW].mean() / 255)


def _covered(seen: Sighting, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Where the face and what is round it lie: H×W."""
    assert seen.hull_K2 is not None
    assert seen.box_px is not None
    left, top, right, bottom = seen.box_px
    mask_HW = np.zeros(tuple(shape), dtype=np.uint8)
    hull_K2 = np.round(seen.hull_K2).astype(np.int32)
    cv2.fillConvexPoly(mask_HW, hull_K2, 1)
    # The outline, drawn thick, is the hull made larger by half of its thickness.
    thickness_px = max(1, round(2 * AROUND_FACE * max(right - left, bottom - top)))
    cv2.polylines(mask_HW, [hull_K2], True, 1, thickness_px)
    return mask_HW > 0


def _steps(pictures: Sequence[Picture], lpips: Distance | None, renderer: Rendering) -> Floats:
    """Distances K from each level to the next; NaN without a network."""
    if lpips is None or len(pictures) < 2:
        return np.full(len(pictures) - 1, np.nan, dtype=np.float32)
    steps: list[Tensor] = []
    for start in range(0, len(pictures) - 1, renderer.batch):
        some_BCHW = to_model(pictures[start : start + renderer.batch + 1], renderer.device)
        steps.append(lpips(some_BCHW[:-1], some_BCHW[1:]).float().cpu())
    return np.asarray(torch.cat(steps).numpy(), dtype=np.float32)


def _zero(path: Path, renderer: Rendering) -> int:
    """Which level moves nothing."""
    if path.unit_M.shape != (renderer.directions,):
        raise ValueError(f"path {path.name} has {path.unit_M.size} directions; the model has {renderer.directions}")
    zero = int(np.abs(path.levels_L).argmin())
    if path.levels_L[zero] != 0:
        raise ValueError(f"path {path.name} has no level 0, from which all changes are measured")
    return zero
