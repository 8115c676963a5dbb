"""Steps that were not finite: counted, the first one's inputs kept, too many in a row the end."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from liax import storage
from liax.data.batch import PairBatch
from liax.errors import JobError
from liax.training.faults import Faults, first_fault
from liax.training.place import Place, alone

TERMS = {"loss": float("nan"), "l1": 0.5, "gradient/generator": float("inf")}


def batches(value: float) -> list[PairBatch]:
    """Two micro-batches of two pairs."""
    return [
        PairBatch(source=torch.full((2, 3, 4, 4), value + part), driving=torch.zeros(2, 3, 4, 4)) for part in (0, 1)
    ]


def test_only_bad_steps_in_a_row_end_the_run(tmp_path: Path) -> None:
    faults = Faults(3, str(tmp_path), alone())
    for step, good in enumerate([False, False, True, False, False], 1):
        faults.step(step, good, batches(step), TERMS)
    assert (faults.skipped, faults.in_a_row) == (4, 2)
    with pytest.raises(JobError, match=r"3 steps in a row were not finite.* step 6; .*faults/00000001: look at"):
        faults.step(6, False, batches(6), TERMS)


def test_the_first_bad_step_is_kept_by_every_worker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (0, 1):
        faults = Faults(9, str(tmp_path), Place(rank, 2, torch.device("cpu")))
        faults.step(1, True, batches(1), TERMS)
        for step in (2, 3):
            faults.step(step, False, batches(10 * rank + step), TERMS)
    folder = tmp_path / "faults" / "00000002"
    assert [file.name for file in (tmp_path / "faults").iterdir()] == ["00000002"]
    for rank in (0, 1):
        pictures = load_file(folder / f"{rank}.safetensors")
        assert pictures["driving"].shape == (4, 3, 4, 4)
        first = 10 * rank + 2
        assert pictures["source"][:, 0, 0, 0].tolist() == [first, first, first + 1, first + 1]
        text = json.loads((folder / f"{rank}.json").read_text(), parse_constant=pytest.fail)
        assert text == {
            "step": 2,
            "rank": rank,
            "micro_batches": 2,
            "terms": {"loss": "nan", "l1": 0.5, "gradient/generator": "inf"},
        }
    (line,) = capsys.readouterr().out.splitlines()
    assert line == f"step 2 was not finite (loss, gradient/generator) and was left out; its inputs are in {folder}"


def test_a_run_that_continues_keeps_its_first_fault(tmp_path: Path) -> None:
    Faults(9, str(tmp_path), alone()).step(2, False, batches(2), TERMS)
    again = Faults(2, str(tmp_path), alone(), skipped=1)
    again.step(4, False, batches(4), TERMS)
    assert again.skipped == 2
    with pytest.raises(JobError, match="faults/00000002"):
        again.step(5, False, batches(5), TERMS)
    assert first_fault(str(tmp_path)) == "00000002"


def test_on_s3(s3_bucket: str) -> None:
    Faults(9, f"{s3_bucket}/run", alone()).step(2, False, batches(2), TERMS)
    assert first_fault(f"{s3_bucket}/run") == "00000002"
    assert storage.exists(f"{s3_bucket}/run/faults/00000002/0.safetensors")


def test_a_fault_that_cannot_be_kept_is_counted_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faults").write_text("in the way")
    faults = Faults(2, str(tmp_path), alone())
    faults.step(1, False, batches(1), TERMS)
    assert "could not be kept" in capsys.readouterr().out
    with pytest.raises(JobError, match="2 steps in a row"):
        faults.step(2, False, batches(2), TERMS)
