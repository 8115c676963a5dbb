"""How fast a run is, measured between two of its records."""

import time

from liax.training.config import TrainConfig
from liax.training.flops import pair_flop, peak_flops
from liax.training.place import Place
from liax.training.records import Numbers


class Speed:
    """Counts steps and seconds on the leading worker.

    Args:
        config: of the run.
        place: of this worker; all workers are taken to have its kind of device.
    """

    def __init__(self, config: TrainConfig, place: Place) -> None:
        self._batch = config.batch
        self._flop_of_pair = {on: pair_flop(config, adversarial=on) if place.leads else 0.0 for on in (False, True)}
        peak = peak_flops(place.device, config.compute.dtype)
        self._peak = None if peak is None else peak * place.world_size
        self._steps, self._flop, self._since_s = 0, 0.0, time.monotonic()

    def step(self, *, adversarial: bool) -> None:
        """One more step is done, with or without the discriminator."""
        self._steps += 1
        self._flop += self._batch * self._flop_of_pair[adversarial]

    def numbers(self) -> Numbers:
        """Speeds since the last call; `mfu` only on devices whose peak is published."""
        now_s = time.monotonic()
        passed_s = max(now_s - self._since_s, 1e-9)
        flops = self._flop / passed_s
        numbers = {"speed/pairs_per_s": self._steps * self._batch / passed_s, "speed/tflops": flops / 1e12}
        if self._peak is not None:
            numbers["speed/mfu"] = flops / self._peak
        self._steps, self._flop, self._since_s = 0, 0.0, now_s
        return numbers
