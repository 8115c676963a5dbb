"""Stand-ins for OpenGL libraries that a machine does not have, so that MediaPipe loads there.

MediaPipe's Linux library is linked against libEGL and libGLESv2 although its CPU path calls neither. Servers and
containers without a screen lack both, and the package index has no wheel with them. So, where they are missing, this
module writes two shared libraries of a few kB whose functions all return 0 (for EGL: "no display"), and loads them
first: the dynamic linker then takes a library of that name as loaded. See docs/decisions/0003-gl-stand-ins.md.

The format is ELF-64 as in the System V ABI, https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html.
"""

import ctypes
import hashlib
import platform
import struct
from pathlib import Path

from liax import storage
from liax.errors import UserError
from liax.weights import cache_folder

_LIBRARIES = ("libEGL.so.1", "libGLESv2.so.2")
_PAGE_BYTES = 0x1000
# ELF machine number, and the machine code of "return 0".
_MACHINES = {"x86_64": (62, bytes.fromhex("31c0c3")), "aarch64": (183, bytes.fromhex("000080d2c0035fd6"))}
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size


def provide(user: Path) -> None:
    """Make sure that the libraries needed by the shared library `user` can be found; does nothing where they exist.

    Raises:
        UserError: they are missing on a processor that there are no stand-ins for.
    """
    missing = [name for name in _LIBRARIES if not _loads(name)]
    if not missing or platform.system() != "Linux":
        return
    if platform.machine() not in _MACHINES:
        raise UserError(f"{' and '.join(missing)} not found: install them (Debian: apt-get install libegl1 libgles2)")
    symbols = [name for name in undefined_symbols(user.read_bytes()) if name.startswith((b"egl", b"gl"))]
    for name in missing:
        data = shared_library(name.encode(), symbols, platform.machine())
        path = cache_folder() / f"gl-stub-{hashlib.sha256(data).hexdigest()[:12]}" / name
        storage.create_bytes(str(path), data)
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def undefined_symbols(elf: bytes) -> list[bytes]:
    """Names of the dynamic symbols that a 64-bit little-endian ELF library expects from others."""
    (sections_at,) = struct.unpack_from("<Q", elf, 0x28)
    entry_bytes, count = struct.unpack_from("<HH", elf, 0x3A)
    # Of each section header: type, offset, size, link.
    headers = [struct.unpack_from("<4xI16xQQI", elf, sections_at + i * entry_bytes) for i in range(count)]
    dynamic_symbols = 11  # SHT_DYNSYM
    _, offset, size, link = next(header for header in headers if header[0] == dynamic_symbols)
    names_at = headers[link][1]
    names = []
    for at in range(offset, offset + size, _SYMBOL.size):
        name, _, _, section, _, _ = _SYMBOL.unpack_from(elf, at)
        if name and section == 0:
            names.append(elf[names_at + name : elf.index(b"\0", names_at + name)])
    return names


def shared_library(name: bytes, symbols: list[bytes], machine: str) -> bytes:
    """An ELF-64 shared library called `name` that defines every symbol as a function that returns 0."""
    machine_number, code = _MACHINES[machine]
    headers_bytes = 64 + 3 * 56
    strings = b"\0" + b"".join(symbol + b"\0" for symbol in symbols)
    name_at = len(strings)
    strings += name + b"\0"
    hashed = _hash_table(len(symbols) + 1)
    code_at = headers_bytes
    symbols_at = code_at + 16
    hash_at = symbols_at + _SYMBOL.size * (len(symbols) + 1)
    strings_at = hash_at + len(hashed)
    text_bytes = strings_at + len(strings)
    # The linker writes into the dynamic section, so it stands on a page of its own.
    dynamic_at = -(-text_bytes // _PAGE_BYTES) * _PAGE_BYTES

    table, at = bytes(_SYMBOL.size), 1
    for symbol in symbols:
        table += _SYMBOL.pack(at, 0x12, 0, 1, code_at, len(code))  # global function
        at += len(symbol) + 1
    # DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_SONAME, DT_NULL
    entries = [(4, hash_at), (5, strings_at), (6, symbols_at), (10, len(strings)), (11, _SYMBOL.size), (14, name_at)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in [*entries, (0, 0)])

    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, machine_number, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0
    )
    programs = [
        _program(1, 5, 0, text_bytes, _PAGE_BYTES),  # PT_LOAD, read and execute
        _program(1, 6, dynamic_at, len(dynamic), _PAGE_BYTES),  # PT_LOAD, read and write
        _program(2, 6, dynamic_at, len(dynamic), 8),  # PT_DYNAMIC
    ]
    text = header + b"".join(programs) + code.ljust(16, b"\0") + table + hashed + strings
    return text.ljust(dynamic_at, b"\0") + dynamic


def _program(kind: int, flags: int, at: int, size: int, align: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, align)


def _hash_table(count: int) -> bytes:
    """A System V hash table with one bucket: a chain through all symbols, as short as a table can be."""
    chain = [0, *range(2, count), 0] if count > 1 else [0]
    return struct.pack(f"<III{len(chain)}I", 1, len(chain), min(1, count - 1), *chain)
