"""A network in training with DeepSpeed's ZeRO stages 0 to 2 behind the same calls as the plain engine."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from liax.training.config import AdamConfig
from liax.training.engine import ADAM_STATE, make_adam, read_adam, write_adam
from liax.training.place import Place


def start_deepspeed(place: Place) -> None:
    """Let DeepSpeed use the process group that exists. Every worker calls it once, before it makes a network."""
    os.environ["DS_ACCELERATOR"] = place.device.type
    # DeepSpeed's autotuner, which is not used here, would load MLflow if it can: most of the import's time.
    with _hidden("mlflow"):
        import deepspeed
    from deepspeed.utils import logger

    logger.setLevel(logging.WARNING)
    # DeepSpeed would compile its shared-memory collectives, which serve inference only: half a minute of start-up where
    # there is a C++ compiler, and an error where there is half of one.
    deepspeed.ops.__compatible_ops__ = {}
    deepspeed.init_distributed(dist_backend=torch.distributed.get_backend(), auto_mpi_discovery=False)


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Let an import find no such module, unless it is loaded already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
    try:
        yield
    finally:
        del sys.modules[module]


class DeepSpeedTrained:
    """One network in a DeepSpeed engine of its own.

    Args:
        module: the network, with the same weights on every worker.
        config: of its optimiser.
        zero_stage: 0 to 2.
        local_batch: pairs of a step on this worker.
    """

    def __init__(self, module: nn.Module, config: AdamConfig, zero_stage: int, local_batch: int) -> None:
        import deepspeed

        self.module, self._zero_stage = module, zero_stage
        self._engine, *_ = deepspeed.initialize(
            model=module, optimizer=make_adam(module, config), config=_settings(zero_stage, local_batch)
        )

    def __call__(self, *inputs: Tensor) -> Any:
        return self._engine(*inputs)

    def update(self, loss: Tensor) -> None:
        self._engine.backward(loss)
        self._engine.step()

    def optimizer_state(self) -> dict[str, Tensor]:
        if self._zero_stage == 0:
            return read_adam(self._engine.optimizer, self.module)
        from deepspeed.utils import safe_get_full_optimizer_state

        partitions = list(self._engine.optimizer.optimizer.state.values())
        if not partitions:
            return {"updates": torch.tensor(0.0)}
        state = {"updates": partitions[0]["step"]}
        for name, parameter in self.module.named_parameters():
            for key in ADAM_STATE:
                state[f"{key}.{name}"] = safe_get_full_optimizer_state(parameter, key)
        return state

    def load(self, weights: Mapping[str, Tensor], optimizer_state: Mapping[str, Tensor]) -> None:
        """See `Trained.load`; only before the first update."""
        self.module.load_state_dict(weights)
        if self._zero_stage == 0:
            write_adam(self._engine.optimizer, self.module, optimizer_state)
            return
        from deepspeed.utils import safe_set_full_optimizer_state

        zero = self._engine.optimizer
        zero.refresh_fp32_params()
        if len(optimizer_state) == 1:  # saved before its first update
            return
        for partition in zero.single_partition_of_fp32_groups:
            empty = {key: torch.zeros_like(partition) for key in ADAM_STATE}
            zero.optimizer.state[partition] = {"step": optimizer_state["updates"].clone(), **empty}
        # What DeepSpeed's first step would do: give each parameter the address of its part of the state.
        zero._lazy_init_hp_params_optimizer_state()
        for name, parameter in self.module.named_parameters():
            for key in ADAM_STATE:
                safe_set_full_optimizer_state(parameter, optimizer_state[f"{key}.{name}"].to(parameter.device), key)


def _settings(zero_stage: int, local_batch: int) -> dict[str, Any]:
    """DeepSpeed's configuration of one engine; a dictionary of its own each, because DeepSpeed changes it."""
    return {
        "train_micro_batch_size_per_gpu": local_batch,
        "gradient_accumulation_steps": 1,
        # Left out, it would be 1.0 and scale the discriminator's update down without a word.
        "gradient_clipping": 0.0,
        "zero_optimization": {"stage": zero_stage},
    }
