"""Tests of the compiled kernels against PyTorch, in every library that this processor can run."""

from importlib.machinery import PathFinder

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatonegro.engine import int8, kernels, processor
from gatonegro.engine.attention import KernelAttend
from gatonegro.engine.linear import Linear
from gatonegro.errors import GatonegroWarning, InputError
from gatonegro.generation.topk import mask_out, top_k
from gatonegro.nn.attention import attend
from gatonegro.nn.encoder import ACTIVATIONS
from gatonegro.packing import Layout

look_anew = kernels.available.__wrapped__

needs_kernels = pytest.mark.skipif(
    not kernels.available(), reason="gatonegro-kernels is not installed, or not for this processor"
)


@pytest.fixture(params=kernels.ISA_CAPABILITIES)
def level(request, monkeypatch):
    """Run with each compiled library that this processor supports."""
    if not kernels.ISA_CAPABILITIES[request.param] <= processor.cpu_capabilities():
        pytest.skip(f"this processor has not what {request.param} needs")
    monkeypatch.setattr(kernels, "kernel_isa", lambda: request.param)
    kernels.library.cache_clear()
    yield request.param
    kernels.library.cache_clear()


@needs_kernels
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    t=st.integers(0, 40), k=st.integers(1, 90), n=st.integers(1, 150), act=st.sampled_from(list(kernels.ACT_CODES)),
    kind=st.sampled_from(["fp32", "bf16", "int8", "int8 of bf16", "int8 above -0.17"]), added=st.booleans(),
)  # fmt: skip
def test_products_of_every_size(level, t, k, n, act, kind, added):
    random = torch.Generator().manual_seed(t + 100 * k)
    x, weight = (torch.randn(*size, generator=random) for size in ((t, k), (n, k)))
    bias, add = torch.randn(n, generator=random), torch.randn(t, n, generator=random) if added else None
    dtype = torch.bfloat16 if "bf16" in kind else torch.float32
    x = torch.nn.functional.gelu(x).to(dtype) if "above" in kind else x.to(dtype)
    expected = Linear(weight, bias, act)(x.float(), add)
    if "int8" in kind:
        actual = kernels.KernelInt8(weight, bias, act, input_min=-0.17 if "above" in kind else None)(x, add)
    elif kernels.prefers_kernel(dtype):
        actual = kernels.KernelLinear(weight.to(dtype), bias, act)(x, None if add is None else add.to(dtype))
    else:
        return
    assert actual.shape == (t, n)
    scale = (x.float().abs() @ weight.abs().T).amax() + 1 if t else 1
    assert ((expected - actual.float()).abs() <= (1e-6 if kind == "fp32" else 1e-2) * scale).all()


@needs_kernels
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 70)), max_size=4), heads=st.integers(1, 3),
    width=st.sampled_from([16, 32, 48, 64, 80, 128]), half=st.booleans(), causal=st.booleans(),
    scale=st.sampled_from([None, 0.1]), cached=st.booleans(),
)  # fmt: skip
def test_attention_of_every_size(level, lengths, heads, width, half, causal, scale, cached):
    """Includes queries at the end of a sequence, and keys scattered in a cache, some of them used twice."""
    keys = tuple(max(q, k) if causal else k for q, k in lengths)
    random = torch.Generator().manual_seed(len(lengths))
    rows = sum(keys) + 9 if cached else sum(keys)
    places = torch.randint(rows, (sum(keys),), generator=random, dtype=torch.int32) if cached else None
    layout = Layout(tuple(q for q, _ in lengths), keys, key_slots=places)
    dtype = torch.bfloat16 if half else torch.float32
    q, k, v = (
        torch.randn(n, 3, heads, width, generator=random).to(dtype)[:, 1]
        for n in (sum(layout.query_lengths), rows, rows)
    )
    actual = KernelAttend(causal, scale)(q, k, v, layout)
    expected = attend(q.float(), k.float(), v.float(), layout, causal=causal, scale=scale)
    assert actual.dtype == dtype and torch.allclose(actual.float(), expected, atol=2e-2 if half else 2e-6)


@needs_kernels
def test_attention_with_something_added_to_its_scores_is_pytorchs():
    layout, (q, k, v) = Layout((5, 2), (5, 2)), torch.randn(7, 3, 2, 16).unbind(1)
    actual = KernelAttend(True, 1.0)(q, k, v, layout, lambda q, k: torch.ones(2, q, k).tril())
    assert torch.equal(
        actual, attend(q, k, v, layout, causal=True, scale=1.0, bias=lambda q, k: torch.ones(2, q, k).tril())
    )


