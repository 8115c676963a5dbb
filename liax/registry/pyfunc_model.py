"""The registered model as plain MLflow loads it: `mlflow.pyfunc.load_model("models:/NAME@ALIAS").predict(row)`.

MLflow runs this file's code; no object is unpickled. A row has `source` (a picture file's bytes), `driving` (a video
file's bytes) and, if wanted, `options` with any of mode, crop, face, paste_back, controls and start_frame, which are
those of `liax.inference.animator.Animator.animate`; the sound is the driving video's. The answer is one mp4 file's
bytes a row.
"""

import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas
from mlflow.pyfunc import PythonModel, PythonModelContext

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
        given = row.get("options")
        if not isinstance(given, dict):  # absent options come as None or, from a column with gaps, as NaN
            given = {}
        unknown = [name for name in given if name not in OPTIONS]
        if unknown:
            raise ValueError(f"unknown option '{unknown[0]}'; known: {', '.join(OPTIONS)}")
        options = {name: OPTIONS[name](value) for name, value in given.items() if value is not None}
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            source, driving, out = Path(folder, "source"), Path(folder, "driving"), Path(folder, "out.mp4")
            source.write_bytes(row["source"])
            driving.write_bytes(row["driving"])
            self._animator.animate(source, driving, out, **options)
            return out.read_bytes()


mlflow.models.set_model(AnimatorModel())
