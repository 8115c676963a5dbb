"""Runs a command of a Ray job when the cluster has grown to what it needs: for clusters that start from zero machines.

    ray job submit --working-dir . -- python infra/with_machines.py --count 16 --cpus 5 --gpus 1 -- \\
        python jobs/train.py --config jobs/configs/train_base_512.yaml workers=16 shards=… output=…

A job looks at the machines that are there when it starts, and refuses to wait for what nobody may ever start. This asks
Ray's autoscaler for room, waits until it is there, withdraws the request, so that nothing is kept alive for it once the
job is over, and becomes the command.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

LOOK_EVERY_S = 2.0
SAY_EVERY_S = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Wait, then become the command. Returns only when the machines did not come."""
    parser = argparse.ArgumentParser(
        usage="%(prog)s --count N [options] -- COMMAND …",
        description="Run a command of a Ray job when the cluster has grown to what it needs.",
    )
    parser.add_argument("--count", type=int, required=True, help="how many places are needed, each on one machine")
    parser.add_argument("--cpus", type=int, default=1, help="CPU cores of a place (default: 1)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of a place (default: 0)")
    parser.add_argument("--wait-minutes", type=float, default=60.0, help="give up after this (default: 60)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what is run then")
    options = parser.parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no command is given: write it after --")
    if options.count < 1 or options.cpus < 1 or options.gpus < 0:
        parser.error("--count and --cpus are at least 1, --gpus is at least 0")
    # Not any Ray that happens to run on this machine.
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        _say("RAY_ADDRESS names no Ray: run this in a job, by `ray job submit`, or set it")
        return 1
    place = {"CPU": options.cpus} | ({"GPU": options.gpus} if options.gpus else {})
    try:
        if wait_for(address, place, options.count, options.wait_minutes * 60.0):
            os.execvp(command[0], command)
    except ConnectionError as error:
        _say(f"no Ray at RAY_ADDRESS={address}: {str(error).splitlines()[0]}")
    except FileNotFoundError:
        _say(f"there is no command '{command[0]}'")
    return 1


def wait_for(address: str, place: dict[str, int], count: int, limit_s: float) -> bool:
    """Ask for places and wait for them; returns whether they are there.

    Args:
        address: of the cluster.
        place: Ray's resources of one place.
        count: of places.
        limit_s: how long is waited.
    """
    import ray
    from ray.autoscaler.sdk import request_resources

    wanted = f"{count} × {' and '.join(f'{number} {kind}' for kind, number in place.items())}"
    ray.init(address=address, log_to_driver=False, logging_level="warning")
    try:
        began = said = time.monotonic()
        request_resources(bundles=[place] * count)
        while (room := room_for(place, ray.nodes())) < count:
            now = time.monotonic()
            if now - began > limit_s:
                _say(
                    f"room for {room} of {wanted} after {limit_s / 60:g} minutes: see `ray status` for what is missing"
                )
                return False
            if now - said > SAY_EVERY_S:
                _say(f"room for {room} of {wanted}, waiting")
                said = now
            time.sleep(LOOK_EVERY_S)
        _say(f"room for {wanted}")
        return True
    finally:
        request_resources(bundles=[])
        ray.shutdown()


def room_for(place: dict[str, int], nodes: Sequence[dict[str, Any]]) -> int:
    """How many places the living machines hold, were they empty.

    Args:
        place: Ray's resources of one place.
        nodes: as `ray.nodes()` gives them.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return sum(int(min(has.get(kind, 0.0) // number for kind, number in place.items())) for has in alive)


def _say(text: str) -> None:
    print(f"machines: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
