"""All observers of one picture."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from liax.atlas.observers import Observers, nothing_seen
from liax.atlas.second import SECOND_ATTRIBUTES, SecondObserver
from liax.attributes import ATTRIBUTES, attributes_of
from liax.face import FaceFinder
from liax.identity import DlibEmbedder
from liax.pictures import Picture
from liax.synthetic.people import person


@pytest.fixture(scope="module")
def picture() -> Picture:
    someone = person(4, 160)
    return someone.draw(someone.rest)


@pytest.fixture(scope="module")
def observers() -> Iterator[Observers]:
    with Observers(FaceFinder(max_faces=1), DlibEmbedder(), SecondObserver()) as made:
        yield made


def test_a_face_is_seen_by_all(observers: Observers, picture: Picture) -> None:
    seen = observers.see(picture)
    assert seen.found
    with FaceFinder(max_faces=1) as finder:
        face = finder.find(picture)[0]
    assert seen.attributes_A == pytest.approx(attributes_of(face, 160), abs=1e-5)
    assert seen.second_B.shape == (len(SECOND_ATTRIBUTES),)
    assert np.isfinite(seen.second_B).all()
    assert seen.embedding_D is not None
    assert np.linalg.norm(seen.embedding_D) == pytest.approx(1, abs=1e-5)
    assert seen.box_px == face.box_px
    # The hull goes round all landmarks, and no further than their box.
    assert seen.hull_K2 is not None
    inside = [cv2.pointPolygonTest(seen.hull_K2, tuple(map(float, point)), True) for point in face.landmarks_N3[:, :2]]
    assert min(inside) > -0.01
    assert (*seen.hull_K2.min(axis=0), *seen.hull_K2.max(axis=0)) == pytest.approx(face.box_px, abs=1e-3)


def test_both_say_where_the_face_is(observers: Observers, picture: Picture) -> None:
    seen = observers.see(picture)
    place = [SECOND_ATTRIBUTES.index(name) for name in ("x", "y")]
    # The 68 points begin at the brows, and so lie lower.
    assert seen.second_B[place] - seen.attributes_A[3:5] == pytest.approx((0, 0.06), abs=0.03)


def test_no_face_is_no_numbers(observers: Observers) -> None:
    seen = observers.see(np.full((160, 160, 3), 128, dtype=np.uint8))
    assert not seen.found
    assert seen.attributes_A.shape == (len(ATTRIBUTES),)
    assert np.isnan(seen.attributes_A).all()
    assert seen.second_B.shape == (len(SECOND_ATTRIBUTES),)
    assert np.isnan(seen.second_B).all()
    assert seen.embedding_D is None
    assert seen.hull_K2 is None


def test_who_is_not_there_sees_nothing(picture: Picture) -> None:
    with Observers(FaceFinder(max_faces=1)) as observers:
        assert observers.names == {"face": "MediaPipe face landmarker"}
        seen = observers.see(picture)
    assert seen.found
    assert np.isnan(seen.second_B).all()
    assert seen.embedding_D is None


def test_observers_are_named(observers: Observers) -> None:
    assert observers.names == {
        "face": "MediaPipe face landmarker",
        "identity": "dlib-resnet-v1",
        "second": "dlib 68 points, PnP",
    }


def test_nothing_seen_has_as_many_numbers_as_asked_for() -> None:
    assert nothing_seen(3).second_B.shape == (3,)
