"""Devices and precisions by name."""

from pathlib import Path

import pytest
import torch

from liax.errors import UserError
from liax.inference import precision
from liax.inference.precision import choose_device, choose_dtype


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "cuda:x", "cpu:1", "cpu:", "cuda:", ""])
def test_absent_device_is_refused_with_those_that_are_there(device: str) -> None:
    with pytest.raises(UserError, match=r"there is .*cpu"):
        choose_device(device)


def test_cpu_is_always_there() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [({"avx2": True}, "float32"), ({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16")],
)
def test_auto_takes_bfloat16_where_the_processor_multiplies_it(
    facts: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision.torch.cpu, "get_capabilities", lambda: facts)
    assert choose_dtype("auto", "cpu") == getattr(torch, expected)


def test_auto_agrees_with_what_linux_says_of_this_processor() -> None:
    listing = Path("/proc/cpuinfo")
    if not listing.is_file():
        pytest.skip("only Linux says")
    flags = listing.read_text()
    has = "avx512_bf16" in flags or "amx_bf16" in flags
    assert choose_dtype("auto", "cpu") == (torch.bfloat16 if has else torch.float32)


def test_wrong_precision_is_refused() -> None:
    with pytest.raises(UserError, match="bfloat16"):
        choose_dtype("int8", "cpu")
    for device in ("cpu", "cpu:0"):
        with pytest.raises(UserError, match="float16 is for GPUs"):
            choose_dtype("float16", device)
