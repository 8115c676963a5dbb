"""A network in training with DeepSpeed's ZeRO stages 0 to 3 behind the same calls as the plain engine."""

import logging
import math
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.training.adam import GuardedAdam
from liax.training.config import AdamConfig
from liax.training.engine import ADAM_STATE, read_adam, write_adam
from liax.training.place import LONGEST_WAIT, Place
from liax.training.recompute import recomputed_blocks

MOST_AT_ONCE = 50_000_000
"""Numbers that are sent in one piece: 200 MB of float32. Our choice, because DeepSpeed's 500 million would take 2 GB of
each GPU for each network, more than most of our networks have in all."""
LEAST_PARTED_SHARE = 1000
"""ZeRO 3 keeps parameters whole that are less than this part of the network: biases, mostly. Our choice, because
DeepSpeed's 100,000 numbers are all that a small network has."""
LIVE_SHARE = 8
"""ZeRO 3 holds about this part of the network whole at a time. Our choice, because DeepSpeed's thousand million numbers
are all that any of our networks has."""


def start_deepspeed(place: Place) -> None:
    """Let DeepSpeed use the process group that exists. Every worker calls it once, before it makes a network."""
    os.environ["DS_ACCELERATOR"] = place.device.type
    # DeepSpeed's autotuner, which is not used here, would load MLflow if it can: most of the import's time.
    with _hidden("mlflow"):
        import deepspeed
    from deepspeed.utils import logger

    logger.setLevel(logging.WARNING)
    logger.addFilter(_worth_saying)
    # DeepSpeed calls functions of PyTorch that have new names.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed\.c10d_logger")
    # DeepSpeed would compile its shared-memory collectives, which serve inference only: half a minute of start-up where
    # there is a C++ compiler, and an error where there is half of one.
    deepspeed.ops.__compatible_ops__ = {}
    # DeepSpeed makes groups of its own without a limit, and NCCL's is shorter than the leading worker may write for.
    torch.distributed.distributed_c10d.default_pg_nccl_timeout = LONGEST_WAIT
    deepspeed.init_distributed(dist_backend=torch.distributed.get_backend(), auto_mpi_discovery=False)


