"""Scale on paper: the document is what the program prints, and what the program reckons with agrees with other ways."""

from typing import Any

import pytest

from benchmarks import preprocess_driver, scaling, scaling_tables
from benchmarks.scaling_machines import (
    BATCH,
    CARD_GIB,
    ETHERNET_BYTES_PER_S,
    GPUS,
    MFU,
    PRICES_USD,
    Fleet,
)
from benchmarks.scaling_model import (
    NETWORKS,
    Assumptions,
    Collectives,
    Network,
    Sizes,
    checkpoint_bytes,
    choose,
    least_pairs,
    most_workers,
    step_collectives,
    step_of,
)
from benchmarks.scaling_preprocess import Corpus, core_hours, planning_s, preprocessing, requests
from benchmarks.scaling_results import DriverMeasured, Measured, read_measured
from liax.errors import UserError, run_main
from liax.model.discriminator import Discriminator
from liax.model.network import LiaX
from liax.training.plan import plan
from liax.training.share import usable_workers
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "scaling.md"
SIZES = Sizes(generator=1000, encoder=300, discriminator=200)
BASE = Network("base", 256)
ASSUMED = Assumptions(MFU, PRICES_USD, 1.0, {})


@pytest.fixture(scope="module")
def measured() -> Measured:
    return read_measured(scaling.RESULTS)


# The document


def test_the_documents_tables_are_what_the_program_prints(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCUMENT.read_text()
    assert scaling.filled(text, measured, ASSUMED) == text, "run `python -m benchmarks.scaling --write docs/scaling.md`"
    assert run_main(scaling.main, []) == 0
    printed = capsys.readouterr().out
    for line in text.splitlines():
        assert not line.startswith("| ") or line in printed


def test_what_the_document_says_in_words_is_in_its_tables(measured: Measured) -> None:
    text = " ".join(DOCUMENT.read_text().split())
    large, fleet = Network("large", 512), Fleet(GPUS["A100"], 8, BATCH)
    weeks = 94e6 / (BATCH / step_of(large, fleet, MFU, 1).total_s) / 86400 / 7
    slowest = core_hours(94_000_000, measured.preprocess_frames_per_s["1080p"])
    pairs = least_pairs(large, GPUS["H100"], MFU, ETHERNET_BYTES_PER_S, scaling_tables.MOST_WIRE_SHARE)
    assert round(weeks) == 6
    assert "94 M pairs are six weeks on 8 A100" in text
    assert f"needs {large.pair_flop() / 1e12:.0f} TFLOP a pair" in text
    assert f"some {round(slowest, -2):.0f} core-hours at most, a day of {slowest / 24:.0f} cores" in text
    assert f"compute {pairs} pairs on each H100" in text
    assert f"{measured.loader_pairs_per_s} pairs a second and core" in text
    assert (most_workers(64), most_workers(256)) == (16, 64)
    assert all(choose(network, CARD_GIB["80 GB"]).stage is None for network in NETWORKS)  # type: ignore[union-attr]


def test_a_document_with_a_table_missing_twice_or_unknown_is_refused(measured: Measured) -> None:
    text = DOCUMENT.read_text()
    for wrong in (
        text.replace("<!-- table: runs -->", ""),
        text.replace("<!-- table: runs -->", "<!-- table: rnus -->"),
        text.replace("<!-- table: runs -->", "<!-- table: traffic -->"),
    ):
        with pytest.raises(UserError, match="runs"):
            scaling.filled(wrong, measured, ASSUMED)


# Bytes on the wire


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
@pytest.mark.parametrize("micro_batches", [1, 4])
def test_sent_bytes_are_those_of_the_published_formulas(workers: int, micro_batches: int) -> None:
    part = (workers - 1) / workers
    reduce, gather = 2 * part * 4, part * 4  # bytes sent for a number: all-reduce; all-gather or reduce-scatter
    d = 200 * (1 + 1 / 16)
    wanted: dict[int | None, float] = {
        None: reduce * (1000 + d),
        0: reduce * (1000 + d),
        1: (reduce + gather) * (1000 + d),
        2: reduce * (1000 * micro_batches + d) + gather * (1000 + d),
        3: (reduce + gather) * d + gather * (3 * 1000 * micro_batches + 2 * 300 * micro_batches + 1000),
    }
    for stage, sent_bytes in wanted.items():
        found = step_collectives(SIZES, stage, micro_batches, 1 / 16).sent_bytes(workers)
        assert found == pytest.approx(sent_bytes)


def test_a_ring_of_workers_sends_so_many_bytes() -> None:
    """All-reduce played: chunks go round, added up in N − 1 hops, then handed on in N − 1 hops."""
    workers, numbers = 4, 400
    held = [[float(rank)] * numbers for rank in range(workers)]
    chunk, sent = numbers // workers, 0
    for hop in range(2 * (workers - 1)):
        moved = [((rank - hop) % workers, rank) for rank in range(workers)]
        pieces = [held[rank][piece * chunk : (piece + 1) * chunk] for piece, rank in moved]
        for (piece, rank), values in zip(moved, pieces, strict=True):
            to = held[(rank + 1) % workers]
            span = slice(piece * chunk, (piece + 1) * chunk)
            adds = hop < workers - 1
            to[span] = [a + b for a, b in zip(to[span], values, strict=True)] if adds else values
            sent += len(values) * 4 if rank == 0 else 0
    assert all(values == [6.0] * numbers for values in held)
    assert sent == Collectives(numbers, 0, 0).sent_bytes(workers)


def test_one_worker_sends_nothing_and_more_send_more() -> None:
    for stage in (None, 1, 2, 3):
        one = step_collectives(SIZES, stage, 2, 1 / 16)
        sent = [one.sent_bytes(workers) for workers in (1, 2, 4, 8, 64)]
        assert sent[0] == 0
        assert sent == sorted(set(sent))
    by_stage = [step_collectives(SIZES, stage, 2, 1 / 16).sent_bytes(8) for stage in (None, 1, 2, 3)]
    assert by_stage == sorted(by_stage)


# Counts


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: f"{network.preset}-{network.size_px}")
def test_sizes_and_checkpoints_are_those_of_the_networks(network: Network) -> None:
    import torch

    choice = network.config().model
    with torch.device("meta"):
        generator, judging = LiaX(choice.generator()), Discriminator(choice.discriminator())
    sizes = network.sizes()
    assert sizes.generator == sum(weight.numel() for weight in generator.parameters())
    assert sizes.discriminator == sum(weight.numel() for weight in judging.parameters())
    assert 0 < sizes.encoder < sizes.generator
    assert checkpoint_bytes(network) == 16 * sizes.generator + 12 * sizes.discriminator


