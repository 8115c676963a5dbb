"""Where MLflow is, for training, registering and pulling alike."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from liax import storage
from liax.errors import UserError

NO_TRACKING = "none"
_SQLITE = "sqlite:///"
_HIDDEN = "***"
# To the last @: SQLAlchemy takes passwords with @ and / in them as they are.
_PASSWORD = re.compile(r"(://[^/:@\s]*):\S*@")
_IN_QUERY = re.compile(r"([?&](?:password|passwd|pwd)=)[^&\s]*", re.IGNORECASE)


def _refuse_password(uri: str) -> str:
    if without_password(uri) != uri:
        # Not a ValueError: that would be told with the value.
        raise UserError(
            f"{without_password(uri)}: settings are kept with what a job makes, so give the password elsewhere: "
            "the whole address in MLFLOW_TRACKING_URI, or a server's password in MLFLOW_TRACKING_PASSWORD"
        )
    return uri


SettingUri = Annotated[str, AfterValidator(_refuse_password)]
"""MLflow's address in a configuration, where no password may stand."""


def tracking_uri(setting: str | None) -> str:
    """The address to use: the setting, else `MLFLOW_TRACKING_URI`, else `mlflow.db` in the working folder.

    A setting without its password, as files keep it, is completed from `MLFLOW_TRACKING_URI`.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not setting or (given and setting == without_password(given)):
        setting = given
    uri = setting or f"{_SQLITE}mlflow.db"
    if f":{_HIDDEN}@" in uri or f"={_HIDDEN}" in uri:
        raise UserError(f"the password of {uri} is not known here: set MLFLOW_TRACKING_URI to the whole address")
    if uri.startswith(_SQLITE):
        return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).absolute()}"
    if not uri.startswith(("http://", "https://", "postgresql", "mysql")):
        shown = without_password(uri)
        raise UserError(f"'{shown}' is not an MLflow address: use http(s)://HOST:PORT, or sqlite:///FILE.db for a file")
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
    """The address as it may be shown and kept: a server's or a database's can hold the password of its user."""
    return _IN_QUERY.sub(rf"\1{_HIDDEN}", _PASSWORD.sub(rf"\1:{_HIDDEN}@", uri))


def quiet_mlflow() -> None:
    """Set what MLflow reads: no telemetry, no addresses, and errors within seconds where a server does not answer."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # It prints where a finished run is to be seen: with the password, if the address has one.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
