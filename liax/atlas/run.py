"""The whole atlas, in the order in which it happens: look at the clips as they are, move people along each direction,
make controls of directions, move people along the controls, certify, show.

What is done has its record, so a run that died anywhere is continued by starting it again. All results are made from
the records alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, get_args

import numpy as np

from liax import ray_data, storage
from liax.atlas.calibrate import MOST_DRIFT
from liax.atlas.config import AtlasConfig
from liax.atlas.effects import Effects, Spread, effects, spread_of
from liax.atlas.interventions import Interventions, intervene
from liax.atlas.networks import open_observers
from liax.atlas.observational import observational
from liax.atlas.observed import Observed
from liax.atlas.people import Candidate, Person, check_identities, choose_people
from liax.atlas.records import Work
from liax.atlas.response import Path, Response
from liax.atlas.results import OBSERVED_FILE, RESPONSE_FILE, Findings, controls_file, numbers_of, write_results
from liax.atlas.scores import interventional
from liax.atlas.stability import match
from liax.atlas.statistics import levels, passive
from liax.atlas.top_frames import draw_top_frames
from liax.atlas.work import Seen, TracedPaths, draw_strips, observe, trace_paths
from liax.attributes import ATTRIBUTES
from liax.controls_file import ControlsFile, MeasuredControl, Status
from liax.errors import UserError
from liax.evaluation.attempts import forget_attempts
from liax.evaluation.clips import ClipSet, list_clips
from liax.evaluation.subject import check_people, find_subject
from liax.identity import ArcFaceEmbedder

STATUSES: tuple[Status, ...] = get_args(Status)

LEAST_FACES = 0.5
"""Share of people whose unmoved picture, as the model draws it, must show a face. Our choice: with fewer, most of what
is measured would be where the model fails and not what its directions do."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another atlas, to compare with."""

    response: Response
    spread: Spread


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a wrong command line can get wrong has been looked at."""

    work: Work
    clips: ClipSet
    people: str
    unavailable: dict[str, str]
    """Why observers are missing."""
    others: dict[str, Other]
    """By their output."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """What came out."""

    controls: ControlsFile
    numbers: dict[str, float]
    """For MLflow."""
    files: list[str]
    """The results, for MLflow."""


def prepare(config: AtlasConfig, tracking_uri: str | None = None) -> Prepared:
    """Find the model, the clips and the weights, before Ray starts.

    Args:
        tracking_uri: MLflow's address for a registered model.

    Raises:
        UserError: one of them is not there or does not fit, or the model was trained on these people.
    """
    subject = find_subject(config.model, tracking_uri)
    clips = list_clips(config, subject.size_px)
    check_identities(len({clip.person for clip in clips.clips}), config.identities)
    people = check_people(subject, config, clips)
    others = {url: _read_other(url) for url in config.compare}
    opened = open_observers(config.networks, "cpu")
    opened.observers.close()
    url = config.output.rstrip("/") if storage.is_s3(config.output) else str(FilePath(config.output).absolute())
    names = tuple(sorted(opened.names.items()))
    work = Work(url, subject, config, names, opened.observers.second_attributes)
    return Prepared(work, clips, people, opened.unavailable, others)


def atlas(prepared: Prepared) -> Atlas:
    """Measure what is not measured yet, and write the results. Ray must be running.

    Raises:
        UserError: there are too few people or frames with a face, or the model draws no faces.
        JobError: a worker failed in a way that is no clip's fault.
    """
    work, config = prepared.work, prepared.work.config
    ray_data.quiet()
    storage.make_folder(work.url)
    forget_attempts(work.url)
    seen = observe(work, prepared.clips.clips)
    _check_frames(seen.observed, config)
    chosen = choose_people(seen.candidates, config.identities)
    _check_faces(chosen, config.model)
    people = [candidate.person for candidate in chosen]
    spread = spread_of(seen.observed)

    traced: list[TracedPaths] = []

    def trace(paths: Sequence[Path], label: str) -> Response:
        traced.append(trace_paths(work, people, paths, label))
        return traced[-1].response

    found = intervene(trace, direction_paths(seen.observed, config.levels), spread, _most_drift(config))
    pictures = _pictures(prepared, seen, people, found)
    forget_attempts(work.url)

    moved = effects(found.directions, spread)
    stability = {
        url: match(found.directions, spread, other.response, other.spread).to_json()
        for url, other in prepared.others.items()
    }
    findings = Findings(
        observed=seen.observed,
        spread=spread,
        directions=found.directions,
        controls_response=found.moved,
        effects=moved,
        controls=found.controls,
        scores=_scores(prepared, seen, moved, traced, found.controls, stability),
        stability=stability,
        pictures=pictures,
    )
    file = controls_file(work, findings, prepared.clips.set_id)
    return Atlas(file, numbers_of(findings.scores, found.controls), write_results(work, findings, file))


def direction_paths(observed: Observed, count: int) -> list[Path]:
    """Each direction alone, through its levels."""
    levels_ML = levels(observed.codes_FM, count)
    units_MM = np.eye(len(levels_ML), dtype=np.float32)
    return [Path(str(place), units_MM[place], levels_L) for place, levels_L in enumerate(levels_ML)]


def _scores(
    prepared: Prepared,
    seen: Seen,
    moved: Effects,
    traced: Sequence[TracedPaths],
    certified: Mapping[str, MeasuredControl],
    stability: Mapping[str, Any],
) -> dict[str, Any]:
    """All numbers of the whole dictionary, as JSON holds them."""
    work = prepared.work
    return {
        "model": work.subject.shown(),
        "data": {"set": prepared.clips.set_id, "clips": len(prepared.clips.clips), "people": prepared.people},
        "settings": work.config.model_dump(mode="json", exclude={"model", "output"}),
        "observers": dict(work.observers),
        "unavailable": prepared.unavailable,
        "left_out": {
            "clips": seen.left_out,
            "paths": dict(sum((Counter(one.left_out) for one in traced), Counter[str]())),
        },
        "seconds": {
            "render": sum(one.render_s for one in traced),
            "observe": sum(one.observe_s for one in traced),
        },
        "passive": passive(seen.observed),
        "observational": observational(seen.observed),
        "interventional": interventional(moved),
        "controls": {status: [n for n, one in certified.items() if one.status == status] for status in STATUSES},
        "stability": stability,
    }


def _most_drift(config: AtlasConfig) -> float:
    """How far a face's embedding may be from the unmoved face's, as 1 - cosine."""
    # Between vectors of length 1, half of the squared distance.
    return MOST_DRIFT if config.networks.arcface is None else ArcFaceEmbedder.same_person**2 / 2


def _pictures(prepared: Prepared, seen: Seen, people: Sequence[Person], found: Interventions) -> dict[str, bytes]:
    """Strips of all paths, and the frames at each direction's ends: JPEGs as in `liax.atlas.shown.Shown`."""
    work = prepared.work
    shown = {f"directions/{path.name}": path for path in found.paths}
    shown |= {f"controls/{name}": path for name, path in found.combined.items()}
    strips = draw_strips(work, people[: work.config.strips.people], shown)
    frames = draw_top_frames(work, seen.observed, prepared.clips.clips)
    return strips | {f"frames/{direction}": picture for direction, picture in frames.items()}


