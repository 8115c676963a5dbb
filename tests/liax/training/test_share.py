import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.errors import UserError
from liax.model.discriminator import GROUP
from liax.training.share import divide, usable_workers

batches = st.integers(1, 256)
workers = st.integers(1, 64)


@given(batches, workers)
def test_the_usable_workers_are_the_most_that_can_share_the_batch(batch: int, most: int) -> None:
    usable = usable_workers(batch, most)
    assert 1 <= usable <= most
    assert divide(batch, usable, None).pairs * usable == batch
    for more in range(usable + 1, most + 1):
        with pytest.raises(UserError):
            divide(batch, more, None)


@given(batches, workers, st.integers(GROUP, 64))
def test_micro_batches_hold_the_whole_batch_within_their_limit(batch: int, most: int, limit: int) -> None:
    share = divide(batch, usable_workers(batch, most), limit)
    assert share.pairs * share.micro_batches * share.world_size == batch
    assert share.pairs <= limit


@pytest.mark.parametrize(
    ("batch", "world_size", "most_pairs", "said"),
    [
        (8, 3, None, "batch=8 cannot be divided among 3 workers"),
        (8, 4, None, "each of 4 workers would have 2 of batch=8 pairs, which is no multiple of 4"),
        (8, 2, 3, "compute.micro_batch=3 is less than 4"),
    ],
)
def test_what_cannot_be_divided_is_told(batch: int, world_size: int, most_pairs: int | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        divide(batch, world_size, most_pairs)
