"""Which squares of a picture or a video the model sees: the crop rule of `liax.crop` round chosen faces, or the middle.

Legend: H W pixels, C colours.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liax.crop import CropConfig, Square, crop_square, robust_union
from liax.errors import UserError
from liax.face import Box, Face, FaceFinder, distinct, overlap
from liax.pictures import Picture
from liax.progress import Progress, say
from liax.video.decode import frames
from liax.video.probe import VideoInfo

LONGEST_SIDE_PX = 1920
"""Larger driving videos are shrunk while they are read, as in preprocessing: no model size needs more."""
SEARCH_RATE_FPS = 5.0
"""Pictures a second in which a video's faces are looked for; the square is one for the whole video."""
LEAST_SEEN = 0.25
"""Share of those pictures in which a face must be found to count. Our choice: a few sightings among many are mistakes
of the finder, or somebody who passes by."""
MOST_FACES = 32
"""In one picture. Our choice: enough for a group's photograph, whose faces are small then."""
FAR_APART = 2.0
"""How many times as large as the face the box that holds all its places may be before the user is told."""
# A user's own picture is used as far as it goes; training clips that leave the frame would be rejected.
CROP = CropConfig(outside="pad")
CHOICES = "largest, leftmost, all, or a number counted from the left (1 is the leftmost)"

Pose = tuple[float, NDArray[np.float32]]
"""A time in seconds, and yaw, pitch, roll of the head then, in degrees."""


def check_choice(choice: str | None, crop: bool, paste_back: bool | None) -> None:
    """Refuse a choice of faces that cannot be followed, before anything is read.

    Args:
        choice: None, or one of `CHOICES`.
        crop: whether faces are looked for at all.
        paste_back: whether results are put back, so that there may be several; None where they cannot be.
    """
    if choice is None:
        return
    if choice not in ("largest", "leftmost", "all") and not (choice.isdecimal() and int(choice) > 0):
        raise UserError(f"unknown face '{choice}': use {CHOICES}")
    if not crop:
        raise UserError(f"face '{choice}' cannot be chosen with --no-crop, which takes the middle: give one of the two")
    if choice == "all" and not paste_back:
        instead = "choose one face" if paste_back is None else "add --paste-back, or choose one face"
        raise UserError(f"face 'all' gives several results for one picture: {instead}")


def choose_faces(faces: Sequence[Face], choice: str | None, name: str) -> list[Face]:
    """The faces that the user means, from the left to the right.

    Args:
        faces: all faces of one picture, in any order.
        choice: one of `CHOICES`; None is enough where there is only one face.
        name: of the picture, for the text of errors.

    Raises:
        UserError: there is no face, there are several and no choice, or the chosen one is not there.
    """
    _say_if_full(len(faces), name)
    faces = distinct(faces)
    return [faces[place] for place in _chosen([face.box_px for face in faces], choice, name)]


def optional_finder(crop: bool) -> AbstractContextManager[FaceFinder | None]:
    """A finder of faces, closed when the block ends, or None where the middle is taken."""
    return FaceFinder(MOST_FACES) if crop else nullcontext()


