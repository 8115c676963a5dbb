"""One training step on tensors that have shapes and no memory: how much the real one will hold, and compute.

The step's own functions run in PyTorch's fake mode, forward only: what a phase holds is most when its forward pass is
done, for then everything is there that the backward pass will use and free. (With recomputation that is not so; then
the generator's backward pass is run too.)
"""

import hashlib
import json
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

import liax
from liax import storage
from liax.config import Config, build, config_id
from liax.data.batch import PairBatch
from liax.errors import LiaxError
from liax.inference.precision import choose_dtype
from liax.losses.perceptual import PerceptualLoss
from liax.losses.total import LossConfig
from liax.losses.vgg import Vgg19
from liax.model.discriminator import Discriminator
from liax.model.layers import at_least_float32
from liax.model.network import LiaX
from liax.training.config import TrainConfig
from liax.training.engine import PlainTrained
from liax.training.place import alone
from liax.training.step import Objective, Phases, discriminator_step, generator_step, r1_step
from liax.weights import cache_folder


class StepCosts(Config):
    """What one micro-batch takes on one worker, beside weights and what the optimiser keeps of them."""

    pairs: int
    """Of the micro-batch."""
    generator_parameters: int
    discriminator_parameters: int
    constant_bytes: int
    """The networks' buffers and the perceptual network's weights."""
    generator_bytes: int
    """Most that Gmain holds at once: maps kept for the backward pass, and what is computed from them."""
    discriminator_bytes: int
    """Most that Dmain holds at once."""
    r1_bytes: int
    """Most that Dr1 holds at once; 0 where there is none."""
    generator_flop: int
    """Of the generator's forward pass. A multiplication and an addition are two; sampling and QR are not counted."""
    perceptual_flop: int
    """Of the perceptual network's forward passes, for result and driving picture."""
    discriminator_flop: int
    """Of the discriminator's forward pass, once."""


def step_costs(config: TrainConfig, pairs: int) -> StepCosts:
    """`dry_step`, whose result is kept in the cache of weight files: the driver and its workers ask in turn."""
    what = {
        "network": config.model.generator().model_dump(mode="json"),
        "discriminator_width": config.model.discriminator_width,
        "perceptual": config.loss.perceptual,
        "r1": config.loss.r1_gamma > 0,
        "dtype": str(dtype_of(config)),
        "device": config.device,
        "recompute": config.compute.recompute,
        "pairs": pairs,
        "torch": torch.__version__,
        "code": _code(),
    }
    file = str(cache_folder() / "steps" / f"{config_id(what)}.json")
    if storage.exists(file):
        return build(StepCosts, json.loads(storage.read_bytes(file)), file)
    costs = dry_step(config, pairs)
    with suppress(LiaxError):  # a cache that cannot be written saves no time, and that is all
        storage.write_bytes(file, costs.model_dump_json().encode())
    return costs


