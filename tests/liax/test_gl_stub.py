import ctypes
import platform
from pathlib import Path

import pytest

from liax import gl_stub

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in gl_stub._MACHINES, reason="stand-ins are for Linux"
)


def test_a_stand_in_loads_and_every_function_returns_zero(tmp_path: Path) -> None:
    names = [b"eglGetDisplay", b"glClear", *(b"gl%d" % number for number in range(300))]
    path = tmp_path / "libstandin.so.1"
    path.write_bytes(gl_stub.shared_library(b"libstandin.so.1", names, platform.machine()))
    library = ctypes.CDLL(str(path))
    assert [getattr(library, name.decode())() for name in names] == [0] * len(names)
    with pytest.raises(AttributeError):
        library.glNotThere  # noqa: B018


def test_mediapipes_needs_are_read_from_its_library() -> None:
    import importlib.util

    spec = importlib.util.find_spec("mediapipe")
    assert spec is not None
    assert spec.origin is not None
    symbols = gl_stub.undefined_symbols((Path(spec.origin).parent / "tasks/c/libmediapipe.so").read_bytes())
    assert b"eglGetDisplay" in symbols
    assert b"glBindTexture" in symbols
