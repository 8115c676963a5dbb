"""Sweeps: a loop without a jump, the right pictures at the right steps, and sizes that a video can have."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from liax.errors import UserError
from liax.inference.controls import Controls
from liax.inference.released import RELEASED
from liax.inference.renderer import Renderer
from liax.inference.sweep import LABEL_PX, STILLS, TILE_PX, check_frames, loop_steps, rows_of, write_sweep
from liax.inference.transfer import shifted
from liax.model.config import preset
from liax.model.network import LiaX
from liax.pictures import from_model, load_picture
from liax.video.decode import frames
from liax.video.probe import probe
from tests.liax.model import drawn
from tests.measured_controls import controls_file

DIRECTIONS = 5
FAR = (-6.0, 12.0)
"""A span over which the pictures differ by more than what a video loses."""
(PORTRAIT,) = from_model(drawn.pictures("sweep", 1, 64))


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    config = preset("tiny").model_copy(update={"directions": DIRECTIONS})
    return Renderer(drawn.fill(LiaX(config)), "cpu", "float32")


@pytest.mark.parametrize("count", [2, 3, 8, 9, 48])
def test_the_loop_has_no_jump(count: int) -> None:
    """Frame k is at (1 − cos 2πk/N)/2 of the span, so that frame N would be frame 0 again."""
    there = loop_steps(count)
    shown = [there[min(frame, count - frame)] for frame in range(count)]
    assert shown == pytest.approx([(1 - math.cos(2 * math.pi * frame / count)) / 2 for frame in range(count)])
    assert shown[0] == 0
    assert max(shown) == pytest.approx(1 if count % 2 == 0 else (1 + math.cos(math.pi / count)) / 2)
    around = np.diff([*shown, shown[0]])
    assert abs(around[-1]) <= abs(around).max() + 1e-9  # from the last to the first as between others


def test_one_direction_fills_the_video(renderer: Renderer, tmp_path: Path) -> None:
    (row,) = rows_of(Controls(DIRECTIONS), 3, FAR)
    written = write_sweep(renderer, PORTRAIT, [row], tmp_path / "o.mp4", frames=10, still_out=tmp_path / "o.png")
    assert (written.frames, written.fps, written.width_px, written.height_px) == (10, 24, 64, 64)
    assert (probe(tmp_path / "o.mp4").width_px, probe(tmp_path / "o.mp4").fps) == (64, 24)
    shown = [picture.astype(float) for _, picture in frames(tmp_path / "o.mp4")]
    assert len(shown) == 10
    steps = np.stack([np.eye(DIRECTIONS, dtype=np.float32)[3] * np.float32(-6 + 18 * share) for share in (0, 0.5, 1)])
    low, middle, high = (picture.astype(float) for picture in shifted(renderer, PORTRAIT, steps))
    assert np.abs(low - high).mean() > 2
    for frame, expected in ((0, low), (5, high)):
        others = [np.abs(picture - expected).mean() for picture in (low, middle, high) if picture is not expected]
        assert np.abs(shown[frame] - expected).mean() < min(others) / 2
    for frame in range(6, 10):  # the way back shows what the way there does
        assert np.argmin([np.abs(shown[frame] - picture).mean() for picture in shown[:6]]) == 10 - frame


def test_stills_go_from_end_to_end(renderer: Renderer, tmp_path: Path) -> None:
    rows = rows_of(Controls(DIRECTIONS), 3, FAR)
    write_sweep(renderer, PORTRAIT, rows, tmp_path / "o.mp4", frames=2, still_out=tmp_path / "o.png")
    grid = load_picture(tmp_path / "o.png")
    assert grid.shape == (LABEL_PX + TILE_PX, STILLS * TILE_PX, 3)
    deltas = [rows[0].step(value) for value in (-6, -1.5, 3, 7.5, 12)]
    for place, expected in enumerate(shifted(renderer, PORTRAIT, deltas)):
        tile = grid[:, place * TILE_PX : (place + 1) * TILE_PX].astype(int)
        enlarged = cv2.resize(expected, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
        assert np.abs(tile[LABEL_PX:] - enlarged).max() <= 2
        assert tile[:LABEL_PX].max() > 128  # the label


def test_all_directions_become_a_labelled_mosaic(renderer: Renderer, tmp_path: Path) -> None:
    rows = rows_of(Controls(DIRECTIONS), "all", FAR)
    assert [row.label for row in rows] == [str(index) for index in range(DIRECTIONS)]
    assert np.array_equal(np.stack([row.step(1) for row in rows]), np.eye(DIRECTIONS))
    out, still = tmp_path / "o.mp4", tmp_path / "o.png"
    written = write_sweep(renderer, PORTRAIT, rows, out, frames=4, still_out=still)
    # Five rows are 3 tiles wide and 2 high.
    assert (written.width_px, written.height_px) == (3 * TILE_PX, 2 * (TILE_PX + LABEL_PX))
    assert written.width_px % 2 == written.height_px % 2 == 0
    shown = [picture for _, picture in frames(out)]
    assert len(shown) == 4
    grid = load_picture(still)
    assert grid.shape == (DIRECTIONS * (TILE_PX + LABEL_PX), STILLS * TILE_PX, 3)
    # Frame 0 is at the lower end of the span, frame 2 at the upper one: as the grid's first and last column.
    for index in (0, 3, 4):
        down, across = divmod(index, 3)
        top, left = down * (TILE_PX + LABEL_PX) + LABEL_PX, across * TILE_PX
        row = grid[index * (TILE_PX + LABEL_PX) + LABEL_PX : (index + 1) * (TILE_PX + LABEL_PX)].astype(float)
        ends = row[:, :TILE_PX], row[:, -TILE_PX:]
        for frame, (own, other) in ((0, ends), (2, ends[::-1])):
            tile = shown[frame][top : top + TILE_PX, left : left + TILE_PX].astype(float)
            assert np.abs(tile - own).mean() < 0.5 * np.abs(tile - other).mean()
        assert shown[0][top - LABEL_PX : top, left : left + TILE_PX].max() > 128  # the label


def test_names_and_their_ranges() -> None:
    controls = Controls(40, RELEASED)
    (yaw,) = rows_of(controls, "yaw", None)
    assert (yaw.label, yaw.span, np.flatnonzero(yaw.step(1)).tolist()) == ("yaw", (-1, 0.5), [37, 39])
    rows = rows_of(controls, "all", None)
    assert (rows[37].label, rows[37].span) == ("37 yaw1", (-1, 0.5))
    assert (rows[0].label, rows[0].span) == ("0", (-0.5, 0.5))
    assert rows_of(controls, "13", (0, 2))[0].span == (0, 2)


def test_measured_controls_go_through_their_safe_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    controls = Controls(20, file=controls_file())
    yaw, pitch, smile = rows_of(controls, "controls", None)
    assert [(row.label, row.unit, row.span) for row in (yaw, smile)] == [
        ("yaw", "deg", (-15, 18)),
        ("smile", "share", (-0.2, 0.6)),
    ]
    assert pitch.step(5).tolist() == [0, 0.5, *[0] * 18]
    assert smile.step(0.4)[2:4].tolist() == pytest.approx([1.5, -0.75])
    assert rows_of(controls, "yaw", (-10, 10))[0].span == (-10, 10)
    assert capsys.readouterr().out == ""
    assert rows_of(controls, "yaw", (40, 0))[0].span == (18, 0)
    assert "warning: yaw is safe from -15 to 18 deg: swept from 18 to 0" in capsys.readouterr().out
    assert rows_of(controls, "yaw", (40, 0), unsafe=True)[0].span == (40, 0)
    with pytest.raises(UserError, match="yaw is safe from -15 to 18 deg, which a sweep has no part in"):
        rows_of(controls, "yaw", (30, 40))
    with pytest.raises(UserError, match="cannot do blink_left: also closes the right eye"):
        rows_of(controls, "blink_left", None)
    with pytest.raises(UserError, match="no controls of this model are measured"):
        rows_of(Controls(40, RELEASED), "controls", None)
    assert len(rows_of(controls, "all", None)) == 20


def test_a_measured_controls_pictures_are_those_of_its_curve(renderer: Renderer, tmp_path: Path) -> None:
    file = controls_file(directions=DIRECTIONS)
    steep = file.controls["smile"].model_copy(update={"coefficients": [-1.0, 0.0, 9.0, 10.0]})
    rows = rows_of(Controls(DIRECTIONS, file=file.model_copy(update={"controls": {"smile": steep}})), "smile", None)
    write_sweep(renderer, PORTRAIT, rows, tmp_path / "o.mp4", frames=2, still_out=tmp_path / "o.png")
    grid = load_picture(tmp_path / "o.png")
    coefficients = (-1.0, 0.0, 9.0, 9.5, 10.0)  # at -0.2, 0, 0.2, 0.4 and 0.6
    deltas = [np.float32([0, 0, t, -t / 2, 0]) for t in coefficients]
    for place, expected in enumerate(shifted(renderer, PORTRAIT, deltas)):
        tile = grid[LABEL_PX:, place * TILE_PX : (place + 1) * TILE_PX].astype(int)
        enlarged = cv2.resize(expected, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
        assert np.abs(tile - enlarged).max() <= 2


def test_what_cannot_be_swept_is_refused() -> None:
    for direction, span in (("smile", None), (20, None), (1, (0.2, 0.2)), (1, (math.nan, 1)), (1, (0, math.inf))):
        with pytest.raises(UserError):
            rows_of(Controls(20), direction, span)
    for count in (-1, 0, 1, 10_000):
        with pytest.raises(UserError, match="give 2 to 480"):
            check_frames(count)
