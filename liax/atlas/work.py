"""The three kinds of an atlas's work on Ray: clips are observed, people are moved along paths, paths are drawn.

What is done has its record, so a run that died anywhere is continued by starting it again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liax import storage
from liax.atlas.observed import Observed
from liax.atlas.people import Candidate, Person, unsuited
from liax.atlas.records import Work, path_to_row, read_arrays, read_traced
from liax.atlas.response import Path, Response, stack
from liax.atlas.stage import DrawStrip, PassiveClip, TraceItem
from liax.atlas.undone import do_undone
from liax.attributes import ATTRIBUTES
from liax.evaluation.clips import Clip


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clips' frames are, unmoved.

    Args:
        observed: all frames.
        candidates: each clip's best frame.
        left_out: how many clips gave nothing, by reason.
    """

    observed: Observed
    candidates: list[Candidate]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class TracedPaths:
    """What paths did to people.

    Args:
        response: the tensor.
        render_s, observe_s: where the time went, over all workers.
        left_out: how many pairs of a person and a path gave nothing, by reason.
    """

    response: Response
    render_s: float
    observe_s: float
    left_out: dict[str, int]


def observe(work: Work, clips: Sequence[Clip]) -> Seen:
    """Look at the clips' frames as they are."""
    items = {work.observed_id(clip): {"clip": clip.model_dump_json()} for clip in clips}
    do_undone(work, "observed", PassiveClip, items, "observe", "clip", "frames")  # 1 clip → 1 record
    records = read_arrays([work.observed(item_id) for item_id in items])
    candidates = []
    for item_id, clip, record in zip(items, clips, records, strict=True):
        best = int(record["best"])
        if best < 0:
            continue
        person = Person(id=clip.person, clip=clip.id, frame=int(record["frame_F"][best]), picture=work.source(item_id))
        how_unsuited = float(unsuited(record["attributes_FA"][best : best + 1])[0])
        candidates.append(Candidate(person, how_unsuited, bool(record["unmoved_found"])))
    counts = [len(record["frame_F"]) for record in records]
    observed = Observed(
        codes_FM=np.concatenate([record["codes_FM"] for record in records]),
        attributes_FA=np.concatenate([record["attributes_FA"] for record in records]),
        person_F=np.repeat(np.array([clip.person for clip in clips], dtype=np.str_), counts),
        clip_F=np.repeat(np.array([clip.id for clip in clips], dtype=np.str_), counts),
        frame_F=np.concatenate([record["frame_F"] for record in records]),
    )
    left_out = Counter(str(record["reason"]) for record in records if str(record["reason"]))
    return Seen(observed, candidates, dict(left_out))


def trace_paths(work: Work, people: Sequence[Person], paths: Sequence[Path], label: str) -> TracedPaths:
    """Move every person along every path."""
    ids = [[work.traced_id(person, path) for path in paths] for person in people]
    items = {
        item_id: {"person": person.model_dump_json(), "path": path_to_row(path)}
        for person, of_person in zip(people, ids, strict=True)  # a person's together: their picture is encoded once
        for path, item_id in zip(paths, of_person, strict=True)
    }
    do_undone(work, "traced", TraceItem, items, label, "path", "pictures")  # 1 person × 1 path → 1 record
    every = [item_id for of_person in ids for item_id in of_person]
    found, reasons = read_traced(work, every)
    traced = [found[place : place + len(paths)] for place in range(0, len(found), len(paths))]
    return TracedPaths(
        response=stack(tuple(person.id for person in people), tuple(paths), ATTRIBUTES, work.second_attributes, traced),
        render_s=sum(one.render_s for one in found),
        observe_s=sum(one.observe_s for one in found),
        left_out=dict(Counter(reason for reason in reasons if reason)),
    )


def draw_strips(work: Work, people: Sequence[Person], paths: Mapping[str, Path]) -> dict[str, bytes]:
    """Pictures of paths on a few people: JPEGs by the names that the paths are given here."""
    ids = {name: work.strip_id(people, path) for name, path in paths.items()}
    shown = [person.model_dump_json() for person in people]
    items = {ids[name]: {"people": shown, "path": path_to_row(path)} for name, path in paths.items()}
    do_undone(work, "strips", DrawStrip, items, "draw strips", "path", "pictures", records=False)  # 1 path → 1 strip
    return dict(zip(ids, storage.read_many([work.strip(item_id) for item_id in ids.values()]), strict=True))
