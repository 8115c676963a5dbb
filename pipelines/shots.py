"""Stage 4, shots: where a video cuts to another picture, and where it is black or stands still.

Looked at while faces are searched, on small pictures of the same frames, so that a video is decoded once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from liax.config import Config

THUMBNAIL_PX = 128
"""Longer side of the pictures that are compared (our choice: changes of content show, and it costs little)."""

REPEATED = 0.8
"""A picture that differs less than this from the last that was compared, in the mean over its pixels (0 to 255), is no
new one for the cut detector: else every step of a slow animation, which repeats its pictures, would look like a cut."""

ABRUPT, ABRUPT_RATIO = 8.0, 2.0
"""A picture that differs from the one before by more than this, and this many times as much as that one did from its
own, may show other faces (our choice: the second spares moving cameras a second search of every picture)."""

BLACK_LUMA, BLACK_SHARE = 0.1 * 255, 0.98
"""A picture is black when this share of its pixels is darker than this (the defaults of ffmpeg's blackdetect)."""


class ShotsConfig(Config):
    """How cuts, black and frozen spans are found. Tracks cross none of them."""

    cut_ratio: float | None = Field(default=5.0, gt=0)
    """A cut is where a picture changes this many times as much as the four round it do (`AdaptiveDetector` of
    PySceneDetect); null looks for no cuts. Measured: 6 for a jump cut within one scene, 4.3 for a head thrown round."""
    least_cut_change: float = Field(default=12.0, ge=0)
    """And by at least this much, in hue, saturation and brightness (0 to 255)."""
    least_black_s: float | None = Field(default=0.5, gt=0)
    """Black spans of at least this length are dropped; null keeps them."""
    least_frozen_s: float | None = Field(default=2.0, gt=0)
    """Spans of at least this length in which the picture stands still are dropped; null keeps them."""
    frozen_difference: float = Field(default=0.1, ge=0)
    """A picture stands still while it differs from the span's first by less than this, in the mean over its pixels (0
    to 255)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of the source that no clip is taken from, in seconds from the source's start.

    Args:
        start_s, end_s: the span.
        reason: `black` or `frozen`.
    """

    start_s: float
    end_s: float
    reason: str


class ShotFinder:
    """Sees every decoded picture of a segment once, in order, and tells its shots."""

    def __init__(self, config: ShotsConfig) -> None:
        self._config = config
        self._detector = _detector(config)
        self._first_s = self._last_s = 0.0
        self._gray_HW: NDArray[np.uint8] | None = None
        self._change = 0.0
        """By how much the last picture differs from the one before."""
        self._fed: list[tuple[float, float]] = []
        """For each picture that the detector saw: the time of the picture decoded before it, and its own."""
        self._changes: list[float] = []
        """By how much each of them differs from the one before."""
        self._fed_gray_HW: NDArray[np.uint8] | None = None
        self._cuts: list[tuple[float, float]] = []
        self._black = _Run("black", config.least_black_s)
        self._frozen = _Run("frozen", config.least_frozen_s)
        self._frozen_gray_HW: NDArray[np.uint8] | None = None

    def see(self, time_s: float, picture_HWC: NDArray[np.uint8]) -> bool:
        """The next picture, uint8 BGR. Returns whether it differs so much from the last that faces may be new."""
        import cv2

        gray_HW = np.asarray(cv2.cvtColor(picture_HWC, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        if self._gray_HW is None or gray_HW.shape != self._gray_HW.shape:  # the first, or the file changes its size
            if self._gray_HW is not None:
                self._cuts.append((self._last_s, time_s))
            else:
                self._first_s = time_s
            self._cuts += self._cuts_at_the_ends()
            self._detector = _detector(self._config)
            self._change, self._changes = 0.0, []
            self._fed, self._fed_gray_HW, self._frozen_gray_HW = [], None, None
            abrupt = True
        else:
            change = _difference(gray_HW, self._gray_HW)
            abrupt = change > max(ABRUPT, ABRUPT_RATIO * self._change)
            self._change = change
        before_s = self._last_s if self._gray_HW is not None else time_s
        self._look_for_cut(time_s, before_s, picture_HWC, gray_HW)
        self._look_for_stillness(time_s, gray_HW)
        self._gray_HW, self._last_s = gray_HW, time_s
        return abrupt

    def _look_for_cut(
        self, time_s: float, before_s: float, picture_HWC: NDArray[np.uint8], gray_HW: NDArray[np.uint8]
    ) -> None:
        from scenedetect.common import FrameTimecode

        if self._detector is None:
            return
        change = 0.0 if self._fed_gray_HW is None else _difference(gray_HW, self._fed_gray_HW)
        if self._fed and change < REPEATED:
            return
        self._changes.append(change)
        self._fed_gray_HW = gray_HW
        # The detector only needs a running number; what it stands for is remembered here.
        number = FrameTimecode(len(self._fed), fps=25.0)
        self._fed.append((before_s, time_s))
        self._cuts += [self._fed[cut.frame_num] for cut in self._detector.process_frame(number, picture_HWC)]

    def _cuts_at_the_ends(self) -> list[tuple[float, float]]:
        """Cuts that the detector cannot find, for want of two pictures before and after: there those count that are."""
        ratio, count = self._config.cut_ratio, len(self._fed)
        if ratio is None:
            return []
        cuts = []
        for index in {1, count - 2, count - 1} & set(range(1, count)):
            change = self._changes[index]
            others = self._changes[max(1, index - 2) : index] + self._changes[index + 1 : index + 3]
            if change > ABRUPT and change >= ratio * sum(others) / max(1, len(others)):
                cuts.append(self._fed[index])
        return cuts

    def _look_for_stillness(self, time_s: float, gray_HW: NDArray[np.uint8]) -> None:
        is_black = float((gray_HW < BLACK_LUMA).mean()) >= BLACK_SHARE
        self._black.see(time_s, is_black)
        reference_HW = self._frozen_gray_HW
        stands = (
            not is_black
            and reference_HW is not None
            and _difference(gray_HW, reference_HW) < self._config.frozen_difference
        )
        if stands:
            self._frozen.see(time_s, True)
        else:
            self._frozen.see(time_s, False)
            self._frozen_gray_HW = None if is_black else gray_HW
            if not is_black:  # may be the first of a still span
                self._frozen.see(time_s, True)

    def shots(self) -> list[tuple[float, float]]:
        """Start and end of every shot so far: the times of its first and its last decoded picture."""
        if self._gray_HW is None:
            return []
        cuts = sorted(self._cuts + self._cuts_at_the_ends())
        starts_s = [self._first_s, *(after_s for _, after_s in cuts)]
        ends_s = [*(before_s for before_s, _ in cuts), self._last_s]
        return list(zip(starts_s, ends_s, strict=True))

    def dropped(self) -> list[Span]:
        """Black and frozen spans so far, in order of time."""
        return sorted(self._black.spans() + self._frozen.spans(), key=lambda span: (span.start_s, span.end_s))


class _Run:
    """Collects spans in which something holds for long enough."""

    def __init__(self, reason: str, least_s: float | None) -> None:
        self._reason, self._least_s = reason, least_s
        self._found: list[Span] = []
        self._going: tuple[float, float] | None = None

    def see(self, time_s: float, holds: bool) -> None:
        if holds:
            self._going = (self._going[0] if self._going else time_s, time_s)
        else:
            self._found, self._going = self.spans(), None

    def spans(self) -> list[Span]:
        if self._going is None or self._least_s is None or self._going[1] - self._going[0] < self._least_s:
            return self._found
        return [*self._found, Span(*self._going, self._reason)]


def _difference(one_HW: NDArray[np.uint8], other_HW: NDArray[np.uint8]) -> float:
    import cv2

    return float(cv2.mean(cv2.absdiff(one_HW, other_HW))[0])


def _detector(config: ShotsConfig) -> Any:
    """PySceneDetect's detector; its own least length of a scene, which counts frames, is off."""
    if config.cut_ratio is None:
        return None
    from scenedetect.detectors import AdaptiveDetector

    return AdaptiveDetector(
        adaptive_threshold=config.cut_ratio, min_scene_len=0, min_content_val=config.least_cut_change
    )
