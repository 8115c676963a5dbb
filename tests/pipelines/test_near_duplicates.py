import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.crop import CropConfig, crop_square, cut, extents, robust_union, to_square
from liax.face import BLENDSHAPES, FaceFinder
from liax.sample import FaceArrays, SampleInfo
from liax.video.decode import frames
from liax.video.ffmpeg import ffmpeg_path
from pipelines.near_duplicates import LEAST_AGREEMENT, motion_agreement, motion_features, near_duplicates
from pipelines.signatures import ClipSignature, clip_signature
from pipelines.stills import Still
from tests.pipelines.test_identities import clip

FPS = 25.0


def motion(seed: int, length: int, strength: float = 5.0) -> np.ndarray:
    """A smooth random motion, T×6, like a head's that speaks."""
    steps = np.random.default_rng(seed).normal(size=(length + 24, 6))
    kernel = np.hanning(25) / np.sqrt((np.hanning(25) ** 2).sum())
    return strength * np.stack([np.convolve(column, kernel, "valid") for column in steps.T], axis=1)


def arrays(features: np.ndarray) -> FaceArrays:
    """What gives these features back, without the noise of a measurement."""
    count = len(features)
    blendshapes = np.zeros((count, len(BLENDSHAPES)), dtype=np.float32)
    for column, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")):
        blendshapes[:, BLENDSHAPES.index(name)] = features[:, 3 + column] * 0.1
    return FaceArrays(
        landmarks_TN3=np.zeros((count, 478, 3), dtype=np.float32),
        boxes_T4=np.zeros((count, 4), dtype=np.float32),
        head_pose_T3=features[:, :3].astype(np.float32),
        blendshapes_TS=blendshapes,
        measured_T=np.ones(count, dtype=bool),
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 999), start=st.integers(0, 60), length=st.integers(60, 140), noise=st.floats(0, 1.0))
def test_a_part_of_a_motion_is_recognised(seed: int, start: int, length: int, noise: float) -> None:
    whole = motion(seed, 200)
    part = whole[start : start + length] + np.random.default_rng(seed).normal(size=(length, 6)) * noise + 7.0
    assert motion_agreement(whole, part, FPS) > 0.9
    assert motion_agreement(part, whole, FPS) == pytest.approx(motion_agreement(whole, part, FPS))


@settings(max_examples=25)
@given(seed=st.integers(0, 999), length=st.integers(60, 140))
def test_another_motion_is_not(seed: int, length: int) -> None:
    assert motion_agreement(motion(seed, 200), motion(seed + 5000, length), FPS) < LEAST_AGREEMENT


def test_a_still_face_agrees_with_nothing() -> None:
    still = np.zeros((100, 6)) + 0.1 * motion(1, 100, strength=1.0)
    assert motion_agreement(still, still, FPS) == -1.0
    moving = motion(2, 100)
    assert motion_agreement(moving, 0.3 * moving, FPS) < 0.5


def test_too_little_in_common_is_no_evidence() -> None:
    whole = motion(3, 150)
    assert motion_agreement(whole[:80], whole[60:], FPS) < LEAST_AGREEMENT  # 20 frames of 80
    assert motion_agreement(whole[:80], whole[40:], FPS) > 0.99


class Recordings:
    """Clips with their signatures and motions; clips of the same `look` have the same pictures."""

    def __init__(self) -> None:
        self.clips: list[SampleInfo] = []
        self.signatures: dict[str, ClipSignature] = {}
        self.motions: dict[str, FaceArrays] = {}
        self.read: list[str] = []

    def add(self, source: str, features: np.ndarray, look: int = 0, face_px: float = 200.0, track: int = 0) -> str:
        made = clip(source * 6, track).model_copy(update={"frames": len(features), "scores": {"face_px": face_px}})
        self.clips.append(made)
        value = int(np.random.default_rng(look).integers(2**63))
        self.signatures[made.key] = ClipSignature(embedder=None, embedding=None, hashes=[f"{value:016x}"])
        self.motions[made.key] = arrays(features)
        return made.key

    def duplicates(self, identities: dict[str, str] | None = None, order: int = 1) -> dict[str, str]:
        def motion_of(key: str) -> FaceArrays:
            self.read.append(key)
            return self.motions[key]

        everyone = dict.fromkeys(self.signatures, "one")
        return near_duplicates(self.clips[::order], self.signatures, identities or everyone, motion_of)


