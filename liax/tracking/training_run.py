"""A training's run in MLflow: found or made, and brought up to date from the training's files.

Every point, once. MLflow itself keeps how far it is: each message carries the metric `tracking/step` beside the
numbers of whole steps, and MLflow's database takes a message in one transaction, all or nothing. A step up to that
mark is never sent again, also if it was done again since. A message that was sent and whose answer was lost may be sent
twice; its points are the same to the millisecond, and such points are one in the database (its primary key). See
docs/decisions/0009.
"""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from liax import storage
from liax.tracking.address import without_password
from liax.tracking.client import connect, experiment_id, in_groups
from liax.tracking.note import Ending, read_note
from liax.training.records import Record, records_after, written
from liax.training.run_record import read_run, write_run

MARK = "tracking/step"
"""The metric whose value is the last step that was shipped."""
_TRAINING_TAG, _DESCRIPTION_TAG = "liax.training", "mlflow.note.content"
_DESCRIPTION = "Training of LIA-X. Shipped from {output}: its metrics/, pictures/ and videos/ have the same and more."
_PICTURES, _VIDEOS = "pictures", "videos"
_PICTURE = re.compile(rf"images/{_PICTURES}[+%]step[+%](\d+)[+%].*\.png")
"""How MLflow names a picture of a step (3.17: `MlflowClient.log_image`; `%` in older versions)."""
_LONGEST_PARAMETER = 6000
"""MLflow's limit (3.17: `mlflow.utils.validation.MAX_PARAM_VAL_LENGTH`)."""
_METRICS_IN_A_MESSAGE, _PARAMETERS_IN_A_MESSAGE = 1000, 100
"""MLflow takes no more at once."""


