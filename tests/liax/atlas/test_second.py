"""The second observer: signs, sizes, agreement with MediaPipe, and what it does not depend on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from liax.atlas.second import (
    EYES_MM,
    RIGID,
    RIGID_MM_R3,
    SECOND_ATTRIBUTES,
    SECOND_OF,
    SecondObserver,
    pose_of_points,
)
from liax.attributes import CONTROLS
from liax.errors import UserError
from liax.evaluation.faces import rotation
from liax.face import FaceFinder
from liax.inference.framing import face_square
from liax.pictures import Picture, load_picture
from liax.synthetic.motion import Motion
from liax.synthetic.people import Person, person

SIDE_PX = 192


@pytest.fixture(scope="module")
def second() -> SecondObserver:
    return SecondObserver()


@pytest.fixture(scope="module")
def someone() -> Person:
    return person(2, SIDE_PX)


def see(second: SecondObserver, who: Person, **moved: float) -> dict[str, float]:
    """What is seen of a person whose resting motion is changed, in the box of the true landmarks."""
    rest = who.rest.as_dict()
    motion = Motion(**(rest | {name: rest[name] + change for name, change in moved.items()}))
    points_N2 = who.landmarks(motion)
    box = (*points_N2.min(axis=0).tolist(), *points_N2.max(axis=0).tolist())
    values = second.see(who.draw(motion), box)  # type: ignore[arg-type]
    return dict(zip(SECOND_ATTRIBUTES, values.tolist(), strict=True))


def projected(pose_deg: tuple[float, float, float]) -> np.ndarray:
    """All 68 points of which the rigid ones are those of the model's head in this pose, from far away."""
    turned_R3 = RIGID_MM_R3 @ rotation(np.array(pose_deg)).T
    points = np.zeros((68, 2))
    points[:] = (0, -100)
    points[0], points[16] = (-100, -100), (100, 100)  # an extent that does not turn with the head
    points[list(RIGID)] = turned_R3[:, :2] * (1, -1)
    return points


@pytest.mark.parametrize(
    "pose_deg", [(0, 0, 0), (20, 0, 0), (0, 15, 0), (0, 0, 25), (-30, 10, -5), (12, -18, 8)], ids=str
)
def test_a_known_pose_is_found(pose_deg: tuple[float, float, float]) -> None:
    found, eyes_px = pose_of_points(projected(pose_deg))
    # The camera is not as far away as these points pretend.
    assert found == pytest.approx(pose_deg, abs=2.5)
    assert eyes_px == pytest.approx(EYES_MM, rel=0.06)


@pytest.mark.parametrize("name", ["yaw", "pitch", "roll"])
def test_the_head_turns_the_way_it_is_told(second: SecondObserver, someone: Person, name: str) -> None:
    against, still, along = (see(second, someone, **{f"{name}_deg": turn})[name] for turn in (-12, 0, 12))
    assert 6 < along - still < 20
    assert 6 < still - against < 20


@pytest.mark.parametrize(
    ("control", "moved", "least"),
    [
        ("x", {"x": 0.05}, 0.04),
        ("y", {"y": 0.05}, 0.04),
        ("size", {"scale": 0.1}, 0.035),
        ("mouth_open", {"mouth_open": 0.4}, 0.08),
        ("smile", {"smile": 1.0}, 0.05),
        ("blink", {"blink_left": 1.0, "blink_right": 1.0}, 0.1),
        ("blink_left", {"blink_left": 1.0, "blink_right": 1.0}, 0.1),
        ("blink_right", {"blink_left": 1.0, "blink_right": 1.0}, 0.1),
    ],
)
def test_each_check_follows_its_control(
    second: SecondObserver, someone: Person, control: str, moved: dict[str, float], least: float
) -> None:
    attribute, sign = SECOND_OF[control]
    assert sign * (see(second, someone, **moved)[attribute] - see(second, someone)[attribute]) > least


def test_a_wink_closes_its_own_eye_more(second: SecondObserver, someone: Person) -> None:
    still, left, right = see(second, someone), *(see(second, someone, **{f"blink_{s}": 0.7}) for s in ("left", "right"))
    assert still["eye_left"] - left["eye_left"] > 1.3 * (still["eye_right"] - left["eye_right"])
    assert still["eye_right"] - right["eye_right"] > 1.3 * (still["eye_left"] - right["eye_left"])


def test_mappings_name_what_there_is() -> None:
    assert set(SECOND_OF) <= set(CONTROLS)
    assert {attribute for attribute, _ in SECOND_OF.values()} <= set(SECOND_ATTRIBUTES)
    assert {sign for _, sign in SECOND_OF.values()} == {-1.0, 1.0}


def test_where_and_how_large_the_face_is_does_not_matter_nor_quite_what_the_box_says(
    second: SecondObserver, someone: Person
) -> None:
    """The points are found anew in a rectangle of their own, and at a fixed size."""
    motion = someone.rest
    points_N2, picture = someone.landmarks(motion), someone.draw(motion)
    low, high = points_N2.min(axis=0), points_N2.max(axis=0)
    usual = second.points(picture, (*low, *high))
    eyes_px = np.linalg.norm(usual[36] - usual[45])
    shifted = second.points(picture, (*(low + 0.06 * (high - low)), *(high + 0.03 * (high - low))))
    assert np.linalg.norm(shifted - usual, axis=1).mean() < 0.03 * eyes_px
    matrix = np.array([[1.7, 0, 40.3], [0, 1.7, 11.8]])
    larger = cv2.warpAffine(picture, matrix, (400, 400), flags=cv2.INTER_CUBIC)
    moved = second.points(larger, (*(1.7 * low + matrix[:, 2]), *(1.7 * high + matrix[:, 2])))
    assert np.linalg.norm((moved - matrix[:, 2]) / 1.7 - usual, axis=1).mean() < 0.03 * eyes_px


def test_weights_that_are_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "points.dat").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"is not shape_predictor_68_face_landmarks.dat: its SHA-256"):
        SecondObserver(str(tmp_path / "points.dat"))


def test_without_dlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match=r"the second observer needs dlib: pip install 'liax\[atlas\]'"):
        SecondObserver()


def framed(path: Path, finder: FaceFinder) -> Picture | None:
    picture = load_picture(path)
    faces = finder.find(picture)
    if not faces:
        return None
    square = face_square(faces[0], picture)
    left, top = max(0, round(square.left_px)), max(0, round(square.top_px))
    cut = picture[top : round(square.top_px + square.side_px), left : round(square.left_px + square.side_px)]
    return cv2.resize(np.ascontiguousarray(cut), (256, 256), interpolation=cv2.INTER_AREA)


def test_it_agrees_with_mediapipe_on_real_portraits(second: SecondObserver, corpus: Path) -> None:
    """Over different people, whose faces are not the model's."""
    found = []
    with FaceFinder(max_faces=1) as finder:
        for path in sorted((corpus / "portraits").iterdir()):
            picture = framed(path, finder)
            faces = [] if picture is None else finder.find(picture)
            if faces:
                assert picture is not None
                found.append((faces[0].head_pose_deg, second.see(picture, faces[0].box_px)[:3]))
    by_mediapipe, by_points = (np.array(poses) for poses in zip(*found, strict=True))
    assert len(found) >= 5
    assert np.corrcoef(by_mediapipe[:, 0], by_points[:, 0])[0, 1] > 0.8
    assert np.abs(by_mediapipe[:, 2] - by_points[:, 2]).mean() < 4
