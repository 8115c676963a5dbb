"""Which model it is, and whether it was trained on the people that it is measured on."""

import json
from pathlib import Path

import pytest

from liax.errors import UserError
from liax.evaluation.clips import list_clips
from liax.evaluation.subject import Subject, check_people, find_subject
from liax.shards import ShardSet
from tests.liax.evaluation.evaluated import SIZE_PX, configure, make_model
from tests.moving_shapes import write_shapes


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shards"), clips=5, validation=2)


def trained_on(model: str, set_id: str | None, training_shards: str | None = None) -> Subject:
    return find_subject(model, None).model_copy(update={"set_id": set_id, "training_shards": training_shards})


def check(subject: Subject, shards: str, **changes: object) -> str:
    config = configure(subject.given, shards, Path("unused"), **changes)
    return check_people(subject, config, list_clips(config, SIZE_PX))


def test_a_model_is_known_by_its_weights(model: str, tmp_path: Path) -> None:
    one = find_subject(model, None)
    assert (one.size_px, one.set_id, len(one.sha256)) == (SIZE_PX, None, 64)
    assert find_subject(make_model(tmp_path / "again"), None).sha256 == one.sha256


def test_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model in .*nowhere: give a folder with model.safetensors"):
        find_subject(str(tmp_path / "nowhere"), None)
    with pytest.raises(UserError, match="no such file"):
        find_subject(str(tmp_path / "lia-x.pt"), None)


def test_the_validation_split_of_the_models_own_set_is_fine_and_its_training_split_is_not(
    model: str, shards: str
) -> None:
    subject = trained_on(model, ShardSet(shards).set_id)
    assert check(subject, shards).startswith("none of these people")
    with pytest.raises(UserError, match=r"3 of 3 clips, clip0 for one.*allow_training_people=true"):
        check(subject, shards, split="train")
    assert check(subject, shards, split="train", allow_training_people=True).startswith("3 of 3 clips")


def test_a_training_split_is_refused_for_a_model_that_says_nothing(model: str, shards: str) -> None:
    assert check(trained_on(model, None), shards).startswith("not known")
    with pytest.raises(UserError, match=r"split=train may be what .* was trained on"):
        check(trained_on(model, None), shards, split="train")
    assert check(trained_on(model, None), shards, split="train", allow_training_people=True).startswith("not known")


def test_people_of_another_set_are_compared_where_it_can_be_read(model: str, shards: str, tmp_path: Path) -> None:
    # clip0 … clip2 train in the other set, too, and one of them is held back in none.
    other = write_shapes(tmp_path / "other", clips=5, validation=0)
    for subject, changes in (
        (trained_on(model, ShardSet(other).set_id, other), {}),
        (trained_on(model, None), {"training_shards": other}),
    ):
        with pytest.raises(UserError, match="2 of 2 clips, clip3 for one"):
            check(subject, shards, **changes)
    gone = trained_on(model, "another", str(tmp_path / "gone"))
    assert check(gone, shards).startswith("not known")
    moved = trained_on(model, "another", other)  # another set is there now
    assert check(moved, shards).startswith("not known")


def test_two_people_of_one_video_are_two_people_in_one_set(model: str, tmp_path: Path) -> None:
    folder = Path(write_shapes(tmp_path / "shards", clips=2, validation=1))
    file = folder / "commits" / "00000.json"
    commit = json.loads(file.read_text())
    for number, sample in enumerate(commit["samples"]):
        sample |= {"source_sha256": "v" * 64, "identity": f"person {number}"}
    file.write_text(json.dumps(commit))
    same = trained_on(model, ShardSet(str(folder)).set_id)
    assert check(same, str(folder)).startswith("none of these people")
    with pytest.raises(UserError, match="1 of 1 clips"):  # elsewhere the names of people may differ
        check(trained_on(model, None), str(folder), training_shards=str(folder))
