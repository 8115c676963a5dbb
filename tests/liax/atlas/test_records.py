"""Records hold exactly what was written, and are named by all that decides it."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from liax.atlas.config import AtlasConfig
from liax.atlas.people import Person
from liax.atlas.records import (
    CRASHED,
    Work,
    crashed,
    nothing_traced,
    path_of_row,
    path_to_row,
    read_traced,
    write_arrays,
    write_traced,
)
from liax.atlas.response import Path as Way
from liax.atlas.response import Traced
from liax.attributes import ATTRIBUTES
from liax.evaluation.clips import Clip
from liax.evaluation.subject import Subject

PERSON = Person(id="anna", clip="clip1", frame=7, picture="p.png")
CLIP = Clip(id="clip1", name="clip1", person="anna", video_sha256="v", url="c.mp4", sample=None)
WAY = Way("3", np.array([0, 0, 0, 1], dtype=np.float32), np.array([-0.1, 0, 0.3], dtype=np.float32))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    subject = Subject(given="m", url="m", sha256="0" * 64, size_px=64)
    config = AtlasConfig(model="m", shards="s", output=str(tmp_path))
    return Work(str(tmp_path), subject, config, (("face", "mediapipe"),), ("yaw",))


def test_a_path_survives_the_way_to_a_worker_bit_by_bit() -> None:
    import json

    found = path_of_row(json.loads(json.dumps(path_to_row(WAY))))
    assert found.name == WAY.name
    assert found.unit_M.tobytes() == WAY.unit_M.tobytes()
    assert found.levels_L.tobytes() == WAY.levels_L.tobytes()


def test_what_was_traced_is_read_back_and_has_the_same_bytes(work: Work) -> None:
    random = np.random.default_rng(0)
    given = Traced(
        values_LA=random.random((3, len(ATTRIBUTES))).astype(np.float32),
        second_LB=random.random((3, 1)).astype(np.float32),
        similarity_L=np.array([1, np.nan, 0.5], dtype=np.float32),
        off_face_L=random.random(3).astype(np.float32),
        steps_K=random.random(2).astype(np.float32),
        render_s=0.25,
        observe_s=1.5,
    )
    write_traced(work, "one", given)
    write_traced(work, "two", given)
    assert Path(work.traced("one")).read_bytes() == Path(work.traced("two")).read_bytes()
    (found,), reasons = read_traced(work, ["one"])
    assert reasons == [""]
    for field in fields(Traced):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(given, field.name))


def test_a_path_that_could_not_be_looked_at_has_no_face(work: Work) -> None:
    write_traced(work, "one", nothing_traced(3, 1), "crashed")
    (found,), reasons = read_traced(work, ["one"])
    assert reasons == ["crashed"]
    assert np.isnan(found.values_LA).all()
    assert found.steps_K.shape == (2,)


def test_other_weights_settings_people_paths_or_observers_are_traced_anew(work: Work) -> None:
    def changed(**changes: object) -> str:
        return replace(work, **changes).traced_id(PERSON, WAY)  # type: ignore[arg-type]

    first = work.traced_id(PERSON, WAY)
    other_model = work.subject.model_copy(update={"sha256": "1" * 64})
    other_dtype = work.config.model_copy(update={"dtype": "bfloat16"})
    ids = {
        first,
        changed(subject=other_model),
        changed(config=other_dtype),
        changed(observers=(("face", "another"),)),
        work.traced_id(PERSON.model_copy(update={"frame": 8}), WAY),
        work.traced_id(PERSON, replace(WAY, levels_L=np.array([-0.1, 0, 0.4], dtype=np.float32))),
        work.traced_id(PERSON, replace(WAY, unit_M=-WAY.unit_M)),
    }
    assert len(ids) == 7
    assert work.traced_id(PERSON, replace(WAY, name="yaw")) == first  # a name moves nothing
    moved = PERSON.model_copy(update={"picture": "elsewhere.png"})
    assert work.traced_id(moved, WAY) == first
    more_people = work.config.model_copy(update={"identities": 40})
    assert changed(config=more_people) == first


def test_other_frames_of_a_clip_are_observed_anew(work: Work) -> None:
    fewer = replace(work, config=work.config.model_copy(update={"frames_per_clip": 5}))
    uncropped = replace(work, config=work.config.model_copy(update={"crop": False}))
    assert len({one.observed_id(CLIP) for one in (work, fewer, uncropped)}) == 3


def test_a_source_that_is_framed_otherwise_is_moved_and_drawn_anew(work: Work) -> None:
    def of_videos(*, crop: bool) -> Work:
        return replace(work, config=work.config.model_copy(update={"shards": None, "videos": "v", "crop": crop}))

    framed, whole = of_videos(crop=True), of_videos(crop=False)
    assert framed.traced_id(PERSON, WAY) != whole.traced_id(PERSON, WAY)
    assert framed.strip_id([PERSON], WAY) != whole.strip_id([PERSON], WAY)
    uncropped = replace(work, config=work.config.model_copy(update={"crop": False}))
    assert uncropped.traced_id(PERSON, WAY) == work.traced_id(PERSON, WAY)  # clips of shards are framed already


def test_what_killed_its_worker_is_found(work: Work) -> None:
    write_traced(work, "one", nothing_traced(3, 1), CRASHED)
    write_traced(work, "two", nothing_traced(3, 1), "no_frames")
    write_traced(work, "three", nothing_traced(3, 1))
    assert crashed({name: work.traced(name) for name in ("one", "two", "three")}) == {"one"}
    assert crashed({}) == set()


def test_only_finished_work_is_done(work: Work) -> None:
    assert work.done("traced") == set()
    write_arrays(work.traced("one"), {"a": np.zeros(1)})
    write_arrays(work.thumbs("two"), {"a": np.zeros(1)})
    assert work.done("traced") == {"one"}