def test_the_largest_then_longest_then_first_is_kept() -> None:
    made, whole = Recordings(), motion(1, 120)
    small = made.add("a1", whole, face_px=100)
    short = made.add("b2", whole[:90], face_px=201.0)  # a pixel does not make up for a second
    late = made.add("d4", whole)
    best = made.add("c3", whole)
    expected = {small: best, short: best, late: best}
    assert made.duplicates() == expected
    assert made.duplicates(order=-1) == expected


def test_one_speaker_in_one_studio_is_no_duplicate() -> None:
    made = Recordings()
    made.add("a1", motion(1, 120))
    made.add("b2", motion(2, 120))
    assert made.duplicates() == {}
    assert len(made.read) == 2  # they look alike, so their motions were compared


def test_what_looks_different_is_not_read() -> None:
    made = Recordings()
    made.add("a1", motion(1, 120), look=1)
    made.add("b2", motion(1, 120), look=2)
    assert made.duplicates() == {}
    assert made.read == []


def test_only_other_sources_and_the_same_person_are_compared() -> None:
    made, whole = Recordings(), motion(1, 120)
    one, other = made.add("a1", whole), made.add("a1", whole, track=1)
    assert made.duplicates() == {}
    third = made.add("b2", whole)
    assert made.duplicates({one: "p", other: "p", third: "q"}) == {}
    assert made.duplicates() == {third: one}


def recording(path: Path, finder: FaceFinder) -> tuple[FaceArrays, ClipSignature]:
    """Every frame of a video with one face, measured and cut like a clip of 25 frames a second."""
    pictures = [picture for _, picture in frames(path)]
    found = [finder.find(picture)[0] for picture in pictures]
    landmarks = np.stack([face.landmarks_N3 for face in found])
    config = CropConfig(outside="pad")
    square = crop_square(robust_union(extents(landmarks), config), pictures[0].shape[1], pictures[0].shape[0], config)
    inside = to_square(landmarks, square, 128)
    faces = FaceArrays(
        inside,
        extents(inside).astype(np.float32),
        np.stack([face.head_pose_deg for face in found]),
        np.stack([face.blendshapes_S for face in found]),
        np.ones(len(found), dtype=bool),
    )
    stills = [Still(frame, cut(pictures[frame], square, 128)) for frame in range(0, len(found), 8)]
    return faces, clip_signature(stills, faces, None)


def test_copies_of_a_real_video_are_found(corpus: Path, tmp_path: Path) -> None:
    """Scaled and recoloured, or trimmed and badly compressed; another part of the same video is none."""
    video = corpus / "videos" / "v042.mp4"
    edits = {
        "a1": ["-t", "2.4"],
        "b2": ["-t", "2.4", "-vf", "scale=320:320,eq=brightness=0.1:contrast=1.2:saturation=0.6"],
        "c3": ["-ss", "0.53", "-t", "1.8", "-crf", "34"],
    }
    made = Recordings()
    with FaceFinder(1) as finder:
        for name, edit in edits.items():
            copy = tmp_path / f"{name}.mp4"
            command = [ffmpeg_path(), "-v", "error", "-i", str(video), *edit, "-r", "25", "-an", "-threads", "1"]
            subprocess.run([*command, "-preset", "ultrafast", str(copy)], check=True)
            faces, signature = recording(copy, finder)
            key = made.add(name, np.zeros((len(faces.measured_T), 6)), face_px={"b2": 100.0}.get(name, 200.0))
            made.motions[key], made.signatures[key] = faces, signature
    first, scaled, trimmed = (info.key for info in made.clips)
    assert made.duplicates() == {scaled: first, trimmed: first}

    features = motion_features(made.motions[first])
    assert motion_agreement(features[:28], features[30:], FPS) < LEAST_AGREEMENT
