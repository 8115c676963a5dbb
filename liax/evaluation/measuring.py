"""The measures of one clip, as its frames come: memory does not grow with the clip.

Legend: B frames that come together, S side in pixels, C colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from liax.evaluation.definitions import CONTESTANTS, Protocol, of_protocol
from liax.evaluation.faces import (
    FaceSeer,
    Seen,
    Wanted,
    expression_distance,
    eye_distance_px,
    identity_similarity,
    landmark_distance_px,
    pose_distance_deg,
    wanted,
)
from liax.evaluation.networks import Networks
from liax.evaluation.pictures import picture_errors
from liax.pictures import Picture, to_model

FEATURES = ("driving", *CONTESTANTS)
"""Whose Inception features are kept for FID."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one clip.

    Args:
        values: by contestant and measure.
        missing: why a measure has no value, by contestant and measure.
        features: float32 F×2048 by `FEATURES`; empty without Inception.
    """

    values: dict[str, dict[str, float]]
    missing: dict[str, dict[str, str]]
    features: dict[str, NDArray[np.float32]]


@dataclass(slots=True)
class Flicker:
    """F(v) of the definitions, of pictures one after the other."""

    _last: list[NDArray[np.int16]] = field(default_factory=list)
    _sum: float = 0.0
    _count: int = 0

    def add(self, picture_SSC: Picture) -> None:
        """The next picture, uint8."""
        now = picture_SSC.astype(np.int16)
        if len(self._last) == 2:
            before, last = self._last
            self._sum += float(np.abs(now - 2 * last + before).mean()) / 255
            self._count += 1
        self._last = [*self._last[-1:], now]

    def mean(self) -> float | None:
        """None for less than three pictures."""
        return self._sum / self._count if self._count else None


@dataclass(slots=True)
class _Tally:
    """One contestant's values, frame by frame."""

    flicker: Flicker = field(default_factory=Flicker)
    frames: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float | None) -> None:
        if value is not None:
            self.frames.setdefault(name, []).append(value)


