"""A training run in MLflow: its settings, the numbers of every step, picture grids.

Training writes files and never calls MLflow; this reads the files. What is in MLflow says where it goes on, so that
after any interruption every point is there once.
"""

import io
import time
from pathlib import PurePosixPath
from typing import Any, Literal

from liax import storage
from liax.errors import UserError
from liax.progress import say
from liax.tracking.client import connect, experiment_id, failure_of, first_line, flatten, git_commit
from liax.training.config import TrainConfig
from liax.training.records import Numbers, read_records, written

_PICTURES = "pictures"
_LEAST_INTERVAL_S = 5.0
_METRICS_IN_A_MESSAGE = 1000
_LAST_TRIES = 3


class MlflowFollower:
    """See `liax.tracking.follower.Follower`.

    Args:
        config: of the training.
        uri: MLflow's address.
        run_id: the MLflow run to go on with; None for a new one.
        set_id: of the shards.
    """

    def __init__(self, config: TrainConfig, uri: str, run_id: str | None, set_id: str) -> None:
        self._output, self._client = config.output, connect(uri)
        from mlflow.exceptions import MlflowException

        try:
            self.run_id = run_id or self._create(config, uri, set_id)
            self._step = self._last_step("l1")
            self._picture_step = self._last_step("val/l1")
        except MlflowException as error:
            raise UserError(f"MLflow at {uri} refused the run: {first_line(error)}") from None
        self._opened_at_step = self._step
        self._shipped_at_s, self._said = 0.0, False

    def ship(self) -> None:
        if time.monotonic() - self._shipped_at_s < _LEAST_INTERVAL_S:
            return
        missed = failure_of(self._ship)
        if missed is not None and not self._said:
            say(f"MLflow misses numbers for now ({missed}); training goes on and what is missing comes later")
            self._said = True
        self._shipped_at_s = time.monotonic()

    def finish(self, status: Literal["FINISHED", "FAILED"]) -> None:
        missed = failure_of(lambda: self._close(status))
        for _ in range(_LAST_TRIES - 1):
            if missed is None:
                return
            time.sleep(1)
            missed = failure_of(lambda: self._close(status))
        if missed is not None:
            say(
                f"MLflow misses steps after {self._step} or how the run ended ({missed}); "
                f"everything is in {self._output}, run the same command again to complete MLflow"
            )

    def _ship(self) -> None:
        lines = read_records(self._output, self._step)
        # The pictures go first: their numbers tell a later run that they were shipped.
        self._ship_pictures(lines[-1][0] if lines else self._step)
        self._ship_metrics(lines)

    def _close(self, status: str) -> None:
        self._ship()
        # MLflow notes the time too, which is not now for a run that ended so before and got nothing new.
        if self._step > self._opened_at_step or self._client.get_run(self.run_id).info.status != status:
            self._client.set_terminated(self.run_id, status)

    def _create(self, config: TrainConfig, uri: str, set_id: str) -> str:
        from mlflow.entities import Param

        name = PurePosixPath(config.output).name
        tags = {"set_id": set_id, "output": config.output, **git_commit()}
        run = self._client.create_run(
            experiment_id(self._client, uri, config.tracking.experiment), run_name=name, tags=tags
        )
        parameters = [Param(key, str(value)) for key, value in flatten(config.model_dump(mode="json")).items()]
        self._client.log_batch(run.info.run_id, params=parameters)
        return str(run.info.run_id)

    def _last_step(self, metric: str) -> int:
        """The last step that MLflow has of a metric, 0 if none."""
        return max((point.step for point in self._client.get_metric_history(self.run_id, metric)), default=0)

    def _ship_metrics(self, lines: list[tuple[int, Numbers]]) -> None:
        from mlflow.entities import Metric

        waiting: list[Metric] = []
        now_ms = int(time.time() * 1000)
        for step, numbers in lines:
            if len(waiting) + len(numbers) > _METRICS_IN_A_MESSAGE:
                self._send(waiting)
                waiting = []
            waiting += [Metric(name, value, now_ms, step) for name, value in numbers.items()]
        if waiting:
            self._send(waiting)

    def _send(self, metrics: list[Any]) -> None:
        self._client.log_batch(self.run_id, metrics=metrics, synchronous=True)
        self._step = metrics[-1].step

    def _ship_pictures(self, last_step: int) -> None:
        from PIL import Image

        for name in written(storage.join(self._output, _PICTURES), ".png"):
            step = int(PurePosixPath(name).stem)
            if self._picture_step < step <= last_step:
                picture = Image.open(io.BytesIO(storage.read_bytes(name)))
                self._client.log_image(self.run_id, picture, key=_PICTURES, step=step, synchronous=True)
                self._picture_step = step
