"""Whether each machine has the published models that a job loads, or can get them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from liax.doctor.findings import Finding, State
from liax.errors import UserError
from liax.weights import DLIB_FACE_RECOGNITION, FACE_LANDMARKER, VGG19, WeightFile, cache_folder, path_of


@dataclass(frozen=True, slots=True)
class Model:
    """A model that jobs load.

    Args:
        weight: its file.
        job: what needs it.
        absent: how it is if it is not to be had; a warning where a setting does without.
    """

    weight: WeightFile
    job: str
    absent: State


MODELS: Mapping[str, Model] = {
    "face model": Model(FACE_LANDMARKER, "preprocessing and cropping", "wrong"),
    "identity model": Model(DLIB_FACE_RECOGNITION, "preprocessing, but with people.embedder=none", "warning"),
    "VGG-19": Model(VGG19, "training with loss.perceptual=vgg", "wrong"),
}
"""By the name of the check."""


def get_models(vgg19: str | None) -> dict[str, str]:
    """Find or fetch the model files on this machine, and load the face model, which needs system libraries too.

    Args:
        vgg19: where the job's starter has VGG-19, if all nodes can get it there; None for this machine's `LIAX_VGG19`
            or its cache. Where there is neither it is left out: half a gigabyte that not every job needs.

    Returns:
        Why a model is not to be had, or nothing if it is, by the name of the check.
    """
    has_vgg19 = vgg19 or os.environ.get(VGG19.variable) or (cache_folder() / VGG19.name).is_file()
    return {
        check: _failure(model.weight, vgg19 if model.weight is VGG19 else None)
        for check, model in MODELS.items()
        if model.weight is not VGG19 or has_vgg19
    }


def judge_models(failures: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Judge what the nodes have said.

    Args:
        failures: what `get_models` returned, by node.
    """
    findings = []
    for check, model in MODELS.items():
        for node, found in failures.items():
            failure, variable = found.get(check), model.weight.variable
            if failure is None:
                seen = f"{variable} is not set, so half a gigabyte was not fetched; {model.job} would"
                findings.append(Finding(check, "not checked", seen, nodes=(node,)))
            elif failure:
                mend = (
                    f"set {variable} to a copy that the machine can read (a path, s3:// or https://): for {model.job}"
                )
                findings.append(Finding(check, model.absent, failure, mend, (node,)))
            else:
                findings.append(Finding(check, "ok", "there, and the published one", nodes=(node,)))
    return findings


def _failure(weight: WeightFile, source: str | None) -> str:
    try:
        path_of(weight, source)
        if weight is FACE_LANDMARKER:
            from liax.face import FaceFinder

            FaceFinder().close()
    except (UserError, ImportError, OSError, RuntimeError, ValueError) as error:  # MediaPipe's, for want of a library
        return (str(error) or type(error).__name__).splitlines()[0]
    return ""
