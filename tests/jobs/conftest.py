"""Fixtures for the tests of commands."""

from pathlib import Path

import pytest

from tests.studio import make_studio


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to read from, see `tests.studio`. Tests write elsewhere."""
    folder = tmp_path_factory.mktemp("studio")
    make_studio(folder)
    return folder
