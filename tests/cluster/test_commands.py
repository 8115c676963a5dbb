"""The commands that the test of several nodes runs are those of AWS and Kubernetes too, but for sizes and addresses."""

import re
from collections.abc import Iterator, Sequence

import pytest

from tests.cluster.machines import readme_command
from tests.infra.files import INFRA, blocks, commands_in, documents, values_of

OF_PLACE = ("workers=", "least_workers=", "tracking.uri=")
"""Settings by which the places differ: how many machines there are, and where MLflow is."""


def job(words: Sequence[str]) -> list[str] | None:
    """What a command has run in the end, with storage and sizes left out; None if that is no job of ours."""
    for number, word in enumerate(words[:-1]):
        if word == "python" and words[number + 1].startswith("jobs/"):
            rest = [word for word in words[number:] if not word.startswith(OF_PLACE)]
            return [re.sub(r"=(s3://[^/]+|/data)/", "=STORAGE/", word) for word in rest]
    return None


def jobs(name: str) -> Iterator[list[str]]:
    """Of that name, in the README and on Kubernetes."""
    commands = [words for block in blocks((INFRA / "README.md").read_text()) for words in commands_in(block)]
    for entrypoint in values_of(documents(f"kubernetes/{name}.yaml"), "entrypoint"):
        commands += list(commands_in(entrypoint))
    yield from (found for words in commands if (found := job(words)) and found[1] == f"jobs/{name}.py")


@pytest.mark.parametrize(("name", "places"), [("preprocess", 3), ("train", 4)])
def test_every_place_runs_the_same_job(name: str, places: int) -> None:
    wanted = job(readme_command("ray job submit", f"jobs/{name}.py"))
    found = list(jobs(name))
    assert len(found) == places, "on AWS, on Kubernetes once or twice, and on premises"
    assert [one for one in found if one != wanted] == []


@pytest.mark.parametrize(
    ("key", "part"), [("head_start_ray_commands", "--head"), ("worker_start_ray_commands", "--address=")]
)
def test_machines_of_aws_start_ray_as_others_do(key: str, part: str) -> None:
    (cluster,) = documents("aws/cluster.yaml")
    (line,) = [line for line in cluster[key] if part in line]
    (there,) = [words for words in commands_in(line) if words[0] == "ray"]
    # Machines of one's own may have several addresses; those of the cloud have one, and a file about the others.
    assert options(there, "--autoscaling-config") == options(readme_command("ray start", part), "--node-ip-address")


def options(words: Sequence[str], besides: str) -> list[str]:
    """All words but that option, and the head's address left out."""
    kept = [word for word in words if not word.startswith(f"{besides}=")]
    return sorted(re.sub(r"^--address=.*:", "--address=HEAD:", word) for word in kept)


@pytest.mark.parametrize("name", ["preprocess", "train", "cluster"])
def test_heads_on_kubernetes_start_ray_as_others_do(name: str) -> None:
    """The operator writes the command, and only what it cannot know is given to it."""
    (document,) = documents(f"kubernetes/{name}.yaml")
    (head,) = values_of(document, "headGroupSpec")
    given = {f"--{option}" for option in head["rayStartParams"]}
    assert given < {word.partition("=")[0] for word in readme_command("ray start", "--head")}
