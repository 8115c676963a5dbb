from pathlib import Path

import pytest

from liax.config import Config, config_id, job_config, load_config, to_yaml
from liax.errors import UserError


class Part(Config):
    rate: float = 1.5
    """How fast."""


class Whole(Config):
    name: str
    part: Part = Part()
    sizes: tuple[int, ...] = (1, 2)


def test_file_then_overrides(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("name: from file\npart: {rate: 2}\n")
    config = load_config(Whole, file, ["part.rate=3.5", "sizes=[4, 5]"])
    assert config == Whole(name="from file", part=Part(rate=3.5), sizes=(4, 5))


def test_text_is_taken_as_it_is() -> None:
    for text in ("/data/take #1", "2024", "2024-01-05", "*.mp4", "a: b", "[x"):
        assert load_config(Whole, None, [f"name={text}"]).name == text
    assert load_config(Many, None, ["paths=[a, b]"]).paths == ["a", "b"]
    assert load_config(Many, None, ["paths=a #1", "other=null"]) == Many(paths="a #1", other=None)


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    config = Whole(name="ä: b", sizes=())
    (tmp_path / "run.yaml").write_text(to_yaml(config))
    assert load_config(Whole, tmp_path / "run.yaml") == config


class Many(Config):
    paths: str | list[str]
    other: str | None = "x"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["name=a", "part.rte=1"], "unknown configuration key 'part.rte'.*did you mean 'rate'"),
        (["name=a", "zzz=1"], "unknown configuration key 'zzz'.*known: name, part, sizes"),
        ([], "'name' is not set"),
        (["name=a", "part.rate=fast"], "'part.rate'.*number.*'fast'"),
        (["name=a", "part"], "'part' is not an override"),
        (["name=a", "name.x=1"], "'name' is a value, not a section"),
        (["name=a", "part.rate=[1"], "the value of 'part.rate' is not valid YAML"),
    ],
)
def test_a_mistake_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(Whole, None, overrides)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such configuration file"), ("- a\n", "holds a list"), ("a: [\n", "not valid YAML")],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "run.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=message):
        load_config(Whole, file)


def test_id_follows_content_not_order() -> None:
    assert config_id({"a": 1, "b": 2}) == config_id({"b": 2, "a": 1})
    assert config_id({"a": 1}) != config_id({"a": 2})


def test_dry_run_prints_and_returns_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert job_config(Whole, ["--dry-run", "name=x"], prog="p", description="d", example="e") is None
    assert "name: x" in capsys.readouterr().out


def test_settings_are_listed_with_their_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    job_config(Whole, ["--settings"], prog="p", description="d", example="e")
    assert "part.rate = 1.5  # How fast." in capsys.readouterr().out
