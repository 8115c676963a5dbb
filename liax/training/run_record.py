"""`<output>/run.json`: whose output it is, and which MLflow run goes with it."""

import json

from liax import storage
from liax.config import Config, build


class RunRecord(Config):
    """What `run.json` holds."""

    identity: str
    """`TrainConfig.identity`."""
    set_id: str
    """Of the shard set."""
    tracking_uri: str | None = None
    """MLflow's address, if the run is tracked."""
    mlflow_run_id: str | None = None
    """The MLflow run, once there is one."""


def read_run(output: str) -> RunRecord | None:
    """Whose output it is; None if nobody's yet."""
    url = storage.join(output, "run.json")
    return build(RunRecord, json.loads(storage.read_bytes(url)), url) if storage.exists(url) else None


def write_run(output: str, run: RunRecord) -> None:
    """Mark an output as this run's."""
    storage.write_bytes(storage.join(output, "run.json"), run.model_dump_json(indent=1).encode())
