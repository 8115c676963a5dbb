"""Whether a checkpoint belongs to a run's networks."""

import json
from collections.abc import Mapping

from torch import Tensor, nn

from liax import storage
from liax.config import build
from liax.errors import UserError
from liax.model.config import PRESETS, ModelConfig
from liax.model.network import LiaX
from liax.model.weights import CONFIG_FILE, check_shapes
from liax.training.engine import ADAM_STATE


def check_layout(generator: nn.Module, checkpoint: str) -> None:
    """Refuse another preset or size by its name, not by its hundreds of tensors. Raises UserError."""
    if not isinstance(generator, LiaX):
        return
    url = storage.join(checkpoint, CONFIG_FILE)
    try:
        saved = build(ModelConfig, json.loads(storage.read_bytes(url)), url)
    except ValueError as error:
        raise UserError(f"{url} is not JSON ({error}): choose another checkpoint") from None
    if saved != generator.config:
        raise UserError(
            f"the checkpoint in {checkpoint} is of {_layout(saved)}, this run's network is of "
            f"{_layout(generator.config)}: set the same model, or choose another output"
        )


def _layout(config: ModelConfig) -> str:
    """A layout in words."""
    names = [name for name, known in PRESETS.items() if known.model_copy(update={"size_px": config.size_px}) == config]
    if names:
        return f"preset {names[0]} at {config.size_px} px"
    return f"{config.size_px} px, width {config.width:g}, {config.blocks} blocks and {config.directions} directions"


def check_tensors(
    module: nn.Module, weights: Mapping[str, Tensor], optimizer_state: Mapping[str, Tensor], checkpoint: str, name: str
) -> None:
    """Refuse weights or an optimiser's state of another network, before anything is changed.

    Args:
        module: the network.
        weights: as `Trained.weights` gives them.
        optimizer_state: as `Trained.optimizer_state` gives it.
        checkpoint: where they were read.
        name: of the network.

    Raises:
        UserError: something is missing, too much, or of another shape.
    """
    shapes = shapes_of(module)
    check_shapes(shapes, weights, f"{checkpoint}/{name}.safetensors")
    kept = [f"{key}.{parameter}" for parameter, _ in module.named_parameters() for key in ADAM_STATE]
    # Before the first update there is nothing but their number.
    wanted = {entry: shapes[entry.partition(".")[2]] for entry in kept if len(optimizer_state) > 1}
    check_shapes({**wanted, "updates": ()}, optimizer_state, f"{checkpoint}/optimizer_{name}.safetensors")


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Of everything in the state dict; a parameter of which a worker has only a part knows its whole shape."""
    entries = module.state_dict(keep_vars=True)
    return {name: tuple(getattr(tensor, "ds_shape", tensor.shape)) for name, tensor in entries.items()}
