"""What a worker refuses to begin with."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from liax.atlas.config import AtlasConfig
from liax.atlas.networks import open_observers
from liax.atlas.records import Work
from liax.atlas.stage import TraceItem
from liax.errors import JobError
from liax.evaluation.subject import find_subject
from liax.face import FaceFinder
from tests.liax.evaluation.evaluated import make_model


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """As the machine prepares it where the work is started."""
    subject = find_subject(make_model(tmp_path / "model"), None)
    config = AtlasConfig(model=subject.given, shards="s", output=str(tmp_path / "out"))
    opened = open_observers(config.networks, "cpu")
    opened.observers.close()
    names = tuple(sorted(opened.names.items()))
    return Work(config.output, subject, config, names, opened.observers.second_attributes)


def test_a_node_with_the_same_observers_begins(work: Work) -> None:
    TraceItem(work).close()


def test_a_node_that_lacks_weights_is_named_with_them(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, close = [], FaceFinder.close

    def counted(finder: FaceFinder) -> None:
        closed.append(finder)
        close(finder)

    monkeypatch.setattr(FaceFinder, "close", counted)
    elsewhere = replace(work, observers=(*work.observers, ("steps", "AlexNet, weights.pth")))
    with pytest.raises(JobError) as caught:
        TraceItem(elsewhere)
    message = str(caught.value)
    assert f"node {socket.gethostname()} " in message
    assert "it lacks AlexNet, weights.pth (steps); " in message
    assert "perceptual path length: no weights: give networks.alexnet=PATH" in message
    assert "\n" not in message
    assert len(closed) == 1


def test_a_node_with_an_observer_that_the_others_lack_is_named_with_it(work: Work) -> None:
    without = replace(work, observers=())
    with pytest.raises(JobError, match=r"it has MediaPipe face landmarker \(face\)"):
        TraceItem(without)
