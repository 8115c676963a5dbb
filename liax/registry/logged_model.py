"""A model's files and code as MLflow keeps them, a "logged model": what a version of a registered model points at."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import liax
from liax.pictures import Picture, save_picture
from liax.registry.names import FOLDER
from liax.tracking.client import failure_of

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from pandas import DataFrame

_EXAMPLE_PX, _EXAMPLE_FRAMES, _EXAMPLE_FPS = 64, 5, 25
"""Of the input example. Our choice: a few kilobytes, which whoever opens the model's page gets as well."""


@contextmanager
def logged_model(client: Any, uri: str, folder: Path, experiment_id: str, run_id: str | None) -> Iterator[str]:
    """Upload a model's files; where the upload or the block ends with an error, they are removed again.

    If the storage does not let them be removed, a note of the error (`__notes__`) says where they are.

    What `mlflow.pyfunc.log_model` does, step by step: that would answer the input example with the network to try it,
    leave its half upload where it fails, and mark the training's run as finished just now.

    Args:
        client: of MLflow.
        uri: MLflow's address.
        folder: with the model's files.
        experiment_id: that the logged model belongs to, and whose storage it goes to.
        run_id: of the training in that experiment; None where MLflow does not have it.

    Yields:
        The logged model's id.
    """
    with warnings.catch_warnings():  # of PyTorch and pandas, on loading MLflow's parts
        warnings.simplefilter("ignore")
        from mlflow.models import Model
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    model = client.create_logged_model(experiment_id, FOLDER, source_run_id=run_id)
    try:
        described = Model(
            artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run_id, model_id=model.model_id
        )
        with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
            _save(folder, Path(scratch, FOLDER), described)
            client.log_model_artifacts(model.model_id, str(Path(scratch, FOLDER)))
        client.finalize_logged_model(model.model_id, "READY")
        yield str(model.model_id)
    except BaseException as error:
        missed = failure_of(lambda: get_artifact_repository(model.artifact_location, uri).delete_artifacts())
        if missed is not None:
            error.add_note(f"what was uploaded may be left at {model.artifact_location}")
        failure_of(lambda: client.delete_logged_model(model.model_id))  # without a version nobody is led to it
        raise


def _save(folder: Path, to: Path, described: Any) -> None:
    # MLflow would copy the lock file of whatever project the working folder belongs to into the model.
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    import mlflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # advice on type hints
        mlflow.pyfunc.save_model(
            to,
            mlflow_model=described,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={FOLDER: str(folder)},
            code_paths=[str(Path(liax.__file__).parent)],
            pip_requirements=requirements(),
            signature=signature(),
            input_example=input_example(),
        )
    for cache in sorted(to.rglob("__pycache__")):
        for file in cache.iterdir():
            file.unlink()
        cache.rmdir()


def requirements() -> list[str]:
    """What a machine must install to use the model: liax's own dependencies at the versions that are used here."""
    from packaging.requirements import Requirement

    needed = [Requirement(text) for text in metadata.requires("liax") or []]
    names = [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in ["mlflow", *names]]


def signature() -> "ModelSignature":
    """What the plain MLflow model takes and gives, see `liax.registry.pyfunc_model`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    row: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.binary, "source"),
        ColSpec(DataType.binary, "driving", required=False),
        # Not an object with named properties: MLflow refuses a table in which only some rows have one.
        ColSpec(AnyType(), "options", required=False),
    ]
    return ModelSignature(Schema(row), Schema([ColSpec(DataType.binary, "result")]))


def input_example() -> "DataFrame":
    """A row that the model answers: a drawn disc, and a video in which it moves. It is no face, so nothing is cropped.

    MLflow checks it against the signature and keeps it, with its form as a request, beside the model.
    """
    from pandas import DataFrame

    from liax.video.encode import VideoWriter

    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        source, driving = Path(folder, "source.png"), Path(folder, "driving.mp4")
        save_picture(_disc(0), source)
        with VideoWriter(driving, _EXAMPLE_PX, _EXAMPLE_PX, _EXAMPLE_FPS) as video:
            for number in range(_EXAMPLE_FRAMES):
                video.write(_disc(number))
        row = {"source": source.read_bytes(), "driving": driving.read_bytes(), "options": {"crop": False}}
    return DataFrame([row])


def _disc(number: int) -> Picture:
    """Frame of the example, uint8 H×W×3."""
    y_H1, x_1W = np.ogrid[:_EXAMPLE_PX, :_EXAMPLE_PX]
    centre, radius = _EXAMPLE_PX // 2, _EXAMPLE_PX // 4
    inside_HW = (x_1W - centre - number) ** 2 + (y_H1 - centre) ** 2 < radius**2
    return np.where(inside_HW[:, :, None], (210, 160, 130), (40, 60, 90)).astype(np.uint8)