class TrainingRun:
    """The MLflow run of the training in an output, made if there is none.

    Args:
        output: of the training.
        uri: MLflow's address.

    Raises:
        UserError: it is no training's output, or nothing answers at the address.
        mlflow.exceptions.MlflowException: MLflow refuses the run.
    """

    def __init__(self, output: str, uri: str) -> None:
        self._output, self._note, self._client = output, read_note(output), connect(uri)
        self._files_there: set[str] | None = None
        run = self._known(uri) or self._found_or_made(uri)
        self.run_id, self._within = str(run.info.run_id), str(run.info.experiment_id)
        self.step = int(run.data.metrics.get(MARK, 0))
        """Up to where the steps are shipped."""
        self._status, self._at_open = str(run.info.status), self.step
        record = read_run(output)
        assert record is not None  # written before the note
        complete = record.model_copy(update={"tracking_uri": without_password(uri), "mlflow_run_id": self.run_id})
        if complete != record:
            write_run(output, complete)
        self._describe(run)

    def ship(self, shipped: Callable[[int], None] = lambda step: None) -> None:
        """Ship the points that are new. Calls `shipped` with the step after each message.

        Raises:
            mlflow.exceptions.MlflowException, LiaxError, OSError: MLflow, its storage or the output's failed. What was
            shipped is shipped, and another `TrainingRun` goes on from there.
        """
        for records in _messages(records_after(self._output, self.step)):
            self._send(records)
            shipped(self.step)

    def ship_files(self) -> None:
        """Ship pictures, videos and the note's files, those that MLflow does not have yet; errors as in `ship`."""
        if self._files_there is None:
            folders = ("images", _VIDEOS, *{folder for _, folder in self._note.files})
            listed = [self._client.list_artifacts(self.run_id, folder or None) for folder in folders]
            self._files_there = {_plain_name(artifact.path) for group in listed for artifact in group}
        for url, folder in self._note.files:
            self._ship_file(url, folder)
        for url in written(storage.join(self._output, _VIDEOS), ".mp4"):
            self._ship_file(url, _VIDEOS)
        for url in written(storage.join(self._output, _PICTURES), ".png"):
            self._ship_picture(url)

    def mark_running(self) -> None:
        """Say that the training goes on, if MLflow has noted an end and the training has not."""
        if self._note.ended is None and self._status != "RUNNING":
            self._client.update_run(self.run_id, status="RUNNING")
            self._status = "RUNNING"

    def close(self, ended: Ending) -> None:
        """Say how the training ended; call `ship` before."""
        self._remove_twins()
        # MLflow notes the time too, which is not now for a run that ended so before and got nothing new.
        if self._status != ended or self.step > self._at_open:
            self._client.set_terminated(self.run_id, ended)
            self._status = ended

    def _known(self, uri: str) -> Any | None:
        """The run that the output names, if it is at this address and was not deleted there."""
        from mlflow.exceptions import MlflowException

        record = read_run(self._output)
        if record is None or record.mlflow_run_id is None or record.tracking_uri != without_password(uri):
            return None
        try:
            run = self._client.get_run(record.mlflow_run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def _found_or_made(self, uri: str) -> Any:
        within = experiment_id(self._client, uri, self._note.experiment)
        if not self._all(within):
            tags = {_TRAINING_TAG: self._note.training_id, **self._tags()}
            self._client.create_run(within, run_name=self._note.name, tags=tags)
        return self._all(within)[0]

    def _all(self, within: str) -> list[Any]:
        """The training's runs in an experiment, the one to go on with first: one that has points, else the oldest."""
        tagged = f"tags.`{_TRAINING_TAG}` = '{self._note.training_id}'"
        runs = self._client.search_runs([within], tagged, order_by=["attributes.start_time ASC"])
        return sorted(runs, key=lambda run: MARK not in run.data.metrics)

    def _remove_twins(self) -> None:
        """Delete the training's other runs, which have no points.

        There are some where the answer to a creation was lost, or where two processes began at once.
        """
        for run in self._all(self._within):
            if run.info.run_id != self.run_id and MARK not in run.data.metrics:
                self._client.delete_run(run.info.run_id)

    def _tags(self) -> dict[str, str]:
        return {_DESCRIPTION_TAG: _DESCRIPTION.format(output=self._output), **self._note.tags}

    def _describe(self, run: Any) -> None:
        """Bring the run's tags and parameters up to date; MLflow never changes a parameter that it has."""
        from mlflow.entities import Param, RunTag

        tags = {name: value for name, value in self._tags().items() if run.data.tags.get(name) != value}
        if tags:
            self._client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        missing = {name: value for name, value in self._note.parameters.items() if name not in run.data.params}
        for group in in_groups(missing, _PARAMETERS_IN_A_MESSAGE):
            parameters = [Param(name, value[:_LONGEST_PARAMETER]) for name, value in group]
            self._client.log_batch(self.run_id, params=parameters, synchronous=True)

    def _send(self, records: list[Record]) -> None:
        from mlflow.entities import Metric

        last = records[-1]
        metrics = [
            Metric(name, value, record.time_ms, record.step)
            for record in records
            for name, value in record.numbers.items()
        ]
        # The mark is last: a store that is no database (files) writes one after the other.
        metrics.append(Metric(MARK, last.step, last.time_ms, last.step))
        self._client.log_batch(self.run_id, metrics=metrics, synchronous=True)
        self.step = last.step

    def _ship_file(self, url: str, folder: str) -> None:
        assert self._files_there is not None
        name = str(PurePosixPath(folder, PurePosixPath(url).name))
        if name in self._files_there or not storage.exists(url):
            return
        with TemporaryDirectory(prefix="liax-") as scratch:  # MLflow takes local files and keeps their names
            copy = f"{scratch}/{PurePosixPath(url).name}"
            storage.write_bytes(copy, storage.read_bytes(url))
            self._client.log_artifact(self.run_id, copy, folder or None)
        self._files_there.add(name)

    def _ship_picture(self, url: str) -> None:
        from PIL import Image

        assert self._files_there is not None
        step = int(PurePosixPath(url).stem)
        name = f"{_PICTURES}/{step}"
        if name in self._files_there:
            return
        picture = Image.open(io.BytesIO(storage.read_bytes(url)))
        self._client.log_image(self.run_id, picture, key=_PICTURES, step=step, synchronous=True)
        self._files_there.add(name)


def _plain_name(path: str) -> str:
    """An artifact's name; for a step's picture one without what MLflow adds to it."""
    picture = _PICTURE.fullmatch(path)
    return f"{_PICTURES}/{picture[1]}" if picture else path


def _messages(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Records in groups, each for one message; no step is divided, for a message is what MLflow takes whole."""
    group: list[Record] = []
    metrics = 1  # the mark
    for record in records:
        count = len(record.numbers)
        if group and metrics + count > _METRICS_IN_A_MESSAGE:
            yield group
            group, metrics = [], 1
        group.append(record)
        metrics += count
    if group:
        yield group
