"""CUDA graphs: a function's kernels recorded once for each shape of its arguments, and started together afterwards.

A small network's hundreds of kernels are shorter than it takes to start them one by one.
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP_CALLS = 3
"""Calls before the recording, in which libraries choose algorithms and reserve memory; 3 as in PyTorch's manual."""
MOST_GRAPHS = 4
"""Shapes that are kept: whole batches and a last, smaller one, of one source or of one a frame."""

Shapes = tuple[torch.Size, ...]


def graphed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of CUDA tensors to one tensor, as graphs. The caller gets a copy of the result, which it may keep."""
    graphs: dict[Shapes, Graph] = {}

    def call(*arguments: Tensor) -> Tensor:
        shapes = tuple(argument.shape for argument in arguments)
        if shapes not in graphs:
            if len(graphs) == MOST_GRAPHS:
                graphs.pop(next(iter(graphs)))
            graphs[shapes] = Graph(function, arguments)
        return graphs[shapes](*arguments)

    return call


class Graph:
    """One recording. The arguments are copied into memory that the recording knows."""

    def __init__(self, function: Callable[..., Tensor], arguments: tuple[Tensor, ...]) -> None:
        device = arguments[0].device
        self._inputs = [argument.clone() for argument in arguments]
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_CALLS):
                function(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = function(*self._inputs)

    def __call__(self, *arguments: Tensor) -> Tensor:
        for kept, given in zip(self._inputs, arguments, strict=True):
            kept.copy_(given)
        self._graph.replay()
        return self._output.clone()
