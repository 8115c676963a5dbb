"""From what a user calls a model to a network that is ready: a folder, a released file, or a registered model.

What was measured of it goes with it: the `controls.json` beside its weights (beside `lia-x.pt`, which may share its
folder with others, `lia-x.controls.json`), or another that the user gives.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from liax import storage
from liax.controls_file import CONTROLS_FILE, ControlsFile, check_owner, read_controls
from liax.errors import UserError
from liax.inference.controls import Controls
from liax.inference.precision import choose_device, choose_dtype
from liax.inference.released import RELEASED, RELEASED_DIRECTIONS
from liax.inference.renderer import Renderer
from liax.model.official_file import SUFFIXES, load_official
from liax.model.weights import CONFIG_FILE, WEIGHTS_FILE, load_model, read_config
from liax.tracking.address import without_password

REGISTERED = "models:/"


def load(
    source: str | Path,
    device: str = "auto",
    dtype: str = "auto",
    tracking_uri: str | None = None,
    *,
    compiled: bool = False,
    controls: str | Path | None = None,
) -> tuple[Renderer, Controls]:
    """A model, ready, and what its directions are called.

    Args:
        source: see `liax.inference.animator.Animator.from_pretrained`.
        device, dtype, compiled: see `Renderer`.
        tracking_uri: MLflow's address for a registered model; refused for another.
        controls: a `controls.json`, path or `s3://` URL; None for the one beside the weights, if it is there.

    Raises:
        UserError: there is no such model or device, or the model's files do not belong together.
    """
    device = choose_device(device)  # before a large file is read
    choose_dtype(dtype, device)
    name = _checked_name(source, tracking_uri)
    if _is_released(name):
        url = _url(name, controls)
        file = _read(url)
        with storage.local_copy(name) as local:
            _owner_check(file, str(url))(local)
            model = load_official(local, name)
    else:
        with _folder(name, tracking_uri) as folder:
            url = _url(folder, controls)
            file = _read(url)
            model = load_model(folder, check=_owner_check(file, str(url)))
    directions = model.config.directions
    named = RELEASED if _is_released(name) and directions == RELEASED_DIRECTIONS else None
    return Renderer(model, device, dtype, compiled=compiled), Controls(directions, named, file)


def load_controls(
    source: str | Path, tracking_uri: str | None = None, *, controls: str | Path | None = None
) -> Controls:
    """What a model's directions are called: as `load`, without the network of a model in this project's own form."""
    name = _checked_name(source, tracking_uri)
    if _is_released(name):
        return load(name, "cpu", controls=controls)[1]
    with _folder(name, tracking_uri) as folder:
        url = _url(folder, controls)
        file, directions = _read(url), read_config(folder).directions
        if file is not None:
            with storage.local_copy(storage.join(folder, WEIGHTS_FILE)) as local:
                _owner_check(file, str(url))(local)
    return Controls(directions, file=file)


def _checked_name(source: str | Path, tracking_uri: str | None) -> str:
    name = str(source)
    if tracking_uri is not None and not name.startswith(REGISTERED):
        shown = without_password(tracking_uri)
        raise UserError(f"{name} is not in MLflow: leave out its address, {shown}, or give models:/NAME@ALIAS")
    return name


def _is_released(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


@contextmanager
def _folder(name: str, tracking_uri: str | None) -> Iterator[str]:
    """Where the files of a model in this project's own form are while the block lasts: a folder, or `s3://` prefix."""
    if not name.startswith(REGISTERED):
        if not storage.exists(storage.join(name, CONFIG_FILE)):
            raise UserError(
                f"no model in {name}: give a folder with {WEIGHTS_FILE} and {CONFIG_FILE}, "
                f"a released {' or '.join(SUFFIXES)} file, or models:/NAME@ALIAS"
            )
        yield name
        return
    from liax.registry.pull import pull  # needs MLflow

    with TemporaryDirectory(prefix="liax-") as folder:
        yield str(pull(name, folder, tracking_uri))


def _url(model: str, controls: str | Path | None) -> str | Path | None:
    """The controls that the user gives, or those beside the weights of a folder or released file."""
    if _is_released(model):
        beside = f"{model.rpartition('.')[0]}.{CONTROLS_FILE}"
    else:
        beside = storage.join(model, CONTROLS_FILE)
    return controls or (beside if storage.exists(beside) else None)


def _read(url: str | Path | None) -> ControlsFile | None:
    return None if url is None else read_controls(str(url))


def _owner_check(file: ControlsFile | None, url: str) -> Callable[[Path], None]:
    """Refuses controls that are not those of the weights in a local file; reads that only where there are controls."""

    def check(weights: Path) -> None:
        if file is not None:
            with weights.open("rb") as opened:
                check_owner(file, hashlib.file_digest(opened, "sha256").hexdigest(), url)

    return check
