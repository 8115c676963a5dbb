"""What is measured: who drives whom."""

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import PurePosixPath

from liax import storage
from liax.config import Config
from liax.errors import UserError
from liax.evaluation.clips import Clip
from liax.evaluation.config import EvaluateConfig
from liax.evaluation.definitions import Protocol

COLUMNS = ("source", "driving")


class Trial(Config):
    """The first frame of one clip, driven by a clip: the same (self) or another person's (cross)."""

    protocol: Protocol
    source: Clip
    driving: Clip


def list_trials(config: EvaluateConfig, clips: Sequence[Clip]) -> list[Trial]:
    """All trials, those of one protocol after those of the other.

    Raises:
        UserError: there are not two people for cross-reenactment, or the pairs file names clips that are not there.
    """
    trials: list[Trial] = []
    if "self" in config.protocols:
        trials += [Trial(protocol="self", source=clip, driving=clip) for clip in clips]
    if "cross" in config.protocols:
        if config.cross.pairs is not None:
            pairs = read_pairs(config.cross.pairs, clips)
        else:
            pairs = draw_pairs(clips, config.cross.sources_per_clip)
        trials += [Trial(protocol="cross", source=source, driving=driving) for source, driving in pairs]
    return trials


def draw_pairs(clips: Sequence[Clip], sources_per_clip: int) -> list[tuple[Clip, Clip]]:
    """For each driving clip the sources of other people whose hash with it is smallest, one a person.

    A draw without a random state (rendezvous hashing, Thaler and Ravishankar 1998): the same clips always give the same
    pairs, and another clip changes only pairs that it takes part in.
    """
    pairs = []
    for driving in clips:
        ranked = sorted(
            (clip for clip in clips if clip.person != driving.person), key=lambda clip: _rank(clip, driving)
        )
        first_of = {clip.person: clip for clip in reversed(ranked)}
        chosen = [clip for clip in ranked if first_of[clip.person] is clip][:sources_per_clip]
        pairs += [(source, driving) for source in chosen]
    if not pairs:
        raise UserError("cross-reenactment needs clips of two people, and all are of one: give protocols=[self]")
    return pairs


def _rank(source: Clip, driving: Clip) -> str:
    return hashlib.sha256(f"{source.id}>{driving.id}".encode()).hexdigest()


def read_pairs(url: str, clips: Sequence[Clip]) -> list[tuple[Clip, Clip]]:
    """The pairs of a CSV file with the columns `source` and `driving`: ids, names or file names of clips."""
    try:
        reader = csv.DictReader(io.StringIO(storage.read_bytes(url).decode("utf-8-sig")))
        names = reader.fieldnames or []
        if not set(COLUMNS) <= set(names):
            raise UserError(f"the pairs file {url} needs the columns source and driving; it has {', '.join(names)}")
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the pairs file {url} is no CSV text: {error}") from None
    known = _by_name(clips)
    pairs = []
    for line, row in rows:
        found = []
        for column in COLUMNS:
            named = known.get((row[column] or "").strip(), [])
            if len(named) != 1:
                problem = "several clips are" if named else "no clip is"
                raise UserError(f"line {line} of the pairs file {url}: {problem} called '{row[column]}'")
            found.append(named[0])
        pairs.append((found[0], found[1]))
    if not pairs:
        raise UserError(f"the pairs file {url} has no pairs: add a line, or give protocols=[self]")
    return list({(source.id, driving.id): (source, driving) for source, driving in pairs}.values())


def _by_name(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    known: dict[str, list[Clip]] = {}
    for clip in clips:
        for name in {clip.id, clip.name, clip.url, PurePosixPath(clip.name).stem}:
            known.setdefault(name, []).append(clip)
    return known
