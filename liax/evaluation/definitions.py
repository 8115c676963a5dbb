"""What each number of an evaluation means, once, with its source. The code that computes it says nothing else.

A change of a definition raises its version; results carry `definitions_id`, and those of different ids are not
compared. Shapes and ranges: pictures are uint8 RGB as they become files, seen as [0, 1]; angles in degrees.

Contestants: `model`, and `copy`, which shows the source unchanged: who is not better has learnt nothing of motion.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Literal, get_args

Protocol = Literal["self", "cross"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
PROTOCOL_MEANINGS: dict[Protocol, str] = {
    "self": "A clip's first frame is driven by the whole clip, by absolute transfer (LIA-X, section 4: "
    "self-reenactment); the wanted picture is the driving frame. The first frame itself is not counted: it is the "
    "source, whose copy would be perfect",
    "cross": "A clip's first frame is driven by another person's clip; no wanted picture is known",
}
CONTESTANTS = ("model", "copy")


@dataclass(frozen=True, slots=True)
class Metric:
    """A definition.

    Args:
        name: in files.
        title: in tables.
        unit: "" for a number without one.
        better: which direction.
        protocols: where it has a meaning.
        version: raised whenever its values change.
        meaning: of one clip's value; a table has the mean over clips.
        source: of the definition.
        whole_run: one value for all clips together; it has no interval.
    """

    name: str
    title: str
    unit: str
    better: Literal["lower", "higher"]
    protocols: tuple[Protocol, ...]
    version: int
    meaning: str
    source: str
    whole_run: bool = False


_FACES = (
    "Of the frames that faces are measured in (setting `faces.every`), those where both faces are found; of several "
    "faces the largest."
)
METRICS: tuple[Metric, ...] = (
    Metric(
        "l1",
        "L1",
        "",
        "lower",
        ("self",),
        1,
        "Mean |difference| of all values in [0, 1], over all frames.",
        "LIA-X, arXiv 2508.09959, section 4",
    ),
    Metric(
        "psnr",
        "PSNR",
        "dB",
        "higher",
        ("self",),
        1,
        "Mean over frames of -10 log10 of the mean squared difference in [0, 1], at most 100: by the infinity that "
        "equal pictures have, one still clip would be every set's mean.",
        "ITU-R BT.2390's usual form; the limit is our choice",
    ),
    Metric(
        "ssim",
        "SSIM",
        "",
        "higher",
        ("self",),
        1,
        "Mean over frames; Gaussian window of 11 px, sigma 1.5, data range 1, mean over channels and places.",
        "Wang et al. 2004, section III; torchmetrics",
    ),
    Metric(
        "lpips",
        "LPIPS",
        "",
        "lower",
        ("self",),
        1,
        "Mean over frames, AlexNet, version 0.1.",
        "Zhang et al. 2018, arXiv 1801.03924; package lpips",
    ),
    Metric(
        "fid",
        "FID",
        "",
        "lower",
        ("self",),
        1,
        "Fréchet distance of Inception features of results and of driving frames, of at most `fid_frames` evenly "
        "spread frames of each clip, all clips together; resized as clean-fid does. Biased upwards for few frames.",
        "Heusel et al. 2017, arXiv 1706.08500; Parmar et al. 2022, arXiv 2104.11222; packages clean-fid, torchmetrics",
        whole_run=True,
    ),
    Metric(
        "akd",
        "AKD",
        "px",
        "lower",
        ("self",),
        1,
        "Mean distance of the 478 landmarks (x, y) of result and driving frame, in pixels of the model's picture. "
        + _FACES,
        "average keypoint distance, Siarohin et al. 2019, arXiv 2003.00196; MediaPipe's landmarks are our choice",
    ),
    Metric(
        "akd_eyes",
        "AKD / eyes",
        "%",
        "lower",
        ("self",),
        1,
        "The same divided by the distance of the outer corners of the driving frame's eyes: comparable between picture "
        "sizes. " + _FACES,
        "normalised mean error by the outer eye corners, Sagonas et al. 2013 (300-W)",
    ),
    Metric(
        "apd",
        "APD",
        "deg",
        "lower",
        PROTOCOLS,
        1,
        "Angle of the rotation between the result's head pose and the wanted one: the driving frame's, in relative "
        "transfer the source's plus the change of each driving angle since its first frame. " + _FACES,
        "average pose distance; geodesic distance of rotations, Huynh 2009, eq. 23; poses of MediaPipe",
    ),
    Metric(
        "aed",
        "AED",
        "",
        "lower",
        PROTOCOLS,
        1,
        "Mean |difference| over 51 blendshapes (0…1) to the wanted ones: the driving frame's, in relative transfer "
        "the source's plus the driving change, limited to 0…1. " + _FACES,
        "average expression distance, with MediaPipe's blendshapes instead of a 3DMM's coefficients: our choice",
    ),
    Metric(
        "csim",
        "CSIM",
        "",
        "higher",
        PROTOCOLS,
        1,
        "Cosine of the identity embeddings of result and driving frame (self) or source (cross). " + _FACES,
        "Zakharov et al. 2019, arXiv 1905.08233; the embedder is named beside the results",
    ),
    Metric(
        "failure_rate",
        "no face",
        "",
        "lower",
        PROTOCOLS,
        1,
        "Share of frames without a face in the result, of those measured frames that have one in the driving clip.",
        "our choice: the other measures of faces leave such frames out, which must be seen",
    ),
    Metric(
        "flicker",
        "flicker",
        "",
        "lower",
        PROTOCOLS,
        1,
        "|F(result) - F(driving)|, with F(v) the mean |v(t+1) - 2 v(t) + v(t-1)| of all values in [0, 1]: steady "
        "motion cancels, what changes back and forth from frame to frame adds up.",
        "our choice: the second difference in time, as of the driving clip itself, needs no optical flow",
    ),
)
"""In the order of tables."""

BY_NAME = {metric.name: metric for metric in METRICS}


def definitions_id() -> str:
    """Names these definitions by their names, versions and protocols: other wording is not another definition."""
    text = ";".join(f"{metric.name}:{metric.version}:{','.join(metric.protocols)}" for metric in METRICS)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def of_protocol(protocol: Protocol) -> list[Metric]:
    """The measures that have a meaning in a protocol."""
    return [metric for metric in METRICS if protocol in metric.protocols]


def as_records() -> list[dict[str, object]]:
    """The definitions for an output file."""
    return [asdict(metric) | {"protocols": list(metric.protocols)} for metric in METRICS]
