"""What sparsity costs: trainings of other sparsity weights and dictionary sizes on one set of people, on Ray.

Of each training: how sparse its codes are, how disentangled, and how well it redraws clips from their first frame. What
is done has its record, so a job that died anywhere is continued by starting it again.

Shapes: R runs, F frames, K redrawn frames of a clip, M directions.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from liax import __version__, ray_data, storage
from liax.atlas.observational import observational
from liax.atlas.observed import Observed
from liax.atlas.pareto_chart import pareto_png
from liax.atlas.pareto_config import ParetoConfig
from liax.atlas.pareto_stage import FacesOfClip, ParetoWork, RunOnClip
from liax.atlas.records import read_arrays
from liax.atlas.statistics import passive
from liax.atlas.undone import do_undone
from liax.errors import JobError, UserError
from liax.evaluation.attempts import forget_attempts
from liax.evaluation.clips import Clip, ClipSet, list_clips
from liax.evaluation.subject import Subject, check_people, find_subject
from liax.progress import say
from liax.training.checkpoint import TRAIN_FILE

PARETO_FILE, PICTURE_FILE = "pareto.json", "pareto.png"
_CODES = ("hoyer", "hoyer_normalised", "hoyer_gaussian", "gini", "gini_normalised", "l0_1", "l0_10", "energy_90")
_OBSERVATION = ("disentanglement", "completeness", "informativeness", "mig", "sap")


@dataclass(frozen=True, slots=True)
class RunPoint:
    """One training.

    Args:
        run: as the user named it.
        sha256: of its weights.
        step: how far it was trained; None where that is not known.
        sparsity_weight: λ_sparse of its loss; None where that is not known.
        directions: M, the size of its dictionary.
        dead: how many of them hardly any frame moves.
        codes: sparsity of absolute codes, see `liax.evaluation.codes`.
        observation: DCI, MIG and SAP, see `liax.atlas.observational`; None where there are too few frames or people.
        l1, psnr: means over clips of the clip's mean: of frames redrawn from the first, in [0, 1], and in dB.
        on_front: whether no other run is both sparser and nearer to the frames.
    """

    run: str
    sha256: str
    step: int | None
    sparsity_weight: float | None
    directions: int
    dead: int
    codes: dict[str, float]
    observation: dict[str, float | None]
    l1: float
    psnr: float
    on_front: bool = False


@dataclass(frozen=True, slots=True)
class PreparedPareto:
    """All that a wrong command line can get wrong has been looked at."""

    work: ParetoWork
    clips: ClipSet
    people: dict[str, str]
    """By run: what was compared with the people it was trained on."""


@dataclass(frozen=True, slots=True)
class Pareto:
    """What came out; files are for MLflow."""

    points: list[RunPoint]
    clips: int
    left_out: dict[str, int]
    files: list[str]


def prepare(config: ParetoConfig, tracking_uri: str | None = None) -> PreparedPareto:
    """Find the models and the clips, before Ray starts.

    Args:
        tracking_uri: MLflow's address for registered models.

    Raises:
        UserError: one of them is not there, two are the same or differ in size, or one was trained on these people.
    """
    subjects = [find_subject(run, tracking_uri) for run in config.runs]
    sizes = {subject.size_px for subject in subjects}
    if len(sizes) > 1:
        told = ", ".join(f"{subject.given}: {subject.size_px} px" for subject in subjects)
        raise UserError(f"errors of pictures of several sizes cannot be compared ({told}): give runs of one size")
    for place, subject in enumerate(subjects):
        same = next((other for other in subjects[:place] if other.sha256 == subject.sha256), None)
        if same is not None:
            raise UserError(f"{subject.given} and {same.given} are the same weights: leave one of them out of runs")
    clips = list_clips(config, subjects[0].size_px)
    people = {subject.given: check_people(subject, config, clips) for subject in subjects}
    url = config.output.rstrip("/") if storage.is_s3(config.output) else str(Path(config.output).absolute())
    return PreparedPareto(ParetoWork(url, tuple(subjects), config), clips, people)


def pareto(prepared: PreparedPareto) -> Pareto:
    """Measure what is not measured yet, and write the results. Ray must be running.

    Raises:
        UserError: a run gives numbers that are not finite.
        JobError: no clip could be used, or a worker failed in a way that is no clip's fault.
    """
    work, clips = prepared.work, prepared.clips.clips
    ray_data.quiet()
    storage.make_folder(work.url)
    forget_attempts(work.url)
    faces = {work.faces_id(clip): {"clip": clip.model_dump_json()} for clip in clips}
    do_undone(work, "faces", FacesOfClip, faces, "find faces", "clip", "frames")  # 1 clip → 1 record
    runs = {
        work.run_id(subject, clip): {"clip": clip.model_dump_json(), "run": place}
        for place, subject in enumerate(work.subjects)
        for clip in clips
    }
    do_undone(work, "runs", RunOnClip, runs, "measure runs", "run on clip", "frames")  # 1 run × 1 clip → 1 record
    forget_attempts(work.url)
    points, used, left_out = _points(work, clips)
    return Pareto(points, used, left_out, _write(prepared, points, used, left_out))


def front(sparsity_R: Sequence[float], error_R: Sequence[float]) -> NDArray[np.bool_]:
    """Which runs no other beats: none is as sparse and as near to the frames, and better in one of the two."""
    sparsity, error = np.asarray(sparsity_R, dtype=np.float64), np.asarray(error_R, dtype=np.float64)
    as_good_RR = (sparsity[:, None] >= sparsity) & (error[:, None] <= error)
    better_RR = (sparsity[:, None] > sparsity) | (error[:, None] < error)
    return ~np.asarray((as_good_RR & better_RR).any(axis=0))


def _points(work: ParetoWork, clips: Sequence[Clip]) -> tuple[list[RunPoint], int, dict[str, int]]:
    """All runs, on the clips that every one of them could be measured on; how many these are, and why others are not
    among them."""
    faces = read_arrays([work.record("faces", work.faces_id(clip)) for clip in clips])
    by_run = [
        read_arrays([work.record("runs", work.run_id(subject, clip)) for clip in clips]) for subject in work.subjects
    ]
    reasons = [
        [str(one["reason"]) for one in of_clip if str(one["reason"])] for of_clip in zip(faces, *by_run, strict=True)
    ]
    used = [place for place, found in enumerate(reasons) if not found]
    left_out = dict(Counter(found[0] for found in reasons if found))
    if not used:
        raise JobError(f"no clip could be measured with every run: {', '.join(left_out)}")
    points = []
    for subject, records in zip(work.subjects, by_run, strict=True):
        chosen = [(clips[place], faces[place], records[place]) for place in used]
        say(f"{subject.given}: sparsity and disentanglement of its codes")
        points.append(_point(subject, chosen))
    sparsity_R = [point.codes[work.config.sparsity] for point in points]
    on_front = front(sparsity_R, [point.l1 for point in points])
    points = [RunPoint(**{**asdict(point), "on_front": bool(one)}) for point, one in zip(points, on_front, strict=True)]
    return points, len(used), left_out


def _point(subject: Subject, chosen: Sequence[tuple[Clip, dict[str, Any], dict[str, Any]]]) -> RunPoint:
    for name in ("codes_FM", "l1_K", "psnr_K"):
        _check_finite(subject, name.split("_")[0], [record[name] for *_, record in chosen])
    counts = [len(faces["frame_F"]) for _, faces, _ in chosen]
    observed = Observed(
        codes_FM=np.concatenate([record["codes_FM"] for *_, record in chosen]),
        attributes_FA=np.concatenate([faces["attributes_FA"] for _, faces, _ in chosen]),
        person_F=np.repeat(np.array([clip.person for clip, *_ in chosen], dtype=np.str_), counts),
        clip_F=np.repeat(np.array([clip.id for clip, *_ in chosen], dtype=np.str_), counts),
        frame_F=np.concatenate([faces["frame_F"] for _, faces, _ in chosen]),
    )
    codes, observation = passive(observed), observational(observed)
    for name in _CODES:
        _check_finite(subject, name, [np.array(codes["absolute"][name])])
    step, sparsity_weight = _settings(subject)
    return RunPoint(
        run=subject.given,
        sha256=subject.sha256,
        step=step,
        sparsity_weight=sparsity_weight,
        directions=observed.codes_FM.shape[1],
        dead=len(codes["dead"]),
        codes={name: codes["absolute"][name] for name in _CODES},
        observation={name: observation[name] for name in _OBSERVATION},
        l1=float(np.mean([record["l1_K"].mean() for *_, record in chosen])),
        psnr=float(np.mean([record["psnr_K"].mean() for *_, record in chosen])),
    )


def _check_finite(subject: Subject, name: str, values: Sequence[NDArray[np.floating]]) -> None:
    if not all(np.isfinite(some).all() for some in values):
        raise UserError(
            f"{subject.given}: its {name} on these clips are not all finite numbers, so it cannot be compared: leave "
            "it out of runs, or choose an earlier checkpoint of it"
        )


def _settings(subject: Subject) -> tuple[int | None, float | None]:
    """How far a model was trained, and with which sparsity weight, as its checkpoint says."""
    if not subject.is_checkpoint:
        return None, None
    settings = yaml.safe_load(storage.read_bytes(storage.join(subject.url, TRAIN_FILE)))
    step = subject.url.rsplit("/", 1)[-1]
    weight = (settings.get("loss") or {}).get("sparsity_weight")
    return int(step) if step.isdigit() else None, None if weight is None else float(weight)


def _write(prepared: PreparedPareto, points: Sequence[RunPoint], used: int, left_out: dict[str, int]) -> list[str]:
    """The picture and, last, the numbers."""
    work = prepared.work
    told = {
        "liax": __version__,
        "set": prepared.clips.set_id,
        "clips": used,
        "left_out": left_out,
        "people": prepared.people,
        "sparsity": work.config.sparsity,
        "frames_per_clip": work.config.frames_per_clip,
        "runs": [asdict(point) for point in points],
    }
    files = {
        PICTURE_FILE: pareto_png(points, work.config.sparsity),
        PARETO_FILE: (json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
    }
    for name, content in files.items():
        storage.write_bytes(work.file(name), content)
    return [work.file(name) for name in files]
