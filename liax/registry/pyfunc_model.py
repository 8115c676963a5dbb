"""The registered model as plain MLflow loads it: `mlflow.pyfunc.load_model("models:/NAME@ALIAS").predict(row)`.

MLflow runs this file's code; no object is unpickled. A row has `source` (a picture file's bytes), `driving` (a video
file's bytes) and, if wanted, `options` with any of mode, crop, face, paste_back, controls and start_frame, which are
those of `liax.inference.animator.Animator.animate`; the sound is the driving video's. The answer is one mp4 file's
bytes a row. A row that cannot be animated raises MlflowException, whose text `mlflow models serve` answers with. That
gives an answer 60 seconds, or what its `--timeout` says: a long video needs more.
"""

import tempfile
from collections.abc import Callable
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel, PythonModelContext

from liax.errors import LiaxError

if TYPE_CHECKING:
    from liax.inference.animator import Animator


def _settings(value: Any) -> dict[str, float]:
    return {str(name): float(amount) for name, amount in dict(value).items()}


def _yes_or_no(value: Any) -> bool:
    known = {"true": True, "false": False}
    if str(value).lower() not in known:
        raise ValueError(f"'{value}' is neither true nor false")
    return known[str(value).lower()]


def _start_frame(value: Any) -> int | str:
    return "auto" if value == "auto" else int(value)


OPTIONS: dict[str, Callable[[Any], Any]] = {
    "mode": str,
    "crop": _yes_or_no,
    "face": str,
    "paste_back": _yes_or_no,
    "controls": _settings,
    "start_frame": _start_frame,
}
"""Names of the options, and what makes of a value in JSON or in a data frame what the animator takes."""


class AnimatorModel(PythonModel):
    """An animator behind MLflow's interface."""

    _folder: str

    def load_context(self, context: PythonModelContext) -> None:
        """Remember where the model's files are; the network is loaded by the first prediction."""
        self._folder = context.artifacts["model"]

    @cached_property
    def _animator(self) -> "Animator":
        from liax.inference.animator import Animator

        return Animator.from_pretrained(self._folder)

    def predict(
        self, context: PythonModelContext, model_input: pandas.DataFrame, params: dict[str, Any] | None = None
    ) -> list[bytes]:
        """Animate each row of a data frame; see the head of the file."""
        return [self._animate(row) for row in model_input.to_dict("records")]

    def _animate(self, row: dict[str, Any]) -> bytes:
        options = _options(row.get("options"))
        for name in ("source", "driving"):
            if not isinstance(row[name], bytes):
                raise MlflowException.invalid_parameter_value(f"a row has no {name}: give a file's bytes")
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            source, driving, out = Path(folder, "source"), Path(folder, "driving"), Path(folder, "out.mp4")
            source.write_bytes(row["source"])
            driving.write_bytes(row["driving"])
            try:
                self._animator.animate(source, driving, out, **options)
            except LiaxError as error:
                said = str(error).replace(f"{folder}/", "")
                raise MlflowException.invalid_parameter_value(said) from None
            return out.read_bytes()


def _options(given: Any) -> dict[str, Any]:
    if given is None or (isinstance(given, float) and isnan(given)):  # from a column with gaps
        return {}
    if not isinstance(given, dict):
        raise MlflowException.invalid_parameter_value('options must be an object such as {"crop": false}')
    unknown = [name for name in given if name not in OPTIONS]
    if unknown:
        raise MlflowException.invalid_parameter_value(f"unknown option '{unknown[0]}'; known: {', '.join(OPTIONS)}")
    options = {}
    for name, value in given.items():
        if value is not None:
            try:
                options[name] = OPTIONS[name](value)
            except (TypeError, ValueError) as error:
                raise MlflowException.invalid_parameter_value(f"option '{name}': {error}") from None
    return options


mlflow.models.set_model(AnimatorModel())
