"""One path on one person, by observers that see the truth, and what lies outside the face."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from liax.atlas.observers import Observers, Sighting, nothing_seen
from liax.atlas.response import Path
from liax.atlas.trace import draw, off_face, similarity, trace
from liax.attributes import ATTRIBUTES
from liax.face import FaceFinder
from liax.pictures import Picture
from liax.synthetic.animator import SyntheticAnimator
from tests.liax.atlas.known import TruthObservers, UndrawnAnimator

LEVELS_L = np.array([-2, -1, 0, 1.5], dtype=np.float32)


@pytest.fixture(scope="module")
def animator() -> UndrawnAnimator:
    return UndrawnAnimator()


def along(animator: SyntheticAnimator, *directions: int, levels_L: np.ndarray = LEVELS_L) -> Path:
    unit_M = np.zeros(animator.directions, dtype=np.float32)
    unit_M[list(directions)] = 1
    return Path("+".join(map(str, directions)), unit_M, levels_L)


def test_each_level_shows_the_planted_change(animator: UndrawnAnimator) -> None:
    source = animator.encode([animator.portrait(3)])
    traced = trace(animator, source, along(animator, 0, 8), TruthObservers(animator))
    changes_LA = traced.values_LA - traced.values_LA[2]
    assert changes_LA[:, ATTRIBUTES.index("yaw")] == pytest.approx(7 * LEVELS_L, abs=1e-3)
    assert changes_LA[:, ATTRIBUTES.index("roll")] == pytest.approx(5 * LEVELS_L, abs=1e-3)
    assert changes_LA[:, ATTRIBUTES.index("pitch")] == pytest.approx(0, abs=1e-3)
    assert traced.similarity_L == pytest.approx(np.cos(np.radians(7 * LEVELS_L)), abs=1e-4)
    assert traced.second_LB.shape == (4, len(TruthObservers.second_attributes))
    assert traced.steps_K.shape == (3,)
    assert np.isnan(traced.steps_K).all()
    assert traced.render_s > 0
    assert traced.observe_s > 0


def test_a_source_that_has_moved_is_moved_from_there(animator: UndrawnAnimator) -> None:
    codes_M = np.zeros(animator.directions)
    codes_M[0] = 0.7
    source = animator.encode([animator.picture(3, codes_M)])
    traced = trace(animator, source, along(animator, 0), TruthObservers(animator))
    yaw_L = traced.values_LA[:, ATTRIBUTES.index("yaw")]
    still = TruthObservers(animator).see(animator.portrait(3)).attributes_A[ATTRIBUTES.index("yaw")]
    assert yaw_L - still == pytest.approx(7 * (LEVELS_L + 0.7), abs=1e-3)


def test_batches_make_no_difference(animator: UndrawnAnimator, monkeypatch: pytest.MonkeyPatch) -> None:
    source = animator.encode([animator.portrait(5)])
    deltas_LM = np.random.default_rng(0).normal(size=(7, animator.directions))
    together = draw(animator, source, deltas_LM)
    monkeypatch.setattr(animator, "batch", 3)
    assert all((one == other).all() for one, other in zip(together, draw(animator, source, deltas_LM), strict=True))


def test_steps_are_measured_from_level_to_level(animator: UndrawnAnimator, monkeypatch: pytest.MonkeyPatch) -> None:
    def distance(one_BCHW: torch.Tensor, other_BCHW: torch.Tensor) -> torch.Tensor:
        assert one_BCHW.abs().max() <= 1
        return (one_BCHW - other_BCHW).abs().mean((1, 2, 3))

    monkeypatch.setattr(animator, "batch", 2)
    path, source = along(animator, 0), animator.encode([animator.portrait(5)])
    steps_K = trace(animator, source, path, TruthObservers(animator), distance).steps_K
    pictures = draw(animator, source, LEVELS_L[:, None] * path.unit_M)
    expected = [np.abs(one.astype(float) - other).mean() / 127.5 for one, other in pairwise(pictures)]
    assert steps_K == pytest.approx(expected, rel=1e-5)


def test_a_path_without_0_or_of_another_model_is_refused(animator: UndrawnAnimator) -> None:
    source, observers = animator.encode([animator.portrait(3)]), TruthObservers(animator)
    with pytest.raises(ValueError, match="has no level 0"):
        trace(animator, source, along(animator, 0, levels_L=np.array([-1, 1], dtype=np.float32)), observers)
    with pytest.raises(ValueError, match="path 0 has 3 directions; the model has 13"):
        trace(animator, source, Path("0", np.ones(3, dtype=np.float32), LEVELS_L), observers)


def test_without_a_face_there_are_no_numbers(animator: UndrawnAnimator) -> None:
    class Blind(TruthObservers):
        def see(self, picture: Picture) -> Sighting:
            seen = super().see(picture)
            return seen if abs(seen.attributes_A[0]) < 9 else nothing_seen(len(self.second_attributes))

    source = animator.encode([animator.portrait(4)])
    traced = trace(animator, source, along(animator, 0), Blind(animator))
    found_L = [False, True, True, False]
    for values in (traced.values_LA[:, 0], traced.second_LB[:, 0], traced.similarity_L, traced.off_face_L):
        assert (~np.isnan(values)).tolist() == found_L


def square(left: int, right: int) -> Sighting:
    corners = [(left, left), (right, left), (right, right), (left, right)]
    return Sighting(
        np.zeros(len(ATTRIBUTES), dtype=np.float32),
        np.zeros(0, dtype=np.float32),
        box_px=(left, left, right, right),
        hull_K2=np.array(corners, dtype=np.float32),
    )


def test_only_what_lies_outside_both_faces_counts() -> None:
    still = np.full((100, 100, 3), 100, dtype=np.uint8)
    moved = still.copy()
    moved[28:52, 28:52] = 200  # within the one face and what is round it
    assert off_face(still, square(30, 50), moved, square(40, 60)) == 0
    moved[:, :10] = 151  # a tenth of the picture, outside
    found = off_face(still, square(30, 50), moved, square(40, 60))
    assert 0.1 * 51 / 255 < found < 0.15 * 51 / 255
    moved[:, :] = 151
    assert off_face(still, square(30, 50), moved, square(40, 60)) == pytest.approx(0.2, abs=1e-6)
    assert np.isnan(off_face(still, square(0, 99), moved, square(0, 99)))


def test_similarity_is_a_cosine() -> None:
    def seen(*values: float) -> Sighting:
        return Sighting(np.zeros(1), np.zeros(1), embedding_D=np.array(values, dtype=np.float32))

    assert similarity(seen(1, 0), seen(0.6, 0.8)) == pytest.approx(0.6)
    assert similarity(seen(1, 0), seen(1, 0)) == 1
    assert np.isnan(similarity(seen(1, 0), nothing_seen(0)))


def test_real_observers_see_the_same_in_the_unmoved_picture_and_less_of_the_face_in_the_surroundings() -> None:
    animator = SyntheticAnimator(size_px=128)
    source = animator.encode([animator.portrait(1)])
    with Observers(FaceFinder(max_faces=1)) as observers:
        light, nothing = (
            trace(animator, source, along(animator, direction, levels_L=LEVELS_L[1:]), observers)
            for direction in (11, 3)
        )
    assert light.off_face_L[1] == 0
    assert min(light.off_face_L[0], light.off_face_L[2]) > 0.03
    assert np.abs(light.values_LA[:, 0] - light.values_LA[1, 0]).max() < 1.5
    assert nothing.values_LA == pytest.approx(np.broadcast_to(nothing.values_LA[1], nothing.values_LA.shape), abs=1e-4)
    assert nothing.off_face_L.tolist() == [0, 0, 0]
    assert np.isnan(nothing.second_LB).all()
