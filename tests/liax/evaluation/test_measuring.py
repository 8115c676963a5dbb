"""Measures of clips whose answer is known: the same clip, noise, and a face that is moved by so much."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from liax.evaluation.definitions import BY_NAME, CONTESTANTS, Protocol, of_protocol
from liax.evaluation.faces import FaceSeer, Seen, pose_distance_deg, rotation, wanted
from liax.evaluation.measuring import ClipMeter, Flicker, Measured
from liax.evaluation.networks import Networks
from liax.evaluation.pictures import PSNR_MOST_DB
from liax.face import FaceFinder, head_pose_deg
from liax.identity import DlibEmbedder
from liax.pictures import Picture
from liax.synthetic.motion import STILL, Motion
from liax.synthetic.scenes import portrait_warp

SIDE_PX = 256
NOTHING = Networks(unavailable={"lpips": "no weights", "fid": "no weights"})


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(embedder=DlibEmbedder(), unavailable=NOTHING.unavailable)


@pytest.fixture(scope="module")
def seer(networks: Networks) -> Iterator[FaceSeer]:
    made = FaceSeer(FaceFinder(max_faces=1), networks.embedder)
    yield made
    made.close()


def face(motion: Motion = STILL, left_px: float = 0, turn_deg: float = 0) -> Picture:
    """The portrait, framed as clips are, in a picture that is then moved to the right and turned clockwise."""
    warp = portrait_warp()
    picture = warp.render(motion, warp.view(0.5, SIDE_PX), np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8))
    matrix = cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), -turn_deg, 1)
    matrix[0, 2] += left_px
    moved = cv2.warpAffine(picture, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


def measure(
    networks: Networks,
    seer: FaceSeer,
    driving: list[Picture],
    results: list[Picture],
    protocol: Protocol = "self",
    source: Picture | None = None,
    relative: bool = False,
    lead: bool = True,
) -> Measured:
    """With a frame in front, where the first one is not counted."""
    source = driving[0] if source is None else source
    if lead and protocol == "self":
        driving, results = [driving[0], *driving], [results[0], *results]
    meter = ClipMeter(networks, seer, source, protocol, relative=relative, every=1)
    for first in range(0, len(driving), 2):
        meter.add(driving[first : first + 2], results[first : first + 2])
    return meter.measured()


@pytest.fixture(scope="module")
def clip() -> list[Picture]:
    """Four frames that differ, steadily turning."""
    return [face(Motion(yaw_deg=yaw, mouth_open=yaw / 20)) for yaw in (0.0, 4.0, 8.0, 12.0)]


def test_a_clip_is_like_itself(networks: Networks, seer: FaceSeer, clip: list[Picture]) -> None:
    found = measure(networks, seer, clip, clip)
    values = found.values["model"]
    assert values["psnr"] == PSNR_MOST_DB
    assert values["ssim"] == pytest.approx(1, abs=1e-6)
    assert values["csim"] == pytest.approx(1, abs=1e-6)
    for metric in ("l1", "akd", "akd_eyes", "apd", "aed", "failure_rate", "flicker"):
        assert values[metric] == pytest.approx(0, abs=1e-4), metric
    assert found.missing["model"] == {"lpips": "no weights"}


def test_the_copied_source_is_further_from_a_moving_clip(
    networks: Networks, seer: FaceSeer, clip: list[Picture]
) -> None:
    found = measure(networks, seer, clip, clip)
    for metric, value in found.values["copy"].items():
        if metric not in ("failure_rate", "flicker"):
            worse = -1 if BY_NAME[metric].better == "higher" else 1
            assert worse * (value - found.values["model"][metric]) > 0.005, metric


def test_noise_has_its_known_size(seer: FaceSeer) -> None:
    still = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)
    random = np.random.default_rng(0)
    sigma = 12
    noisy = [(still + random.normal(0, sigma, still.shape)).round().astype(np.uint8) for _ in range(7)]
    values = measure(NOTHING, seer, [still] * 7, noisy, lead=False).values["model"]
    mean = math.sqrt(2 / math.pi)
    assert values["l1"] == pytest.approx(sigma / 255 * mean, rel=0.01)
    assert values["psnr"] == pytest.approx(-20 * math.log10(sigma / 255), abs=0.05)
    # The second difference of independent values has 1 + 4 + 1 times their variance.
    assert values["flicker"] == pytest.approx(math.sqrt(6) * sigma / 255 * mean, rel=0.01)


@pytest.mark.parametrize("left_px", [6, 15])
def test_a_shifted_face_is_as_far_as_it_was_shifted(networks: Networks, seer: FaceSeer, left_px: int) -> None:
    values = measure(networks, seer, [face()], [face(left_px=left_px)]).values["model"]
    assert values["akd"] == pytest.approx(left_px, rel=0.05)
    assert values["apd"] < 2.5  # not turned, though a camera sees a face aside of its middle a little from the side


@pytest.mark.parametrize("turn_deg", [8, -16])
def test_a_turned_face_is_as_far_as_it_was_turned(networks: Networks, seer: FaceSeer, turn_deg: float) -> None:
    level, turned = face(), face(turn_deg=turn_deg)
    values = measure(networks, seer, [level], [turned]).values["model"]
    assert values["apd"] == pytest.approx(abs(turn_deg), rel=0.05)
    points_N2 = see(seer, level).face.landmarks_N3[:, :2]
    radius_px = np.linalg.norm(points_N2 - SIDE_PX / 2, axis=1).mean()
    assert values["akd"] == pytest.approx(2 * math.sin(math.radians(abs(turn_deg)) / 2) * radius_px, rel=0.05)


def see(seer: FaceSeer, picture: Picture) -> Seen:
    seen = seer.see(picture)
    assert seen is not None
    return seen


def test_an_opened_mouth_is_an_error_of_expression_and_not_of_pose(networks: Networks, seer: FaceSeer) -> None:
    opened = measure(networks, seer, [face()], [face(Motion(mouth_open=1))]).values["model"]
    turned = measure(networks, seer, [face()], [face(turn_deg=10)]).values["model"]
    assert opened["aed"] > 2 * turned["aed"]
    assert opened["apd"] < turned["apd"] / 3


def test_a_lost_face_is_counted_and_leaves_no_number(networks: Networks, seer: FaceSeer) -> None:
    grey = np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8)
    found = measure(networks, seer, [face()] * 4, [face(), grey, grey, grey])
    assert found.values["model"]["failure_rate"] == 0.75
    assert found.values["model"]["akd"] == pytest.approx(0, abs=1e-4)
    lost = measure(networks, seer, [face()] * 2, [grey] * 2)
    assert lost.missing["model"]["akd"] == "no face found in the result"
    nobody = measure(networks, seer, [grey] * 2, [face()] * 2, lead=False)
    assert nobody.missing["model"]["failure_rate"] == "no face found in the driving clip"
    assert nobody.missing["model"]["flicker"] == "fewer than three frames"


def test_the_first_frame_is_the_source_and_not_counted(networks: Networks, seer: FaceSeer, clip: list[Picture]) -> None:
    """Else the copy would have a perfect frame, of 100 dB."""
    found = measure(networks, seer, [clip[0], clip[3]], [clip[3], clip[3]], lead=False)
    assert found.values["model"]["l1"] == 0
    assert found.values["model"]["akd"] == pytest.approx(0, abs=1e-4)
    assert found.values["copy"]["psnr"] < 50
    alone = measure(networks, seer, clip[:1], clip[:1], lead=False)
    assert alone.missing["model"]["l1"] == alone.missing["copy"]["akd"] == "no frame but the source"


def test_cross_reenactment_compares_with_nobodys_pixels(
    networks: Networks, seer: FaceSeer, clip: list[Picture]
) -> None:
    found = measure(networks, seer, clip, clip, "cross")
    assert {*found.values["model"], *found.missing["model"]} == {metric.name for metric in of_protocol("cross")}
    assert found.values["copy"]["csim"] == pytest.approx(1, abs=1e-6)


def test_relative_transfer_wants_the_sources_pose_and_the_driving_change(
    networks: Networks, seer: FaceSeer, clip: list[Picture]
) -> None:
    source = face(turn_deg=10)
    absolute = measure(networks, seer, clip, [source] * 4, "cross", source)
    relative = measure(networks, seer, clip, [source] * 4, "cross", source, relative=True)
    first = measure(networks, seer, clip[:1], [source], "cross", source, relative=True)
    assert first.values["model"]["apd"] == pytest.approx(0, abs=1e-3)
    assert first.values["model"]["aed"] == pytest.approx(0, abs=1e-6)
    assert relative.values["model"]["apd"] < absolute.values["model"]["apd"]


def test_every_contestant_says_something_of_every_measure(seer: FaceSeer, clip: list[Picture]) -> None:
    found = measure(NOTHING, seer, clip, clip)
    expected = {metric.name for metric in of_protocol("self") if not metric.whole_run}
    for name in CONTESTANTS:
        assert found.values[name].keys() | found.missing[name].keys() == expected
        assert not found.values[name].keys() & found.missing[name].keys()


def test_poses_and_rotations_belong_together() -> None:
    random = np.random.default_rng(0)
    for pose in random.uniform(-60, 60, (20, 3)):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation(pose)
        assert head_pose_deg(matrix) == pytest.approx(pose, abs=1e-3)
    assert pose_distance_deg(np.array([0, 0, -5.0]), np.array([0, 0, 25.0])) == pytest.approx(30)
    assert pose_distance_deg(np.array([40.0, 0, 0]), np.array([-20.0, 0, 0])) == pytest.approx(60)


def test_the_wanted_expression_stays_within_its_range(seer: FaceSeer) -> None:
    closed, opened = see(seer, face()).face, see(seer, face(Motion(mouth_open=1))).face
    target = wanted(opened, start=closed, source=opened)
    assert target.blendshapes_S.max() <= 1
    assert wanted(closed, start=closed, source=opened).blendshapes_S == pytest.approx(opened.blendshapes_S)


def test_steady_change_is_no_flicker() -> None:
    flicker, steady = Flicker(), Flicker()
    for number in range(5):
        flicker.add(np.full((4, 4, 3), 100 + 20 * (number % 2), np.uint8))
        steady.add(np.full((4, 4, 3), 100 + 20 * number, np.uint8))
    assert flicker.mean() == pytest.approx(40 / 255)
    assert steady.mean() == 0
    assert Flicker().mean() is None
