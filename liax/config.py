"""Configuration: frozen pydantic models, one YAML of differences, and `section.field=value` on the command line."""

import argparse
import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from liax.errors import UserError


class Config(BaseModel):
    """Base of every configuration: immutable, and a misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


ConfigT = TypeVar("ConfigT", bound=Config)


def load_config(cls: type[ConfigT], file: str | Path | None, overrides: Sequence[str] = ()) -> ConfigT:
    """Defaults, then the file's differences, then `section.field=value` overrides (values are YAML).

    Raises:
        UserError: the file is missing or is not a YAML mapping; a key is unknown; a value does not fit.
    """
    values = _read_yaml(Path(file)) if file else {}
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals or not dotted:
            raise UserError(f"'{override}' is not an override: write section.field=value")
        _set(values, dotted.split("."), _parse(cls, dotted, text), override)
    return build(cls, values, str(file or "the command line"))


def build(cls: type[ConfigT], values: Mapping[str, Any], where: str) -> ConfigT:
    """Make a configuration from a mapping that was read from `where`; see `load_config` for the errors."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        dotted = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UserError(f"unknown configuration key '{dotted}' in {where}{_nearest(cls, first['loc'])}") from None
        if first["type"] == "missing":
            raise UserError(
                f"'{dotted}' is not set: give {dotted}=… on the command line or in a --config file"
            ) from None
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"'{dotted}' in {where}: {message} (got {first['input']!r})") from None


def to_yaml(config: Config) -> str:
    """The resolved configuration as YAML, in the order of its fields."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def config_id(config: Config | Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a configuration by its content."""
    values = config.model_dump(mode="json") if isinstance(config, Config) else config
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def job_config(
    cls: type[ConfigT],
    argv: Sequence[str],
    *,
    prog: str,
    description: str,
    example: str,
    first: str | None = None,
    options: Sequence[str] = (),
) -> ConfigT | None:
    """The command line of a configured job: `[--config FILE] [--dry-run] [section.field=value …]`.

    Args:
        first: a setting whose value may also stand alone, as the first word.
        options: settings that may also be given as `--field VALUE`.

    Returns:
        The resolved configuration, or None after `--dry-run` has printed it.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=f"example:\n  {example}\n\nEvery setting, with its default, is shown by --settings.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="YAML file with what differs from the defaults")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration and stop")
    parser.add_argument("--settings", action="store_true", help="list every setting, its default and what it does")
    for name in options:
        meaning = " ".join((cls.model_fields[name].description or "").split())
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=meaning.replace("%", "%%"))
    words = f"{first.upper()} section.field=value" if first else "section.field=value"
    parser.add_argument("overrides", nargs="*", metavar=words, help="settings that override the file")
    given = parser.parse_intermixed_args(argv)
    if given.settings:
        print("\n".join(describe(cls)))
        return None
    overrides = list(given.overrides)
    if first and overrides and "=" not in overrides[0]:
        overrides[0] = f"{first}={overrides[0]}"
    overrides += [f"{name}={value}" for name in options if (value := getattr(given, name)) is not None]
    config = load_config(cls, given.config, overrides)
    if given.dry_run:
        print(to_yaml(config), end="")
        return None
    return config


def describe(cls: type[Config], prefix: str = "") -> list[str]:
    """One line a setting: dotted name, default, meaning."""
    lines = []
    for name, field in cls.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            lines += describe(section, f"{prefix}{name}.")
            continue
        default = (
            "required" if field.is_required() else json.dumps(field.get_default(call_default_factory=True), default=str)
        )
        meaning = " ".join((field.description or "").split())
        lines.append(f"{prefix}{name} = {default}  # {meaning}")
    return lines


def _kinds(cls: type[Config], path: list[str]) -> tuple[Any, ...]:
    """The types that a setting may have; none for a setting that there is not."""
    for name in path[:-1]:
        field = cls.model_fields.get(name)
        section = _section(field.annotation) if field else None
        if section is None:
            return ()
        cls = section
    field = cls.model_fields.get(path[-1])
    return (field.annotation, *get_args(field.annotation)) if field else ()


def _section(annotation: Any) -> type[Config] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Config):
            return candidate
    return None


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no such configuration file: {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the configuration file {file}: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{file} holds a {type(values).__name__}, not 'key: value' lines")
    return values


def _parse(cls: type[Config], dotted: str, text: str) -> Any:
    """The value of an override: YAML, but the text itself for a setting that takes text, such as a path with a #."""
    kinds = _kinds(cls, dotted.split("."))
    if str in kinds and not (text.startswith("[") and any(get_origin(kind) is list for kind in kinds)):
        return None if text == "null" and type(None) in kinds else text
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        raise UserError(f"the value of '{dotted}' is not valid YAML: {text}") from None


def _set(values: dict[str, Any], path: list[str], value: Any, override: str) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise UserError(f"'{override}': '{name}' is a value, not a section")
    values[path[-1]] = value


def _nearest(cls: type[Config], location: tuple[int | str, ...]) -> str:
    """A hint: the field of the same section whose name is most like the unknown one."""
    current: type[Config] = cls
    for part in location[:-1]:
        field = current.model_fields.get(str(part))
        section = _section(field.annotation) if field else None
        if section is None:
            return ""
        current = section
    near = difflib.get_close_matches(str(location[-1]), current.model_fields, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(current.model_fields)}"
