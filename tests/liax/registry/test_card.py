"""The model card: what is known of a training is in it, and what is not known is not made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from liax.controls_file import ControlsFile
from liax.errors import UserError
from liax.model.config import preset
from liax.registry.card import evaluation_table, model_card
from liax.registry.origin import Origin, origin_of
from liax.shards import ShardSet
from liax.training.checkpoint import CheckpointState, open_checkpoint
from liax.training.run_record import RunRecord, write_run
from tests.checkpoints import write
from tests.measured_controls import controls_file
from tests.moving_shapes import write_shapes


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shards"), clips=5, validation=2)


def card(origin: Origin, evaluation: str | None = None, controls: ControlsFile | None = None, **state: Any) -> str:
    values = {"files": {}, "sizes_bytes": {}, "versions": {}, "updates": {}, "pairs": 0, "skipped": 0}
    whole = CheckpointState.model_validate({"step": 2, "score": None, "identity": "x", **values, **state})
    return model_card("face", whole, preset("tiny", 64), origin, evaluation, controls)


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_data_are_counted_from_the_commit_records(shards: str, tmp_path: Path) -> None:
    known = Origin(str(tmp_path), "", shards=shards, set_id=ShardSet(shards).set_id)
    told = section(card(known), "Training data")
    assert f"Shard set {known.set_id}" in told
    assert "| train | 3 | 3 | 3 | 0.00 |" in told
    assert "| val | 2 | 2 | 2 | 0.00 |" in told
    assert "People were not told apart" in told


def test_another_set_in_the_same_place_is_not_taken_for_it(shards: str, tmp_path: Path) -> None:
    moved = Origin(str(tmp_path), "", shards=shards, set_id="another")
    gone = Origin(str(tmp_path), "", shards=str(tmp_path / "gone"), set_id="another")
    for origin in (moved, gone):
        told = section(card(origin), "Training data")
        assert "could not be read" in told
        assert "| train |" not in told


def test_what_became_of_the_videos_is_told(tmp_path: Path) -> None:
    folder = write_shapes(tmp_path / "shards")
    results = {"kept": 2, "no_face": 7, "crashed": 1}
    found = {"sources": 10, "source_hours": 1.5, "sources_kept": 2, "sources_by_result": results}
    Path(folder, "summary.json").write_text(json.dumps(found))
    origin = Origin(str(tmp_path), "", shards=folder)
    told = section(card(origin), "Training data")
    assert "Made from 10 videos, 1.50 hours that could be used; 2 gave clips." in told
    assert "The others gave none: no face (7), crashed (1)." in told
    Path(folder, "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"summary.json is damaged"):
        card(origin)


def test_results_are_those_of_the_checkpoints_own_step(tmp_path: Path) -> None:
    origin = Origin(str(tmp_path), "")
    assert "Not known" in section(card(origin), "Results in training")
    (tmp_path / "summary.json").write_text(json.dumps({"steps": 2, "l1_last": 0.25, "val_psnr": 20.0, "seconds": {}}))
    told = section(card(origin), "Results in training")
    assert "| l1_last | 0.2500 |" in told
    assert "| val_psnr | 20.0000 |" in told
    told = section(card(origin, step=1, score=0.125), "Results in training")
    assert "| val_l1 | 0.1250 |" in told
    assert "0.2500" not in told


def test_an_evaluation_is_quoted_if_it_is_of_these_weights(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"model": {"sha256": "a" * 64}}))
    (tmp_path / "table.md").write_text("# /home/me/run\n\n- clips: 7\n\n## self-reenactment\n\n| L1 | 0.1 |\n")
    told = card(Origin(str(tmp_path), ""), evaluation_table(f"{tmp_path}/", "a" * 64))
    assert "## Evaluation\n- clips: 7\n\n### self-reenactment\n\n| L1 | 0.1 |\n\n## Controls" in told
    assert "/home/me" not in told
    with pytest.raises(UserError, match="is the evaluation of other weights"):
        evaluation_table(str(tmp_path), "b" * 64)
    (tmp_path / "summary.json").write_text('{"steps": 2}')  # a training's
    with pytest.raises(UserError, match="give the output of `liax evaluate`"):
        evaluation_table(str(tmp_path), "a" * 64)
    with pytest.raises(UserError, match="no such file"):
        evaluation_table(str(tmp_path / "gone"), "a" * 64)


def test_controls_are_listed_with_units_ranges_and_errors(tmp_path: Path) -> None:
    assert "Not measured" in section(card(Origin(str(tmp_path), "")), "Controls")
    measured = controls_file().model_copy(update={"measured_on": {"people": 16, "set_id": "abc"}})
    told = section(card(Origin(str(tmp_path), ""), controls=measured), "Controls")
    assert "| yaw | deg | -15 to +18 | 0.8 | certified | the head turns to its left |" in told
    assert "| smile | share | -0.2 to +0.6 | 0.08 | approximate | the mouth smiles |" in told
    assert "| blink_left" not in told
    assert "It cannot do: blink_left (also closes the right eye)." in told
    assert "people 16, set id abc." in told


def test_a_checkpoints_origin_is_read_from_its_run(tmp_path: Path) -> None:
    write(tmp_path, [None])
    unknown = origin_of(open_checkpoint(str(tmp_path)))
    assert (unknown.preset, unknown.set_id, unknown.code, unknown.mlflow_run_id) == ("tiny", "unknown", {}, None)
    assert "code that was not recorded" in card(unknown)
    write_run(str(tmp_path), RunRecord(identity="x", set_id="set", tracking_uri="http://m", mlflow_run_id="run"))
    note = {"training_id": "x", "name": "n", "experiment": "e", "uri": None, "parameters": {}, "files": []}
    tags = {"git_commit": "c0ffee", "dirty": "true", "hostname": "h"}
    (tmp_path / "tracking.json").write_text(json.dumps(note | {"tags": tags}))
    known = origin_of(open_checkpoint(str(tmp_path)))
    assert known.tags() == {"preset": "tiny", "set_id": "set", "shards": "x", "git_commit": "c0ffee", "dirty": "true"}
    assert (known.tracking_uri, known.mlflow_run_id) == ("http://m", "run")
    assert "| trained with | git commit c0ffee with changes |" in card(known)


def test_the_settings_are_quoted_without_passwords(tmp_path: Path) -> None:
    write(tmp_path, [None])
    file = tmp_path / "checkpoints" / "00000001" / "train.yaml"
    file.write_text("shards: x\ntracking:\n  uri: https://me:secret@mlflow:5000\n  experiment: a@b\n")
    told = section(card(origin_of(open_checkpoint(str(file.parent)))), "Training settings")
    assert "uri: https://me:***@mlflow:5000\n  experiment: a@b\n```" in told
    file.write_text("- [")
    with pytest.raises(UserError, match=r"train.yaml is damaged"):
        origin_of(open_checkpoint(str(file.parent)))
