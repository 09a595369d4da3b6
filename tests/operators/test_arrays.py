"""Arrays of bf16 numbers have the bits of PyTorch's."""

import numpy as np
import torch

from gatonegro.operators.arrays import BF16, FP32, cast, to_bf16, to_fp32


def bits(tensor: torch.Tensor) -> np.ndarray:
    return tensor.view(torch.int16).numpy().view(np.uint16)


def test_every_bf16_number_is_widened_as_by_pytorch():
    patterns = np.arange(2**16, dtype=np.uint32).astype(BF16)
    expected = torch.from_numpy(patterns.view(np.int16)).view(torch.bfloat16).float().numpy()
    assert (to_fp32(patterns).view(np.uint32) == expected.view(np.uint32)).all()
    assert (to_bf16(to_fp32(patterns)) == patterns)[~np.isnan(expected)].all()
    assert np.isnan(to_fp32(to_bf16(to_fp32(patterns))))[np.isnan(expected)].all()


def test_fp32_numbers_are_rounded_as_by_pytorch():
    """Random bits, ties, the largest numbers, infinities, denormals and NaN."""
    random = np.random.default_rng(0).integers(2**32, size=200_000, dtype=np.uint32)
    upper = np.arange(2**16, dtype=np.uint32) << 16
    x = np.concatenate([random, *(upper | lower for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF))]).view(np.float32)
    actual, expected = to_bf16(x), bits(torch.from_numpy(x).bfloat16())
    none = np.isnan(x)
    assert (actual == expected)[~none].all()
    assert np.isnan(to_fp32(actual))[none].all() and not np.isnan(to_fp32(actual))[~none].any()


def test_casts():
    x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)
    assert cast(x, FP32) is x and cast(to_bf16(x), BF16).dtype == BF16
    assert (cast(x.T, BF16) == to_bf16(x).T).all() and cast(to_bf16(x), FP32).dtype == FP32
    assert to_fp32(x) is x and to_fp32(x.astype(np.int8)).dtype == FP32
