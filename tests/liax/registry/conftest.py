"""A training to register models from."""

import pytest

from tests.two_steps import train_two_steps


@pytest.fixture(scope="session")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two checkpoints of a tiny model, whose weights differ."""
    output = train_two_steps(tmp_path_factory.mktemp("two-checkpoints"), checkpoint={"every_steps": 1}).output
    return f"{output}/checkpoints/00000001", f"{output}/checkpoints/00000002"