def _code() -> str:
    """Names the sources that decide what a step costs."""
    package = Path(liax.__file__).parent
    files = sorted([*package.glob("model/*.py"), *package.glob("losses/*.py"), *package.glob("training/*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def dry_step(config: TrainConfig, pairs: int) -> StepCosts:
    """Go through a step with every term, without computing anything. Takes a second or a few.

    Args:
        config: of the run; its device need not be here.
        pairs: of a micro-batch.

    Raises:
        UserError: an unknown network, or one that cannot be.
    """
    with FakeTensorMode():
        return _costs(config, pairs)


def _costs(config: TrainConfig, pairs: int) -> StepCosts:
    layout, compared = config.model.generator(), _perceptual(config.loss)
    generator, discriminator = _networks(config)
    networks = [generator.module, discriminator.module]
    source, driving = (torch.empty(pairs, 3, layout.size_px, layout.size_px) for _ in range(2))
    batch, now = PairBatch(source=source, driving=driving), Phases(adversarial=True, r1=config.loss.r1_gamma > 0)
    objective = Objective(config.loss, step=config.steps, perceptual=compared, dtype=dtype_of(config))
    known = [source, driving, *_tensors([*networks, *([] if compared is None else [compared])])]
    with Meter(known) as for_g:
        generator_step(generator, discriminator, [batch], objective, now)
    with Meter(known) as for_d:
        discriminator_step(discriminator, [driving], [source], objective)
    with Meter(known) as for_r1:
        if now.r1:
            r1_step(discriminator, [driving], objective)
    with torch.no_grad(), Meter(known) as for_perceptual:
        if compared is not None:
            compared(source, driving)
    judging_flop = for_d.flop // 2  # of a real and a generated picture
    generator_flop = for_g.flop - judging_flop - for_perceptual.flop
    if generator.runs_backward:
        with torch.no_grad(), Meter(known) as for_forward:
            generator(source, driving)
        generator_flop = for_forward.flop
    constants = [buffer for network in networks for buffer in network.buffers()]
    constants += [] if compared is None else _tensors([compared])
    return StepCosts(
        pairs=pairs,
        generator_parameters=sum(parameter.numel() for parameter in generator.module.parameters()),
        discriminator_parameters=sum(parameter.numel() for parameter in discriminator.module.parameters()),
        constant_bytes=sum(tensor.nbytes for tensor in constants),
        generator_bytes=for_g.peak_bytes,
        discriminator_bytes=for_d.peak_bytes,
        r1_bytes=for_r1.peak_bytes,
        generator_flop=generator_flop,
        perceptual_flop=for_perceptual.flop,
        discriminator_flop=judging_flop,
    )


def dtype_of(config: TrainConfig) -> torch.dtype:
    """The precision of convolutions; `auto` for a GPU that is not here is taken to be bfloat16."""
    if config.device == "cuda" and config.compute.dtype == "auto":
        return torch.bfloat16
    return choose_dtype(config.compute.dtype, "cpu")


class Meter(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make and something still holds, at their peak, and FLOPs.

    Args:
        known: tensors that do not count; neither do views of them.
    """

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.now_bytes = self.peak_bytes = self.flop = 0
        # Storages and not tensors, for views and in-place results share one.
        self._seen: dict[int, object] = {id(s): s for s in (tensor.untyped_storage() for tensor in known)}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flop += formula(*args, **(kwargs or {}), out_val=result)
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size_bytes = id(storage), storage.nbytes()
        if key in self._seen:
            return

        def gone(_: object) -> None:
            del self._seen[key]
            self.now_bytes -= size_bytes

        self._seen[key] = weakref.ref(storage, gone)
        self.now_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)


class _Forward(PlainTrained):
    """A network whose updates are left out, and its backward passes too, unless `runs_backward`."""

    runs_backward = False

    def backward(self, loss: Tensor) -> None:
        if self.runs_backward:
            super().backward(loss)

    def step(self) -> float:
        return 0.0


def _networks(config: TrainConfig) -> tuple[_Forward, _Forward]:
    network, judging = LiaX(config.model.generator()), Discriminator(config.model.discriminator())
    if config.device == "cuda":
        _normalise_in_float32(network)
    generator = _Forward(network, config.optimizer.generator, alone(), called_directly=True)
    if config.compute.recompute:
        from liax.training.recompute import recompute_blocks

        recompute_blocks(network)
        generator.runs_backward = True
    return generator, _Forward(judging, config.discriminator_adam(), alone(), called_directly=False)


def _normalise_in_float32(network: nn.Module) -> None:
    """Do what a GPU's autocast does with group norms, and a CPU's does not; else they keep the same maps."""
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(lambda _, inputs: (at_least_float32(inputs[0]),))


def _perceptual(config: LossConfig) -> nn.Module | None:
    """The perceptual network with any weights: their file need not be here."""
    if config.perceptual == "none":
        return None
    return PerceptualLoss(Vgg19())


def _tensors(modules: Iterable[nn.Module]) -> list[Tensor]:
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
