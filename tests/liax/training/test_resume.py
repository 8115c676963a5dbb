"""Two workers that see different checkpoints go on at the same one."""

from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from liax import storage
from liax.errors import StorageError
from liax.training import resume
from liax.training.checkpoint import checkpoint_files
from liax.training.place import Place, alone
from liax.training.resume import agreed_checkpoint
from tests.checkpoints import write


def test_workers_that_see_different_checkpoints_go_on_at_the_leading_ones(tmp_path: Path) -> None:
    write(tmp_path / "run", [None, None])
    multiprocessing.spawn(worker, (tmp_path,), nprocs=2)
    assert [(tmp_path / f"{rank}").read_text() for rank in (0, 1)] == ["2, then none, ü"] * 2


def worker(rank: int, folder: Path) -> None:
    """The second one sees the older checkpoint at first."""
    store = distributed.FileStore(str(folder / "store"), 2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=120))
    place, exists, looks = Place(rank, 2, torch.device("cpu")), storage.exists, []

    def seen(url: str) -> bool:
        looks.append(url)
        return len(looks) > 3 and exists(url) if "00000002" in url else exists(url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume, "_LOOK_EVERY_S", 0.01)
        if rank == 1:
            patch.setattr(storage, "exists", seen)
            patch.setattr(storage, "read_bytes", older(storage.read_bytes))
        saved = agreed_checkpoint(str(folder / "run"), place)
    assert saved is not None
    # Where there is none for the leading worker, there is none: the other's folder is that of the run.
    nothing = agreed_checkpoint(str(folder / ("none" if rank == 0 else "run")), place)
    said = place.of_leader("ü" if rank == 0 else "nobody hears this")
    (folder / f"{rank}").write_text(f"{saved.state.step}, then {'none' if nothing is None else nothing.url}, {said}")
    distributed.destroy_process_group()


def older(read: object) -> object:
    """Reads `latest` as it was a step before."""

    def read_bytes(url: str, *where: int) -> bytes:
        return b"00000001\n" if url.endswith("latest") else read(url, *where)  # type: ignore[operator]

    return read_bytes


def test_a_checkpoint_that_a_worker_never_sees_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "VISIBLE_WITHIN_S", 0.0)
    monkeypatch.setattr(resume, "_LOOK_EVERY_S", 0.0)
    write(tmp_path, [None])
    told: list[str] = []
    monkeypatch.setattr(Place, "of_leader", lambda self, mine: told.append(mine) or told[0])
    assert agreed_checkpoint(str(tmp_path), alone()) is not None
    for name in checkpoint_files(str(tmp_path))[1]:
        Path(name).unlink()
    with pytest.raises(StorageError, match=r"worker 1 does not see .*00000001 as the leading worker does"):
        agreed_checkpoint(str(tmp_path), Place(1, 2, torch.device("cpu")))
