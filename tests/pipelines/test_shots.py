"""Cuts, black and still spans in pictures whose shots are known."""

import numpy as np
import pytest

from pipelines.shots import ShotFinder, ShotsConfig, Span

FPS = 25.0


def scene(seed: int, count: int, moving: bool = True) -> list[np.ndarray]:
    """Large coloured patches that drift by a pixel a picture."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(30, 250, (6, 10, 3), dtype=np.uint8)
    picture = np.repeat(np.repeat(patches, 16, axis=0), 16, axis=1)
    return [np.roll(picture, index if moving else 0, axis=1)[:72, :128] for index in range(count)]


def black(count: int) -> list[np.ndarray]:
    return [np.full((72, 128, 3), 5, np.uint8)] * count


def look(pictures: list[np.ndarray], config: ShotsConfig | None = None) -> tuple[ShotFinder, list[int]]:
    """The finder after it saw all pictures, and the pictures at which it said that faces may be new."""
    finder = ShotFinder(config or ShotsConfig())
    abrupt = [index for index, picture in enumerate(pictures) if finder.see(index / FPS, picture)]
    return finder, abrupt


def test_a_cut_lies_between_the_last_picture_of_a_shot_and_the_first_of_the_next() -> None:
    finder, abrupt = look(scene(0, 40) + scene(1, 30) + scene(2, 20))
    assert finder.shots() == [(0.0, 39 / FPS), (40 / FPS, 69 / FPS), (70 / FPS, 89 / FPS)]
    assert {0, 40, 70} <= set(abrupt)
    assert finder.dropped() == []


@pytest.mark.parametrize(("first", "second"), [(1, 30), (2, 30), (30, 1), (30, 2), (1, 1)])
def test_a_cut_is_found_next_to_the_ends(first: int, second: int) -> None:
    finder, _ = look(scene(0, first) + scene(1, second))
    assert finder.shots() == [(0.0, (first - 1) / FPS), (first / FPS, (first + second - 1) / FPS)]


def test_movement_is_no_cut_and_no_cuts_can_be_asked_for() -> None:
    assert len(look(scene(0, 60))[0].shots()) == 1
    assert len(look(scene(0, 30) + scene(1, 30), ShotsConfig(cut_ratio=None))[0].shots()) == 1


def test_a_slow_animation_has_no_cuts() -> None:
    """Every picture is shown five times, then all jump a little."""
    pictures = [picture for picture in scene(0, 100)[::12] for _ in range(5)]
    assert len(look(pictures)[0].shots()) == 1


def test_black_and_still_spans_are_dropped_when_they_are_long() -> None:
    still = scene(0, 60, moving=False)
    finder, _ = look(scene(1, 20) + black(25) + scene(2, 20) + black(5) + scene(3, 20) + still)
    spans = finder.dropped()
    assert [(span.reason, round(span.start_s * FPS), round(span.end_s * FPS)) for span in spans] == [
        ("black", 20, 44),
        ("frozen", 90, 149),
    ]
    kept = ShotsConfig(least_black_s=None, least_frozen_s=None)
    assert look(black(100) + still, kept)[0].dropped() == []


def test_a_black_video_is_black_and_not_frozen() -> None:
    assert look(black(100))[0].dropped() == [Span(0.0, 99 / FPS, "black")]


def test_a_change_of_size_is_a_cut() -> None:
    small = [picture[::2, ::2] for picture in scene(1, 20)]
    assert look(scene(0, 20) + small)[0].shots() == [(0.0, 19 / FPS), (20 / FPS, 39 / FPS)]


def test_nothing_seen_no_shots() -> None:
    assert ShotFinder(ShotsConfig()).shots() == []
