"""What scale on paper rests on: rows of results, which may be missing, and arguments, which may be wrong."""

from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.scaling_results import read_gpu, read_measured, row_of, rows_of
from liax.errors import UserError, run_main


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of the results that are read, to be spoilt."""
    for name in ("preprocess-cpu.md", "loader-cpu.md", "pair-reading-cpu.md", "preprocess-driver-cpu.md"):
        (tmp_path / name).write_text((scaling.RESULTS / name).read_text())
    return tmp_path


def test_a_result_without_its_row_is_named(results: Path) -> None:
    file = results / "loader-cpu.md"
    file.write_text(file.read_text().replace("loader, 2 processes", "loader, two processes"))
    with pytest.raises(UserError, match=r"loader-cpu\.md has no row 'loader, 2 processes'"):
        read_measured(results)
    file.unlink()
    with pytest.raises(UserError, match=r"cannot read the result .*loader-cpu\.md"):
        read_measured(results)


def test_a_result_without_its_table_or_with_no_number_is_named(results: Path) -> None:
    file = results / "preprocess-cpu.md"
    good = file.read_text()
    file.write_text(good.replace("| 1080p | 2 | 5400 | 112.7 | 24.0 | 29.3", "| 1080p | 2 | 5400 | 112.7 | 24.0 | –"))
    with pytest.raises(UserError, match="'–' under 'without its start' is no number"):
        read_measured(results)
    file.write_text(good.replace("| 24.0 | 29.3", "| 24.0 | 0"))
    with pytest.raises(UserError, match="must be above 0"):
        read_measured(results)
    file.write_text(good.replace("| 1080p | 2 |", "| 1080p | 3 |"))
    with pytest.raises(UserError, match="no row of '1080p' with 2 workers"):
        read_measured(results)
    file.write_text("nothing\n")
    with pytest.raises(UserError, match="no table with the columns"):
        read_measured(results)


def test_one_number_of_clips_is_too_few_for_a_curve(results: Path) -> None:
    file = results / "preprocess-driver-cpu.md"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith(("| 8,000", "| 16,000"))))
    with pytest.raises(UserError, match="no two numbers of clips"):
        read_measured(results)


def test_rows_are_found_in_whichever_table_has_the_columns(tmp_path: Path) -> None:
    file = tmp_path / "result.md"
    file.write_text("| a | b |\n|---|---|\n| 1 | 2 |\n\ntext\n\n| a | c |\n|:--|--:|\n| 3 | 4,000 |\n")
    assert rows_of(file, "a", "c") == [{"a": "3", "c": "4,000"}]
    assert row_of(file, "a", "1")["b"] == "2"
    file.write_text("| a | b |\n|---|---|\n| 1 |\n")
    with pytest.raises(UserError, match="does not fit"):
        rows_of(file, "a")


def gpu_result(folder: Path, gpu: str = "NVIDIA H100 80GB HBM3", mfu: str = "41.5%") -> Path:
    file = folder / "gpu.md"
    file.write_text(
        f"- gpu: {gpu}\n\n"
        "| preset | px | pairs | what | ms/step | pairs/s | TFLOP/s | MFU |\n|---|---|---|---|---|---|---|---|\n"
        f"| large | 512 | 4 | plain formulation | 1 | 1 | 1 | 60.0% |\n| large | 512 | 4 | ours | 1 | 1 | 1 | {mfu} |\n"
        "| large | 512 | 8 | ours, ZeRO 1 | failed: out of memory | – | – | – |\n"
    )
    return file


def test_a_result_of_a_gpu_takes_the_place_of_what_is_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = gpu_result(tmp_path)
    assert read_gpu(file).mfu == {("large", 512): 0.415}
    assert run_main(scaling.main, ["--gpu-result", str(file)]) == 0
    runs = capsys.readouterr().out.split("\nruns\n")[1].split("\nloading\n")[0].splitlines()
    found = {tuple(line.strip("| ").split(" | ")[:3]): line for line in runs if line.startswith("| ")}
    assert "| 42%, measured |" in found["large", "512", "64 H100"]
    assert "| 30%, assumed |" in found["large", "512", "8 A100"]
    assert "| 30%, assumed |" in found["base", "512", "64 H100"]


@pytest.mark.parametrize(
    ("gpu", "mfu", "said"), [("None", "41%", "'None'"), ("NVIDIA A1000", "4%", "A1000"), ("NVIDIA H100", "–", "no row")]
)
def test_what_was_not_measured_on_a_known_gpu_is_refused(tmp_path: Path, gpu: str, mfu: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_gpu(gpu_result(tmp_path, gpu, mfu))


@pytest.mark.parametrize(
    "argv",
    [
        *(["--mfu", text] for text in ("0", "-1", "1.1", "nan")),
        *(["--kept", text] for text in ("0", "2", "nan")),
        *(["--price", text] for text in ("H100", "H100=", "H100=-1", "H100=nan", "B300=1", "H100=inf")),
        ["--gpu-result", "no-such-file.md"],
        ["--results", "no-such-folder"],
        ["--write", "no-such-file.md"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_end_in_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(scaling.main, argv) == 2
    assert capsys.readouterr().err.count("\n") == 1
