"""Modules of PyTorch that compute by the compiled kernels; tests/operators tests the kernels themselves."""

import pytest
import torch
from small import generator_config

from gatonegro.engine.attention import KernelAttend
from gatonegro.engine.kernels import Kernel, KernelNorm, to_array, to_tensor
from gatonegro.engine.linear import Linear
from gatonegro.nn.attention import RelativeBias, attend
from gatonegro.operators import kernels
from gatonegro.packing import Layout

pytestmark = pytest.mark.skipif(
    not kernels.available(), reason="gatonegro-kernels is not installed, or not for this processor"
)


def test_attention_with_something_added_to_its_scores_is_pytorchs():
    layout, (q, k, v) = Layout((5, 2), (5, 2)), torch.randn(7, 3, 2, 16).unbind(1)
    actual = KernelAttend(True, 1.0)(q, k, v, layout, lambda q, k: torch.ones(2, q, k).tril())
    assert torch.equal(
        actual, attend(q, k, v, layout, causal=True, scale=1.0, bias=lambda q, k: torch.ones(2, q, k).tril())
    )


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("lengths", [((5, 9), (5, 9)), ((1, 1), (40, 3)), ((2, 300), (7, 300)), ((), ())])
def test_attention_with_a_relative_bias(causal, lengths):
    """The kernel takes the bias by distance, beyond the largest one too."""
    bias, layout = RelativeBias(generator_config("t5"), causal), Layout(*lengths)
    torch.nn.init.normal_(bias.scores.weight)
    q, k, v = (torch.randn(sum(n), 5, 16) for n in (lengths[0], lengths[1], lengths[1]))
    with torch.no_grad():
        actual = KernelAttend(causal, 1.0)(q, k, v, layout, bias)
        assert torch.allclose(actual, attend(q, k, v, layout, causal=causal, scale=1.0, bias=bias), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norms(dtype):
    for norm in (torch.nn.LayerNorm(48, 1e-5), torch.nn.RMSNorm(48, 1e-6), torch.nn.RMSNorm(48)):
        for parameter in norm.parameters():
            torch.nn.init.normal_(parameter)
        x = (torch.randn(7, 48) * 3 + 2).to(dtype)
        actual = KernelNorm(norm)(x)
        assert actual.dtype == dtype
        assert torch.allclose(actual.float(), norm(x.float()), atol=1e-5 if dtype == torch.float32 else 5e-2)


def test_kernels_are_given_whatever_tensors():
    """Of another dtype, transposed, expanded, with more dimensions or another width: computed correctly or refused."""
    x, weight, add = torch.randn(4, 6, 32), torch.randn(20, 32), torch.randn(20, 6, 4).permute(2, 1, 0)
    expected = Linear(weight, None)(x.clone(), add.clone())
    exact = Kernel(kernels.Linear(to_array(weight)))
    small = Kernel(kernels.Int8Linear(to_array(weight), None, None, None))
    turned = x.transpose(0, 1).contiguous().transpose(0, 1)
    for same in (x, turned, x.double(), x.half(), x.bfloat16()):
        assert torch.allclose(exact(same, add), expected, atol=1e-5 if same.dtype.itemsize > 2 else 0.1)
        assert torch.allclose(small(same, add), expected, atol=0.5)
    assert torch.allclose(exact(x, torch.ones(20)), Linear(weight, None)(x, torch.ones(4, 6, 20)), atol=1e-5)
    for product in (exact, small, KernelNorm(torch.nn.LayerNorm(32))):
        with pytest.raises(ValueError, match="input width 31, expected 32"):
            product(torch.randn(3, 31))
    layout, (q, k, v) = Layout((5,), (5,)), torch.randn(3, 2, 5, 16).transpose(1, 2)
    assert torch.allclose(KernelAttend()(q, k, v, layout), attend(q, k, v, layout), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tensors_and_arrays_share_their_memory(dtype):
    x = torch.randn(3, 4).to(dtype)
    array = to_array(x)
    assert torch.equal(to_tensor(array), x) and to_tensor(array).dtype == dtype
    array[0, 0] = 0
    assert x[0, 0] == 0 and to_tensor(array).data_ptr() == x.data_ptr()
