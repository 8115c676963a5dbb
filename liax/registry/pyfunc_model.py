"""The registered model as plain MLflow loads it: `mlflow.pyfunc.load_model("models:/NAME@ALIAS").predict(row)`.

MLflow runs this file's code; no object is unpickled. A row has `source` (a picture file's bytes), `driving` (a video
file's bytes) and, if wanted, `options` with any of `mode` ("relative" or "absolute") and `crop` (bool). The answer is
one mp4 file's bytes a row.
"""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas
from mlflow.pyfunc import PythonModel, PythonModelContext

if TYPE_CHECKING:
    from liax.inference.animator import Animator

OPTIONS = ("mode", "crop")


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
        unknown = [name for name in given if name not in OPTIONS] if isinstance(given, dict) else []
        if unknown:
            raise ValueError(f"unknown option '{unknown[0]}'; known: {', '.join(OPTIONS)}")
        # Absent options come as None or, from a column with gaps, as NaN.
        options = (
            {name: given[name] for name in OPTIONS if given.get(name) is not None} if isinstance(given, dict) else {}
        )
        if "crop" in options:
            options["crop"] = bool(options["crop"])
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            source, driving, out = Path(folder, "source"), Path(folder, "driving"), Path(folder, "out.mp4")
            source.write_bytes(row["source"])
            driving.write_bytes(row["driving"])
            self._animator.animate(source, driving, out, **options)
            return out.read_bytes()


mlflow.models.set_model(AnimatorModel())
