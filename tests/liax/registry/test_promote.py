"""Who becomes the champion: verdicts from records that are made up, and aliases and tags in a real registry."""

from pathlib import Path

import pytest

from liax.errors import JobError, UserError
from liax.evaluation.config import MeasureConfig
from liax.evaluation.definitions import Protocol
from liax.evaluation.records import TrialRecord
from liax.registry.promote import (
    Contest,
    Verdict,
    check_metric,
    check_sizes,
    check_validation_set,
    find_contest,
    judge,
    settle,
    validation_data,
    validation_set,
)
from liax.registry.register import register
from liax.tracking.client import connect

CONTEST = Contest("face", "2", "1", None)


def records(values: list[float], metric: str = "l1", protocol: Protocol = "self", **others: float) -> list[TrialRecord]:
    """A clip of a video of its own for each value."""
    return [
        TrialRecord(
            protocol=protocol,
            source=f"clip{number}",
            driving=f"clip{number}",
            source_name="",
            driving_name="",
            video_sha256=f"video{number}",
            values={"model": {metric: value, **others}},
        )
        for number, value in enumerate(values)
    ]


WELL, BADLY = [0.05, 0.06, 0.04, 0.05, 0.07, 0.05], [0.08, 0.08, 0.08, 0.07, 0.09, 0.09]


def test_a_clearly_better_candidate_is_promoted() -> None:
    verdict = judge(CONTEST, "l1", "self", records(WELL), records(BADLY))
    assert verdict.promoted
    assert verdict.reason.startswith("clearly better: self l1 against version 1 better by +0.0283 (+0.0")
    assert verdict.reason.endswith("on 6 clips of 6 videos")


def test_where_higher_is_better_signs_turn() -> None:
    assert judge(CONTEST, "ssim", "self", records(BADLY, "ssim"), records(WELL, "ssim")).promoted
    assert not judge(CONTEST, "ssim", "self", records(WELL, "ssim"), records(BADLY, "ssim")).promoted


@pytest.mark.parametrize(("ours", "theirs", "why"), [
    (BADLY, WELL, "clearly worse: self l1 against version 1 better by -0.0283"),
    (WELL, WELL, "not clearly better: "),
    ([0.01, 0.08, 0.05, 0.06, 0.06, 0.06], [0.05, 0.05, 0.05, 0.05, 0.06, 0.07], "not clearly better: "),
])  # fmt: skip
def test_others_are_not(ours: list[float], theirs: list[float], why: str) -> None:
    verdict = judge(CONTEST, "l1", "self", records(ours), records(theirs))
    assert not verdict.promoted
    assert verdict.reason.startswith(why)


def test_clips_without_a_value_are_no_way_to_win() -> None:
    ours = records(WELL)
    ours[0] = ours[0].model_copy(update={"values": {}, "reason": "crashed"})
    verdict = judge(CONTEST, "l1", "self", ours, records(BADLY))
    assert verdict == Verdict(False, "self l1 against version 1: no value on 1 clips that the champion has one on")


def test_faces_that_are_lost_are_no_way_to_win() -> None:
    ours, theirs = records(WELL, "akd", failure_rate=0.4), records(BADLY, "akd", failure_rate=0.1)
    verdict = judge(CONTEST, "akd", "self", ours, theirs)
    assert not verdict.promoted
    assert verdict.reason.endswith("but in more frames no face is found (+0.3000 of them)")


def test_other_protocols_do_not_count() -> None:
    ours = records(WELL, "csim") + records(BADLY, "csim", "cross")
    theirs = records(BADLY, "csim") + records(WELL, "csim", "cross")
    assert not judge(CONTEST, "csim", "self", ours, theirs).promoted
    assert judge(CONTEST, "csim", "cross", ours, theirs).promoted


def test_few_videos_tell_nothing() -> None:
    with pytest.raises(JobError, match="4 videos have a value of both, and 5 at least"):
        judge(CONTEST, "l1", "self", records(WELL[:4]), records(BADLY[:4]))
    one_video = [record.model_copy(update={"video_sha256": "one"}) for record in records(WELL)]
    with pytest.raises(JobError, match="1 videos"):
        judge(CONTEST, "l1", "self", one_video, records(BADLY))


def test_the_first_one_has_nobody_to_beat() -> None:
    first = Contest("face", "1", None, None)
    verdict = judge(first, "l1", "self", records(WELL), None)
    assert verdict.promoted
    assert verdict.reason.startswith("the first champion; self l1 0.0533 (0.0")
    assert not judge(first, "l1", "self", records(WELL, "akd"), None).promoted