def test_flops_grow_with_preset_and_size() -> None:
    flops = {(network.preset, network.size_px): network.pair_flop() for network in NETWORKS}
    for preset in ("base", "middle", "large"):
        # Four times the pixels at the same widths, but for the layers of few pixels.
        assert flops[preset, 512] / flops[preset, 256] == pytest.approx(4, rel=0.02)
    for size_px in (256, 512):
        assert flops["base", size_px] < flops["middle", size_px] < flops["large", size_px]
    # VGG-19's 16 convolutions at 224 px are 19.5 G multiplications (Simonyan & Zisserman 2015): the base network's
    # pair cannot take less than three passes of them at its own size.
    assert flops["base", 256] > 3 * 2 * 19.5e9 * (256 / 224) ** 2


@pytest.mark.parametrize("stage", [None, 1, 2, 3])
def test_memory_is_what_plan_prints(stage: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")  # compared with no machine
    config = BASE.config(8)
    name = "plain" if stage is None else f"ZeRO {stage}"
    (line,) = (line for line in plan(config).splitlines() if line.startswith(f"{name} "))
    assert line.split()[-2] == f"{BASE.memory(config, stage).total / 2**30:.2f}"


def test_a_larger_card_never_needs_a_dearer_choice() -> None:
    from benchmarks.scaling_model import ORDER

    for network in NETWORKS:
        ranks = []
        for gib in sorted(CARD_GIB.values()):
            choice = choose(network, gib)
            assert choice is None or choice.total_bytes <= gib * 2**30
            ranks.append(len(ORDER) if choice is None else ORDER.index((choice.stage, choice.recompute)))
        assert ranks == sorted(ranks, reverse=True)
    assert choose(BASE, 0.5) is None


def test_the_batch_limits_the_workers_as_training_does() -> None:
    for batch in (64, 128, 256):
        assert usable_workers(batch, 10_000) == most_workers(batch)


# Times


def test_a_step_is_the_longer_the_less_there_is_to_do_it_with() -> None:
    h100 = Fleet(GPUS["H100"], 8, BATCH)
    step = step_of(BASE, h100, 0.3, None)
    assert step.total_s == step.compute_s + step.wire_s
    assert step_of(BASE, h100, 0.6, None).compute_s == pytest.approx(step.compute_s / 2)
    assert step_of(BASE, Fleet(GPUS["A100"], 8, BATCH), 0.3, None).total_s > step.total_s
    assert step_of(BASE, Fleet(GPUS["H100"], 16, BATCH), 0.3, None).compute_s == pytest.approx(step.compute_s / 2)
    # A second machine's network is slower than what is inside one.
    two = step_of(BASE, Fleet(GPUS["A100"], 16, 2 * BATCH), 0.3, None)
    one = step_of(BASE, Fleet(GPUS["A100"], 8, BATCH), 0.3, None)
    assert two.wire_s > one.wire_s * 300 / 50
    assert step_of(BASE, Fleet(GPUS["H100"], 1, 4), 0.3, None).wire_share == 0


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_with_so_many_pairs_the_wire_takes_its_share_and_with_fewer_more(gpu: Any) -> None:
    for network in NETWORKS:
        pairs = least_pairs(network, gpu, 0.3, ETHERNET_BYTES_PER_S, 0.1)
        assert pairs % 4 == 0
        pair_s = network.pair_flop() / (gpu.peak_flops * 0.3)
        sizes, passes = network.sizes(), 2 if network.stage is None else 3
        wire_s = 4 * passes * (sizes.generator + sizes.discriminator * 17 / 16) / ETHERNET_BYTES_PER_S
        assert wire_s / (wire_s + pairs * pair_s) <= 0.1
        if pairs > 4:
            assert wire_s / (wire_s + (pairs - 4) * pair_s) > 0.1


def test_core_hours_are_those_of_the_benchmarks_own_report(measured: Measured) -> None:
    """It states them for 94 M frames, rounded and from unrounded rates."""
    said = (scaling.RESULTS / "preprocess-cpu.md").read_text()
    for videos, hours in (("1080p", 892), ("512 px", 431), ("corpus", 559)):
        assert f"{hours}" in said
        assert core_hours(94_000_000, measured.preprocess_frames_per_s[videos]) == pytest.approx(hours, rel=0.005)


def test_prices_and_kept_shares_change_what_they_say(measured: Measured) -> None:
    dear = Assumptions(MFU, PRICES_USD | {"core": 2 * PRICES_USD["core"]}, 0.5, {})
    cheap, costly = (preprocessing(measured, one).splitlines()[2:] for one in (ASSUMED, dear))
    for one, other in zip(cheap, costly, strict=True):
        hours = [float(line.split(" | ")[2].replace(",", "")) for line in (one, other)]
        assert hours[1] == pytest.approx(2 * hours[0], abs=1.5)
        dollars = [float(line.split("$")[1].rstrip(" |")) for line in (one, other)]
        assert dollars[1] == pytest.approx(4 * dollars[0], abs=3)


def test_requests_grow_with_what_there_is() -> None:
    none, one, more = (
        requests(Corpus(videos, 100, videos), shards, 2**28) for videos, shards in ((0, 0), (1, 1), (9, 2))
    )
    assert (none.put, none.get) == (0, 0)
    assert one.put < more.put
    assert one.get < more.get
    small, large = (requests(Corpus(1, 100, 1, size), 1, 2**28) for size in (8 * 2**20, 8 * 2**20 + 1))
    assert large.get == small.get + 3


def test_planning_goes_through_what_was_measured_and_grows_faster_than_the_clips() -> None:
    few, many = (DriverMeasured(clips, 3000, 20_000, 2e-4 * clips + 1e-8 * clips**2) for clips in (16_000, 32_000))
    for one in (few, many):
        assert planning_s(few, many, one.clips) == pytest.approx(one.planning_s)
    assert planning_s(few, many, 500_000) == pytest.approx(100 + 2500)
    # Measured on a busy machine, the larger number may seem the quicker one a clip: then it is a straight line.
    assert planning_s(few, DriverMeasured(32_000, 3000, 20_000, few.planning_s), 64_000) == 2 * few.planning_s


def test_the_drivers_clips_are_all_planned() -> None:
    clips, record_kib, _, *seconds = preprocess_driver.measure(40)
    assert clips == "40"
    assert 2 < float(record_kib) < 10
    assert all(float(one) >= 0 for one in seconds)
