"""At which checkpoint all workers of a run go on."""

import json
import time

from liax.errors import StorageError
from liax.training.checkpoint import Checkpoint, CheckpointState, complete, latest_checkpoint
from liax.training.place import Place

VISIBLE_WITHIN_S = 90.0
"""How long a worker waits until it sees what the leading one has seen. Our choice: an NFS client may go by what it knew
of a folder for 60 s (`acdirmax` in nfs(5)); S3 shows at once what was written."""
_LOOK_EVERY_S = 1.0


def agreed_checkpoint(output: str, place: Place) -> Checkpoint | None:
    """The checkpoint that the leading worker finds; None if there is none. Every worker calls it.

    Workers that look for themselves may find different ones, where one is just written or a file system shows it late,
    and would train different networks from then on.

    Args:
        output: of the run.
        place: of this worker.

    Raises:
        StorageError: this worker does not see it.
    """
    mine = latest_checkpoint(output) if place.leads else None
    choice = None if mine is None else (mine.url, mine.state.model_dump(mode="json"))
    choice = json.loads(place.of_leader(json.dumps(choice)))
    if place.leads or choice is None:
        return mine
    url, state = choice[0], CheckpointState.model_validate(choice[1])
    until_s = time.monotonic() + VISIBLE_WITHIN_S
    while (seen := complete(url)) is None or seen.state != state:
        if time.monotonic() > until_s:
            raise StorageError(
                f"worker {place.rank} does not see {url} as the leading worker does, in {VISIBLE_WITHIN_S:.0f} s: "
                "use a folder that all machines share, or s3://"
            )
        time.sleep(_LOOK_EVERY_S)
    return seen
