"""Every command of the README and of the manifests is one that the program it calls takes, with settings that exist.

Programs that are not ours nor Ray's (aws, docker, kubectl, …) are not here to be asked; they are named, so that a
misspelt one of ours is not taken for one of those.
"""

import argparse
import importlib
import importlib.util
import re
import shlex
from typing import Any

import pytest

from jobs.main import COMMANDS
from liax.errors import UserError
from tests.conftest import ROOT
from tests.infra.files import INFRA, blocks, commands_in, documents, values_of

OTHERS = {"aws", "base64", "docker", "export", "helm", "install", "kubectl", "make", "scp", "sed", "source"}
CONFIGURED = {"preprocess", "train", "doctor"}
"""Jobs with `--dry-run`; the others only have their command line parsed."""
TRACE: list[list[str]] = []
"""The commands of our own that were checked."""


class Parsed(Exception):  # noqa: N818 - it is what should happen
    """A job has taken its command line, and would begin to work now."""


@pytest.fixture(autouse=True)
def _stop_after_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = argparse.ArgumentParser.parse_args

    def parse_and_stop(self: argparse.ArgumentParser, *given: Any, **named: Any) -> Any:
        raise Parsed(whole(self, *given, **named))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.chdir(ROOT)
    TRACE.clear()


def check(words: list[str]) -> None:
    """Let the program that a command calls parse it, and what the command hands on."""
    if words[0] == "ray":
        _check_ray(words[1:])
    elif words[:2] == ["python", "infra/with_machines.py"]:
        _check_machines(words[2:])
    elif words[0] == "liax":
        assert words[1] in COMMANDS, words
        _check_job(words[1].replace("-", "_"), words[2:])
    elif words[0] == "python" and words[1].startswith("jobs/"):
        assert (ROOT / words[1]).is_file(), words
        _check_job(words[1].removeprefix("jobs/").removesuffix(".py"), words[2:])
    else:
        assert words[0] in OTHERS, f"unknown command: {words}"


def _check_ray(words: list[str]) -> None:
    import click
    from ray.scripts.scripts import cli

    TRACE.append(["ray", *words])
    group: Any = cli
    while isinstance(group, click.Group):
        group = group.commands[words[0]]
        words = words[1:]
    context = group.make_context(group.name, list(words))
    if group.name == "submit":
        check(list(context.params["entrypoint"]))
    elif group.name == "exec":
        for command in commands_in(context.params["cmd"]):
            check(command)


def _check_machines(words: list[str]) -> None:
    TRACE.append(["with_machines", *words])
    spec = importlib.util.spec_from_file_location("with_machines", INFRA / "with_machines.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(Parsed) as parsed:
        module.main(words)
    options = parsed.value.args[0]
    assert options.command[0] == "--"
    check(options.command[1:])
    if options.gpus and "jobs/train.py" in options.command:
        config = _training(options.command[1:])
        assert options.count == config["workers"], "places are as many as workers"
        assert options.cpus == config["cpus_per_worker"]


def _check_job(name: str, words: list[str]) -> None:
    TRACE.append([name, *words])
    module = importlib.import_module(f"jobs.{name}")
    if name in CONFIGURED:
        # Not stopped: the dry run builds the configuration, which refuses a setting that there is not.
        assert module.run([*words, "--dry-run"]) == 0
    else:
        with pytest.raises(Parsed):
            module.run(words)


def _training(command: list[str]) -> dict[str, Any]:
    """The configuration of a training's command."""
    from liax.config import load_config
    from liax.training.config import TrainConfig

    assert command[:2] == ["python", "jobs/train.py"]
    file = command[command.index("--config") + 1]
    return load_config(TrainConfig, file, [word for word in command[2:] if "=" in word]).model_dump()


def test_of_the_readme() -> None:
    for block in blocks((INFRA / "README.md").read_text()):
        for words in commands_in(block):
            check(words)
    seen = {words[0] for words in TRACE}
    assert {"preprocess", "train", "register", "pull", "ray", "with_machines"} <= seen
    assert {words[1] for words in TRACE if words[0] == "ray"} >= {"up", "down", "start", "job", "drain-node"}


def test_in_the_sentences_of_the_readme() -> None:
    text = re.sub(r"^```.*?^```", "", (INFRA / "README.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    found = [words for words in re.findall(r"`((?:liax|ray) [a-z][^`]*)`", text) if words.count(" ") > 1]
    assert found
    for command in found:
        for words in commands_in(command):
            check(words)


@pytest.mark.parametrize("name", ["preprocess", "train"])
def test_of_the_jobs_on_kubernetes(name: str) -> None:
    (entrypoint,) = values_of(documents(f"kubernetes/{name}.yaml"), "entrypoint")
    (words,) = commands_in(entrypoint)
    check(words)
    assert TRACE[0][0] == name


def test_kubernetes_pods_are_as_many_as_the_training_has_workers() -> None:
    (entrypoint,) = values_of(documents("kubernetes/train.yaml"), "entrypoint")
    config = _training(shlex.split(entrypoint))
    (group,) = documents("kubernetes/train.yaml")[0]["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    gpus = int(container["resources"]["limits"]["nvidia.com/gpu"])
    assert group["replicas"] * gpus == config["workers"]
    assert (group["replicas"] - 1) * gpus == config["least_workers"], "goes on with one machine fewer"


def test_of_the_machines_on_aws() -> None:
    (cluster,) = documents("aws/cluster.yaml")
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        for line in cluster[key]:
            for words in commands_in(line.replace("ulimit -n 65536;", "")):
                check(words)
    assert [words[:2] for words in TRACE] == [["ray", "stop"], ["ray", "start"]] * 2


@pytest.mark.parametrize(
    "slip",
    [
        "python jobs/preprocess.py input=a output=b wrokers=3",
        "python jobs/prepare.py input=a output=b",
        "ray job submit --wrking-dir . -- python jobs/preprocess.py input=a output=b",
        "ray job submit --working-dir . -- python jobs/train.py --config jobs/configs/none.yaml shards=a output=b",
        "python infra/with_machines.py --cores 3 -- python jobs/train.py shards=a output=b",
        "liax registr runs/tiny --name a",
        "liax register runs/tiny --nam",
        "kubeclt apply",
    ],
)
def test_a_slip_is_found(slip: str) -> None:
    import click

    (words,) = commands_in(slip)
    with pytest.raises((AssertionError, UserError, SystemExit, click.ClickException)):
        check(words)