def _read_other(url: str) -> Other:
    """Another atlas. Raises UserError where it is none, or measured something else."""
    files = [storage.join(url.rstrip("/"), name) for name in (RESPONSE_FILE, OBSERVED_FILE)]
    try:
        contents = [storage.read_bytes(file) for file in files]
        response, observed = Response.from_npz(contents[0], files[0]), Observed.from_npz(contents[1], files[1])
    except UserError as error:
        raise UserError(f"cannot compare with {url}: {error}; give the output of a finished `liax atlas`") from None
    directions, attributes = len(response.paths), len(ATTRIBUTES)
    fits = (
        response.attributes == ATTRIBUTES
        and response.values_NPLA.shape == (len(response.people), *response.levels_PL.shape, attributes)
        and response.unit_PM.shape == (directions, directions)
        and observed.codes_FM.shape == (len(observed.frame_F), directions)
        and observed.attributes_FA.shape == (len(observed.frame_F), attributes)
    )
    if not fits:
        raise UserError(f"cannot compare with {url}: measured by another version of liax: run that atlas again")
    return Other(response, spread_of(observed))


def _check_frames(observed: Observed, config: AtlasConfig) -> None:
    faces = int((~np.isnan(observed.attributes_FA[:, 0])).sum())
    if faces < config.least_frames:
        raise UserError(
            f"{faces} of {len(observed.frame_F)} frames show a face that is found, and {config.least_frames} are "
            "needed: give more clips, a larger frames_per_clip, or a smaller least_frames"
        )


def _check_faces(chosen: Sequence[Candidate], model: str) -> None:
    found = sum(candidate.unmoved_found for candidate in chosen)
    if found < LEAST_FACES * len(chosen):
        raise UserError(
            f"{model} draws no faces: in {len(chosen) - found} of {len(chosen)} unmoved pictures none is found; "
            "train it for longer, or choose a better checkpoint"
        )
