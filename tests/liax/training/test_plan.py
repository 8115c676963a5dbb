"""What is said of memory before a training starts."""

from pathlib import Path

import pytest

from jobs import train
from liax.config import load_config
from liax.errors import UserError
from liax.training import plan as module
from liax.training.config import TrainConfig
from liax.training.memory import states_of
from liax.training.plan import Machine, free_memory_bytes, plan, require_memory

GIB = 2**30
SMALL = ["model.preset=tiny", "batch=16", "loss.perceptual=none"]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path_factory.getbasetemp() / "steps"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def load(*overrides: str) -> TrainConfig:
    return load_config(TrainConfig, None, ["shards=s", "output=o", *overrides])


def give(monkeypatch: pytest.MonkeyPatch, gib: float, *, gpu: bool = False) -> None:
    """A machine, or its GPU, of so much free memory."""
    machine = Machine("this test's machine", int(gib * GIB), all_workers=not gpu)
    monkeypatch.setattr(module, "machine_of", lambda config: machine)


@pytest.mark.parametrize(
    ("stage", "bytes_a_parameter"),
    # Weights, gradients and two of Adam's numbers, 4 bytes each; the master copy's part from stage 1 on. 4 workers.
    [(None, 16), (0, 16), (1, 4 + 1 + 4 + 2), (2, 4 + 1 + 1 + 2), (3, 1 + 1 + 1 + 2)],
)
def test_each_stage_shares_out_more(stage: int | None, bytes_a_parameter: int) -> None:
    assert states_of(1000, stage, 4).total == 1000 * bytes_a_parameter
    alone, many = states_of(1001, stage, 1), states_of(1001, stage, 7)
    assert alone.total >= many.total
    assert many.adam >= 2 * 4 * 1001 / 7 or stage in (None, 0)


def test_the_table_has_a_row_for_every_stage_and_marks_the_runs_own() -> None:
    text = plan(load(*SMALL, "workers=2", "engine=deepspeed", "zero_stage=2"))
    lines = text.splitlines()
    rows = {line.split("  ")[0]: line.split() for line in lines if line.startswith(("plain", "ZeRO"))}
    assert list(rows) == ["plain", "ZeRO 0", "ZeRO 1", "ZeRO 2 *", "ZeRO 3"]
    assert "batch 16: 2 workers × 1 micro-batches × 8 pairs, float32" in text
    for row in rows.values():
        leader, others = float(row[-2]), float(row[-1])
        assert leader >= others > 0
    assert "on this machine" in lines[-1]
    assert "(ZeRO 2)" in lines[-1]
    assert lines[-1].endswith("fits")


def test_the_command_prints_it_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.run(["--plan", *SMALL, "run_on=process"]) == 0
    assert "ZeRO 3" in capsys.readouterr().out
    assert train.run([*SMALL, "shards=nowhere", "output=out", "--plan"]) == 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(SystemExit):
        train.run(["--help"])
    assert "--plan" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gib", "overrides", "says"),
    [
        (1.2, [*SMALL, "run_on=process", "batch=64"], "set compute.micro_batch=32"),
        (0.86, [*SMALL, "run_on=process", "batch=64", "compute.micro_batch=16"], "set compute.micro_batch=8"),
        (0.70, [*SMALL, "run_on=process", "batch=4"], "a smaller model.preset"),
        (3.0, [*SMALL, "workers=4", "batch=16"], "set workers=2 "),
    ],
)
def test_too_little_is_refused_in_one_line_that_helps(
    gib: float, overrides: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, gib)
    with pytest.raises(UserError) as error:
        require_memory(load(*overrides))
    text = str(error.value)
    assert says in text
    assert f"this test's machine has {gib:.2f} GiB free" in text
    assert "\n" not in text


def test_what_is_advised_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 1.2)
    overrides = [*SMALL, "run_on=process", "batch=64"]
    with pytest.raises(UserError) as error:
        require_memory(load(*overrides))
    setting = str(error.value).partition("set ")[2].partition(" (")[0].split()
    require_memory(load(*overrides, *setting))
    assert module.plan(load(*overrides, *setting)).endswith("fits")


def test_of_torchruns_processes_those_on_this_machine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 2.0)
    config = load(*SMALL, "run_on=torchrun").model_copy(update={"workers": 4})
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    require_memory(config)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(UserError, match="this test's machine has"):
        require_memory(config)


def test_a_gpu_is_compared_with_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 4, gpu=True)
    require_memory(load(*SMALL, "device=cuda", "workers=16", "batch=64"))
    with pytest.raises(UserError, match=r"set compute\.micro_batch="):
        require_memory(load("model.preset=small", "device=cuda", "batch=128"))


@pytest.mark.parametrize("overrides", [["device=cuda"], []])
def test_where_nothing_can_be_compared_it_says_so(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    require_memory(load(*SMALL, *overrides))
    assert "not known here" in capsys.readouterr().out
    assert "compared with nothing" in plan(load(*SMALL, *overrides))


def test_this_machine_says_what_is_free() -> None:
    free = free_memory_bytes()
    assert free is None or 2**20 < free < 2**50
