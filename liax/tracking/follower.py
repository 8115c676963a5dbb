"""Who follows a training's record files, from outside of the training."""

from typing import Literal, Protocol

from liax.tracking.address import NO_TRACKING, tracking_uri
from liax.training.config import TrainConfig
from liax.training.run import RunRecord, read_run, write_run


class Follower(Protocol):
    """Ships what is new in `<output>/metrics` and `<output>/pictures`."""

    def ship(self) -> None:
        """Ship what is new; says a line, and never raises, if that fails."""

    def finish(self, status: Literal["FINISHED", "FAILED"]) -> None:
        """Ship the rest and close the run; says a line, and never raises, if that fails."""


class NoFollower:
    """The files are all there is."""

    def ship(self) -> None:
        pass

    def finish(self, status: Literal["FINISHED", "FAILED"]) -> None:
        pass


def open_follower(config: TrainConfig, set_id: str) -> Follower:
    """Mark the output as this run's, and open or continue its MLflow run.

    Raises:
        UserError: MLflow cannot be reached, or refuses.
    """
    identity = config.identity(set_id)
    known = read_run(config.output)
    if config.tracking.uri == NO_TRACKING:
        if known is None:
            write_run(config.output, RunRecord(identity=identity, set_id=set_id))
        return NoFollower()
    from liax.tracking.mlflow_log import MlflowFollower  # MLflow takes seconds to load

    uri = tracking_uri(config.tracking.uri)
    run_id = known.mlflow_run_id if known is not None and known.tracking_uri == uri else None
    follower = MlflowFollower(config, uri, run_id, set_id)
    record = RunRecord(identity=identity, set_id=set_id, tracking_uri=uri, mlflow_run_id=follower.run_id)
    if record != known:
        write_run(config.output, record)
    return follower
