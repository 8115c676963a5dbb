"""Names in the model registry: which are allowed, and what `models:/…` means."""

import re
from dataclasses import dataclass

from liax.errors import UserError

MODEL_FILES = ("model.safetensors", "config.json", "controls.json", "README.md")
"""What a registered model may consist of; nothing else is ever fetched."""
REQUIRED_FILES = ("model.safetensors", "config.json")
FOLDER = "model"
"""Where those files are among a version's artifacts: `artifacts/model/`."""
HASH_TAG = "sha256/"
"""A version's tag with a file's SHA-256 is this and the file's name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_URI = re.compile(r"models:/([^/@]+)(?:@([^/@]+)|/([0-9]+))")


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """A registered model's version, by number or by alias."""

    name: str
    alias: str | None
    version: str | None


def parse_uri(uri: str) -> ModelAddress:
    """`models:/NAME@ALIAS` or `models:/NAME/VERSION`. Raises UserError for anything else."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise UserError(f"'{uri}' names no registered model: write models:/NAME@ALIAS or models:/NAME/VERSION")
    name, alias, version = match.groups()
    if alias is not None:
        check_alias(alias)
    return ModelAddress(check_name(name), alias, version)


def check_name(name: str) -> str:
    """The name of a model, or UserError."""
    if not _NAME.fullmatch(name):
        raise UserError(f"'{name}' cannot be a model's name: use letters, digits, '_', '-' and '.', at most 100")
    return name


def check_alias(alias: str) -> str:
    """The name of an alias, or UserError; MLflow keeps `latest` and `v1`, `v2`, … for itself."""
    if not _NAME.fullmatch(alias) or alias.lower() == "latest" or re.fullmatch(r"[vV][0-9]+", alias):
        raise UserError(f"'{alias}' cannot be an alias: use a word such as candidate or champion, not latest or v1")
    return alias