def middle_square(width_px: int, height_px: int) -> Square:
    """The largest centred square, for pictures that are framed already."""
    side_px = min(width_px, height_px) // 2 * 2
    return Square((width_px - side_px) // 2, (height_px - side_px) // 2, side_px)


def face_square(face: Face, picture_HWC: Picture) -> Square:
    """The square round one face of a picture."""
    height_px, width_px = picture_HWC.shape[:2]
    return crop_square(np.array(face.box_px), width_px, height_px, CROP)


def video_squares(
    path: Path,
    info: VideoInfo,
    finder: FaceFinder,
    choice: str | None = None,
    longest_side_px: int | None = LONGEST_SIDE_PX,
) -> tuple[list[Square], int, int, list[Pose]]:
    """The squares round the chosen faces of a video, one for each face over the whole video.

    A face is followed by the overlap of its boxes. Where it jumps (a cut, a quick turn), a new track begins; tracks
    that never share a picture are then taken for one face again, whose square holds all its places. Two people who are
    never seen together are one face by this rule, too. Of every picture only the faces' boxes and poses are kept, some
    300 bytes each.

    Args:
        path, info: the video, and `probe(path)`.
        finder: looks at SEARCH_RATE_FPS pictures a second.
        choice: see `choose_faces`; a face counts when it was seen in LEAST_SEEN of the pictures.
        longest_side_px: how large the pictures are read, see `liax.video.decode.frames`.

    Returns:
        The squares from the left to the right, width and height of the pictures that they count in, and the head
        poses of the first of those faces. Where a face's places are so far apart that it is small in its square, a
        line says so.

    Raises:
        UserError: as `choose_faces`, and when hardly any picture shows a face.
        VideoError: the video cannot be read.
    """
    tracks: list[_Track] = []
    searched = shown = most = 0
    width_px, height_px = info.width_px, info.height_px
    with Progress(round(info.duration_s * SEARCH_RATE_FPS) or None, "find the face", "picture") as progress:
        for time_s, picture_HWC in frames(path, rate_fps=SEARCH_RATE_FPS, longest_side_px=longest_side_px):
            height_px, width_px = picture_HWC.shape[:2]
            found = finder.find(picture_HWC)
            _continue(tracks, distinct(found), time_s)
            searched, shown, most = searched + 1, shown + bool(found), max(most, len(found))
            progress.advance()
    _say_if_full(most, str(path))
    if 0 < shown < LEAST_SEEN * searched:
        raise UserError(
            f"a face in only {shown} of {searched} pictures of {path}: "
            "choose another video, or use --no-crop if it is framed already"
        )
    people = _people(tracks)
    people = [person for person in people if len(person.boxes) >= LEAST_SEEN * searched] or people[:1]
    usual = [person.usual_box() for person in people]
    places = _chosen(usual, choice, str(path))
    unions = [robust_union(np.array(list(people[place].boxes.values())), CROP) for place in places]
    for place, (left, top, right, bottom) in zip(places, unions, strict=True):
        if _side_px((left, top, right, bottom)) > FAR_APART * _side_px(usual[place]):
            say(f"{path}: the face moves so far that it is small in its square; cut out a part in which it stays")
    squares = [crop_square(union_4, width_px, height_px, CROP) for union_4 in unions]
    return squares, width_px, height_px, sorted(people[places[0]].poses.items())


@dataclass(slots=True)
class _Track:
    """One face through a video: its box and head pose by the time in seconds of each picture that shows it."""

    boxes: dict[float, Box] = field(default_factory=dict)
    poses: dict[float, NDArray[np.float32]] = field(default_factory=dict)
    last_box: Box = (0, 0, 0, 0)

    def add(self, face: Face, time_s: float) -> None:
        self.boxes[time_s] = self.last_box = face.box_px
        self.poses[time_s] = face.head_pose_deg

    def usual_box(self) -> Box:
        left, top, right, bottom = np.median(list(self.boxes.values()), axis=0)
        return left, top, right, bottom


def _people(tracks: Sequence[_Track]) -> list[_Track]:
    """Tracks, the longest first, joined to the nearest one that they never share a picture with."""
    people: list[tuple[_Track, Box]] = []
    for track in sorted(tracks, key=lambda track: -len(track.boxes)):
        box = track.usual_box()
        apart = [other for other in people if other[0].boxes.keys().isdisjoint(track.boxes)]
        if apart:
            person, _ = min(apart, key=lambda other: math.dist(other[1], box))
            person.boxes.update(track.boxes)
            person.poses.update(track.poses)
        else:
            people.append((track, box))
    return sorted((person for person, _ in people), key=lambda person: -len(person.boxes))


def _continue(tracks: list[_Track], faces: Sequence[Face], time_s: float) -> None:
    """Add each face to the track whose last box it overlaps most, each track taking one; others start new tracks."""
    pairs = [(overlap(face.box_px, track.last_box), face, track) for face in faces for track in tracks]
    left, free = list(faces), list(tracks)
    for shared, face, track in sorted(pairs, key=lambda pair: -pair[0]):
        if shared > 0 and any(face is other for other in left) and any(track is other for other in free):
            track.add(face, time_s)
            left = [other for other in left if other is not face]
            free = [other for other in free if other is not track]
    for face in left:
        tracks.append(_Track())
        tracks[-1].add(face, time_s)


def _say_if_full(found: int, name: str) -> None:
    if found >= MOST_FACES:
        say(f"{name}: {MOST_FACES} faces are found at most, so some may be missing")


def _chosen(boxes: Sequence[Box], choice: str | None, name: str) -> list[int]:
    """Places of the chosen faces in `boxes`, from the left to the right."""
    if not boxes:
        raise UserError(f"no face in {name}: choose another file, or use --no-crop if it is framed already")
    from_left = sorted(range(len(boxes)), key=lambda place: boxes[place][0] + boxes[place][2])
    if choice is None and len(boxes) > 1:
        raise UserError(f"{len(boxes)} faces in {name}: choose with --face {CHOICES}")
    if choice in (None, "all"):
        return from_left
    if choice == "largest":
        return [max(from_left, key=lambda place: _side_px(boxes[place]))]
    if choice == "leftmost":
        return from_left[:1]
    check_choice(choice, crop=True, paste_back=True)
    number = int(str(choice))
    if number > len(boxes):
        there = "one face" if len(boxes) == 1 else f"{len(boxes)} faces"
        raise UserError(f"no face number {number} in {name}, which shows {there}: choose with --face {CHOICES}")
    return [from_left[number - 1]]


def _side_px(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])
