"""Numbers in numpy arrays: bf16, which numpy lacks and which is stored as uint16, and memory addresses."""

from __future__ import annotations

import numpy as np

FP32, BF16 = np.dtype(np.float32), np.dtype(np.uint16)  # a bf16 number has the upper 16 bits of an fp32 one


def to_fp32(x: np.ndarray) -> np.ndarray:
    """Return an array of fp32, of bf16 bits or of other numbers as fp32."""
    if x.dtype == BF16:
        return (x.astype(np.uint32) << 16).view(np.float32)
    return x.astype(np.float32, copy=False)


def to_bf16(x: np.ndarray) -> np.ndarray:
    """Return an fp32 array as bf16 bits, rounded to the nearest number and, between two, to the even one."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(x), (bits >> 16) | 0x40, rounded).astype(np.uint16)


def cast(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return an array of fp32 or bf16 numbers as the other, or as it is."""
    return x if x.dtype == dtype else to_bf16(x) if dtype == BF16 else to_fp32(x)


def address(x: np.ndarray | None) -> int | None:
    """Return the memory address of an array's numbers, or None for no array."""
    return None if x is None else x.__array_interface__["data"][0]
