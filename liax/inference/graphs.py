"""CUDA graphs: a function's kernels recorded once for each shape of its arguments, and started together afterwards.

A small network's hundreds of kernels are shorter than it takes to start them one by one.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM_UP_CALLS = 3
"""Calls before the recording, in which libraries choose algorithms and reserve memory; 3 as in PyTorch's manual."""

Call = Callable[..., Tensor]


def graphed(function: Call) -> Call:
    """A function of CUDA tensors to one tensor, from recordings. The caller owns the result.

    Calls from several threads wait for one another, because a recording has one place for its arguments and its result.
    """
    graphs: dict[tuple[torch.Size, ...], Graph] = {}
    pool: list[Any] = []  # one for all recordings; PyTorch has no public name for its type
    lock = threading.Lock()

    def call(*arguments: Tensor) -> Tensor:
        shapes = tuple(argument.shape for argument in arguments)
        with lock:
            if shapes not in graphs:
                pool[:] = pool or [torch.cuda.graph_pool_handle()]
                graphs[shapes] = Graph(function, arguments, pool[0])
            return graphs[shapes](*arguments)

    return call


class Graph:
    """One recording. The arguments are copied into memory that the recording knows; the result is copied out."""

    def __init__(self, function: Call, arguments: tuple[Tensor, ...], pool: Any) -> None:
        device = arguments[0].device
        self._inputs = [argument.clone() for argument in arguments]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP_CALLS):
                    function(*self._inputs)
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(self._graph, pool=pool, stream=side, capture_error_mode="thread_local"):
                self._output = function(*self._inputs)

    def __call__(self, *arguments: Tensor) -> Tensor:
        for kept, given in zip(self._inputs, arguments, strict=True):
            kept.copy_(given)
        with torch.cuda.device(self._output.device):
            self._graph.replay()
        return self._output.clone()
