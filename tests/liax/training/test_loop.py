"""The whole loop in one process: a golden loss curve, resuming, and what it refuses."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from liax.errors import JobError, UserError
from liax.model.weights import load_model
from liax.training import loop
from liax.training.checkpoint import latest_checkpoint, open_checkpoint
from liax.training.checkpoint_writer import CheckpointWriter
from liax.training.config import TrainConfig
from liax.training.loop import Preempted, train
from liax.training.place import alone
from liax.training.records import read_records
from liax.training.run import check
from liax.training.run_record import RunRecord, write_run
from tests.moving_shapes import write_shapes

GOLDEN_L1 = [0.800121, 0.510894, 0.420993, 0.401997, 0.401437, 0.325835]
"""First steps of the tiny preset on the moving shapes. A change of it must be meant."""
GOLDEN_R1 = 0.001456


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


def configure(shapes: str, output: Path, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "shards": shapes,
        "output": str(output),
        "run_on": "process",
        "batch": 4,
        "steps": 6,
        "model": {"preset": "tiny"},
        "loss": {"perceptual": "none", "adversarial_start_step": 3, "r1_every": 2},
        "checkpoint": {"every_steps": 2, "keep": 2},
        "tracking": {"uri": "none", "pictures": 2},
    }
    return TrainConfig.model_validate(values | changes)


def run(config: TrainConfig) -> list[dict[str, float]]:
    check(config)
    train(config, alone(), lambda step, numbers: None)
    return [json.loads(line) for line in Path(config.output, "metrics.jsonl").read_text().splitlines()]


def losses(line: dict[str, float]) -> dict[str, float]:
    """Without the validation, which a run does at its own last step too, and without what depends on the clock."""
    apart = ("val/", "codes/", "speed/", "system/", "lr/", "dictionary/", "time_ms", "data/wait_s")
    return {name: value for name, value in line.items() if not name.startswith(apart)}


@pytest.fixture(scope="module")
def finished(shapes: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, list[dict[str, float]]]:
    config = configure(shapes, tmp_path_factory.mktemp("finished"))
    return config, run(config)


def test_golden_curve(finished: tuple[TrainConfig, list[dict[str, float]]]) -> None:
    lines = finished[1]
    assert lines[0]["l1"] == pytest.approx(GOLDEN_L1[0], rel=1e-4)
    # Another number of threads already moves the sixth step by half a percent.
    assert [line["l1"] for line in lines] == pytest.approx(GOLDEN_L1, rel=2e-2)
    assert [("adversarial" in line, "r1" in line) for line in lines[2:]] == [
        (False, False), (True, True), (True, False), (True, True),
    ]  # fmt: skip
    assert lines[3]["r1"] == pytest.approx(GOLDEN_R1, rel=5e-2)


def test_a_gpu_that_is_too_small_is_one_line(shapes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nAnd more lines.")

    monkeypatch.setattr(loop, "gan_step", full)
    with pytest.raises(JobError, match=r"^a GPU's memory is too small: lower compute\.micro_batch.*--plan"):
        run(configure(shapes, tmp_path))


def test_resuming_is_bit_for_bit(
    shapes: str, tmp_path: Path, finished: tuple[TrainConfig, list[dict[str, float]]]
) -> None:
    run(configure(shapes, tmp_path, steps=4))  # the checkpoint is after the discriminator's first update
    resumed = run(configure(shapes, tmp_path))
    assert [losses(line) for line in resumed] == [losses(line) for line in finished[1]]
    for name in ("generator", "discriminator", "optimizer_generator", "optimizer_discriminator", "model"):
        one, other = (latest_checkpoint(str(folder)) for folder in (tmp_path, Path(finished[0].output)))
        assert one is not None
        assert other is not None
        left, right = one.tensors(name), other.tensors(name)
        assert left.keys() == right.keys()
        assert all(left[key].equal(right[key]) for key in left), name


def test_what_a_run_leaves(finished: tuple[TrainConfig, list[dict[str, float]]]) -> None:
    output = Path(finished[0].output)
    there = sorted(p.name for p in (output / "checkpoints").iterdir())
    assert there == ["00000004", "00000006", "best", "latest"]
    assert load_model(output / "checkpoints" / "00000006").config.size_px == 64
    assert (output / "pictures" / "00000006.png").stat().st_size > 1000
    assert (output / "videos" / "00000006.mp4").stat().st_size > 1000
    last = finished[1][-1]
    assert last["lr/discriminator"] == pytest.approx(2e-3 * 2 / 3, rel=1e-5)  # lazy R1 every 2 steps
    assert last["dictionary/least_r"] > 0
    assert last["speed/pairs_per_s"] > 0
    assert {"gradient/generator", "gradient/discriminator", "gradient/r1"} <= last.keys()
    summary = json.loads((output / "summary.json").read_text())
    assert summary["l1_first"] == pytest.approx(sum(line["l1"] for line in finished[1]) / 6)
    assert summary["val_l1_copy"] > 0
    assert sum(s for part, s in summary["seconds"].items() if part != "total") <= summary["seconds"]["total"] + 0.1


def test_half_a_checkpoint_does_not_exist(shapes: str, tmp_path: Path) -> None:
    run(configure(shapes, tmp_path, steps=2))
    folder = tmp_path / "checkpoints" / "00000002"
    data = bytearray((folder / "generator.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "generator.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="changed or damaged"):
        open_checkpoint(str(tmp_path)).tensors("generator")
    (folder / "state.json").unlink()
    with pytest.raises(UserError, match="no complete checkpoint"):
        open_checkpoint(str(folder))


def test_a_damaged_checkpoint_can_be_removed(
    shapes: str, tmp_path: Path, finished: tuple[TrainConfig, list[dict[str, float]]]
) -> None:
    run(configure(shapes, tmp_path, steps=5, checkpoint={"every_steps": 2, "keep": 3}))
    for damaged in ("00000004", "00000005"):
        shutil.rmtree(tmp_path / "checkpoints" / damaged)
    before = latest_checkpoint(str(tmp_path))
    assert before is not None
    assert before.state.step == 2
    resumed = run(configure(shapes, tmp_path, checkpoint={"every_steps": 6}))
    assert [losses(line) for line in resumed] == [losses(line) for line in finished[1]]


def test_a_run_that_dies_after_a_checkpoint_has_the_numbers_up_to_it(
    shapes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SaveAndDie(CheckpointWriter):
        def save(self, *arguments: Any, **more: Any) -> None:
            super().save(*arguments, **more)
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "CheckpointWriter", SaveAndDie)
    with pytest.raises(KeyboardInterrupt):
        run(configure(shapes, tmp_path))
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    assert [step for step, _ in read_records(str(tmp_path))] == [1, 2] == list(range(1, saved.state.step + 1))


def test_another_runs_output_is_refused(shapes: str, tmp_path: Path) -> None:
    config = configure(shapes, tmp_path)
    write_run(str(tmp_path), RunRecord(identity=config.identity(check(config)), set_id="x"))
    check(config)
    with pytest.raises(UserError, match="other settings"):
        check(configure(shapes, tmp_path, seed=5))


@pytest.mark.parametrize("width", [0, 0.51])
def test_a_width_that_the_discriminator_cannot_have_is_refused(shapes: str, tmp_path: Path, width: float) -> None:
    with pytest.raises(UserError, match=r"model\.discriminator_width: 64·width must be a whole number"):
        check(configure(shapes, tmp_path, model={"preset": "tiny", "discriminator_width": width}))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused(shapes: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="device=cuda needs a GPU"):
        check(configure(shapes, tmp_path, device="cuda"))


def test_shards_without_training_clips_are_refused(tmp_path: Path) -> None:
    only_validation = write_shapes(tmp_path / "shards", clips=1, validation=1)
    with pytest.raises(UserError, match="no clip"):
        check(configure(only_validation, tmp_path / "out"))
    with pytest.raises(UserError, match="no committed shards"):
        check(configure(str(tmp_path / "nothing"), tmp_path / "out"))


def test_steps_that_are_not_finite_are_left_out_and_ten_in_a_row_end_the_run(shapes: str, tmp_path: Path) -> None:
    wild = {"generator": {"lr": 1e30, "betas": (0.0, 0.99)}}
    config = configure(shapes, tmp_path, optimizer=wild, steps=50, faults={"skipped_in_a_row": 3})
    with pytest.raises(JobError, match=r"3 steps in a row were not finite.*faults/00000002"):
        run(config)
    assert sorted(p.name for p in (tmp_path / "faults").rglob("*")) == ["0.json", "0.safetensors", "00000002"]
    saved = latest_checkpoint(str(tmp_path))
    assert saved is None or all(math.isfinite(v.abs().max()) for v in saved.tensors("generator").values())


def test_one_bad_step_costs_that_step_alone(shapes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real_step = loop.gan_step

    def one_bad(generator: Any, discriminator: Any, micro_batches: Any, *rest: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 2:
            for batch in micro_batches:
                batch["driving"][0, 0, 0, 0] = math.nan
        return real_step(generator, discriminator, micro_batches, *rest)

    monkeypatch.setattr(loop, "gan_step", one_bad)
    lines = run(configure(shapes, tmp_path))
    assert [line["skipped"] for line in lines] == [0, 1, 0, 0, 0, 0]
    assert math.isnan(lines[1]["l1"])
    assert all(math.isfinite(line["l1"]) for line in lines[2:])
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    assert (saved.state.step, saved.state.skipped) == (6, 1)
    assert saved.tensors("optimizer_generator")["updates"].item() == 5
    assert json.loads((tmp_path / "summary.json").read_text())["skipped_steps"] == 1


def test_a_worker_that_has_notice_saves_the_very_step_and_leaves(
    shapes: str, tmp_path: Path, finished: tuple[TrainConfig, list[dict[str, float]]]
) -> None:
    config, looks = configure(shapes, tmp_path), []

    def notice() -> bool:
        looks.append(True)
        return len(looks) == 3

    check(config)
    with pytest.raises(Preempted, match="left at step 3"):
        train(config, alone(), lambda step, numbers: None, notice)
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    assert saved.state.step == 3
    assert [losses(line) for line in run(config)] == [losses(line) for line in finished[1]]


def test_micro_batches_give_the_same_curve(shapes: str, tmp_path: Path) -> None:
    whole = run(configure(shapes, tmp_path / "whole", batch=8, steps=4))
    parts = run(configure(shapes, tmp_path / "parts", batch=8, steps=4, compute={"micro_batch": 4}))
    # Adam without memory turns the rounding of a gradient that is nearly zero into a full step.
    assert [line["l1"] for line in parts] == pytest.approx([line["l1"] for line in whole], rel=2e-2)
    assert parts[0]["l1"] == pytest.approx(whole[0]["l1"], rel=1e-5)
    assert parts[0]["gradient/generator"] == pytest.approx(whole[0]["gradient/generator"], rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 8, "compute": {"micro_batch": 2}}, "micro_batch=2 is less than 4, the group"),
        ({"batch": 8, "workers": 4, "run_on": "ray"}, "each of 4 workers would have 2 of batch=8 pairs"),
        ({"batch": 12, "workers": 3, "least_workers": 2, "run_on": "ray"}, "each of 2 workers would have 6"),
    ],
)
def test_a_batch_that_cannot_be_shared_out_is_refused(
    shapes: str, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check(configure(shapes, tmp_path, **changes))
