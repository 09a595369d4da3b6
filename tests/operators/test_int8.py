"""int8 products, by the kernels and by numpy: outlier channels, saturation, NaN."""

import numpy as np
import pytest
import torch

from gatonegro.engine.int8 import quantise
from gatonegro.operators import int8, kernels, plain
from gatonegro.operators.arrays import to_fp32


@pytest.fixture(params=[plain, kernels], ids=["numpy", "kernels"])
def product(request):
    """Return a function that makes an int8 product of each kind."""
    if request.param is kernels and not kernels.available():
        pytest.skip("gatonegro-kernels is not installed, or not for this processor")
    return request.param.Int8Linear


def randn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def test_a_large_channel_leaves_the_others_their_digits(product):
    """One channel fifty times as large as the rest, as trained models have: smoothing must hold the error down."""
    x, weight = randn(40, 64), randn(32, 64, seed=1) * np.float32(0.1)
    x[:, 5] *= 50
    expected = x @ weight.T
    smooth = int8.smoothing(np.abs(x).max(0), plain.column_sizes(weight, None))
    errors = (np.abs(expected - to_fp32(product(weight, None, None, None, s)(x))).mean() for s in (None, smooth))
    rough, fine = errors
    assert fine < rough / 3


@pytest.mark.parametrize("low", [None, -0.17])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_products(product, low, rows):
    x, weight, bias, add = randn(rows, 96), randn(40, 96, seed=1), randn(40, seed=2), randn(rows, 40, seed=3)
    x = x if low is None else plain.gelu(x)
    expected = plain.Linear(weight, bias, "gelu")(x, add)
    actual = product(weight, None, bias, "gelu", None, low)(x, add)
    assert np.abs(expected - actual).mean() < 0.01 * np.abs(expected).max()


def test_the_largest_inputs_are_multiplied_exactly(product):
    """Bytes of 255 meet the largest weights: where sums of pairs saturate, this is wrong by a half."""
    weight, x = np.full((16, 128), 3, np.float32), np.full((4, 128), 1.5, np.float32)
    for low in (None, 0.0):
        np.testing.assert_allclose(to_fp32(product(weight, None, None, None, None, low)(x)), x @ weight.T, rtol=0.02)


def test_no_numbers_stay_no_numbers(product):
    for low in (None, -0.17):
        layer = product(randn(8, 16), None, None, None, None, low)
        assert np.isfinite(to_fp32(layer(np.zeros((3, 16), np.float32)))).all()
        x = np.zeros((3, 16), np.float32)
        x[1, 2] = np.nan
        y = to_fp32(layer(x))
        assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2]]).all()


@pytest.mark.parametrize("k", [64, 63, 2, 1])
def test_no_two_neighbours_overflow_16_bits(k):
    weight = randn(20, k)
    rows, scales = int8.quantise(weight, narrow_sums=True)
    pairs = np.abs(np.pad(rows.astype(int), ((0, 0), (0, k % 2)))).reshape(20, -1, 2).sum(2)
    assert pairs.max() * 255 < 2**15
    assert np.abs(rows * scales[:, None] - weight).max() <= scales.max() / 2 + 1e-6
    assert np.abs(int8.quantise(weight, narrow_sums=False)[0]).max() == 127
    assert np.abs(int8.quantise(np.zeros((2, 4), np.float32), narrow_sums=True)[0]).max() == 0  # and no division by it


@pytest.mark.parametrize("narrow", [False, True])
def test_quantisation_is_that_of_the_other_backend(narrow):
    weight = randn(30, 47)
    rows, scales = int8.quantise(weight, narrow)
    expected = quantise(torch.from_numpy(weight), narrow)
    assert (rows == expected[0].numpy()).all() and (scales == expected[1].numpy()).all()
