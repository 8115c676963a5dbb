"""Which version of a registered model is its champion: the alias moves only to one that is measurably better.

The candidate and the champion are evaluated on the same clips (`liax.evaluation`), and their difference is looked at
clip by clip. All that led to a decision is noted in the candidate's tags, whichever way it went.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liax import storage
from liax.errors import JobError, StorageError, UserError
from liax.evaluation.config import MeasureConfig
from liax.evaluation.definitions import BY_NAME, Protocol, definitions_id, of_protocol
from liax.evaluation.records import TrialRecord
from liax.evaluation.summary import compare, estimate
from liax.registry.names import check_alias, check_name
from liax.tracking.address import require_database, without_password
from liax.tracking.client import connect, first_line

CHAMPION = "champion"
VALIDATION_SET = "validation_set"
"""Tag of the registered model: id of the set that its versions are compared on."""
VALIDATION_DATA = "validation_data"
"""Tag of the registered model: the settings that say where that set is, as JSON."""
_OF_SHARDS, _OF_VIDEOS = ("shards", "split"), ("videos", "crop")
LEAST_VIDEOS = 5
"""A bootstrap over fewer says nothing of how sure a mean is (of one video its interval has no width). Our choice:
five have 126 different draws."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is compared with whom; versions by number."""

    name: str
    candidate: str
    champion: str | None
    validation_set: str | None
    """That the champion was chosen on, where one was."""
    validation_data: dict[str, Any] = field(default_factory=dict)
    """Settings that name the clips of that set."""

    def uri(self, version: str) -> str:
        """A version's address."""
        return f"models:/{self.name}/{version}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the candidate becomes the champion, and why: one sentence."""

    promoted: bool
    reason: str


def find_contest(name: str, candidate: str, address: str) -> Contest:
    """Look up the candidate and the champion.

    Args:
        name: of the registered model.
        candidate: a version's number, or an alias.
        address: MLflow's.

    Raises:
        UserError: MLflow or the candidate is not there, or the candidate is the champion already.
        StorageError: MLflow did not answer.
    """
    check_name(name)
    require_database(address)
    client = connect(address)
    from mlflow.exceptions import MlflowException

    shown = without_password(address)
    try:
        models = {model.name: model for model in client.search_registered_models(f"name = '{name}'")}
        if name not in models:
            known = [model.name for model in client.search_registered_models()]
            raise UserError(f"no model '{name}' at {shown} (models there: {', '.join(known) or 'none'})")
        aliases = {alias: str(version) for alias, version in models[name].aliases.items()}
        versions = {str(one.version) for one in client.search_model_versions(f"name = '{name}'")}
        tags = models[name].tags
    except MlflowException as error:
        raise StorageError(f"MLflow at {shown} did not answer: {first_line(error)}; try again") from None
    number = candidate if candidate.isdigit() else aliases.get(check_alias(candidate))
    if number not in versions:
        there = f"versions: {', '.join(sorted(versions, key=int)) or 'none'}; aliases: {', '.join(aliases) or 'none'}"
        raise UserError(f"'{name}' has no version or alias '{candidate}' ({there})")
    champion = aliases.get(CHAMPION)
    if champion == number:
        raise UserError(f"version {number} of '{name}' is the champion already")
    return Contest(name, number, champion, tags.get(VALIDATION_SET), _settings(tags.get(VALIDATION_DATA), name))


def _settings(text: str | None, name: str) -> dict[str, Any]:
    """What the tag says; no other setting is ever taken from it."""
    try:
        found = dict(json.loads(text or "{}"))
    except (ValueError, TypeError):
        raise UserError(
            f"the tag {VALIDATION_DATA} of '{name}' is damaged: remove it, and give shards= or videos="
        ) from None
    return {key: value for key, value in found.items() if key in (*_OF_SHARDS, *_OF_VIDEOS)}


def validation_data(config: MeasureConfig) -> dict[str, Any]:
    """The settings that name the clips, with places that hold from any folder."""
    if config.shards is not None:
        return {"shards": _whole(config.shards), "split": config.split}
    return {"videos": [_whole(url) for url in config.video_urls], "crop": config.crop}


def _whole(url: str) -> str:
    return url if storage.is_s3(url) else str(Path(url).absolute())


def validation_set(config: MeasureConfig, set_id: str) -> str:
    """Names the clips: the splits of a shard set share its id."""
    return set_id if config.shards is None else f"{set_id}/{config.split}"


def check_sizes(contest: Contest, sizes_px: Mapping[str, int]) -> None:
    """Raise UserError where the versions' pictures differ in size: a small picture has fewer details to miss.

    Args:
        sizes_px: side of the pictures by version.
    """
    if len(set(sizes_px.values())) > 1:
        told = " and ".join(f"version {version}'s {size_px} px" for version, size_px in sizes_px.items())
        raise UserError(
            f"the pictures of '{contest.name}' differ in size ({told}), so their numbers do not compare: "
            "register models of another size under another name"
        )


