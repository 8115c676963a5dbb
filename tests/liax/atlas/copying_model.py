"""A model that was never trained and shows its source all the same, so that there are faces to be found; and videos.

Its finest level hands the source's pixels through; what the code decides shifts and bends them a little.
"""

from pathlib import Path

import torch

from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from liax.synthetic.videos import write_video

SIZE_PX = 128
DIRECTIONS = 6
PEOPLE = 4
_ALWAYS_POSITIVE = 3.0
"""A bias by which a leaky ReLU passes values from -1 to 1 as they are, but for its gain."""
_BENT = 0.004


def make_copying_model(folder: Path, seed: int = 0) -> str:
    """Save such a model and return its folder."""
    torch.manual_seed(seed)
    model = LiaX(preset("tiny", SIZE_PX).model_copy(update={"directions": DIRECTIONS}))
    with torch.no_grad():
        _pass_through(model)
    save_model(model, folder)
    return str(folder)


def _pass_through(model: LiaX) -> None:
    first = dict(model.encoder.first.named_parameters())
    for name, value in first.items():
        value.fill_(_ALWAYS_POSITIVE if "bias" in name else 0)
    for colour in range(3):
        model.encoder.first.conv.weight[colour, colour] = 1
    for level in model.decoder.levels:
        level.to_flow.weight *= _BENT
        for parameter in level.to_rgb.parameters():
            parameter.zero_()
    finest = model.decoder.levels[-1]
    assert finest.render_up is not None
    for part in (finest.render_up, finest.render_blocks):
        for parameter in part.parameters():
            parameter.zero_()
    finest.to_flow.bias[2] = 6  # the mask lets all of the source through
    for name, value in finest.to_rgb.conv.named_parameters():
        value.fill_(_ALWAYS_POSITIVE if "bias" in name else 0)
    for colour in range(3):
        finest.to_rgb.conv.conv.weight[colour, colour] = 1
    # What black and white come out as says what is to be multiplied and added for them to come out as they are.
    middle = SIZE_PX // 2
    black, white = (
        model(*[torch.full((1, 3, SIZE_PX, SIZE_PX), value)] * 2)[0][0, 0, middle, middle] for value in (-1.0, 1.0)
    )
    gain = 2 / (white - black)
    finest.to_rgb.conv.conv.weight *= gain
    again = model(*[torch.full((1, 3, SIZE_PX, SIZE_PX), -1.0)] * 2)[0][0, 0, middle, middle]
    finest.to_rgb.bias -= 1 + again


def talks(folder: Path) -> str:
    """Short videos of talking faces, of one person each, as large as the model's pictures. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(PEOPLE):
        write_video(folder / f"talk{seed}.mp4", seconds=0.5, size_px=SIZE_PX, seed=seed)
        (folder / f"talk{seed}.truth.json").unlink()
    return str(folder)
