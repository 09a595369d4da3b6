"""int8 products: outlier channels, saturation, NaN."""

import pytest
import torch
from small import BOUNDS, logits, random_ids, wide_model

from gatonegro.engine.int8 import FbgemmInt8, OnednnInt8, quantise
from gatonegro.engine.linear import Linear

pytestmark = pytest.mark.usefixtures("quiet", "operators")


both_int8 = pytest.mark.parametrize("kind", [OnednnInt8, FbgemmInt8])


@both_int8
def test_a_large_channel_leaves_the_others_their_digits(kind):
    """One channel fifty times as large as the rest, as trained models have: smoothing must hold the error down."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(40, 64, generator=generator), torch.randn(32, 64, generator=generator) * 0.1
    x[:, 5] *= 50
    expected = Linear(weight, None)(x)
    smooth = (x.abs().amax(0) / weight.abs().amax(0)).sqrt()
    rough, fine = ((expected - kind(weight, None, smooth=s)(x)).abs().mean() for s in (None, smooth / smooth.median()))
    assert fine < rough / 3


@pytest.mark.parametrize("values", [{}, {"num_attention_heads": 4}, {"intermediate_size": 33}, {"hidden_size": 36}])
@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_of_odd_sizes_and_under_autocast(values, precision):
    model, sequences = wide_model(**values), random_ids([30, 5])
    optimized = model.optimize(precision)
    expected = logits(model, sequences)
    assert (expected - logits(optimized, sequences)).abs().max() <= 2 * BOUNDS[precision] * max(1, expected.abs().max())
    with torch.autocast("cpu"):
        assert (expected - logits(optimized, sequences)).abs().max() <= 0.2 * max(1, expected.abs().max())


@pytest.mark.parametrize("k", [64, 63, 2, 1])
def test_no_two_neighbours_overflow_16_bits(k):
    weight = torch.randn(20, k, generator=torch.Generator().manual_seed(0))
    rows, scales = quantise(weight, narrow_sums=True)
    pairs = torch.nn.functional.pad(rows.int().abs(), (0, k % 2)).unflatten(1, (-1, 2)).sum(2)
    assert pairs.max() * 255 < 2**15
    assert (rows * scales[:, None] - weight).abs().max() <= scales.max() / 2 + 1e-6
    assert quantise(weight, narrow_sums=False)[0].abs().max() == 127
    assert quantise(torch.zeros(2, 4), narrow_sums=True)[0].abs().max() == 0  # and no division by it


@both_int8
def test_the_largest_inputs_are_multiplied_exactly(kind):
    """Bytes of 255 meet the largest weights: where sums of pairs saturate, this is wrong by a half."""
    weight = torch.full((16, 128), 3.0)
    x = torch.full((4, 128), 1.5)
    for low in (None, 0.0):
        assert torch.allclose(kind(weight, None, input_min=low)(x).float(), Linear(weight, None)(x), rtol=0.02)


@both_int8
def test_no_numbers_stay_no_numbers(kind):
    for low in (None, -0.17):
        layer = kind(torch.randn(8, 16), None, input_min=low)
        assert torch.isfinite(layer(torch.zeros(3, 16))).all()
        x = torch.zeros(3, 16)
        x[1, 2] = float("nan")
        y = layer(x)
        assert y[1].isnan().all() and torch.isfinite(y[[0, 2]]).all()