def check_metric(metric: str, protocol: Protocol, unavailable: Mapping[str, str] | None = None) -> None:
    """Raise UserError for what is no measure of single clips, whose difference would have no interval.

    Args:
        unavailable: why measures have no network, where that is known already.
    """
    usable = [one.name for one in of_protocol(protocol) if not one.whole_run]
    if metric not in usable:
        raise UserError(f"metric={metric} is no measure of single clips (protocol={protocol}): {', '.join(usable)}")
    if unavailable and metric in unavailable:
        raise UserError(f"metric={metric} is unavailable: {unavailable[metric]}")


def check_validation_set(contest: Contest, set_id: str, *, allow_another: bool) -> None:
    """Raise UserError for another set than the one that earlier champions were chosen on, unless allowed."""
    if contest.validation_set not in (None, set_id) and not allow_another:
        raise UserError(
            f"the versions of '{contest.name}' are compared on set {contest.validation_set}, and this is {set_id}: "
            "give that one, or new_validation_set=true"
        )


def judge(
    contest: Contest,
    metric: str,
    protocol: Protocol,
    candidate: Sequence[TrialRecord],
    champion: Sequence[TrialRecord] | None,
) -> Verdict:
    """Decide by the records of both evaluations.

    A candidate that has no value on a clip that the champion has one on is not promoted: clips that are too hard for
    it would not count against it.

    Raises:
        JobError: too few videos have a value for both.
    """
    one = BY_NAME[metric]
    if champion is None:
        found = estimate([record for record in candidate if record.protocol == protocol], one, "model")
        if found is None:
            return Verdict(False, f"no clip has a value of {protocol} {metric}")
        return Verdict(True, f"the first champion; {protocol} {metric} {found.text()} on {found.clips} clips")
    versus = f"{protocol} {metric} against version {contest.champion}"
    lost = _measured(champion, metric, protocol) - _measured(candidate, metric, protocol)
    if lost:
        return Verdict(False, f"{versus}: no value on {len(lost)} clips that the champion has one on")
    gain = compare(candidate, champion, metric, protocol)
    if gain is None or gain.low is None or gain.high is None or gain.videos < LEAST_VIDEOS:
        videos = gain.videos if gain else 0
        raise JobError(
            f"{versus}: {videos} videos have a value of both, and {LEAST_VIDEOS} at least are needed to tell how sure "
            "a difference is: give a larger validation set"
        )
    told = f"{versus} better by {gain.text('+')} on {gain.clips} clips of {gain.videos} videos"
    if gain.low <= 0:
        worse = "clearly worse" if gain.high < 0 else "not clearly better"
        return Verdict(False, f"{worse}: {told}")
    # Frames without a face count in this measure alone, so a better value of another may be bought with them.
    faceless = compare(candidate, champion, "failure_rate", protocol)
    if faceless is not None and faceless.high is not None and faceless.high < 0:
        return Verdict(False, f"{told}, but in more frames no face is found ({-faceless.mean:+.4f} of them)")
    return Verdict(True, f"clearly better: {told}")


def settle(
    contest: Contest,
    verdict: Verdict,
    set_id: str,
    notes: Mapping[str, str],
    address: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Note the verdict in the candidate's tags, and move the champion if it is so.

    Args:
        set_id: of the clips, remembered with the model if the champion moves.
        notes: what else to note, by name.
        address: MLflow's.
        data: settings that name the clips, remembered likewise.

    Raises:
        JobError: another version became champion meanwhile; nothing was changed.
        StorageError: MLflow did not answer.
    """
    client = connect(address)
    from mlflow.exceptions import MlflowException

    name, version = contest.name, contest.candidate
    tags = {
        "promotion/reason": verdict.reason,
        "promotion/against": contest.champion or "none",
        "promotion/set_id": set_id,
        "promotion/definitions": definitions_id(),
        "promotion/at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **{f"promotion/{key}": value for key, value in notes.items()},
    }
    try:
        now = _champion(client, name)
        if now != contest.champion:
            there = f"version {now}" if now else "no version"
            raise JobError(
                f"{there} of '{name}' is its champion by now, and version {version} was compared with "
                f"{contest.champion or 'none'}: promote it again"
            )
        for key, value in tags.items():  # first, so that there is no champion without its reason
            client.set_model_version_tag(name, version, key, value)
        if verdict.promoted:
            client.set_registered_model_alias(name, CHAMPION, version)
            client.set_registered_model_tag(name, VALIDATION_SET, set_id)
            if data is not None:
                client.set_registered_model_tag(name, VALIDATION_DATA, json.dumps(data))
        client.set_model_version_tag(name, version, "promotion", "promoted" if verdict.promoted else "refused")
    except MlflowException as error:
        raise StorageError(
            f"MLflow at {without_password(address)} did not take the verdict on version {version}: "
            f"{first_line(error)}; try again, what was measured is kept"
        ) from None


def _champion(client: Any, name: str) -> str | None:
    version = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if version is None else str(version)


def _measured(records: Sequence[TrialRecord], metric: str, protocol: Protocol) -> set[tuple[str, str]]:
    """The trials that have a value."""
    return {
        (record.source, record.driving)
        for record in records
        if record.protocol == protocol and metric in record.values.get("model", {})
    }