def test_measures_of_a_whole_set_decide_nothing() -> None:
    check_metric("csim", "cross")
    with pytest.raises(UserError, match=r"metric=fid is no measure of single clips \(protocol=self\): l1, psnr"):
        check_metric("fid", "self")
    with pytest.raises(UserError, match=r"metric=l1 .*protocol=cross"):
        check_metric("l1", "cross")
    with pytest.raises(UserError, match=r"metric=lpips is unavailable: no weights"):
        check_metric("lpips", "self", {"lpips": "no weights"})


def test_pictures_of_two_sizes_are_not_compared() -> None:
    check_sizes(CONTEST, {"2": 256, "1": 256})
    with pytest.raises(UserError, match=r"version 2's 128 px and version 1's 256 px.*under another name"):
        check_sizes(CONTEST, {"2": 128, "1": 256})


def test_the_splits_of_a_shard_set_are_sets_of_their_own() -> None:
    assert validation_set(MeasureConfig(shards="s3://data/faces"), "abc") == "abc/val"
    assert validation_set(MeasureConfig(shards="s3://data/faces", split="test"), "abc") == "abc/test"
    assert validation_set(MeasureConfig(videos="talks"), "videos-abc") == "videos-abc"


def test_where_the_set_is_holds_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert validation_data(MeasureConfig(shards="faces")) == {"shards": f"{tmp_path}/faces", "split": "val"}
    found = validation_data(MeasureConfig(videos=["a.mp4", "s3://b/c"], crop=False))
    assert found == {"videos": [f"{tmp_path}/a.mp4", "s3://b/c"], "crop": False}


def test_one_set_for_all_champions() -> None:
    chosen = Contest("face", "2", "1", "abc")
    check_validation_set(chosen, "abc", allow_another=False)
    check_validation_set(chosen, "def", allow_another=True)
    check_validation_set(CONTEST, "def", allow_another=False)
    with pytest.raises(UserError, match="compared on set abc, and this is def"):
        check_validation_set(chosen, "def", allow_another=False)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, two_checkpoints: tuple[str, str]) -> str:
    """Versions 1 and 2 of `face`, the second the candidate; no champion."""
    found = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    for checkpoint in two_checkpoints:
        register(checkpoint, "face", "candidate", found)
    return found


def test_the_alias_moves_with_its_reason_and_only_then(address: str) -> None:
    client = connect(address)
    contest = find_contest("face", "candidate", address)
    assert contest == Contest("face", "2", None, None)
    settle(contest, Verdict(False, "because"), "abc", {}, address)
    assert client.get_registered_model("face").aliases == {"candidate": 2}
    assert client.get_model_version("face", "2").tags["promotion"] == "refused"
    settle(contest, Verdict(True, "of this"), "abc", {"run": "r"}, address, {"shards": "/faces", "device": "x"})
    tags = client.get_model_version("face", "2").tags
    noted = {key: tags[key] for key in ("promotion", "promotion/reason", "promotion/against", "promotion/run")}
    assert list(noted.values()) == ["promoted", "of this", "none", "r"]
    assert client.get_registered_model("face").aliases == {"candidate": 2, "champion": 2}
    later = find_contest("face", "1", address)
    assert later == Contest("face", "1", "2", "abc", {"shards": "/faces"})  # and nothing but what names clips
    with pytest.raises(UserError, match="version 2 of 'face' is the champion already"):
        find_contest("face", "2", address)
    client.set_registered_model_tag("face", "validation_data", "[")
    with pytest.raises(UserError, match="the tag validation_data of 'face' is damaged"):
        find_contest("face", "1", address)
    # Somebody else's promotion in between.
    client.delete_registered_model_alias("face", "champion")
    with pytest.raises(JobError, match=r"no version of 'face' is its champion by now.*promote it again"):
        settle(later, Verdict(True, "late"), "abc", {}, address)
    assert "promotion" not in client.get_model_version("face", "1").tags


@pytest.mark.parametrize(("name", "candidate", "why"), [
    ("face", "7", r"no version or alias '7' \(versions: 1, 2; aliases: candidate"),
    ("face", "nobody", "no version or alias 'nobody'"),
    ("nothing", "1", r"no model 'nothing' at .*\(models there: face\)"),
    ("a/b", "1", "cannot be a model's name"),
    ("face", "latest", "cannot be an alias"),
])  # fmt: skip
def test_who_is_not_there_is_said(address: str, name: str, candidate: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        find_contest(name, candidate, address)


def test_looking_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no MLflow database"):
        find_contest("face", "1", f"sqlite:///{tmp_path}/none.db")
    assert not list(tmp_path.iterdir())
