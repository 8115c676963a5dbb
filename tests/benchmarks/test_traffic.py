"""What training steps send between workers: counted in real steps, and what scale on paper reckons with."""

from dataclasses import replace

import pytest

from benchmarks.scaling_model import Collectives
from benchmarks.traffic import Case, Counted, agrees, count, expected

# Four engines are started and their steps noted before the first test.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

CASES = (Case("plain", 2, r1=True), Case("ZeRO 1", 2, r1=True), Case("ZeRO 2", 2), Case("ZeRO 3", 2))


@pytest.fixture(scope="module")
def counted() -> list[Counted]:
    return count(CASES)


def test_steps_send_what_the_formula_says(counted: list[Counted]) -> None:
    for one in counted:
        assert agrees(one), (one, expected(one))


def test_each_gradient_is_reduced_as_often_as_said(counted: list[Counted]) -> None:
    """The plain engine's by numbers of parameters alone, without the formula."""
    plain, zero_1, zero_2, zero_3 = (one.collectives for one in counted)
    sizes = counted[0].sizes
    assert plain == Collectives(sizes.generator + 2 * sizes.discriminator, 0, 0)
    assert zero_1.all_reduce == pytest.approx(plain.all_reduce, abs=16)
    assert zero_1.all_gather == pytest.approx(plain.all_reduce, abs=16)
    assert zero_2.all_reduce == pytest.approx(2 * sizes.generator + sizes.discriminator, abs=16)
    assert zero_3.reduce_scatter == pytest.approx(2 * sizes.generator, rel=0.001)
    assert zero_3.total > zero_2.total


def test_another_count_would_be_seen(counted: list[Counted]) -> None:
    for one in counted:
        found = one.collectives
        for other in (
            replace(found, all_reduce=1.01 * found.all_reduce),
            replace(found, all_gather=found.all_gather + one.sizes.generator),
            replace(found, reduce_scatter=found.reduce_scatter + one.sizes.encoder),
        ):
            assert not agrees(replace(one, collectives=other))
