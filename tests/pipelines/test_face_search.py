"""Finding faces in crops and tiles of a picture with a known face."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from liax.face import LEAST_DETECTED, FaceFinder
from pipelines.face_search import CHECK_S, FaceSearcher, find_in_crop, tiles
from pipelines.tracking import FacesConfig


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as opened:
        yield opened


def scattered(*places: tuple[int, int], side_px: int = 1600, shrink: float = 1.0) -> np.ndarray:
    """Pictures of one person on a grey ground; in the picture at (0, 0) the face is about at (181, 72, 270, 177)."""
    person = cv2.resize(skimage.data.astronaut(), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    picture = np.full((side_px, side_px, 3), 110, np.uint8)
    for left, top in places:
        picture[top : top + person.shape[0], left : left + person.shape[1]] = person
    return picture


@given(st.integers(64, 4000), st.integers(64, 4000), st.floats(40, 400), st.data())
def test_every_face_lies_whole_in_a_tile_in_which_it_is_large_enough(
    width_px: int, height_px: int, least_px: float, data: st.DataObject
) -> None:
    face_px = data.draw(st.floats(least_px, max(least_px, min(width_px, height_px))))
    if face_px >= min(width_px, height_px):
        return
    left, top = data.draw(st.floats(0, width_px - face_px)), data.draw(st.floats(0, height_px - face_px))
    assert any(
        tile[0] - 1 <= left
        and tile[1] - 1 <= top
        and left + face_px <= tile[2] + 1
        and top + face_px <= tile[3] + 1
        and face_px >= LEAST_DETECTED * max(tile[2] - tile[0], tile[3] - tile[1]) - 1
        for tile in tiles(width_px, height_px, least_px)
    )


def test_landmarks_of_a_crop_are_in_the_pictures_pixels_also_at_its_edge(finder: FaceFinder) -> None:
    picture = skimage.data.astronaut()
    box = (181.0, 72.0, 270.0, 177.0)
    (whole,) = find_in_crop(finder, picture, box, 2.0)
    assert whole.box_px == pytest.approx(box, abs=8)
    large = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    (shrunk,) = find_in_crop(finder, large, (724.0, 288.0, 1080.0, 708.0), 2.0)
    np.testing.assert_allclose(shrunk.landmarks_N3[:, :2] / 4, whole.landmarks_N3[:, :2], atol=2.5)
    cut = picture[60:, 150:]  # the crop reaches beyond the picture
    (edge,) = find_in_crop(finder, cut, (31.0, 12.0, 120.0, 117.0), 2.0)
    np.testing.assert_allclose(edge.landmarks_N3[:, :2] + [150, 60], whole.landmarks_N3[:, :2], atol=4)
    assert find_in_crop(finder, picture, (5000.0, 5000.0, 5100.0, 5100.0), 2.0) == []


def test_small_and_large_faces_are_found_once_each_and_then_followed(finder: FaceFinder) -> None:
    picture = scattered((0, 0), (1000, 900))
    search = FaceSearcher(finder, FacesConfig(least_face_px=90.0))
    found = search.sample(0.0, picture, [], scale=2.0, look_round=True)
    lefts = sorted(sighting.face.box_px[0] / 2 for sighting in found)
    assert lefts == pytest.approx([181, 1181], abs=12)
    assert all(sighting.agreement < 0.03 for sighting in found)
    followed = search.sample(0.1, picture, found, scale=2.0, look_round=False)
    boxes, before = ([sighting.face.box_px for sighting in part] for part in (followed, found))
    np.testing.assert_allclose(boxes, before, atol=6)
    assert search.sample(0.2, np.full_like(picture, 110), followed, scale=2.0, look_round=False) == []


def test_a_hidden_face_is_less_certain(finder: FaceFinder) -> None:
    picture = skimage.data.astronaut()
    search = FaceSearcher(finder, FacesConfig())
    (clear,) = search.sample(0.0, picture, [], scale=1.0, look_round=True)
    hidden = picture.copy()
    hidden[125:200, 170:290] = (90, 120, 90)  # mouth and nose
    seen = search.sample(CHECK_S, hidden, [clear], scale=1.0, look_round=False)
    assert len(seen) == 1
    assert seen[0].agreement > 2 * clear.agreement


def test_an_abrupt_change_has_the_known_faces_compared_at_once(finder: FaceFinder) -> None:
    picture = skimage.data.astronaut()
    search = FaceSearcher(finder, FacesConfig())
    found = search.sample(0.0, picture, [], scale=1.0, look_round=True)
    (followed,) = search.sample(0.2, picture, found, scale=1.0, look_round=False)
    (compared,) = search.sample(0.4, picture, [followed], scale=1.0, look_round=True)
    assert np.isfinite([followed.agreement, compared.agreement]).tolist() == [False, True]
