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
        friend = os.environ | {"RAY_AUTH_MODE": "token"}  # with the token of the environment, or of the owner's home
        stranger = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
        stranger |= {"RAY_AUTH_MODE": "disabled", "HOME": str(tmp_path)}
        for environment, may in ((friend, True), (stranger, False)):
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
