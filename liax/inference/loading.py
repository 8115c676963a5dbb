"""From what a user calls a model to a network that is ready: a folder, a released file, or a registered model."""

from pathlib import Path
from tempfile import TemporaryDirectory

from liax import storage
from liax.errors import UserError
from liax.inference.controls import RELEASED, RELEASED_DIRECTIONS, Controls
from liax.inference.precision import choose_device, choose_dtype
from liax.inference.renderer import Renderer
from liax.model.network import LiaX
from liax.model.official_file import SUFFIXES, load_official
from liax.model.weights import CONFIG_FILE, load_model
from liax.tracking.address import without_password

REGISTERED = "models:/"


def load(
    source: str | Path,
    device: str = "auto",
    dtype: str = "auto",
    tracking_uri: str | None = None,
    *,
    compiled: bool = False,
) -> tuple[Renderer, Controls]:
    """A model, ready, and what its directions are called.

    Args:
        source: see `liax.inference.animator.Animator.from_pretrained`.
        device, dtype, compiled: see `Renderer`.
        tracking_uri: MLflow's address for a registered model; refused for another.

    Raises:
        UserError: there is no such model or device, or the model's files do not belong together.
    """
    device = choose_device(device)  # before a large file is read
    choose_dtype(dtype, device)
    name = str(source)
    if tracking_uri is not None and not name.startswith(REGISTERED):
        shown = without_password(tracking_uri)
        raise UserError(f"{name} is not in MLflow: leave out its address, {shown}, or give models:/NAME@ALIAS")
    if name.lower().endswith(SUFFIXES):
        model = _released(name)
        named = RELEASED if model.config.directions == RELEASED_DIRECTIONS else None
    else:
        model, named = _own(name, tracking_uri), None
    return Renderer(model, device, dtype, compiled=compiled), Controls(model.config.directions, named)


def _released(name: str) -> LiaX:
    with storage.local_copy(name) as local:
        return load_official(local, name)


def _own(name: str, tracking_uri: str | None) -> LiaX:
    """A model in this project's own form."""
    if not name.startswith(REGISTERED):
        if not storage.exists(storage.join(name, CONFIG_FILE)):
            raise UserError(
                f"no model in {name}: give a folder with model.safetensors and {CONFIG_FILE}, "
                f"a released {' or '.join(SUFFIXES)} file, or models:/NAME@ALIAS"
            )
        return load_model(name)
    from liax.registry.pull import pull  # needs MLflow

    with TemporaryDirectory(prefix="liax-") as folder:
        return load_model(pull(name, folder, tracking_uri))
