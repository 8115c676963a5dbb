"""Into a real MLflow registry (SQLite) and back."""

import shutil
from pathlib import Path

import pandas
import pytest
import torch

from liax.errors import JobError, UserError
from liax.model.weights import load_model
from liax.registry.logged_model import requirements
from liax.registry.names import check_alias, check_name, parse_uri
from liax.registry.pull import pull
from liax.registry.register import register
from liax.tracking.client import connect
from liax.training.checkpoint import open_checkpoint
from tests.two_steps import train_two_steps


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_two_steps(tmp_path_factory.mktemp("trained")).output


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, trained: str) -> str:
    """An MLflow with version 1 of `face`, alias `candidate`."""
    address = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    assert register(trained, "face", "candidate", address) == "1"
    return address


def test_what_is_pulled_is_the_averaged_generator(trained: str, uri: str, tmp_path: Path) -> None:
    pulled = load_model(pull("models:/face@candidate", tmp_path / "a", uri)).state_dict()
    average = open_checkpoint(trained).tensors("model")
    assert pulled.keys() == average.keys()
    assert all(pulled[name].equal(average[name]) for name in pulled)
    assert not all(average[name].equal(w) for name, w in open_checkpoint(trained).tensors("generator").items())
    card = (tmp_path / "a" / "README.md").read_text()
    assert "after 2 training steps" in card
    assert "val_l1_copy" in card
    assert load_model(pull("models:/face/1", tmp_path / "a", uri)).config.size_px == 64  # over what is there


def test_an_alias_moves(trained: str, uri: str, tmp_path: Path) -> None:
    version = register(str(Path(trained, "checkpoints", "00000002")), "face", "moving", uri)
    client = connect(uri)
    assert client.get_model_version_by_alias("face", "moving").version == int(version)
    assert client.get_model_version("face", version).tags["steps"] == "2"


@pytest.mark.parametrize("wanted", ["models:/face@nobody", "models:/face/99", "models:/nothing/1"])
def test_what_is_not_there_is_said(uri: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="models there: face"):
        pull(wanted, tmp_path, uri)


