"""The registered model as plain MLflow loads it: `mlflow.pyfunc.load_model("models:/NAME@ALIAS").predict(row)`.

MLflow runs this file's code; no object is unpickled. A row has `source` (a picture file's bytes) and, if wanted,
`driving` (a video file's bytes) and `options`, an object.

- With a driving video the picture is animated, and the answer is an mp4 file's bytes. Options are mode, start_frame,
  crop, face, paste_back, controls and unsafe, which are those of `liax.inference.animator.Animator.animate`; the sound
  is the driving video's.
- Without one it is edited, and the answer is a PNG file's bytes. Options are controls, which it needs, absolute,
  unsafe, crop, face and paste_back: those of `Animator.edit`.

Controls have the names and units of the model card: `{"controls": {"yaw": 10, "smile": 0.3}}`.

A row that cannot be answered raises MlflowException, whose text `mlflow models serve` answers with. That gives an
answer 60 seconds, or what its `--timeout` says: a long video needs more.
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
    "unsafe": _yes_or_no,
    "absolute": _yes_or_no,
    "start_frame": _start_frame,
}
"""Names of the options, and what makes of a value in JSON or in a data frame what the animator takes."""
_ANIMATE_ONLY, _EDIT_ONLY = ("mode", "start_frame"), ("absolute",)


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
        """Animate or edit each row of a data frame; see the head of the file."""
        return [self._answer(row) for row in model_input.to_dict("records")]

    def _answer(self, row: dict[str, Any]) -> bytes:
        options = _options(row.get("options"))
        if not isinstance(row["source"], bytes):
            raise MlflowException.invalid_parameter_value("a row has no source: give a file's bytes")
        driving_bytes = None if _is_missing(row.get("driving")) else row["driving"]
        _check(driving_bytes, options)
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            source, driving = Path(folder, "source"), Path(folder, "driving")
            out = Path(folder, "out.png" if driving_bytes is None else "out.mp4")
            source.write_bytes(row["source"])
            try:
                if driving_bytes is None:
                    self._animator.edit(source, out, **options)
                else:
                    driving.write_bytes(driving_bytes)
                    self._animator.animate(source, driving, out, **options)
            except LiaxError as error:
                said = str(error).replace(f"{folder}/", "")
                raise MlflowException.invalid_parameter_value(said) from None
            return out.read_bytes()


def _check(driving: Any, options: dict[str, Any]) -> None:
    """Refuse what neither moves nor edits the source, and options of the other kind of row."""
    if driving is None and not options.get("controls"):
        raise MlflowException.invalid_parameter_value(
            "a row has no driving: give a video file's bytes, or options.controls to edit the source"
        )
    if driving is not None and not isinstance(driving, bytes):
        raise MlflowException.invalid_parameter_value("a row's driving is no file: give its bytes")
    others, needed = (
        (_ANIMATE_ONLY, "needs a driving video") if driving is None else (_EDIT_ONLY, "takes no driving video")
    )
    for name in others:
        if name in options:
            raise MlflowException.invalid_parameter_value(f"option '{name}' {needed}")


def _is_missing(value: Any) -> bool:
    """Whether it is what a data frame has where a row has nothing."""
    return value is None or value is pandas.NA or (isinstance(value, float) and isnan(value))


def _options(given: Any) -> dict[str, Any]:
    if _is_missing(given):
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