def _worth_saying(record: logging.LogRecord) -> bool:
    return "untested optimizer" not in record.getMessage()  # GuardedAdam is torch's Adam


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
        zero_stage: 0 to 3; at most 1 for a network that is called as `.module`, past its engine.
        place: of this worker.
        micro_batch_pairs: pairs of a micro-batch.
        micro_batches: of an update.
    """

    def __init__(
        self,
        module: nn.Module,
        config: AdamConfig,
        zero_stage: int,
        place: Place,
        micro_batch_pairs: int,
        micro_batches: int = 1,
    ) -> None:
        import deepspeed

        self.module, self._zero_stage, self._place = module, zero_stage, place
        self._under_autocast = _UnderAutocast(module)
        self._adam = GuardedAdam(module.parameters(), config, place, partitioned=zero_stage > 0)
        count = sum(parameter.numel() for parameter in module.parameters())
        self._engine, *_ = deepspeed.initialize(
            model=self._under_autocast,
            optimizer=self._adam,
            config=_settings(zero_stage, count, micro_batch_pairs, micro_batches),
        )
        if zero_stage == 3:
            _hold_while_recomputed(module)

    def __call__(self, *inputs: Tensor) -> Any:
        with self._under_autocast.as_around(self._place.device.type):
            return self._engine(*inputs)

    def micro_batch(self, *, last: bool) -> AbstractContextManager[None]:
        # Told so, DeepSpeed leaves its own count of micro-batches alone, and `step` need be called at the last only.
        self._engine.set_gradient_accumulation_boundary(last)
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        self._engine.backward(loss)  # divides by the number of micro-batches

    def step(self) -> float:
        # Stage 3 looks for itself whether the gradient is finite, and does not call the optimiser if it is not.
        self._adam.gradient_norm = math.nan
        self._engine.step()
        return self._adam.gradient_norm

    @contextmanager
    def gathered(self, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
        if self._zero_stage < 3:
            yield
            return
        import deepspeed

        with deepspeed.zero.GatheredParameters(list(parameters)):
            yield

    def weights(self) -> dict[str, Tensor]:
        if self._zero_stage < 3:
            return self.module.state_dict()
        whole: dict[str, Tensor] = {}
        for name, tensor in self.module.state_dict(keep_vars=True).items():
            with self.gathered([tensor]):
                if self._place.leads:  # on the CPU, where there is room for it
                    whole[name] = tensor.detach().to("cpu", copy=True)
        return whole

    def optimizer_state(self) -> dict[str, Tensor]:
        if self._zero_stage == 0:
            return read_adam(self._adam, self.module)
        from deepspeed.utils import safe_get_full_optimizer_state

        if not self._adam.state:
            return {"updates": torch.tensor(0.0)}
        (partition,) = self._adam.state.values()
        state = {"updates": partition["step"]}
        for name, parameter in self.module.named_parameters():
            for key in ADAM_STATE:
                whole = safe_get_full_optimizer_state(parameter, key)
                if self._place.leads:
                    state[f"{key}.{name}"] = whole.cpu()
        return state

    def load(self, weights: Mapping[str, Tensor], optimizer_state: Mapping[str, Tensor]) -> None:
        if self._zero_stage == 3:
            self._load_parts(weights)
        else:
            self.module.load_state_dict(weights)
        if self._zero_stage == 0:
            write_adam(self._adam, self.module, optimizer_state)
            return
        zero = self._engine.optimizer
        zero.refresh_fp32_params()
        if len(optimizer_state) == 1:  # saved before its first update
            return
        (partition,) = (
            zero.fp32_partitioned_groups_flat if self._zero_stage == 3 else zero.single_partition_of_fp32_groups
        )
        empty = {key: torch.zeros_like(partition) for key in ADAM_STATE}
        self._adam.state[partition] = {"step": optimizer_state["updates"].clone(), **empty}
        if self._zero_stage < 3:
            # What DeepSpeed's first step would do: give each parameter the address of its part of the state.
            zero._lazy_init_hp_params_optimizer_state()
        for name, parameter in self.module.named_parameters():
            for key in ADAM_STATE:
                self._load_state(parameter, key, optimizer_state[f"{key}.{name}"])

    def _load_parts(self, weights: Mapping[str, Tensor]) -> None:
        """Give each worker its part of the weights."""
        import deepspeed

        for name, tensor in self.module.state_dict(keep_vars=True).items():
            with deepspeed.zero.GatheredParameters([tensor], modifier_rank=0), torch.no_grad():
                tensor.copy_(weights[name])

    def _load_state(self, parameter: nn.Parameter, key: str, whole: Tensor) -> None:
        """Keep this worker's part of one parameter's state."""
        from deepspeed.utils import safe_set_full_optimizer_state, safe_set_local_optimizer_state

        if self._zero_stage < 3:
            safe_set_full_optimizer_state(parameter, whole.to(parameter.device), key)
            return
        # `safe_set_full_optimizer_state` cannot divide what the number of workers does not divide.
        part: int = parameter.partition_numel()  # type: ignore[attr-defined]  # DeepSpeed's
        padded = functional.pad(whole.flatten(), (0, part * self._place.world_size - whole.numel()))
        mine = padded[part * self._place.rank :][:part]
        safe_set_local_optimizer_state(parameter, mine.to(self._place.device), key)


class _UnderAutocast(nn.Module):
    """Runs a network under the autocast of whoever called the engine: DeepSpeed turns a foreign one off."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._autocast: AbstractContextManager[Any] = nullcontext()

    @contextmanager
    def as_around(self, device: str) -> Iterator[None]:
        """Hide the present autocast from DeepSpeed, and bring it back round the network."""
        dtype, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
        self._autocast = torch.autocast(device, dtype=dtype, enabled=enabled)
        with torch.autocast(device, enabled=False):
            yield

    def forward(self, *inputs: Tensor) -> Any:
        with self._autocast:
            return self.network(*inputs)


def _hold_while_recomputed(network: nn.Module) -> None:
    """Let ZeRO 3 gather a recomputed block's weights together, and free them after its backward pass.

    It would else free each layer's when the layer has been computed again, though the layer's backward pass, for which
    it had gathered them, is still to come.
    """
    import deepspeed

    for block in recomputed_blocks(network):
        for parameter in block.parameters():
            deepspeed.zero.register_external_parameter(block, parameter)


def _settings(zero_stage: int, parameters: int, micro_batch_pairs: int, micro_batches: int) -> dict[str, Any]:
    """DeepSpeed's configuration of one engine; a dictionary of its own each, because DeepSpeed changes it."""
    zero: dict[str, Any] = {"stage": zero_stage, "reduce_bucket_size": min(parameters, MOST_AT_ONCE)}
    if zero_stage in (1, 2):
        zero["compute_grad_norm"] = False  # GuardedAdam does
    if zero_stage == 3:
        live = max(1, parameters // LIVE_SHARE)
        zero |= {
            # All parameters in one group: the optimiser is called once for each, and the guard in it decides by what
            # it sees in one call.
            "sub_group_size": parameters,
            "stage3_param_persistence_threshold": parameters // LEAST_PARTED_SHARE,
            "stage3_max_live_parameters": live,
            "stage3_max_reuse_distance": live,
            "stage3_prefetch_bucket_size": min(live, MOST_AT_ONCE),
        }
    return {
        "train_micro_batch_size_per_gpu": micro_batch_pairs,
        "gradient_accumulation_steps": micro_batches,
        # Left out, it would be 1.0 and scale the discriminator's update down without a word.
        "gradient_clipping": 0.0,
        "zero_allow_untested_optimizer": True,  # see `_worth_saying`
        "zero_optimization": zero,
    }
