"""A local Ray runs nothing for those who have not its token, though its ports can be reached."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from liax import ray_session

CALL = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False)
print("ran:", ray.get(ray.remote(lambda: 7).remote()))
"""


@pytest.mark.server
def test_a_stranger_gets_no_work_done(tmp_path: Path) -> None:
    with ray_session.session(1):
        import ray

        address = ray.get_runtime_context().gcs_address
        own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
        for home, may in ((str(Path.home()), True), (str(tmp_path), False)):  # the token lies in the owner's home
            environment = own | {"HOME": home, "RAY_AUTH_MODE": "token" if may else "disabled"}
            called = subprocess.run(
                [sys.executable, "-c", CALL, address],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert ("ran: 7" in called.stdout) == may, called.stderr[-2000:]
            assert may or "token" in called.stderr
