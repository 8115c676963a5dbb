"""What visitors have done for them: previews, pictures, videos and sweeps. Everything but the page itself.

Legend: M directions, H W pixels, C colours.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liax.errors import UserError
from liax.inference.animation import Animation
from liax.inference.sweep import Row, rows_of
from liax.inference.transfer import Mode, StartFrame
from liax.pictures import Picture, save_picture
from liax.progress import Progress, watched
from liax.ui.checks import check_picture, check_video
from liax.ui.config import Limits
from liax.ui.models import Models
from liax.ui.sources import Framing, Source, Sources
from liax.ui.visitors import Tab, Visitors
from liax.ui.work import Line, Stand, Work

STILLS = 7
"""Pictures of one direction: at one end of its range, at 0 in the middle, and at the other end."""

Show = Callable[[Stand], None]


@dataclass(frozen=True, slots=True)
class Preview:
    """A portrait, what became of it, and what of the settings was not followed."""

    still_HWC: Picture
    moved_HWC: Picture
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was made for a visitor, and what was said on the way."""

    file: Path
    notes: list[str]
    animation: Animation | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """One direction's pictures and the value at each."""

    row: Row
    values: list[float]
    pictures: list[Picture]


class Desk:
    """Does what visitors ask for.

    Args:
        models, visitors, limits: the page's.
        sources: where portraits are kept while somebody works on them.
    """

    def __init__(self, models: Models, visitors: Visitors, limits: Limits, sources: Sources | None = None) -> None:
        self.models, self.visitors, self.limits = models, visitors, limits
        self.sources = sources or Sources()
        self._line = Line(limits.waiting)

    def source(self, tab: str, model: str, framing: Framing) -> Source:
        """A portrait, encoded at the first call. Raises UserError where its faces cannot be had."""
        check_picture(framing.path, self.limits)
        return self.sources.get(tab, self.models.get(model), framing)

    def preview(self, owner: Tab, model: str, framing: Framing, settings: Mapping[str, float]) -> Preview:
        """The portrait as it is, and moved."""
        source = self.source(owner.name, model, framing)
        said = Work(lambda stand: None, self.limits.work_s)
        with watched(said):
            delta_M = source.animator.controls.delta(settings)
        still = source.portraits.canvas_HWC
        return Preview(source.portraits.pictures[0] if still is None else still, source.moved(delta_M), said.notes)

    def save_picture(self, owner: Tab, model: str, framing: Framing, settings: Mapping[str, float]) -> Made:
        """The moved portrait as a file."""
        preview = self.preview(owner, model, framing, settings)
        with self._result(owner) as folder:
            save_picture(preview.moved_HWC, folder / "edited.png")
        return Made(folder / "edited.png", preview.notes)

    def animate(
        self,
        owner: Tab,
        model: str,
        framing: Framing,
        driving: str,
        show: Show,
        *,
        mode: Mode = "relative",
        start_frame: StartFrame = 0,
        sound: bool = True,
    ) -> Made:
        """A video of the portrait, moved like the driving video. Raises UserError, or Cancelled; then there is none."""

        def make(file: Path) -> Animation:
            return self.models.get(model).animate(
                framing.path,
                driving,
                file,
                mode=mode,
                start_frame=start_frame,
                crop=framing.crop,
                face=framing.face,
                paste_back=framing.paste_back,
                audio="driving" if sound else None,
            )

        check_picture(framing.path, self.limits)
        return self._video(owner, "animate", "animation.mp4", driving, make, show)

    def edit_video(
        self, owner: Tab, model: str, framing: Framing, settings: Mapping[str, float], from_first: bool, show: Show
    ) -> Made:
        """The video with its face moved. Raises UserError, or Cancelled; then there is none."""

        def make(file: Path) -> Animation:
            return self.models.get(model).edit_video(
                framing.path,
                file,
                dict(settings),
                from_first=from_first,
                crop=framing.crop,
                face=framing.face,
                paste_back=framing.paste_back,
            )

        return self._video(owner, "video", "edited.mp4", framing.path, make, show)

    def sweep(self, owner: Tab, model: str, framing: Framing, direction: str, show: Show) -> list[Strip]:
        """What a direction, or all of them, do to a portrait. Raises UserError, or Cancelled."""
        with self._work(owner, "explore", show):
            source = self.source(owner.name, model, framing)
            rows = rows_of(source.animator.controls, direction, None)
            with Progress(len(rows) * STILLS, "sweep", "picture") as progress:
                return [_strip(source, row, progress) for row in rows]

    @contextmanager
    def _work(self, owner: Tab, part: str, show: Show, most_frames: int | None = None) -> Iterator[Work]:
        """The block is work for that part of a tab's page, when its turn comes."""
        work = Work(show, self.limits.work_s, most_frames)
        with owner.working(part, work), self._line.turn(owner.visitor.secret, work), watched(work):
            yield work

    @contextmanager
    def _result(self, owner: Tab) -> Iterator[Path]:
        """A folder that is the visitor's if the block ends well, and gone if it does not."""
        folder = self.visitors.new_folder(owner.visitor)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.visitors.claim(owner.visitor, folder)

    def _video(
        self, owner: Tab, part: str, name: str, driving: str, make: Callable[[Path], Animation], show: Show
    ) -> Made:
        most_frames = check_video(driving, self.limits)
        with self._work(owner, part, show, most_frames) as work, self._result(owner) as folder:
            animation = make(folder / name)
        return Made(folder / name, work.notes, animation)


def _strip(source: Source, row: Row, progress: Progress) -> Strip:
    values = still_values(*row.span)
    pictures = []
    for picture_SSC in source.along([row.step(value) for value in values]):
        pictures.append(picture_SSC)
        progress.advance()
    return Strip(row, values, pictures)


def still_values(low: float, high: float) -> list[float]:
    """Where along a range the pictures are taken: 0 in the middle if it lies inside, evenly spaced to either side."""
    middle = 0.0 if low < 0 < high else (low + high) / 2
    side = STILLS // 2
    below = [low + (middle - low) * place / side for place in range(side)]
    return [*below, middle, *(middle + (high - middle) * place / side for place in range(1, side + 1))]


def settings_of(names: Sequence[str], values: Sequence[float | None]) -> dict[str, float]:
    """What the sliders say; those at 0 are left out, so that controls that nobody touched hold nothing in place."""
    settings = {name: float(value) for name, value in zip(names, values, strict=True) if value}
    if any(not -1e6 < value < 1e6 for value in settings.values()):
        raise UserError("a slider's value cannot be: move it again")
    return settings
