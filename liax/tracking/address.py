"""Where MLflow is, for training, registering and pulling alike."""

import os
import re
from pathlib import Path

from liax import storage
from liax.errors import UserError

NO_TRACKING = "none"
_SQLITE = "sqlite:///"


def tracking_uri(setting: str | None) -> str:
    """The address to use: the setting, else `MLFLOW_TRACKING_URI`, else `mlflow.db` in the working folder."""
    uri = setting or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db"
    if uri.startswith(_SQLITE):
        return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).absolute()}"
    if not uri.startswith(("http://", "https://", "postgresql", "mysql")):
        raise UserError(f"'{uri}' is not an MLflow address: use http(s)://HOST:PORT, or sqlite:///FILE.db for a file")
    return uri


def artifact_folder(uri: str) -> str | None:
    """Where an embedded MLflow keeps files: beside its database. None for a server, which decides itself."""
    if not uri.startswith(_SQLITE):
        return None
    folder = Path(uri.removeprefix(_SQLITE)).parent / "mlartifacts"
    storage.make_folder(str(folder))
    return folder.as_uri()


def require_database(uri: str) -> None:
    """Raise UserError for an SQLite file that is not there: looking for a model shall not make an empty one."""
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        raise UserError(f"there is no MLflow database {uri}: give --tracking-uri, or register a model first")


def without_password(uri: str) -> str:
    """The address as it may be shown: a server's or a database's can hold the password of its user."""
    return re.sub(r"(://[^/:@]*):[^/@]*@", r"\1:***@", uri)


def quiet_mlflow() -> None:
    """Set what MLflow reads at its import: no telemetry, and errors within seconds where a server does not answer."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
