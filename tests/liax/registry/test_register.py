"""What a version is registered with, and that nothing is left of one that could not be registered."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from jobs.register import run
from liax.errors import JobError, UserError, run_main
from liax.evaluation.subject import find_subject
from liax.inference.animator import Animator
from liax.registry.pull import pull
from liax.registry.register import register
from liax.tracking.client import connect
from tests.checkpoints import write
from tests.measured_controls import controls_file, write_controls
from tests.ports import free_port


def files_kept(folder: Path) -> list[Path]:
    """What the embedded MLflow keeps beside its database."""
    return [path for path in (folder / "mlartifacts").rglob("*") if path.is_file()]


def nothing_is_left(address: str) -> bool:
    client = connect(address)
    within = [one.experiment_id for one in client.search_experiments()]
    return not (
        client.search_registered_models()
        or client.search_model_versions()
        or client.search_logged_models(within)
        or client.search_runs(within)
    )


def test_the_input_example_is_answered(two_checkpoints: tuple[str, str], address: str) -> None:
    import mlflow

    register(two_checkpoints[1], "face", "candidate", address)
    mlflow.set_tracking_uri(address)
    try:
        model = mlflow.pyfunc.load_model("models:/face@candidate")
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    example = model.input_example
    assert list(example.columns) == model.metadata.signature.inputs.input_names()
    assert example["source"][0].startswith(b"\x89PNG")
    (video,) = model.predict(example)
    assert b"ftyp" in video[:16]


def test_a_version_says_what_it_is(two_checkpoints: tuple[str, str], address: str) -> None:
    version = register(two_checkpoints[1], "face", None, address)
    tags = connect(address).get_model_version("face", version).tags
    assert tags["steps"] == "2"
    assert tags["preset"] == "tiny"
    assert tags["set_id"] == "unknown"  # trained in one process, without the record that a trainer keeps
    assert len(tags["registered_by/git_commit"]) == 40
    assert "git_commit" not in tags
    subject = find_subject(f"models:/face/{version}", address)
    assert subject.training_shards == tags["shards"]


def test_the_best_checkpoint_can_be_registered(tmp_path: Path, address: str) -> None:
    write(tmp_path / "run", [0.3, 0.1, 0.2], keep=3)
    assert run_main(run, [f"{tmp_path}/run/checkpoints/best", "--name", "face", "--tracking-uri", address]) == 0
    assert connect(address).get_model_version("face", "1").tags["steps"] == "2"


def test_controls_and_an_evaluation_go_with_it(two_checkpoints: tuple[str, str], tmp_path: Path, address: str) -> None:
    weights = Path(two_checkpoints[1], "model.safetensors").read_bytes()
    measured = {"model": {"sha256": hashlib.sha256(weights).hexdigest()}}
    (tmp_path / "summary.json").write_text(json.dumps(measured))
    (tmp_path / "table.md").write_text("# model\n\n## self-reenactment\n")
    given = write_controls(tmp_path, hashlib.sha256(weights).hexdigest())
    line = [two_checkpoints[1], "--name", "face", "--tracking-uri", address]
    assert run_main(run, [*line, "--controls", str(given), "--evaluation", str(tmp_path)]) == 0
    pulled = pull("models:/face/1", tmp_path / "pulled", address)
    assert (pulled / "controls.json").read_bytes() == given.read_bytes()
    card = (pulled / "README.md").read_text()
    assert "### self-reenactment" in card
    assert "| yaw | deg | -15 to +18 | 0.8 | certified | the head turns to its left |" in card
    assert "It cannot do: blink_left (also closes the right eye)." in card
    animator = Animator.from_pretrained("models:/face/1", "cpu", tracking_uri=address)
    assert animator.controls.delta({"yaw": 10})[0] == 1
    tags = connect(address).get_model_version("face", "1").tags
    assert tags["sha256/controls.json"] == hashlib.sha256(given.read_bytes()).hexdigest()


@pytest.mark.parametrize(("given", "why"), [
    ("[1]", "holds no controls"),
    ("{", "is not JSON"),
    ('{"yaw": [3]}', "unknown configuration key 'yaw' in .*controls.json|'model_sha256' is not set"),
    (controls_file("c0ffee").model_dump_json(), "belongs to another model"),
    (None, "no such file"),
])  # fmt: skip
def test_controls_that_are_none_are_refused(
    given: str | None, why: str, two_checkpoints: tuple[str, str], tmp_path: Path, address: str
) -> None:
    if given is not None:
        (tmp_path / "controls.json").write_text(given)
    with pytest.raises(UserError, match=why):
        register(two_checkpoints[1], "face", None, address, controls=str(tmp_path / "controls.json"))
    assert nothing_is_left(address)


def test_controls_in_the_checkpoint_go_with_it_if_they_are_its_own(
    two_checkpoints: tuple[str, str], tmp_path: Path, address: str
) -> None:
    copy = tmp_path / "checkpoints" / "00000002"
    shutil.copytree(two_checkpoints[1], copy)
    weights = hashlib.sha256((copy / "model.safetensors").read_bytes()).hexdigest()
    write_controls(copy, weights, directions=19)
    with pytest.raises(UserError, match="those of 19 directions, and this model has 20"):
        register(str(copy), "face", None, address)
    write_controls(copy, "c0ffee")
    with pytest.raises(UserError, match=r"00000002/controls\.json belongs to another model"):
        register(str(copy), "face", None, address)
    assert nothing_is_left(address)
    write_controls(copy, weights)
    register(str(copy), "face", None, address)
    assert (pull("models:/face/1", tmp_path / "pulled", address) / "controls.json").exists()


def test_an_evaluation_of_other_weights_is_refused(
    two_checkpoints: tuple[str, str], tmp_path: Path, address: str
) -> None:
    (tmp_path / "summary.json").write_text('{"model": {"sha256": "0"}}')
    with pytest.raises(UserError, match="the evaluation of other weights"):
        register(two_checkpoints[1], "face", None, address, evaluation=str(tmp_path))
    assert nothing_is_left(address)


def test_a_checkpoint_without_averaged_weights_is_refused(
    two_checkpoints: tuple[str, str], tmp_path: Path, address: str
) -> None:
    copy = tmp_path / "checkpoints" / "00000002"
    shutil.copytree(two_checkpoints[1], copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match="has no averaged weights"):
        register(str(copy), "face", None, address)
    assert nothing_is_left(address)


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


STEPS = (
    "create_logged_model",
    "log_model_artifacts",
    "finalize_logged_model",
    "create_registered_model",
    "create_model_version",
    "set_registered_model_alias",
)


@pytest.mark.parametrize("step", STEPS)
def test_whichever_step_fails_nothing_is_left(
    step: str, two_checkpoints: tuple[str, str], tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, raising(MlflowException("the disk is full")))
        with pytest.raises(JobError, match=r"did not take the model: the disk is full; .* register it again"):
            register(two_checkpoints[1], "face", "candidate", address)
    assert nothing_is_left(address)
    assert files_kept(tmp_path) == []


@pytest.mark.parametrize("step", STEPS[1::4])
def test_ctrl_c_leaves_nothing(
    step: str, two_checkpoints: tuple[str, str], tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MlflowClient, step, raising(KeyboardInterrupt()))
    line = [two_checkpoints[1], "--name", "face", "--alias", "candidate", "--tracking-uri", address]
    assert run_main(run, line) == 130
    assert nothing_is_left(address)
    assert files_kept(tmp_path) == []


def test_versions_that_are_there_stay(
    two_checkpoints: tuple[str, str], tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(two_checkpoints[0], "face", "candidate", address)
    before = {path: path.read_bytes() for path in files_kept(tmp_path)}
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", raising(MlflowException("refused")))
        with pytest.raises(JobError, match="refused"):
            register(two_checkpoints[1], "face", "candidate", address)
    client = connect(address)
    assert [one.version for one in client.search_model_versions("name = 'face'")] == [1]
    assert client.get_registered_model("face").aliases == {"candidate": 1}
    assert {path: path.read_bytes() for path in files_kept(tmp_path)} == before


def test_the_trainings_run_is_linked_and_otherwise_left_alone(tmp_path: Path, address: str) -> None:
    from liax.training.run_record import RunRecord, write_run

    client = connect(address)
    made = client.create_run(client.create_experiment("trainings"), run_name="training")
    client.set_terminated(made.info.run_id, "FAILED")
    before = client.get_run(made.info.run_id)
    write(tmp_path / "run", [None])
    record = RunRecord(identity="x", set_id="set", tracking_uri=address, mlflow_run_id=made.info.run_id)
    write_run(str(tmp_path / "run"), record)
    register(str(tmp_path / "run"), "face", None, address)
    version, after = client.get_model_version("face", "1"), client.get_run(made.info.run_id)
    assert version.run_id == made.info.run_id
    assert [f"models:/{one.model_id}" for one in after.outputs.model_outputs] == [version.source]
    assert (after.info, after.data.to_dictionary()) == (before.info, before.data.to_dictionary())
    client.delete_run(made.info.run_id)
    register(str(tmp_path / "run"), "face", None, address)
    assert client.get_model_version("face", "2").run_id is None


@pytest.fixture
def in_s3(address: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Makes MLflow keep its files in a bucket of that name."""
    from mlflow.store.artifact import s3_artifact_repo

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3_artifact_repo._cached_get_s3_client.cache_clear()
    return lambda bucket: connect(address).create_experiment("liax", artifact_location=f"s3://{bucket}/models")


