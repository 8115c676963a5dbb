"""Shipping a training's files to MLflow after the training, or beside it, on demand."""

from pathlib import Path

from liax import storage
from liax.errors import JobError, UserError
from liax.progress import Progress
from liax.tracking.address import tracking_uri as resolve_uri
from liax.tracking.address import without_password
from liax.tracking.client import first_line
from liax.tracking.note import read_note
from liax.tracking.training_run import TrainingRun


def catch_up(output: str, tracking_uri: str | None = None) -> str:
    """Ship everything that MLflow does not have yet.

    Args:
        output: of the training.
        tracking_uri: MLflow's address; None for the training's own, see `liax.tracking.address.tracking_uri`.

    Returns:
        What is where now, in a line.

    Raises:
        UserError: it is no training's output, or nothing answers at the address.
        JobError: MLflow, or the storage of its files, failed half way. The same again goes on from there.
    """
    output = output if storage.is_s3(output) else str(Path(output).absolute())
    note = read_note(output)
    uri = resolve_uri(tracking_uri or note.uri)
    shown = without_password(uri)
    run: TrainingRun | None = None
    try:
        run = TrainingRun(output, uri)
        with Progress(None, "shipping", "step") as progress:
            shipped = run.step

            def advance(step: int) -> None:
                nonlocal shipped
                progress.advance(step - shipped)
                shipped = step

            run.ship(advance)
        if note.ended is not None:
            run.close(note.ended)
        run.ship_files()
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  # MLflow's, its database's, HTTP's, the storage's: too many to name
        reached = "" if run is None else f" after step {run.step}"
        raise JobError(
            f"MLflow at {without_password(uri)} failed{reached}: {first_line(error)}; the same command goes on"
        ) from None
    open_end = "" if note.ended is not None else "; the training has not ended, or nobody could say how"
    return f"MLflow at {shown} has {output} up to step {run.step}, as run {run.run_id}{open_end}"
