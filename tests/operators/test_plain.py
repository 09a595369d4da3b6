"""The operators in numpy agree with PyTorch's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from gatonegro import operators
from gatonegro.nn.attention import attend
from gatonegro.nn.encoder import ACTIVATIONS
from gatonegro.operators import kernels, plain
from gatonegro.operators.arrays import BF16, cast, to_fp32
from gatonegro.packing import Layout


@pytest.mark.parametrize("name", plain.ACTIVATIONS)
def test_activations(name):
    """Of small and of large numbers, of infinity and NaN."""
    x = np.concatenate([np.linspace(-12, 12, 4801), [1e-30, -1e-30, 1e4, -1e4, 1e30, -1e30]]).astype(np.float32)
    expected = ACTIVATIONS[name](torch.from_numpy(x)).numpy()
    with np.errstate(over="ignore"):
        actual = plain.ACTIVATIONS[name](x.copy())
        none = plain.ACTIVATIONS[name](np.array([np.nan, 1], np.float32))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=1e-6, rtol=1e-6)
    assert np.isnan(none).tolist() == [True, False]


def test_all_activations_have_a_form_in_every_backend():
    assert set(ACTIVATIONS) <= set(plain.ACTIVATIONS) == set(kernels.ACT_CODES) - {None}


@given(t=st.integers(0, 9), k=st.integers(1, 40), n=st.integers(1, 40), added=st.booleans(), biased=st.booleans())
def test_products(t, k, n, added, biased):
    made = torch.Generator().manual_seed(k)
    x, weight, bias, add = (torch.randn(*size, generator=made) for size in ((t, k), (n, k), (n,), (t, n)))
    expected = F.gelu(F.linear(x, weight, bias if biased else None)) + (add if added else 0)
    product = plain.Linear(weight.numpy(), bias.numpy() if biased else None, "gelu")
    actual = product(x.numpy(), add.numpy() if added else None)
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("rms", [False, True])
def test_norms(rms):
    x, weight, bias = 3 * torch.randn(7, 24) + 2, torch.randn(24), torch.randn(24)
    expected = F.rms_norm(x, (24,), weight, 1e-5) if rms else F.layer_norm(x, (24,), weight, bias, 1e-5)
    actual = plain.norm(x.numpy(), weight.numpy(), None if rms else bias.numpy(), 1e-5)
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5)


@given(
    lengths=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=5), heads=st.integers(1, 3),
    causal=st.booleans(), scale=st.none() | st.floats(0.01, 3), reach=st.none() | st.integers(0, 10),
    cached=st.booleans(),
)  # fmt: skip
def test_attention(lengths, heads, causal, scale, reach, cached):
    """In self-attention, in cross-attention, and for the last few queries of a longer text, as with a cache."""
    queries, keys = tuple(q for q, _ in lengths), tuple(max(q, k) if causal else k for q, k in lengths)
    rows, made = sum(keys) + 5, torch.Generator().manual_seed(0)
    slots = torch.randint(rows, (sum(keys),), generator=made) if cached else None
    q, k, v = (torch.randn(n, heads, 4, generator=made) for n in (sum(queries), rows, rows))
    if not cached:
        k, v = k[: sum(keys)], v[: sum(keys)]
    table = None if reach is None else torch.randn(heads, 2 * reach + 1, generator=made)

    def bias(a: int, b: int) -> torch.Tensor:
        distance = torch.arange(b) - torch.arange(b - a, b)[:, None]
        return table[:, distance.clamp(-reach, reach) + reach]

    layout = Layout(queries, keys, key_slots=slots)
    expected = attend(q, k, v, layout, causal=causal, scale=scale, bias=None if table is None else bias)
    arrays = (x.numpy() for x in (q, k, v))
    options = {"causal": causal, "scale": scale, "bias": None if table is None else table.numpy()}
    actual = plain.attend(*arrays, queries, keys, None if slots is None else slots.numpy(), **options)
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5)


def test_without_kernels_numpy_computes_in_bf16_too(monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: False)
    monkeypatch.setattr(kernels, "library", None)  # nothing asks for it
    x, weight, bias = (np.random.default_rng(i).standard_normal((8, 32), np.float32) for i in range(3))
    assert type(operators.linear(weight)) is plain.Linear
    assert type(operators.int8_linear(weight, None, None, None)) is plain.Int8Linear
    assert operators.smoothing(x, weight, None).shape == (32,)
    half = cast(x, BF16)
    for actual, expected in (
        (operators.norm(half, weight[0], bias[0], 1e-5), plain.norm(to_fp32(half), weight[0], bias[0], 1e-5)),
        (operators.multiply(half, half), to_fp32(half) ** 2),
        (operators.attend(*[half.reshape(8, 2, 16)] * 3, (8,), (8,)),
         plain.attend(*[to_fp32(half).reshape(8, 2, 16)] * 3, (8,), (8,))),
    ):  # fmt: skip
        assert actual.dtype == BF16
        np.testing.assert_allclose(to_fp32(actual), expected, rtol=1e-2)