class ClipMeter:
    """Measures one clip.

    Args:
        networks: what needs weights.
        seer: finds the faces.
        source_SSC: uint8.
        protocol: what is wanted.
        relative: whether the transfer is relative to the driving clip's first frame.
        every: faces are measured in each so-many-th frame.
        fid_frames: numbers of the frames whose features are kept.
    """

    def __init__(
        self,
        networks: Networks,
        seer: FaceSeer,
        source_SSC: Picture,
        protocol: Protocol,
        *,
        relative: bool,
        every: int,
        fid_frames: frozenset[int] = frozenset(),
    ) -> None:
        self._networks, self._seer, self._protocol = networks, seer, protocol
        self._source_SSC, self._source = source_SSC, seer.see(source_SSC)
        self._relative, self._every, self._fid_frames = relative, every, fid_frames
        self._start: Seen | None = None
        self._frames = 0
        self._tallies = {name: _Tally() for name in CONTESTANTS}
        self._driving_flicker = Flicker()
        self._driving_faces = 0
        self._features: dict[str, list[NDArray[np.float32]]] = {name: [] for name in FEATURES}

    def add(self, driving: Sequence[Picture], results: Sequence[Picture]) -> None:
        """The next frames, uint8 S×S×C each."""
        shown = {"model": results, "copy": [self._source_SSC] * len(driving)}
        if self._protocol == "self":
            self._add_pictures(driving, shown)
        for place, picture_SSC in enumerate(driving):
            self._driving_flicker.add(picture_SSC)
            for name, pictures in shown.items():
                self._tallies[name].flicker.add(pictures[place])
            number = self._frames + place - self._first_counted
            if number >= 0 and number % self._every == 0:
                self._add_faces(picture_SSC, results[place], first=number == 0)
        self._frames += len(driving)

    @property
    def _first_counted(self) -> int:
        """In self-reenactment the first frame is the source itself."""
        return 1 if self._protocol == "self" else 0

    def _add_pictures(self, driving: Sequence[Picture], shown: dict[str, Sequence[Picture]]) -> None:
        skipped = max(0, self._first_counted - self._frames)
        driving, shown = driving[skipped:], {name: pictures[skipped:] for name, pictures in shown.items()}
        if not driving:
            return
        device = self._networks.device
        wanted_BCHW = to_model(driving, device)
        for name, pictures in shown.items():
            result_BCHW = to_model(pictures, device)
            values = picture_errors(result_BCHW, wanted_BCHW)
            if self._networks.lpips is not None:
                values["lpips"] = self._networks.lpips(result_BCHW, wanted_BCHW)
            for metric, values_B in values.items():
                for value in values_B.tolist():
                    self._tallies[name].add(metric, value)
        if self._networks.inception is not None:
            first = self._frames + skipped
            places = [place for place in range(len(driving)) if first + place in self._fid_frames]
            for name, pictures in {"driving": driving, **shown}.items() if places else ():
                chosen = [pictures[place] for place in places]
                self._features[name].append(self._networks.inception(chosen))

    def _add_faces(self, driving_SSC: Picture, result_SSC: Picture, *, first: bool) -> None:
        driving = self._seer.see(driving_SSC)
        if first:
            self._start = driving
        if driving is None:
            return
        self._driving_faces += 1
        target = self._wanted(driving)
        for name, seen in (("model", self._seer.see(result_SSC)), ("copy", self._source)):
            tally = self._tallies[name]
            tally.add("failure_rate", float(seen is None))
            if seen is not None:
                self._add_face(tally, seen, driving, target)

    def _add_face(self, tally: _Tally, seen: Seen, driving: Seen, target: Wanted | None) -> None:
        if target is not None:
            tally.add("apd", pose_distance_deg(seen.face.head_pose_deg, target.pose_deg_3))
            tally.add("aed", expression_distance(seen.face.blendshapes_S, target.blendshapes_S))
        if self._protocol == "self":
            akd_px = landmark_distance_px(seen.face, driving.face)
            tally.add("akd", akd_px)
            tally.add("akd_eyes", 100 * akd_px / max(eye_distance_px(driving.face), 1e-6))
        same_person = driving if self._protocol == "self" else self._source
        if same_person is not None:
            tally.add("csim", identity_similarity(seen, same_person))

    def _wanted(self, driving: Seen) -> Wanted | None:
        """None where the transfer is relative to a face that was not found."""
        if not self._relative:
            return wanted(driving.face)
        if self._start is None or self._source is None:
            return None
        return wanted(driving.face, self._start.face, self._source.face)

    def measured(self) -> Measured:
        """What the frames so far give."""
        values: dict[str, dict[str, float]] = {}
        missing: dict[str, dict[str, str]] = {}
        driving_flicker = self._driving_flicker.mean()
        for name, tally in self._tallies.items():
            own_flicker = tally.flicker.mean()
            if own_flicker is not None and driving_flicker is not None:
                tally.add("flicker", abs(own_flicker - driving_flicker))
            means = {metric: float(np.mean(numbers)) for metric, numbers in tally.frames.items()}
            metrics = [metric.name for metric in of_protocol(self._protocol) if not metric.whole_run]
            values[name] = {metric: means[metric] for metric in metrics if metric in means}
            missing[name] = {metric: self._why_missing(metric, name) for metric in metrics if metric not in means}
        features = {name: np.concatenate(parts) for name, parts in self._features.items() if parts}
        return Measured(values, missing, features)

    def _why_missing(self, metric: str, contestant: str) -> str:
        if metric in self._networks.unavailable:
            return self._networks.unavailable[metric]
        if metric == "flicker":
            return "fewer than three frames"
        if self._frames <= self._first_counted:
            return "no frame but the source"
        if not self._driving_faces:
            return "no face found in the driving clip"
        if self._relative and self._start is None and metric in ("apd", "aed"):
            return "no face found in the first driving frame"
        if contestant == "copy" or self._source is None:
            return "no face found in the source"
        return "no face found in the result"
