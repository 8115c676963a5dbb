"""What the jobs that measure models share: Ray round the work, and the results in MLflow, if one is named."""

import os
from collections.abc import Callable
from typing import TypeVar

from liax.config import Config
from liax.progress import say
from liax.tracking.address import SettingUri

Prepared = TypeVar("Prepared")
Found = TypeVar("Found")


class TrackingConfig(Config):
    """Where the results are logged too; they are in the output in any case."""

    uri: SettingUri | None = None
    """MLflow's address; null for `MLFLOW_TRACKING_URI`, and without that nothing is logged; `none` logs nothing. Also
    where a `models:/` name is looked up."""
    experiment: str | None = None
    """Name of the MLflow experiment; null for `liax-` and the name of the command."""


def measure_and_log(
    tracking: TrackingConfig,
    cores: int | None,
    prepare: Callable[[str | None], Prepared],
    measure: Callable[[Prepared], Found],
    told: Callable[[Prepared, Found], str],
    log: Callable[[str, str, Prepared, Found], str],
    command: str,
) -> int:
    """Measure, say what was found, and log it. Returns the exit code; raises what the steps do.

    Args:
        cores: of a local Ray; None for all.
        prepare: all that can be wrong with a command line, given MLflow's address for registered models or None.
        measure: the work, with Ray running.
        told: what was found, for people.
        log: logs it under an address and an experiment.
        command: `atlas` of `liax atlas`.
    """
    from liax import ray_session  # heavy, and not needed for --help
    from liax.tracking.address import NO_TRACKING, tracking_uri
    from liax.tracking.client import connect, failure_of

    asked = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    wanted = None if asked == NO_TRACKING else asked
    prepared = prepare(wanted)
    address = tracking_uri(wanted) if wanted else None
    if address is not None:
        connect(address)  # before the work, if nothing answers there
    with ray_session.session(cores):
        found = measure(prepared)
    say(told(prepared, found))
    if address is not None:
        # The results are written, so a failure is said and does not fail the job.
        missed = failure_of(lambda: log(address, tracking.experiment or f"liax-{command}", prepared, found))
        if missed is not None:
            say(f"MLflow misses what was found ({missed}); run the same command again to log it")
    return 0
