"""One network with its optimiser: the few calls by which a step trains it, and the plain PyTorch way to answer them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn

from liax.training.config import AdamConfig
from liax.training.place import Place

ADAM_STATE = ("exp_avg", "exp_avg_sq")
"""What torch's Adam keeps for each parameter, beside the number of updates."""


class Trained(Protocol):
    """A network in training. `module` is the bare network; calling the object itself is the engine's forward pass."""

    module: nn.Module

    def __call__(self, *inputs: Tensor) -> Any: ...

    def update(self, loss: Tensor) -> None:
        """Differentiate the loss, average the gradients over all workers, and move the parameters one step."""

    def optimizer_state(self) -> dict[str, Tensor]:
        """Adam's state by `<exp_avg|exp_avg_sq>.<parameter>` and `updates`; the same for any number of workers.

        Every worker must call it.
        """

    def load(self, weights: Mapping[str, Tensor], optimizer_state: Mapping[str, Tensor]) -> None:
        """Continue from a network's state dict and what `optimizer_state` returned."""


def make_adam(module: nn.Module, config: AdamConfig) -> torch.optim.Adam:
    """torch's own Adam, in every engine."""
    return torch.optim.Adam(module.parameters(), lr=config.lr, betas=config.betas)


def read_adam(adam: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """`Trained.optimizer_state` of an optimiser that holds the module's own parameters."""
    state: dict[str, Tensor] = {"updates": torch.tensor(0.0)}
    for name, parameter in module.named_parameters():
        for key in ADAM_STATE if parameter in adam.state else ():
            state[f"{key}.{name}"] = adam.state[parameter][key]
            state["updates"] = adam.state[parameter]["step"]
    return state


def write_adam(adam: torch.optim.Optimizer, module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put back what `read_adam` returned."""
    for name, parameter in module.named_parameters():
        if f"{ADAM_STATE[0]}.{name}" in state:
            kept = {key: state[f"{key}.{name}"].to(parameter.device, copy=True) for key in ADAM_STATE}
            adam.state[parameter] = {"step": state["updates"].clone(), **kept}


class PlainTrained:
    """Plain PyTorch. Several workers average all gradients in one message after the backward pass.

    Own code instead of DistributedDataParallel, because R1 and the generator's step call the discriminator past any
    wrapper, where its hooks would not see the gradients.
    """

    def __init__(self, module: nn.Module, config: AdamConfig, place: Place) -> None:
        self.module, self._place = module, place
        self._adam = make_adam(module, config)
        if place.world_size > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, src=0)

    def __call__(self, *inputs: Tensor) -> Any:
        return self.module(*inputs)

    def update(self, loss: Tensor) -> None:
        # Zero and not None where a loss does not reach a parameter (R1 and the last bias): Adam then counts the update
        # for every parameter alike, as DeepSpeed's flat state does.
        for parameter in self.module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        loss.backward()
        if self._place.world_size > 1:
            self._average_gradients()
        self._adam.step()

    def optimizer_state(self) -> dict[str, Tensor]:
        return read_adam(self._adam, self.module)

    def load(self, weights: Mapping[str, Tensor], optimizer_state: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(weights)
        write_adam(self._adam, self.module, optimizer_state)

    def _average_gradients(self) -> None:
        gradients = [parameter.grad for parameter in self.module.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self._place.world_size
        for gradient, averaged in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(averaged.view_as(gradient))


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without collecting any for its parameters."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