def said(checkpoint: str, address: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a `liax register` that fails."""
    assert run_main(run, [checkpoint, "--name", "face", "--tracking-uri", address]) == JobError.exit_code
    printed = capsys.readouterr()
    (line,) = (printed.out + printed.err).splitlines()
    return line


@pytest.mark.usefixtures("s3_bucket")
def test_a_bucket_that_is_not_there_is_one_line(
    two_checkpoints: tuple[str, str], address: str, in_s3: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    in_s3("nowhere")
    assert "bucket does not exist" in said(two_checkpoints[1], address, capsys)
    assert nothing_is_left(address)


@pytest.mark.usefixtures("s3_bucket")
def test_an_s3_that_is_away_is_one_line_that_says_what_may_be_left(
    two_checkpoints: tuple[str, str],
    address: str,
    in_s3: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_s3("bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    line = said(two_checkpoints[1], address, capsys)
    assert "Could not connect to the endpoint" in line
    assert "(what was uploaded may be left at s3://bucket/models/" in line
    assert nothing_is_left(address)


@pytest.mark.usefixtures("s3_bucket")
def test_no_credentials_are_one_line(
    two_checkpoints: tuple[str, str],
    tmp_path: Path,
    address: str,
    in_s3: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_s3("bucket")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "Unable to locate credentials" in said(two_checkpoints[1], address, capsys)
    assert nothing_is_left(address)


def test_an_mlflow_that_is_away_is_one_line(
    two_checkpoints: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    nowhere = f"http://user:secret@127.0.0.1:{free_port()}"
    assert run_main(run, [two_checkpoints[1], "--name", "face", "--tracking-uri", nowhere]) == UserError.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert "no MLflow at http://user:***@127.0.0.1" in line
    assert "secret" not in line
