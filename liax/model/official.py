"""The released LIA-X state dict: its 596 names, and the way between it and our network.

The names exist for 512 px only. They are written out here as templates, in the order of the released file. Entries
ending in `.kernel` are the constant blur kernels, which our network does not keep as state: they are checked on the way
in and written on the way out.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import torch
from torch import Tensor

from liax.errors import UserError
from liax.model.config import ModelConfig
from liax.model.network import LiaX
from liax.model.weights import check_shapes, refuse, with_weights

OFFICIAL_PX: Final = 512

KERNEL = None
"""Stands in a template for our name of a blur kernel, which has none."""

Template = dict[str, str | None]
"""Official suffixes to ours, for one kind of module."""


def _within(part: str, template: Template) -> Template:
    """The template of a module that holds the given one as `part`, in both networks."""
    return {f"{part}.{theirs}": ours and f"{part}.{ours}" for theirs, ours in template.items()}


WEIGHT: Template = {"weight": "weight"}
LINEAR: Template = {"weight": "weight", "bias": "bias"}
CONV: Template = {"0.weight": "conv.weight", "1.bias": "conv.bias"}
CONV_RESAMPLED: Template = {"0.kernel": KERNEL, "1.weight": "conv.weight", "2.bias": "conv.bias"}
SKIP: Template = {"0.kernel": KERNEL, "1.weight": "conv.weight"}
DOWN_BLOCK: Template = _within("conv1", CONV) | _within("conv2", CONV_RESAMPLED) | _within("skip", SKIP)
RENDER_BLOCK: Template = _within("conv1", CONV) | _within("conv2", CONV)
MODULATION: Template = _within("modulation", LINEAR)
STYLED: Template = _within("conv", WEIGHT | MODULATION) | {"activate.bias": "conv.bias"}
STYLED_UP: Template = _within("conv", WEIGHT | {"blur.kernel": KERNEL} | MODULATION) | {"activate.bias": "conv.bias"}
FLOW_BLOCK: Template = (
    {"gamma": "gamma"} | _within("norm", LINEAR) | _within("conv1", STYLED) | _within("conv2", STYLED)
)
TO_RGB: Template = {"bias": "bias", "up.kernel": KERNEL} | _within("conv", CONV)
TO_FLOW: Template = {"bias": "bias", "up.kernel": KERNEL} | {f"conv.{name}": name for name in WEIGHT | MODULATION}


def _modules(config: ModelConfig) -> Iterator[tuple[str, str, Template]]:
    """Official prefix, our prefix and template of every module, in the order of the released file."""
    yield "enc.enc_2r.block1", "encoder.first", CONV
    for index, name in enumerate([*(f"block{number}.0" for number in range(2, 8)), "block_512"]):
        yield f"enc.enc_2r.{name}", f"encoder.blocks.{index}", DOWN_BLOCK
    yield "enc.enc_2r.block8", "encoder.to_code", WEIGHT
    yield "enc.enc_r2t.0", "to_motion", LINEAR
    yield "dec.direction", "directions", WEIGHT
    yield "dec.input", "decoder", {"input": "constant"}
    yield "dec.conv1", "decoder.start", STYLED
    for index, name in enumerate(["_512", "2", "3", "4", "5", "6", "7"]):
        theirs, ours = f"dec.conv{name}", f"decoder.levels.{index}"
        yield f"{theirs}_1", f"{ours}.up", STYLED_UP
        for block in range(config.blocks):
            yield f"{theirs}_2.{block}", f"{ours}.flow_blocks.{block}", FLOW_BLOCK
        if index > 0:
            yield f"{theirs}_2_up", f"{ours}.render_up", CONV_RESAMPLED
        for block in range(config.blocks):
            yield f"{theirs}_2_rgb.{block}", f"{ours}.render_blocks.{block}", RENDER_BLOCK
        yield f"dec.rgb{name}", f"{ours}.to_rgb", TO_RGB
        yield f"dec.flow{name}", f"{ours}.to_flow", TO_FLOW


def names(config: ModelConfig) -> dict[str, str | None]:
    """Every official name to ours, or to None for a blur kernel, in the order of the released file."""
    return {
        f"{their_prefix}.{theirs}": ours and f"{our_prefix}.{ours}"
        for their_prefix, our_prefix, template in _modules(config)
        for theirs, ours in template.items()
    }


def from_official(state: Mapping[str, Tensor], size: int = OFFICIAL_PX) -> LiaX:
    """Our network, in eval mode, with the weights of an official state dict of any width.

    Raises UserError listing every entry that is missing, unexpected or wrong.
    """
    if size != OFFICIAL_PX:
        raise UserError(
            f"official LIA-X checkpoints are {OFFICIAL_PX} px, there are none of {size}; leave the size out"
        )
    config = _config_of(state)
    where = "the official state dict"
    with torch.device("meta"):
        ours = LiaX(config).state_dict()
    mapping = names(config)
    check_shapes({name: _official_shape(name, ours.get(our or "")) for name, our in mapping.items()}, state, where)
    refuse(
        where,
        [
            f"{name} is not the blur kernel"
            for name, our in mapping.items()
            if our is KERNEL and not torch.allclose(state[name].float(), _kernel(name))
        ],
    )
    own = {our: state[name].reshape(ours[our].shape) for name, our in mapping.items() if our is not KERNEL}
    return with_weights(config, own, where)


def to_official(model: LiaX) -> dict[str, Tensor]:
    """The network's weights under the official names, in the order of the released file.

    Raises UserError for a size other than 512 px, which has no official names.
    """
    if model.config.size_px != OFFICIAL_PX:
        raise UserError(f"official names exist for {OFFICIAL_PX} px only, the model is {model.config.size_px} px")
    state = model.state_dict()
    return {
        name: _kernel(name) if our is KERNEL else state[our].reshape(_official_shape(name, state[our]))
        for name, our in names(model.config).items()
    }


def _config_of(state: Mapping[str, Tensor]) -> ModelConfig:
    """The configuration that the sizes of an official state dict imply."""
    dictionary = state.get("dec.direction.weight")
    if dictionary is None or dictionary.ndim != 2:
        raise UserError("this is not an official LIA-X state dict: it has no matrix dec.direction.weight")
    style_dim, directions = dictionary.shape
    blocks = sum(name.startswith("dec.conv_512_2.") and name.endswith(".gamma") for name in state)
    if style_dim % 8 or not 1 <= directions <= style_dim or not blocks:
        raise UserError(
            f"this is not an official LIA-X state dict: dec.direction.weight is {style_dim}×{directions}, "
            f"and {blocks} entries dec.conv_512_2.*.gamma were found"
        )
    return ModelConfig(size_px=OFFICIAL_PX, width=style_dim / 512, blocks=blocks, directions=directions)


def _official_shape(name: str, ours: Tensor | None) -> tuple[int, ...]:
    """The shape of an official entry, from that of ours; they differ by dimensions of length 1 only."""
    if ours is None:
        return (4, 4)
    if name.endswith(".conv.weight"):
        return (1, *ours.shape)
    if name.startswith("dec.flow") and name.endswith(".bias") and "modulation" not in name:
        return (1, *ours.shape, 1, 1)
    return tuple(ours.shape)


def _kernel(name: str) -> Tensor:
    """The blur kernel of an official entry: of sum 1 in the encoder, 4 in the decoder, which upsamples."""
    taps_K = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps_K, taps_K) / (64 if name.startswith("enc.") else 16)
