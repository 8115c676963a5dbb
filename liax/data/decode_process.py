"""A process that decodes training pairs ahead, into memory that it shares with the training process.

Shapes: S steps that are held ready, N pairs, 2 of source and driving, H W pixels, C = 3 RGB.
"""

import ctypes
import math
import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.data.dataset import PairDataset
from liax.errors import LiaxError, ProcessDied
from liax.process import ending, watch_parent

_SPAWN = get_context("spawn")
"""Not forked: the parent runs threads (torch, Ray), whose locks a fork may copy while they are held."""
_END_WITHIN_S = 10.0
"""How long a process that has closed its pipe is waited for, to tell how it ended. Our choice: it is gone already."""


class SharedPairs:
    """A dataset as bytes that all processes of a worker read, so that it is written once and they start together."""

    def __init__(self, pairs: PairDataset) -> None:
        data = pickle.dumps(pairs, protocol=5)
        self.size_px = pairs.size_px
        self._bytes: Any = _SPAWN.RawArray(ctypes.c_ubyte, len(data))
        ctypes.memmove(self._bytes, data, len(data))

    def read(self) -> PairDataset:
        """As it was."""
        pairs = pickle.loads(memoryview(self._bytes))  # noqa: S301 - written by the parent a moment ago
        assert isinstance(pairs, PairDataset)
        return pairs


class DecodeProcess:
    """Reads the same places of every step, in order.

    Decoded pictures stay in memory that both processes see, of a fixed number of steps; a pipe says which are there and
    which are taken. (torch's DataLoader makes new shared memory for each step, or writes pictures through a pipe, and
    took a quarter more time than decoding alone; it also raises in whatever the main thread does when a process dies.)

    Args:
        pairs: read by position.
        starts: the steps' first positions.
        offsets: the places, from there.
        ahead: steps that are held ready.
    """

    def __init__(self, pairs: SharedPairs, starts: range, offsets: Sequence[int], ahead: int) -> None:
        shape = (ahead, len(offsets), 2, pairs.size_px, pairs.size_px, 3)
        memory = _SPAWN.RawArray(ctypes.c_ubyte, math.prod(shape))
        self._steps_SN2HWC = _view(memory, shape)
        self._taken = 0
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=_run,
            args=(pairs, memory, shape, starts, offsets, theirs, os.getpid()),
            name="decode-training-clips",
            daemon=True,
        )
        self._process.start()
        theirs.close()  # the child's end is then its own, and its death ends the pipe

    def take(self, source_NHWC: NDArray[np.uint8], driving_NHWC: NDArray[np.uint8]) -> int:
        """Copy the next step's pictures; return for how many pairs others stand in.

        Raises:
            LiaxError: what reading a pair raised in the process; ProcessDied if it was killed.
        """
        answer = self._receive()
        if isinstance(answer, LiaxError):
            raise answer
        pictures_N2HWC = self._steps_SN2HWC[self._taken % len(self._steps_SN2HWC)]
        source_NHWC[:], driving_NHWC[:] = pictures_N2HWC[:, 0], pictures_N2HWC[:, 1]
        self._taken += 1
        with suppress(ConnectionError):  # it has died since; what it has sent before is still good
            self._pipe.send(None)
        return answer

    def _receive(self) -> int | LiaxError:
        try:
            answer: int | LiaxError = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_END_WITHIN_S)
            raise ProcessDied(f"a process that decodes training clips {ending(self._process.exitcode)}") from None
        return answer

    def kill(self) -> None:
        """End it; `take`, where another thread waits in it, raises. It has nothing to lose."""
        self._process.kill()
        self._process.join()


def _view(memory: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(memory, np.uint8).reshape(shape)


def _run(
    shared: SharedPairs,
    memory: Any,
    shape: tuple[int, ...],
    starts: range,
    offsets: Sequence[int],
    pipe: Connection,
    parent: int,
) -> None:
    """The process: fill one step after the other, and wait where the parent has not taken an earlier one yet."""
    watch_parent(parent)
    # Ctrl-C and torchrun's SIGTERM go to the parent's group. It answers them, and may need pictures to save its step.
    os.setpgrp()
    one_thread()
    steps_SN2HWC, pairs = _view(memory, shape), shared.read()
    try:
        for index, start in enumerate(starts):
            if index >= len(steps_SN2HWC):
                pipe.recv()
            answer = _fill(steps_SN2HWC[index % len(steps_SN2HWC)], pairs, [start + offset for offset in offsets])
            pipe.send(answer)
            if isinstance(answer, LiaxError):
                break
        while True:
            pipe.recv()  # until the parent is done: what a process that has ended had sent may be lost
    except (EOFError, ConnectionError):  # the parent is gone
        pass


def _fill(pictures_N2HWC: NDArray[np.uint8], pairs: PairDataset, positions: Sequence[int]) -> int | LiaxError:
    """Read pairs; return how many have stand-ins. Hands errors over as values, which arrive as what they are."""
    try:
        return sum(pairs.read(position, *out) for position, out in zip(positions, pictures_N2HWC, strict=True))
    except LiaxError as error:
        return error


def one_thread() -> None:
    """Let this process decode in one thread: the processes are the parallelism."""
    cv2.setNumThreads(1)
