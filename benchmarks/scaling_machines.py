"""The machines that `benchmarks/scaling.py` reckons with. All of this is assumed, each number with its source.

Prices change; the command line of `benchmarks.scaling` takes others.
"""

from dataclasses import dataclass

from liax.model.discriminator import GROUP
from liax.training.flops import peak_of

BATCH = 64
"""Pairs of a step in all our configurations (LIA)."""
MFU = 0.3
"""Model FLOP utilisation of one GPU. Our assumption: no GPU was measured. `benchmarks/train_step.py` asks for 0.35 on
an H100 at 512 px; against it are few channels on large maps, and R1, which is computed in float32."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A kind of GPU in machines of eight. Published peaks, not measurements."""

    name: str
    memory_gib: float
    inside_bytes_per_s: float
    """NVLink of one GPU, in one direction."""
    between_bytes_per_s: float
    """The machine's network, in one direction."""
    between: str
    cores: int
    """Of the machine, as its seller counts them (threads)."""

    @property
    def peak_flops(self) -> float:
        """The published dense bfloat16 peak, from `liax.training.flops`."""
        peak = peak_of(self.name)
        assert peak is not None
        return peak


GPUS_A_MACHINE = 8
GPUS = {
    # NVIDIA A100 datasheet: NVLink 600 GB/s, both directions together. AWS EC2 P4: p4de.24xlarge, 400 Gb/s, 96 vCPUs.
    "A100": Gpu("A100", 79.0, 300e9, 50e9, "EFA, 400 Gb/s", 96),
    # NVIDIA H100 datasheet: NVLink 900 GB/s. AWS EC2 P5: p5.48xlarge, 3200 Gb/s, 192 vCPUs.
    "H100": Gpu("H100", 79.0, 450e9, 400e9, "EFA, 3200 Gb/s", 192),
}
"""What a card of 80 GB leaves to programs is our assumption; `liax train --plan` on one tells."""
ETHERNET_BYTES_PER_S = 12.5e9
"""One network card of 100 Gb/s, what NCCL uses over TCP in the image as it is (`infra/README.md`): no EFA plugin."""
CARD_GIB = {"80 GB": 79.0, "40 GB": 39.0, "24 GB": 22.0}
"""Cards by the name that is printed on them, and what of it programs can have. Our assumption, as above."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Some GPUs of one kind, in whole machines, and the batch that is divided among them."""

    gpu: Gpu
    workers: int
    batch: int

    @property
    def wire_bytes_per_s(self) -> float:
        """What carries a ring of all workers: each link of it has the same bytes, so the slowest counts."""
        inside, between = self.gpu.inside_bytes_per_s, self.gpu.between_bytes_per_s
        return inside if self.workers <= GPUS_A_MACHINE else min(inside, between)


FLEETS = (
    Fleet(GPUS["A100"], 8, BATCH),
    # With 64 pairs no more than 16 workers can be used, see `most_workers`.
    Fleet(GPUS["H100"], 64, 64 * GROUP),
)

PRICES_USD = {
    # AWS, "EC2 Capacity Blocks for ML pricing", rates valid until 2025-01-01, a GPU and hour: p4d.24xlarge $14.75 and
    # p5.48xlarge $39.33 for eight. p4d has cards of 40 GB, and the page has no price for those of 80 GB.
    "A100": 1.84,
    "H100": 4.92,
    # AWS EC2 on demand, us-east-1, early 2026: m7i.xlarge $0.2016 for 4 vCPUs; a third of it for spot, as
    # infra/aws/cluster.yaml reckons.
    "core": 0.0168,
    # AWS S3 pricing, us-east-1, Standard, early 2026.
    "put1000": 0.005,
    "get1000": 0.0004,
    "gb_month": 0.023,
}
"""US dollars: a GPU's or a core's hour, a thousand requests, a gigabyte's month. Our assumptions."""
S3_BYTES_PER_S = 250e6
"""What one process of one machine writes to S3. Our assumption, not measured: ten parts at once, boto3's own number."""
