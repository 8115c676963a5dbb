"""The line that a failed stage leaves, from texts as Ray reports them."""

import pytest

from liax.ray_data import cause

REPORT = """\x1b[36mray::MapWorker(Map(Stage)).submit()\x1b[39m (pid=7, ip=127.0.0.1)
  File "stage.py", line 3, in __call__
    raise StorageError("s3://b: refused")
liax.errors.StorageError: s3://b: refused

The above exception was the direct cause of the following exception:
ray.data.exceptions.UserCodeException: Failed to process the following data block
Try again with more memory.
"""


@pytest.mark.parametrize(("report", "line"), [
    (REPORT, "liax.errors.StorageError: s3://b: refused"),
    ("ray.exceptions.ActorDiedError: it died\n  Its owner left.  \n\n", "Its owner left."),
    (" \n", ""),
])  # fmt: skip
def test_the_stages_own_error_is_named(report: str, line: str) -> None:
    assert cause(report) == line
