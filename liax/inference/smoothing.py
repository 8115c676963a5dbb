"""A Gaussian mean over time of a stream, without lag.

Legend: X any shape.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from liax.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

REACH = 3.0
"""Standard deviations to either side that count; what lies beyond weighs 1 % of the middle, or less."""

LONGEST_S = 0.5
"""Largest standard deviation. Our choice: a longer one erases speech, and every frame has to wait for more others."""


def check_smoothing(sigma_s: float) -> None:
    """Raise UserError unless `gaussian` can have this standard deviation in seconds."""
    if not 0 <= sigma_s <= LONGEST_S:
        raise UserError(f"a smoothing over {sigma_s:g} s cannot be done: give 0 (none) to {LONGEST_S} s; 0.04 is usual")


def gaussian(sigma_s: float, fps: float) -> list[float]:
    """Weights of the frames at distance 0, 1, … r from a frame: w_k ∝ exp(-k² / 2(sigma_s·fps)²), w_0 + 2Σw_k = 1.

    Noise of standard deviation n that is independent from frame to frame becomes n·√(w_0² + 2Σw_k²); noise that
    alternates, ±n, becomes n·|w_0 + 2Σ(-1)^k w_k|.

    Args:
        sigma_s: standard deviation in seconds; 0 gives [1].
        fps: frames a second.

    Raises:
        UserError: as `check_smoothing`.
    """
    check_smoothing(sigma_s)
    sigma = sigma_s * fps
    reach = math.floor(REACH * sigma)
    raw = [1.0, *(math.exp(-0.5 * (k / sigma) ** 2) for k in range(1, reach + 1))]
    whole = raw[0] + 2 * sum(raw[1:])
    return [weight / whole for weight in raw]


def smoothed(values: "Iterable[Tensor]", weights: Sequence[float]) -> "Iterator[Tensor]":
    """Each value's weighted mean with as many values before as after it, so that steady motion is not changed.

    Near the ends the window is narrower: the first and the last value stay as they are.

    Args:
        values: tensors X of one shape, frame by frame.
        weights: of the distances 0…r, from `gaussian`.

    Yields:
        One tensor X for each value, when r more were taken or the stream has ended; at most 2r + 1 are held.
    """
    reach = len(weights) - 1
    window: list[Tensor] = []
    place = 0  # of the next value to yield, in the window

    for value in values:
        window.append(value)
        if len(window) > place + reach:
            yield _mean(window, place, min(place, reach), weights)
            if place < reach:
                place += 1
            else:
                window.pop(0)
    for rest in range(place, len(window)):
        yield _mean(window, rest, min(rest, len(window) - 1 - rest), weights)


def _mean(window: "list[Tensor]", place: int, reach: int, weights: Sequence[float]) -> "Tensor":
    total = weights[0] * window[place]
    for k in range(1, reach + 1):
        total = total + weights[k] * (window[place - k] + window[place + k])
    return total / (weights[0] + 2 * sum(weights[1 : reach + 1]))
