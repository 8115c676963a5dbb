"""What a training's configuration refuses, and what makes two runs the same."""

import pytest

from liax.config import load_config
from liax.errors import UserError
from liax.training.config import TrainConfig
from tests.conftest import ROOT

NEEDED = ["shards=s", "output=o"]


def load(*overrides: str) -> TrainConfig:
    return load_config(TrainConfig, None, [*NEEDED, *overrides])


def test_the_tiny_configuration_is_valid() -> None:
    config = load_config(TrainConfig, ROOT / "jobs/configs/train_tiny.yaml", NEEDED)
    assert (config.model.preset, config.workers, config.zero_stage) == ("tiny", 2, 2)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (["workers=3"], "batch=64 cannot be divided among workers=3"),
        (["zero_stage=1"], "needs engine=deepspeed"),
        (["run_on=process", "engine=deepspeed"], "use run_on=ray"),
        (["run_on=torchrun", "data.ingest=ray"], "data.ingest=ray needs run_on=ray"),
        (["data.ingest=ray", "data.loader_workers=4"], "set data.loader_workers=0"),
        (["data.ingest=ray", "workers=2", "least_workers=1"], "leave least_workers out"),
        (["optimiser.generator.lr=1"], "did you mean 'optimizer'"),
        (["loss.r1_gama=1"], "did you mean 'r1_gamma'"),
        (["loss.r1_every=0"], "'loss.r1_every'"),
        (["loss.r1_gamma=-1"], "'loss.r1_gamma'"),
        (["loss.sparsity_weight=-1"], "'loss.sparsity_weight'"),
        (["loss.adversarial_weight=.nan"], "'loss.adversarial_weight'"),
        (["loss.adversarial_start_step=-1"], "'loss.adversarial_start_step'"),
        (["optimizer.generator.betas=[0.5, 1.0]"], "'optimizer.generator.betas.1'"),
        (["optimizer.discriminator.betas=[-0.1, 0.99]"], "'optimizer.discriminator.betas.0'"),
        (["optimizer.generator.lr=0"], "'optimizer.generator.lr'"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(override: list[str], says: str) -> None:
    with pytest.raises(UserError) as error:
        load(*override)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_an_optimiser_is_not_told_keeps_its_default() -> None:
    changed, usual = load("optimizer.generator.lr=1e-4", "optimizer.discriminator.betas=[0.5, 0.9]"), load()
    assert changed.optimizer.generator.lr == 1e-4
    assert changed.optimizer.generator.betas == usual.optimizer.generator.betas
    assert (changed.optimizer.discriminator.lr, changed.optimizer.discriminator.betas) == (2e-3, (0.5, 0.9))


def test_lazy_r1_corrects_the_discriminators_optimiser_only_where_it_runs() -> None:
    corrected, plain = load().discriminator_adam(), load("loss.r1_gamma=0").discriminator_adam()
    assert corrected.lr == pytest.approx(1.88e-3, rel=2e-3)
    assert corrected.betas == pytest.approx((0, 0.9906), abs=1e-4)
    assert (plain.lr, plain.betas) == (2e-3, (0.0, 0.99))


def test_a_run_is_the_same_whoever_computes_it_and_however_long() -> None:
    same = load(
        "workers=2", "engine=deepspeed", "steps=7", "output=p", "checkpoint.keep=9", "data.ingest=ray",
        "data.prefetch_steps=3", "data.cache_bytes=5", "compute.micro_batch=8", "loss.perceptual_weights=elsewhere.pth",
    )  # fmt: skip
    loaded = load("data.loader_workers=3")
    assert load().identity("set") == same.identity("set") == loaded.identity("set")
    others = [load("seed=1"), load("batch=8"), load("data.least_gap_frames=2"), load("loss.sparsity_weight=0")]
    assert len({config.identity("set") for config in [load(), *others]}) == 5
    assert load().identity("set") != load().identity("other")


def test_a_dictionarys_size_can_be_chosen_and_older_runs_keep_their_identity() -> None:
    """The identity is written beside runs: one that began before there was the setting must go on."""
    assert load("model.preset=tiny").model.generator().directions == 20
    assert load("model.preset=tiny", "model.directions=12").model.generator().directions == 12
    assert load("model.directions=12").identity("x") != load().identity("x")
    assert TrainConfig(shards="a", output="b").identity("x") == "c74c09dd900b"
    for wrong in (0, 65):
        with pytest.raises(UserError, match=r"model\.directions"):
            load("model.preset=tiny", f"model.directions={wrong}").model.generator()
