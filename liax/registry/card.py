"""The model card that goes with a registered model."""

import json

from liax import storage
from liax.model.config import ModelConfig
from liax.training.checkpoint import TRAIN_FILE, Checkpoint

_TEMPLATE = """# {name}

A LIA-X network (arXiv 2508.09959): it animates a portrait with the motion of a driving video of a face.

| | |
|---|---|
| picture | {size_px} × {size_px} px |
| width multiplier | {width:g} |
| motion dictionary | {directions} directions |
| weights | averaged generator, float32, after {step} training steps |

## Results in training
{metrics}

## Limits and misuse
It redraws one face in a square crop framed like its training clips; large turns, covered faces and hands fail. It can
make a person appear to do or say what they did not: animate only people who have agreed to it, and mark results as
synthetic. Who is in the training videos decides for whom it works well; that was not measured here.

## Licence
That of the project the weights were trained with, and no wider than the training videos' licences allow.

## Training settings
```yaml
{settings}```
"""
_SHOWN = ("l1_first", "l1_last", "val_l1", "val_l1_copy")


def model_card(name: str, checkpoint: Checkpoint, config: ModelConfig) -> str:
    """The card's Markdown."""
    settings = storage.read_bytes(storage.join(checkpoint.url, TRAIN_FILE)).decode()
    return _TEMPLATE.format(
        name=name,
        size_px=config.size_px,
        width=config.width,
        directions=config.directions,
        step=checkpoint.state.step,
        metrics=_metrics_table(checkpoint),
        settings=settings,
    )


def run_folder(checkpoint: Checkpoint) -> str:
    """The output folder of the run that made a checkpoint: it is in `<output>/checkpoints/<step>`."""
    return checkpoint.url.rsplit("/", 2)[0]


def _metrics_table(checkpoint: Checkpoint) -> str:
    url = storage.join(run_folder(checkpoint), "summary.json")
    if not storage.exists(url):
        return "Not known: the checkpoint's run has no summary."
    values = json.loads(storage.read_bytes(url))
    if values.get("steps") != checkpoint.state.step:
        return "Not summarised: the checkpoint is from before the end of its run."
    rows = [f"| {name} | {values[name]:.4f} |" for name in _SHOWN if name in values]
    note = "L1 is on pictures in [-1, 1]; `val_l1_copy` is the error of showing the source picture unchanged."
    return "\n".join(["| | |", "|---|---|", *rows, "", note])
