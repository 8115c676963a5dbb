"""The state of every random generator, as tensors. Training draws nothing; what a user adds to it may."""

import math
import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, distributed

from liax.training.place import Place

_PYTHON_VERSION = 3
"""Of the state of Python's generator, since Python 3.2."""


def random_state(device: torch.device) -> dict[str, Tensor]:
    """PyTorch's generators (the CPU's, and the GPU's where there is one), NumPy's global one and Python's."""
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict)
    numpy_words = [*numpy_state["state"]["key"].tolist(), numpy_state["state"]["pos"], numpy_state["has_gauss"]]
    _, words, python_gauss = random.getstate()
    # The second of a pair of normal numbers, which is drawn with the first; Python has none, or one.
    gauss = [numpy_state["gauss"], math.nan if python_gauss is None else python_gauss]
    state = {
        "torch": torch.get_rng_state(),
        "numpy": torch.tensor(numpy_words),
        "python": torch.tensor(words),
        "gauss": torch.tensor(gauss, dtype=torch.float64),
    }
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Continue from what `random_state` returned."""
    gauss, python_gauss = state["gauss"].tolist()
    *keys, position, has_gauss = state["numpy"].tolist()
    torch.set_rng_state(state["torch"].clone())
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    words = tuple(state["python"].tolist())
    random.setstate((_PYTHON_VERSION, words, None if math.isnan(python_gauss) else python_gauss))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].clone(), device)


def all_random_states(place: Place) -> dict[str, Tensor]:
    """Every worker's state, by `<rank>.<name>`. Every worker must call it."""
    own = random_state(place.device)
    states = [own]
    if place.world_size > 1:
        packed = torch.cat([tensor.view(torch.uint8) for tensor in own.values()]).to(place.device)
        everyones = [torch.empty_like(packed) for _ in range(place.world_size)]
        distributed.all_gather(everyones, packed)
        sizes = [tensor.nbytes for tensor in own.values()]
        states = [
            {
                name: part.clone().view(own[name].dtype)
                for name, part in zip(own, worker.cpu().split(sizes), strict=True)
            }
            for worker in everyones
        ]
    return {f"{rank}.{name}": tensor for rank, state in enumerate(states) for name, tensor in state.items()}
