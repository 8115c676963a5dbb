import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.crop import (
    CropConfig,
    CropRejected,
    Square,
    crop_square,
    cut,
    extents,
    robust_union,
    rotation,
    to_square,
    turned_square,
)

RULE = CropConfig()


@st.composite
def faces_in_pictures(draw: st.DrawFn) -> tuple[np.ndarray, int, int]:
    """A picture's size and a face's union within it."""
    width, height = draw(st.integers(64, 4000)), draw(st.integers(64, 4000))
    left, top = draw(st.floats(0, width - 20)), draw(st.floats(0, height - 20))
    right, bottom = draw(st.floats(left + 10, width)), draw(st.floats(top + 10, height))
    return np.array([left, top, right, bottom]), width, height


@given(faces_in_pictures())
def test_the_square_is_in_the_picture_and_the_face_in_the_square(case: tuple[np.ndarray, int, int]) -> None:
    union_4, width, height = case
    longer = max(union_4[2] - union_4[0], union_4[3] - union_4[1])
    try:
        square = crop_square(union_4, width, height, RULE)
    except CropRejected:
        assert min(width, height) < RULE.least_margin * longer
        return
    right, bottom = square.left_px + square.side_px, square.top_px + square.side_px
    assert square.left_px >= 0
    assert square.top_px >= 0
    assert right <= width
    assert bottom <= height
    rounding_px = 4  # even numbers, twice
    assert square.side_px >= RULE.least_margin * longer - rounding_px
    assert square.side_px <= RULE.side_margin * longer
    assert square.left_px <= union_4[0] + rounding_px
    assert square.top_px <= union_4[1] + rounding_px
    assert right >= union_4[2] - rounding_px
    assert bottom >= union_4[3] - rounding_px
    assert not square.padded
    assert all(value % 2 == 0 for value in (square.left_px, square.top_px, square.side_px))


def test_in_a_large_picture_the_framing_is_the_rules() -> None:
    square = crop_square(np.array([900.0, 500.0, 1060.0, 700.0]), 4000, 3000, RULE)
    assert square.side_px == 330
    assert (980 - square.left_px) / square.side_px == pytest.approx(0.50, abs=0.01)
    assert (600 - square.top_px) / square.side_px == pytest.approx(0.55, abs=0.01)


def test_a_face_that_leaves_the_picture_is_rejected_or_padded() -> None:
    union_4 = np.array([-10.0, 20.0, 80.0, 110.0])  # a tenth of it is outside
    with pytest.raises(CropRejected):
        crop_square(union_4, 200, 200, RULE)
    square = crop_square(union_4, 200, 200, CropConfig(outside="pad"))
    assert square.padded
    assert square.left_px < 0
    assert square.side_px == 148


def test_a_chin_just_below_the_edge_is_no_reason_to_reject() -> None:
    square = crop_square(np.array([100.0, 100.0, 200.0, 204.0]), 400, 200, RULE)
    assert not square.padded
    assert square.top_px + square.side_px <= 200
    assert square.top_px <= 100


def test_a_few_outliers_do_not_move_the_union() -> None:
    boxes_T4 = np.tile([100.0, 100.0, 200.0, 200.0], (100, 1))
    boxes_T4[:4] = [0, 0, 1000, 1000]
    assert robust_union(boxes_T4, RULE).tolist() == [100, 100, 200, 200]


def test_extents_ignore_depth() -> None:
    landmarks_TN3 = np.array([[[1, 5, -900], [4, 2, 900]]], dtype=np.float32)
    assert extents(landmarks_TN3).tolist() == [[1, 2, 4, 5]]


def test_landmarks_follow_the_picture() -> None:
    """A dot cut out of a picture is where its landmark says."""
    picture_HWC = np.zeros((200, 300, 3), np.uint8)
    picture_HWC[118:122, 158:162] = 255
    square = Square(100, 80, 100)
    small_HWC = cut(picture_HWC, square, 50)
    rows, columns = np.nonzero(small_HWC[..., 0] > 100)
    x, y = to_square(np.array([[160.0, 120.0, 10.0]]), square, 50)[0, :2]
    assert columns.mean() + 0.5 == pytest.approx(x, abs=0.5)
    assert rows.mean() + 0.5 == pytest.approx(y, abs=0.5)


def test_padding_repeats_the_edge() -> None:
    picture_HWC = np.full((40, 40, 3), 7, np.uint8)
    assert (cut(picture_HWC, Square(-20, 10, 60, padded=True), 60) == 7).all()


@given(faces_in_pictures(), st.floats(-60, 60))
def test_a_turned_square_is_in_the_picture_with_its_corners_and_holds_the_face(
    case: tuple[np.ndarray, int, int], turn_deg: float
) -> None:
    (left, top, right, bottom), width, height = case
    ellipse_N2 = np.stack([np.cos(np.arange(40)), np.sin(np.arange(40))], axis=1)
    points_1N2 = (ellipse_N2 * [(right - left) / 2, (bottom - top) / 2] + [(left + right) / 2, (top + bottom) / 2])[
        None
    ]
    try:
        square = turned_square(points_1N2, turn_deg, width, height, RULE)
    except CropRejected:
        return
    assert not square.padded
    half_2 = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * square.side_px / 2
    corners_42 = np.array(square.center) + half_2 @ rotation(turn_deg).T
    assert (corners_42 >= -1e-6).all()
    assert (corners_42 <= np.array([width, height]) + 1e-6).all()
    inside_N2 = to_square(points_1N2, square, 100)[0]
    rounding = 5 * 100 / square.side_px
    allowed = RULE.most_cut_off * 100 / RULE.least_margin
    assert inside_N2.min() >= -allowed - rounding
    assert inside_N2.max() <= 100 + allowed + rounding


def test_a_turned_face_stands_upright_in_its_square() -> None:
    upright_N2 = np.array([[-100.0, 0], [100, 0], [0, -120], [0, 120]])
    points_1N2 = (upright_N2 @ rotation(30).T + [1000, 800])[None]
    square = turned_square(points_1N2, 30, 2000, 1600, RULE)
    assert square.side_px == pytest.approx(240 * RULE.side_margin, abs=2)
    inside_N2 = to_square(points_1N2, square, square.side_px)[0]
    assert inside_N2[0, 1] == pytest.approx(inside_N2[1, 1], abs=0.01)
    assert inside_N2[:, 0].mean() / square.side_px == pytest.approx(RULE.center_x, abs=0.01)
    assert inside_N2[:, 1].mean() / square.side_px == pytest.approx(RULE.center_y, abs=0.01)


def test_a_turned_square_that_does_not_fit_is_rejected_or_padded() -> None:
    points_1N2 = np.array([[[5.0, 5.0], [195.0, 195.0]]])
    with pytest.raises(CropRejected):
        turned_square(points_1N2, 45, 200, 200, RULE)
    assert turned_square(points_1N2, 45, 200, 200, CropConfig(outside="pad")).padded