@needs_kernels
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(0, 5), n=st.one_of(st.integers(1, 70), st.integers(1000, 5000)), count=st.integers(1, 12),
    banned=st.integers(0, 3), few=st.booleans(),
)  # fmt: skip
def test_the_best_scores(level, rows, n, count, banned, few):
    """Top-k agrees with PyTorch; equal scores are in order of index."""
    random = torch.Generator().manual_seed(n)
    scores = 4 * torch.randn(rows, n, generator=random)
    if few:
        scores = scores.round()
    bans = torch.randint(n, (rows, banned), generator=random).tolist()
    values, places, sums = top_k(scores.clone(), count, bans)
    assert torch.allclose(sums, scores.logsumexp(-1), atol=1e-5)
    mask_out(scores, bans)
    ordered, order = scores.sort(descending=True, stable=True)
    assert torch.equal(values, ordered[:, :count])
    real = values > float("-inf")
    assert torch.equal(places[real], order[:, :count][real]) and bool(((places >= 0) & (places < n)).all())


@needs_kernels
def test_scores_that_are_none(level):
    x = torch.randn(4, 3000)
    x[0, 7], x[1] = float("nan"), float("-inf")
    values, places, sums = top_k(x.clone(), 2)
    assert sums[0].isnan() and sums[1] == values[1, 0] == float("-inf") and sums[2:].isfinite().all()
    assert torch.equal(places[2:], x[2:].topk(2).indices)


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norms(level, dtype):
    norm = torch.nn.LayerNorm(48, 1e-5)
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    x = (torch.randn(7, 48) * 3 + 2).to(dtype)
    actual = kernels.KernelNorm(norm)(x).float()
    assert torch.allclose(actual, norm(x.float()), atol=1e-5 if dtype == torch.float32 else 5e-2)


@needs_kernels
def test_numbers_that_are_none_pass_through_kernels(level):
    """NaN stays NaN and does not spread to other rows."""
    layout, (q, k, v) = Layout((3, 2), (3, 2)), torch.randn(5, 3, 1, 16).unbind(1)
    for tensor in (q, k, v):
        tensor[0, 0, 3] = float("nan")
    seen = KernelAttend()(q, k, v, layout).isnan().flatten(1)  # (t, d)
    assert seen.any(1).tolist() == [True, True, True, False, False]
    for act in kernels.ACT_CODES:
        x = torch.randn(4, 16)
        x[1, 2], x[2, 5] = float("nan"), float("inf")
        y = kernels.KernelLinear(torch.randn(8, 16), None, act)(x)
        assert y[1].isnan().all() and y[[0, 3]].isfinite().all()
        y = kernels.KernelInt8(torch.randn(8, 16), None, act)(x)
        assert not y[1:3].isfinite().any() and y[[0, 3]].isfinite().all()
    for number in (0x7FFFFFFF, -1, 0x7FC00000, 0x7F800001):  # of the many that are none
        x = torch.randn(4, 16)
        x.view(torch.int32)[1, 2] = number
        assert kernels.KernelInt8(torch.randn(8, 16), None)(x)[1].isnan().all()
    with pytest.raises(InputError, match="nothing to multiply"):
        kernels.KernelLinear(torch.randn(8, 0), None)


@needs_kernels
def test_a_row_has_the_same_bits_alone_and_among_others(level):
    x, weight = torch.randn(37, 3072), torch.randn(100, 3072)
    for product in (kernels.KernelLinear(weight, None, "gelu"), kernels.KernelInt8(weight, None, "gelu")):
        together = product(x)
        assert all(torch.equal(product(x[i : i + 1])[0], together[i]) for i in (0, 5, 11, 36))


@needs_kernels
@pytest.mark.parametrize(("dtype", "k"), [(torch.float32, 2500), (torch.bfloat16, 4101), (torch.int8, 9001)])
def test_products_longer_than_are_summed_at_a_time(level, dtype, k):
    if not kernels.prefers_kernel(dtype):
        pytest.skip(f"{level} has no {dtype}")
    torch.manual_seed(0)
    x, weight = torch.randn(200, k), torch.randn(130, k)
    expected = Linear(weight, None, "gelu")(x)
    if dtype == torch.int8:
        actual = kernels.KernelInt8(weight, None, "gelu")(x)
    else:
        actual = kernels.KernelLinear(weight.to(dtype), None, "gelu")(x.to(dtype))
    assert (expected - actual.float()).abs().max() < (1e-5 if dtype == torch.float32 else 2e-2) * expected.abs().max()


