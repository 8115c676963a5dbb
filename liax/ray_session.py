"""Ray for a job: the cluster that it was submitted to, or a quiet one of its own on this machine."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from liax.errors import JobError, UserError


@contextmanager
def session(num_cpus: int | None = None) -> Iterator[None]:
    """Connect to the cluster at `RAY_ADDRESS` (Ray sets it in a submitted job), else start a local Ray.

    A local Ray's parts find each other on loopback. Ray opens its ports on all of the machine's addresses nevertheless;
    what keeps others out is the token that it asks for unless `RAY_AUTH_MODE` says otherwise.

    Args:
        num_cpus: cores of a local Ray; None for all of the machine's.

    Raises:
        UserError: there is no Ray at `RAY_ADDRESS`, or one of another version.
    """
    # Before the import: Ray reads these when it is loaded.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # What will be Ray's default; it says so at every start where this is not set.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Seconds: a busy machine needs longer than Ray's own half minute.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    import ray

    # It says at every start that it is closed to other users, which is as it should be.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    address = os.environ.get("RAY_ADDRESS")
    quiet: dict[str, Any] = {"logging_level": logging.WARNING, "log_to_driver": False}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            # "local" and not the default, which would join any Ray that happens to run on the machine.
            ray.init(address="local", num_cpus=num_cpus, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
    except ConnectionError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"no Ray at RAY_ADDRESS={address}: {reason}; start it, or unset RAY_ADDRESS") from None
    except RuntimeError as error:
        if "Version mismatch" not in str(error):
            raise _not_started(error) from error
        raise UserError(f"{' '.join(str(error).split())}: start the job from the cluster's own environment") from None
    except Exception as error:  # Ray raises a bare one when a node starts too slowly
        raise _not_started(error) from error
    try:
        yield
    finally:
        ray.shutdown()


def room(each: Mapping[str, float]) -> int:
    """How many workers the living nodes hold, were they empty. Ray must be running.

    Args:
        each: what one worker reserves, by Ray's names of resources, above 0.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(int(min(node.get(name, 0.0) / amount for name, amount in each.items())) for node in nodes)


def _not_started(error: Exception) -> JobError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return JobError(f"Ray did not start: {reason} Try again when the machine is less busy.")
