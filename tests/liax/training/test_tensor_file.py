"""Files of tensors are those that the library writes."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from liax import storage
from liax.training.tensor_file import write_tensors


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_tensor_files_are_the_librarys(tmp_path: Path, kind: torch.dtype) -> None:
    tensors = {"b": torch.ones(3, 4), 'é "': torch.zeros(2), "a": torch.tensor(2.0), "none": torch.zeros(0, 3)}
    tensors |= {"kind": torch.arange(7).to(kind), "double": torch.zeros(1).double(), "half": torch.zeros(1).half()}
    written = write_tensors(str(tmp_path / "x.safetensors"), tensors)
    data = (tmp_path / "x.safetensors").read_bytes()
    assert data == save(tensors, {"format": "pt"})
    assert written.size_bytes == len(data)


def test_a_file_of_many_parts_is_whole_on_s3(s3_bucket: str) -> None:
    url, tensors = f"{s3_bucket}/many.safetensors", {"x": torch.arange(5_000_000)}
    written = write_tensors(url, tensors)  # 40 MB; the client sends 8 MB at a time
    data = storage.read_bytes(url)
    assert data == save(tensors, {"format": "pt"})
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (written.sha256, written.size_bytes)
