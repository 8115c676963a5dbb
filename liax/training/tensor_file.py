"""Writing a safetensors file from tensors in memory, in one pass that makes its bytes and its hash.

The library's own writer would have us read a file of gigabytes again for its hash, and says of a full disk only that
something failed. What is written here is, byte for byte, what the library writes; it is read with the library.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from liax import local_files, storage
from liax.errors import StorageError

_NAMES = {
    torch.uint64: "U64", torch.int64: "I64", torch.float64: "F64", torch.float32: "F32", torch.uint32: "U32",
    torch.int32: "I32", torch.bfloat16: "BF16", torch.float16: "F16", torch.uint16: "U16", torch.int16: "I16",
    torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""Types by their names in the format, those that need more alignment first: the library's order within a file."""

_ALIGNMENT_BYTES = 8
"""Of the data's start (the format's own rule)."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a file that was written consists of."""

    sha256: str
    size_bytes: int


def write_tensors(url: str, tensors: Mapping[str, Tensor]) -> Written:
    """Write `<name>.safetensors`. Beside the tensors it takes no memory, and for S3 as much of the local disk.

    Args:
        url: of the file.
        tensors: on the CPU and contiguous.

    Raises:
        StorageError: the storage failed, or a disk is full.
        UserError: the storage may not be written to.
    """
    if not storage.is_s3(url):
        return _write_locally(Path(url), tensors)
    with _scratch() as scratch:
        local = scratch / "upload.safetensors"
        written = _write_locally(local, tensors)
        storage.upload(local, url)
    return written


def write_text(url: str, text: str) -> Written:
    """Write a small text file. Errors as in `write_tensors`."""
    data = text.encode()
    storage.write_bytes(url, data)
    return Written(hashlib.sha256(data).hexdigest(), len(data))


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder on the local disk for a while."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="liax-")
    except OSError as error:
        raise StorageError(f"cannot make a temporary folder for an upload: {error.strerror}") from None
    with folder as name:
        yield Path(name)


def _write_locally(path: Path, tensors: Mapping[str, Tensor]) -> Written:
    digest, size_bytes = hashlib.sha256(), 0
    with local_files.beside(path) as temporary:
        with temporary.open("wb") as file:
            for piece in _pieces(tensors):
                file.write(piece)
                digest.update(piece)
                size_bytes += len(piece)
            file.flush()
            os.fsync(file.fileno())  # else a machine that loses power may keep the name and lose the content
        temporary.replace(path)
    return Written(digest.hexdigest(), size_bytes)


def _pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """The file's bytes: the header with its length, then each tensor's."""
    order = list(_NAMES)
    names = sorted(tensors, key=lambda name: (order.index(tensors[name].dtype), name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].nbytes
        kind, shape = _NAMES[tensors[name].dtype], list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT_BYTES)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        if tensors[name].nbytes:
            yield tensors[name].detach().reshape(-1).view(torch.uint8).numpy().data
