import pytest
from pydantic import ValidationError

from pipelines.quality import RULES, QualityConfig, verdict

OFF = {rule.setting: None for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.setting)
def test_each_threshold_alone(rule) -> None:  # type: ignore[no-untyped-def]
    config = QualityConfig(**OFF | {rule.setting: 0.5})
    low, high = verdict({rule.score: 0.4}, config), verdict({rule.score: 0.6}, config)
    failed, passed = (low, high) if rule.setting.startswith("least_") else (high, low)
    assert passed is None
    assert failed is not None
    assert failed[0] == rule.reason
    assert failed[1].startswith(f"{rule.score} 0.")
    assert verdict({rule.score: 0.5}, config) is None, "the limit itself passes"
    assert verdict({}, config) is None, "what was not measured breaks no rule"
    assert verdict({rule.score: 0.4}, QualityConfig(**OFF)) is None
    for value in (0.4, 0.6):
        assert verdict({rule.score: value}, QualityConfig(**config.model_dump() | {"score_only": True})) is None


def test_every_threshold_has_a_rule() -> None:
    assert {rule.setting for rule in RULES} == set(QualityConfig.model_fields) - {"score_only"}
    assert len({rule.reason for rule in RULES}) == len(RULES)


def test_limits_that_nothing_can_pass_are_refused() -> None:
    with pytest.raises(ValidationError, match="no clip can be between them"):
        QualityConfig(least_luminance=0.6, most_luminance=0.4)
