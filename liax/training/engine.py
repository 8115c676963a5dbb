"""One network with its optimiser: the few calls by which a step trains it, and the plain PyTorch way to answer them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from liax.training.adam import GuardedAdam
from liax.training.config import AdamConfig
from liax.training.place import Place

ADAM_STATE = ("exp_avg", "exp_avg_sq")
"""What torch's Adam keeps for each parameter, beside the number of updates."""


class Trained(Protocol):
    """A network in training. `module` is the bare network; calling the object itself is the engine's forward pass.

    An update takes one or several micro-batches, each of them forward and `backward` inside `micro_batch`; then `step`.
    """

    module: nn.Module

    def __call__(self, *inputs: Tensor) -> Any: ...

    def micro_batch(self, *, last: bool) -> AbstractContextManager[None]:
        """Round one micro-batch's forward pass and `backward`; `last`: an update follows."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a micro-batch's loss, a mean over its pairs, as a share of the update's."""

    def step(self) -> float:
        """Average the gradients over all workers and move the parameters.

        Returns:
            The gradient's length. If it is not finite nothing was moved.
        """

    def gathered(self, parameters: Sequence[nn.Parameter]) -> AbstractContextManager[None]:
        """Within it, these parameters hold all their values on this worker. Every worker must enter it."""

    def weights(self) -> dict[str, Tensor]:
        """The network's state dict, whole on the leading worker; every worker must call it."""

    def optimizer_state(self) -> dict[str, Tensor]:
        """Adam's state by `<exp_avg|exp_avg_sq>.<parameter>` and `updates`; the same for any number of workers.

        Whole on the leading worker; every worker must call it.
        """

    def load(self, weights: Mapping[str, Tensor], optimizer_state: Mapping[str, Tensor]) -> None:
        """Continue from what `weights` and `optimizer_state` returned; only before the first update."""


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
    """A network with torch's own Adam.

    Several workers begin with the first one's weights and share their gradients. A network that is called through
    this object sends them during its backward pass (DistributedDataParallel). One that is called as `.module`, as R1
    and the generator's step call the discriminator, sends them in one piece at the end: the wrapper's hooks would not
    see its gradients.

    Args:
        module: the network.
        config: of its optimiser.
        place: of this worker.
        micro_batches: of an update.
        called_directly: whether the forward pass goes through this object.
    """

    def __init__(
        self, module: nn.Module, config: AdamConfig, place: Place, micro_batches: int = 1, *, called_directly: bool
    ) -> None:
        self.module, self._place, self._micro_batches = module, place, micro_batches
        self._adam = GuardedAdam(module.parameters(), config, place)
        self._wrapped: DistributedDataParallel | None = None
        if place.world_size > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, src=0)
            if called_directly:
                self._wrapped = DistributedDataParallel(
                    module, forward_sync_buffers=False, gradient_as_bucket_view=True
                )

    def __call__(self, *inputs: Tensor) -> Any:
        return (self._wrapped or self.module)(*inputs)

    def micro_batch(self, *, last: bool) -> AbstractContextManager[None]:
        return self._wrapped.no_sync() if self._wrapped is not None and not last else nullcontext()

    def backward(self, loss: Tensor) -> None:
        (loss / self._micro_batches).backward()

    def step(self) -> float:
        # Zero and not None where a loss does not reach a parameter (R1 and the last bias): Adam then counts the update
        # for every parameter alike, as DeepSpeed's flat state does.
        for parameter in self.module.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self._place.world_size > 1 and self._wrapped is None:
            self._average_gradients()
        self._adam.step()
        self._adam.zero_grad(set_to_none=self._wrapped is None)
        return self._adam.gradient_norm

    def gathered(self, parameters: Sequence[nn.Parameter]) -> AbstractContextManager[None]:
        return nullcontext()

    def weights(self) -> dict[str, Tensor]:
        return self.module.state_dict()

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
