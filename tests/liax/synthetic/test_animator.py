"""The stand-in for a model: what was planted is what is drawn."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.renderer import Encoded
from liax.pictures import Picture
from liax.synthetic.animator import PLANTED, Planted, SyntheticAnimator
from liax.synthetic.people import person


@pytest.fixture(scope="module")
def animator() -> SyntheticAnimator:
    return SyntheticAnimator(size_px=128)


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder(max_faces=1) as made:
        yield made


def moved(animator: SyntheticAnimator, source: Encoded, **by_name: float) -> Picture:
    """A picture with the directions of these names (spaces are underscores) moved."""
    a_1M = source.motion_BM.clone()
    for name, change in by_name.items():
        a_1M[0, [one.name for one in animator.planted].index(name.replace("_", " "))] += change
    return animator.decode(animator.navigate(source.z_BD, a_1M), source.features)[0]


def test_it_has_the_form_of_a_model(animator: SyntheticAnimator) -> None:
    source = animator.encode([animator.portrait(1), animator.portrait(2)])
    assert animator.directions == len(PLANTED) == source.motion_BM.shape[1]
    assert source.z_BD.dtype == source.motion_BM.dtype == torch.float32
    again = animator.decode(animator.navigate(source.z_BD, source.motion_BM), source.features)
    for number, picture in zip((1, 2), again, strict=True):
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        assert (picture == animator.portrait(number)).all()


def test_one_persons_maps_serve_a_whole_batch(animator: SyntheticAnimator) -> None:
    source = animator.encode([animator.portrait(1)])
    a_BM = torch.zeros(3, animator.directions)
    a_BM[1, 0], a_BM[2, 0] = 1.0, 2.0
    pictures = animator.decode(animator.navigate(source.z_BD, a_BM), source.features)
    turned = [animator.truth(picture)[1].yaw_deg for picture in pictures]
    assert np.diff(turned) == pytest.approx(7, abs=1e-4)


def test_relative_transfer_moves_by_what_was_driven(animator: SyntheticAnimator) -> None:
    codes_FM, frames = animator.frames(5, 2)
    source = animator.encode([animator.picture(6, codes_FM[0])])
    driving_2M = animator.motion(frames)
    assert driving_2M.numpy() == pytest.approx(codes_FM, abs=1e-5)
    z_BD = animator.navigate(source.z_BD, driving_2M[1:], driving_2M[:1], source.motion_BM)
    shown = animator.truth(animator.decode(z_BD, source.features)[0])
    expected = animator.truth(animator.picture(6, codes_FM[1]))
    assert shown[0] is expected[0]
    assert shown[1].as_dict() == pytest.approx(expected[1].as_dict(), abs=1e-4)


def test_each_direction_does_what_the_table_says(animator: SyntheticAnimator) -> None:
    source = animator.encode([animator.portrait(3)])
    still = animator.truth(animator.portrait(3))[1]
    both = animator.truth(moved(animator, source, yaw_and_smile=1.0, roll=-2.0))[1]
    assert both.yaw_deg - still.yaw_deg == pytest.approx(4.2, abs=1e-4)
    assert both.smile - still.smile == pytest.approx(0.45, abs=1e-4)
    assert both.roll_deg - still.roll_deg == pytest.approx(-10, abs=1e-4)
    up, up_too = (animator.truth(moved(animator, source, **{"up,_whichever_way": t}))[1].pitch_deg for t in (-1.5, 1.5))
    assert up == pytest.approx(up_too, abs=1e-4) == pytest.approx(still.pitch_deg + 7.5, abs=1e-4)
    assert (moved(animator, source, nothing=2.0) == animator.portrait(3)).all()
    assert animator.truth(moved(animator, source, left_eye_closes=-1.0))[1].blink_left == 0
    light = moved(animator, source, surroundings=2.0).astype(int) - animator.portrait(3)
    assert light[:, :8].mean() > 20
    assert np.abs(light[60:80, 56:72]).max() == 0


def test_mediapipe_sees_the_left_of_the_person_in_mirrored_and_other_people(
    animator: SyntheticAnimator, finder: FaceFinder
) -> None:
    from liax.face import BLENDSHAPES

    left, right = (BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right"))
    for number in (10, 11):  # the second is mirrored
        source = animator.encode([animator.portrait(number)])
        still, wink, turn = (
            finder.find(picture)[0]
            for picture in (
                animator.portrait(number),
                moved(animator, source, left_eye_closes=2.2),
                moved(animator, source, yaw=2.5),
            )
        )
        assert wink.blendshapes_S[left] - still.blendshapes_S[left] > 0.15
        assert abs(wink.blendshapes_S[right] - still.blendshapes_S[right]) < 0.08
        assert 7 < turn.head_pose_deg[0] - still.head_pose_deg[0] < 18


def test_people_differ_and_stay_the_same(finder: FaceFinder) -> None:
    assert (person(8, 96).draw(person(8, 96).rest) == person(8, 96).draw(person(8, 96).rest)).all()
    drawn = [person(number, 128).draw(person(number, 128).rest) for number in range(20, 26)]
    faces = [finder.find(picture)[0] for picture in drawn]
    shapes = [(face.box_px[2] - face.box_px[0]) / (face.box_px[3] - face.box_px[1]) for face in faces]
    assert np.ptp(shapes) > 0.05
    assert min(np.abs(one.astype(int) - other).mean() for one in drawn for other in drawn if one is not other) > 4
    # All are framed alike.
    assert all(0.45 < face.side_px / 128 < 0.68 for face in faces)


def test_shuffled_directions_are_the_same_ones(animator: SyntheticAnimator) -> None:
    copy = animator.shuffled(3)
    codes_M = np.random.default_rng(1).normal(size=animator.directions)
    picture = animator.picture(4, codes_M)
    theirs_M = copy.motion([picture])[0].numpy()
    assert np.sort(np.abs(theirs_M)) == pytest.approx(np.sort(np.abs(codes_M)), abs=1e-5)
    assert not np.allclose(theirs_M, codes_M, atol=0.1)
    assert (copy.picture(4, theirs_M) == picture).all()
    # Some are turned round, others not.
    alike_M = copy.motion([animator.picture(4, np.full(animator.directions, 0.5))])[0].numpy()
    assert set(np.round(alike_M, 4).tolist()) == {-0.5, 0.5}


def test_mixed_directions_do_a_little_of_everything(animator: SyntheticAnimator) -> None:
    copy = animator.mixed(0)
    codes_FM, pictures = copy.frames(4, 3)
    assert copy.motion(pictures).numpy() == pytest.approx(codes_FM, abs=1e-4)
    yaw = []
    for direction in range(copy.directions):
        codes_M = np.zeros(copy.directions)
        codes_M[direction] = 1
        yaw.append(copy.truth(copy.picture(4, codes_M))[1].yaw_deg - person(4, 128).rest.yaw_deg)
    assert np.count_nonzero(np.abs(yaw) > 0.5) > copy.directions / 2
    assert np.linalg.norm(yaw) == pytest.approx(np.hypot(7, 4.2), rel=1e-3)  # rotations keep lengths


def test_a_random_dictionary_does_something_else_to_each_person(animator: SyntheticAnimator) -> None:
    copy = animator.scrambled(0)
    codes_FM, pictures = copy.frames(4, 3)
    assert copy.motion(pictures).numpy() == pytest.approx(codes_FM, abs=1e-4)
    codes_M = np.zeros(copy.directions)
    codes_M[2] = 1
    turned = [
        copy.truth(copy.picture(number, codes_M))[1].yaw_deg - person(number, 128).rest.yaw_deg for number in range(6)
    ]
    assert np.ptp(turned) > 2


def test_an_unused_direction_is_never_used(animator: SyntheticAnimator) -> None:
    codes_FM, _ = animator.frames(1, 4)
    unused = [one.name for one in PLANTED].index("unused")
    assert (codes_FM[:, unused] == 0).all()
    assert codes_FM.std(axis=0)[:unused].min() > 0


def test_a_picture_of_somebody_else_is_refused(animator: SyntheticAnimator) -> None:
    with pytest.raises(UserError, match="knows only pictures that it has drawn: give one of its portraits"):
        animator.encode([np.zeros((128, 128, 3), dtype=np.uint8)])


def test_what_cannot_be_is_refused() -> None:
    table = (Planted("yaw", {"yaw_deg": 1.0}), Planted("nothing"))
    with pytest.raises(ValueError, match="orthogonal 2x2 matrix"):
        SyntheticAnimator(table, mixing_MM=np.array([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="style_dim=2 has no room"):
        SyntheticAnimator(table, style_dim=2)
