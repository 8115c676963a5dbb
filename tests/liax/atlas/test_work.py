"""Clips are observed, people moved and paths drawn, in this process instead of on Ray; and nothing is done twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liax import storage
from liax.atlas import undone
from liax.atlas.config import AtlasConfig
from liax.atlas.networks import open_observers
from liax.atlas.people import choose_people
from liax.atlas.records import Work
from liax.atlas.response import Path as Way
from liax.atlas.stage import PassiveClip, TraceItem, chosen_levels
from liax.atlas.work import Seen, draw_strips, observe, trace_paths
from liax.attributes import ATTRIBUTES
from liax.evaluation.attempts import ATTEMPTS, forget_attempts, started
from liax.evaluation.clips import Clip, list_clips
from liax.evaluation.subject import find_subject
from tests.liax.atlas.copying_model import DIRECTIONS, PEOPLE, make_copying_model, talks
from tests.liax.evaluation.evaluated import map_here


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undone, "through_pool", map_here)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A model and a folder of videos."""
    return make_copying_model(tmp_path_factory.mktemp("model")), talks(tmp_path_factory.mktemp("talks"))


def open_work(given: tuple[str, str], output: Path, **changes: Any) -> tuple[Work, list[Clip]]:
    model, videos = given
    values = {"model": model, "videos": videos, "output": str(output), "identities": PEOPLE, "frames_per_clip": 4}
    config = AtlasConfig.model_validate(values | changes)
    opened = open_observers(config.networks, "cpu")
    opened.observers.close()
    subject = find_subject(model, None)
    work = Work(str(output), subject, config, tuple(sorted(opened.names.items())), opened.observers.second_attributes)
    return work, list_clips(config, subject.size_px).clips


@pytest.fixture(scope="module")
def seen(given: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Work, list[Clip], Seen]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(undone, "through_pool", map_here)
        work, clips = open_work(given, tmp_path_factory.mktemp("out"))
        yield work, clips, observe(work, clips)


def test_clips_are_observed_as_they_are(seen: tuple[Work, list[Clip], Seen]) -> None:
    _, clips, found = seen
    observed = found.observed
    assert observed.codes_FM.shape == (4 * PEOPLE, DIRECTIONS)
    assert not np.isnan(observed.attributes_FA).any()
    assert observed.frame_F.tolist() == [1, 4, 7, 10] * PEOPLE
    assert set(observed.person_F) == {clip.person for clip in clips}
    assert np.ptp(observed.codes_FM, axis=0).min() > 0
    assert found.left_out == {}
    assert all(candidate.unmoved_found for candidate in found.candidates)
    for candidate in found.candidates:
        assert storage.read_bytes(candidate.person.picture)[:4] == b"\x89PNG"


def test_observing_again_does_nothing_and_gives_the_same(
    seen: tuple[Work, list[Clip], Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, clips, found = seen

    def never(*given: object) -> object:
        raise AssertionError("observed again")

    monkeypatch.setattr(PassiveClip, "__call__", never)
    again = observe(work, clips)
    np.testing.assert_array_equal(again.observed.codes_FM, found.observed.codes_FM)
    assert again.candidates == found.candidates


def test_people_are_moved_along_paths(seen: tuple[Work, list[Clip], Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    work, _, found = seen
    people = [candidate.person for candidate in choose_people(found.candidates, PEOPLE)]
    units_MM = np.eye(DIRECTIONS, dtype=np.float32)
    paths = [Way(str(index), units_MM[index], np.array([-400, 0, 400], dtype=np.float32)) for index in (0, 1)]
    forget_attempts(work.url)
    traced = trace_paths(work, people, paths, "trace")
    response = traced.response
    assert response.values_NPLA.shape == (PEOPLE, 2, 3, len(ATTRIBUTES))
    assert response.detected_NPL[:, :, 1].all()
    assert np.nanmax(np.abs(response.changes_NPLA[:, :, [0, 2]])) > 0.01, "nothing moved"
    assert (response.similarity_NPL[:, :, 1] > 0.999).all() or "identity" not in dict(work.observers)
    assert traced.observe_s > 0
    monkeypatch.setattr(TraceItem, "__call__", None)
    assert trace_paths(work, people, paths, "trace").response.to_npz() == response.to_npz()


def test_paths_are_drawn(seen: tuple[Work, list[Clip], Seen]) -> None:
    import io

    from PIL import Image

    work, _, found = seen
    people = [candidate.person for candidate in found.candidates[:2]]
    way = Way("0", np.eye(DIRECTIONS, dtype=np.float32)[0], np.linspace(-1, 1, 9).astype(np.float32))
    strips = draw_strips(work, people, {"direction 0": way})
    assert list(strips) == ["direction 0"]
    picture = Image.open(io.BytesIO(strips["direction 0"]))
    assert picture.format == "JPEG"
    assert picture.width > 5 * 70
    assert picture.height > 2 * 70


def test_a_clip_that_cannot_be_read_is_left_out_and_counted(given: tuple[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "good.mp4").write_bytes((Path(given[1]) / "talk0.mp4").read_bytes())
    (folder / "bad.mp4").write_bytes(b"no video")
    work, clips = open_work((given[0], str(folder)), tmp_path / "out")
    found = observe(work, clips)
    assert found.left_out == {"unusable": 1}
    assert len(found.candidates) == 1
    assert len(found.observed.frame_F) == 4


def test_work_that_always_kills_its_worker_is_given_up(given: tuple[str, str], tmp_path: Path) -> None:
    work, clips = open_work(given, tmp_path / "out")
    died = work.observed_id(clips[0])
    for attempt in range(ATTEMPTS):  # what is left of a worker that died
        storage.create_bytes(started(work.url, died, attempt), b"")
    found = observe(work, clips[:2])
    assert found.left_out == {"crashed": 1}
    person = found.candidates[0].person
    way = Way("0", np.eye(DIRECTIONS, dtype=np.float32)[0], np.array([-1, 0, 1], dtype=np.float32))
    for attempt in range(ATTEMPTS):
        storage.create_bytes(started(work.url, work.traced_id(person, way), attempt), b"")
    traced = trace_paths(work, [person], [way], "trace")
    assert traced.left_out == {"crashed": 1}
    assert not traced.response.detected_NPL.any()
    forget_attempts(work.url)  # another run, perhaps with more memory, begins both anew
    assert observe(work, clips[:2]).left_out == {}
    again = trace_paths(work, [person], [way], "trace")
    assert again.left_out == {}
    assert again.response.detected_NPL.any()


@pytest.mark.parametrize(
    ("levels", "count", "wanted"),
    [
        ([-4, -3, -2, -1, 0, 1, 2, 3, 4], 5, [-4, -2, 0, 2, 4]),
        ([-4, -3, -2, -1, 0, 1, 2, 3, 4], 3, [-4, 0, 4]),
        ([-2, -1, 0, 1, 2], 5, [-2, -1, 0, 1, 2]),
        ([-1, 0, 1, 2, 3, 4, 5], 5, [-1, 0, 3, 5]),
        ([0, 1, 2], 3, [0, 2]),
    ],
)
def test_both_ends_and_the_unmoved_level_are_shown(levels: list[float], count: int, wanted: list[float]) -> None:
    assert chosen_levels(np.array(levels, dtype=np.float32), count).tolist() == wanted
