"""Frozen dataclasses of arrays and names as npz files; nothing in them needs unpickling."""

import io
import zipfile
from dataclasses import fields
from typing import Any

import numpy as np

from liax.errors import UserError


def to_npz(values: Any) -> bytes:
    """A dataclass's fields as a file; the same values give the same bytes."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {field.name: np.asarray(getattr(values, field.name)) for field in fields(values)}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def from_npz(kind: type, data: bytes, name: str, usual: str) -> dict[str, Any]:
    """The fields of a dataclass in a file.

    Args:
        kind: the dataclass.
        name: of the file, for messages.
        usual: what `liax atlas` calls such a file.

    Raises:
        UserError: it is no such file.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {field.name: arrays[field.name] for field in fields(kind)}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{name} is no {usual} of `liax atlas` ({error}): give the output of a finished one") from None
