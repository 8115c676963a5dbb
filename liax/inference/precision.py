"""Where to compute and with how many bits: what `auto` means for `--device` and `--dtype`."""

from typing import Literal, get_args

import torch

from liax.errors import UserError

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def choose_device(device: str) -> str:
    """The device to compute on: `auto` is the GPU where there is one. Raises UserError for one that is not there."""
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if device == "auto":
        return next(name for name, count in counts.items() if count)
    kind, _, number = device.partition(":")
    chosen = int(number) if number.isdecimal() else 0 if device == kind else None
    if kind not in counts or chosen is None or chosen >= counts[kind]:
        there = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in counts.items() if count)
        raise UserError(f"no device {device} on this machine; there is {there}")
    return device


def choose_dtype(dtype: str, device: str) -> torch.dtype:
    """The precision of maps and weights on a device.

    `auto` is bfloat16 where the processor multiplies it: a GPU since NVIDIA's Ampere, a CPU with AMX or AVX512-BF16;
    else float32. Elsewhere bfloat16 is emulated, and slower than float32.

    Raises:
        UserError: there is no such precision, or not on this device.
    """
    if dtype not in get_args(Precision):
        raise UserError(f"unknown precision '{dtype}': use {', '.join(get_args(Precision))}")
    if dtype == "float16" and device.startswith("cpu"):
        raise UserError("float16 is for GPUs: on a CPU use bfloat16, float32 or auto")
    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    return torch.bfloat16 if _multiplies_bfloat16(device) else torch.float32


def _multiplies_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.startswith("cpu"):
        can = torch.cpu.get_capabilities()
        return bool(can.get("amx_bf16") or can.get("avx512_bf16"))
    return False  # MPS: never tried
