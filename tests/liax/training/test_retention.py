"""Which checkpoints are kept."""

from hypothesis import given
from hypothesis import strategies as st

from liax.training.checkpoint import best_step
from liax.training.retention import steps_to_keep


@given(st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
def test_the_newest_and_the_best_of_all_are_kept(scores: list[int | None], keep: int) -> None:
    kept: dict[int, float | None] = {}
    for step, score in enumerate(scores, 1):
        kept[step] = score
        kept = {step: kept[step] for step in steps_to_keep(kept, keep)}
        newest = set(range(max(1, step - keep + 1), step + 1))
        best = best_step(dict(enumerate(scores[:step], 1)))
        assert set(kept) == newest | ({best} if best else set())
        assert best is None or kept[best] == min(s for s in scores[:step] if s is not None)