def test_a_changed_file_is_refused(trained: str, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    register(trained, "face", None, address)
    (weights,) = tmp_path.rglob("model.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(JobError, match="not the file that was registered"):
        pull("models:/face/1", tmp_path / "out", address)
    assert not (tmp_path / "out").exists()


def test_plain_mlflow_loads_it_and_takes_sparse_options(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow
    from mlflow.exceptions import MlflowException

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    model = mlflow.pyfunc.load_model("models:/face@candidate")
    schema = model.metadata.signature.inputs
    assert schema.input_names() == ["source", "driving", "options"]
    assert schema.required_input_names() == ["source"]
    seen = []
    inner = model.unwrap_python_model()
    inner.__dict__["_animator"] = Recorder(seen)
    many = {"face": "all", "paste_back": True, "controls": {"3": 1, "yaw": 0.5}, "start_frame": "auto", "mode": None}
    many["unsafe"] = True
    given = [None, {"crop": "false", "paste_back": "True"}, {"mode": "absolute"}, {"start_frame": 2.0}, many]
    rows = [{}, *({"options": options} for options in given)]
    answer = model.predict(pandas.DataFrame([{"source": b"s", "driving": b"d", **row} for row in rows]))
    assert answer == [b"s+d"] * 6
    wanted = {name: value for name, value in many.items() if value is not None}
    assert seen == [{}, {}, {"crop": False, "paste_back": True}, {"mode": "absolute"}, {"start_frame": 2}, wanted]
    assert model.predict([{"source": b"s", "driving": b"d", "options": {}}]) == [b"s+d"]
    with pytest.raises(MlflowException, match="unknown option 'speed'"):
        model.predict([{"source": b"s", "driving": b"d", "options": {"speed": 2}}])
    for option in ("crop", "paste_back", "unsafe"):
        with pytest.raises(MlflowException, match="'no' is neither true nor false"):
            model.predict([{"source": b"s", "driving": b"d", "options": {option: "no"}}])


def test_plain_mlflow_edits_a_row_without_a_driving_video(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow
    from mlflow.exceptions import MlflowException

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    model = mlflow.pyfunc.load_model("models:/face@candidate")
    seen: list[dict[str, object]] = []
    model.unwrap_python_model().__dict__["_animator"] = Recorder(seen)
    options = {"controls": {"yaw": 10}, "absolute": True, "unsafe": "false"}
    assert model.predict([{"source": b"s", "options": options}]) == [b"s edited"]
    assert seen == [{"controls": {"yaw": 10.0}, "absolute": True, "unsafe": False}]
    both = [{"source": b"s", "driving": b"d"}, {"source": b"t", "options": {"controls": {"3": 1}}}]
    assert model.predict(both) == [b"s+d", b"t edited"]
    assert model.predict(pandas.DataFrame(both)) == [b"s+d", b"t edited"]
    for row, text in (
        ({"source": b"s"}, "a row has no driving: give a video file's bytes, or options.controls"),
        ({"source": b"s", "options": {"crop": False}}, "a row has no driving"),
        ({"source": b"s", "options": {"controls": {"3": 1}, "mode": "absolute"}}, "'mode' needs a driving video"),
        ({"source": b"s", "driving": b"d", "options": {"absolute": True}}, "'absolute' takes no driving video"),
    ):
        with pytest.raises(MlflowException, match=text):
            model.predict([row])


class Recorder:
    """Stands for the animator: what the rows become is tested here, the animation elsewhere."""

    def __init__(self, seen: list[dict[str, object]]) -> None:
        self._seen = seen

    def animate(self, source: Path, driving: Path, out: Path, **options: object) -> None:
        self._seen.append(options)
        out.write_bytes(source.read_bytes() + b"+" + driving.read_bytes())

    def edit(self, source: Path, out: Path, **options: object) -> None:
        self._seen.append(options)
        out.write_bytes(source.read_bytes() + b" edited")


def test_a_damaged_checkpoint_is_not_registered(trained: str, uri: str, tmp_path: Path) -> None:
    copy = tmp_path / "00000002"
    shutil.copytree(Path(trained, "checkpoints", "00000002"), copy)
    model = load_model(copy)
    torch.nn.init.zeros_(model.to_motion.weight)
    from liax.model.weights import save_model

    save_model(model, copy)
    with pytest.raises(UserError, match="changed or damaged"):
        register(str(copy), "damaged", None, uri)
    assert not connect(uri).search_registered_models("name = 'damaged'")


def test_names_are_checked() -> None:
    assert parse_uri("models:/face@champion").alias == "champion"
    assert parse_uri("models:/face/3").version == "3"
    for bad in ("face", "models:/face", "models:/a/b/c", "models:/../x/1", "models:/face/latest"):
        with pytest.raises(UserError):
            parse_uri(bad)
    for name in ("", "a/b", "../x", "x" * 101, "-x"):
        with pytest.raises(UserError):
            check_name(name)
    for alias in ("latest", "v1", "a b"):
        with pytest.raises(UserError):
            check_alias(alias)


def test_requirements_are_pinned_and_those_of_use() -> None:
    names = {line.partition("==")[0] for line in requirements()}
    assert {"mlflow", "torch", "mediapipe"} <= names
    assert not {"ray", "deepspeed"} & names
    assert all("==" in line and "+" not in line for line in requirements())


def test_a_pull_replaces_nothing_but_a_model(uri: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UserError, match="holds other files and no model"):
        pull("models:/face@candidate", tmp_path, uri)
    with pytest.raises(UserError, match="give a local folder"):
        pull("models:/face@candidate", "s3://bucket/model", uri)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_looking_for_a_model_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no MLflow database"):
        pull("models:/face@candidate", tmp_path / "model", f"sqlite:///{tmp_path}/none/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_registration_leaves_no_model(trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("the disk is full")

    address = f"sqlite:///{tmp_path}/mlflow.db"
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", refuse)
        with pytest.raises(JobError, match="the disk is full"):
            register(trained, "face", "candidate", address)
    assert MlflowClient(address, address).search_registered_models() == []
    assert register(trained, "face", "candidate", address) == "1"
