"""By which network workers talk. What they do together is tested where they train."""

import os

import pytest

from liax.training.place import talk_from

VARIABLE = "GLOO_SOCKET_IFNAME"


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """And as it was, afterwards."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)


def test_gloo_takes_the_network_of_the_address() -> None:
    talk_from("127.0.0.1")
    assert os.environ[VARIABLE] == "lo"


def test_what_the_user_names_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "fast0")
    talk_from("127.0.0.1")
    assert os.environ[VARIABLE] == "fast0"


def test_an_address_of_no_network_leaves_the_choice_to_gloo() -> None:
    talk_from("192.0.2.77")
    assert VARIABLE not in os.environ
