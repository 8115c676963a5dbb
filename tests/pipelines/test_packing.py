"""What is removed when all shards are committed, and what is left where a packer is killed."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from liax import local_files, storage
from pipelines.contained import swept_folder
from pipelines.packing import remove_packed
from pipelines.run import Run

HALF_WRITTEN = """if True:
    import os, signal, sys
    from pathlib import Path
    from liax import local_files
    with local_files.beside(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
"""

HALF_PACKED = """if True:
    import os, signal
    from pipelines.contained import swept_folder
    with swept_folder() as folder:
        (folder / "shard.tar").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_clips_and_what_killed_writers_left_go_and_living_ones_stay(tmp_path: Path) -> None:
    run = Run(str(tmp_path / "out"), "0" * 12)
    for key in ("packed", "left-out"):
        storage.write_bytes(run.clip(key, "mp4"), b"1")
    storage.write_bytes(run.file("work", "done", "a.json"), b"{}")
    for name in (run.clip("dead", "mp4"), run.file("dead.tar")):
        done = subprocess.run([sys.executable, "-c", HALF_WRITTEN, name], check=False)
        assert done.returncode == -signal.SIGKILL
    clip = Path(run.clip("living", "mp4"))
    with local_files.beside(clip) as living:
        living.write_bytes(b"1")
        remove_packed(run)
        left = {path for path in (tmp_path / "out").rglob("*") if path.is_file()}
        assert left == {living, tmp_path / "out/work/done/a.json"}
        living.replace(clip)
    remove_packed(run)
    assert not clip.exists()
    remove_packed(Run(str(tmp_path / "never"), "0" * 12))


def test_the_folder_of_a_killed_packer_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", HALF_PACKED], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.rglob("shard.tar"))) == 1
    with swept_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]
        with swept_folder() as other:
            assert {*tmp_path.iterdir()} == {folder, other}
    assert list(tmp_path.iterdir()) == []