@needs_kernels
def test_kernels_are_given_whatever_tensors():
    """Of another dtype, transposed, expanded, with more dimensions or another width: computed correctly or refused."""
    x, weight, add = torch.randn(4, 6, 32), torch.randn(20, 32), torch.randn(20, 6, 4).permute(2, 1, 0)
    expected = Linear(weight, None)(x.clone(), add.clone())
    exact, small = kernels.KernelLinear(weight, None), kernels.KernelInt8(weight, None)
    turned = x.transpose(0, 1).contiguous().transpose(0, 1)
    for same in (x, turned, x.double(), x.half(), x.bfloat16()):
        assert torch.allclose(exact(same, add), expected, atol=1e-5 if same.dtype.itemsize > 2 else 0.1)
        assert torch.allclose(small(same, add), expected, atol=0.5)
    assert torch.allclose(exact(x, torch.ones(20)), Linear(weight, None)(x, torch.ones(4, 6, 20)), atol=1e-5)
    for product in (exact, small, kernels.KernelNorm(torch.nn.LayerNorm(32))):
        with pytest.raises(ValueError, match="input width 31, expected 32"):
            product(torch.randn(3, 31))
    layout, (q, k, v) = Layout((5,), (5,)), torch.randn(3, 2, 5, 16).transpose(1, 2)
    assert torch.allclose(KernelAttend()(q, k, v, layout), attend(q, k, v, layout), atol=1e-6)


@needs_kernels
def test_rows_of_the_least_that_an_activation_gives():
    """In bf16, an activation's minimum is rounded below it; as an unsigned byte it must not wrap around to 255."""
    for act, least_at in (("silu", -1.2785), ("gelu", -0.7518), ("gelu_new", -0.7525), ("relu", -1.0)):
        x = ACTIVATIONS[act](torch.full((2, 32), least_at)).bfloat16()
        weight = torch.ones(16, 32)
        actual = kernels.KernelInt8(weight, None, input_min=int8.ACTIVATION_MINIMUM[act])(x).float()
        assert torch.allclose(actual, Linear(weight, None)(x.float()), atol=0.1)


@needs_kernels
def test_kernels_of_another_form_are_refused(monkeypatch):
    monkeypatch.setattr(kernels, "ABI_VERSION", 99)
    kernels.library.cache_clear()
    try:
        with pytest.warns(GatonegroWarning, match="interface version 2, expected 99"):
            assert not look_anew()
    finally:
        kernels.library.cache_clear()


@needs_kernels
def test_every_library_agrees_with_pytorch(level):
    assert kernels._disagreements() == ""


def test_kernels_that_cannot_be_used(monkeypatch, tmp_path):
    """With a library for another machine, a wrong one or none, PyTorch's operators are used."""
    (tmp_path / "gatonegro_kernels").mkdir()
    (tmp_path / "gatonegro_kernels" / "__init__.py").write_text("")
    spec = PathFinder.find_spec("gatonegro_kernels", [str(tmp_path)])
    monkeypatch.setattr(kernels, "find_spec", lambda _: spec)
    monkeypatch.setattr(kernels, "kernel_isa", lambda: "avx2")
    kernels.library.cache_clear()
    try:
        assert not look_anew()  # the package without a library: nothing is said
        monkeypatch.chdir(tmp_path)
        (tmp_path / "kernels_avx2.so").write_bytes(b"somebody's")
        monkeypatch.setattr(kernels, "find_spec", lambda _: None)
        kernels.library.cache_clear()
        assert not look_anew()  # no package
        monkeypatch.setattr(kernels, "find_spec", lambda _: spec)
        (tmp_path / "gatonegro_kernels" / "kernels_avx2.so").write_bytes(b"no library")
        kernels.library.cache_clear()
        with pytest.warns(GatonegroWarning, match="gatonegro-kernels cannot be used here"):
            assert not look_anew()
    finally:
        kernels.library.cache_clear()
    monkeypatch.setattr(kernels, "library", lambda: object())
    monkeypatch.setattr(kernels, "_disagreements", lambda: "int8 0.5")
    with pytest.warns(GatonegroWarning, match=r"int8 0\.5"):
        assert not look_anew()
