"""Tests of the compiled kernels against numpy, in every library that this processor can run."""

from importlib.machinery import PathFinder
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatonegro.errors import GatonegroWarning, InputError
from gatonegro.generation.topk import mask_out, top_k
from gatonegro.operators import int8, kernels, plain
from gatonegro.operators.arrays import BF16, FP32, cast, to_fp32

look_anew = kernels.available.__wrapped__
many_sizes = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
NONES = (0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000, 0x7F800001)  # some of the bit patterns of NaN


def randn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@many_sizes
@given(
    t=st.integers(0, 40), k=st.integers(1, 90), n=st.integers(1, 150), act=st.sampled_from(list(kernels.ACT_CODES)),
    half=st.booleans(), added=st.booleans(), dtype=st.sampled_from([None, FP32, BF16]),
)  # fmt: skip
def test_products_of_every_size(level, t, k, n, act, half, added, dtype):
    word = BF16 if half else FP32
    x, weight, bias = cast(randn(t, k), word), cast(randn(n, k, seed=k), word), randn(n, seed=1)
    add = randn(t, n, seed=2) if added else None
    expected = plain.Linear(to_fp32(weight), bias, act)(to_fp32(x), add)
    actual = kernels.Linear(weight, bias, act)(x, add, dtype)
    assert actual.shape == (t, n) and actual.dtype == (dtype or BF16 if half else FP32)
    bound = np.abs(to_fp32(x)) @ np.abs(to_fp32(weight)).T + 1  # (t, n)
    assert (np.abs(expected - to_fp32(actual)) <= (1e-2 if half else 1e-6) * bound).all()


@many_sizes
@given(
    t=st.integers(0, 40), k=st.integers(1, 90), n=st.integers(1, 150), act=st.sampled_from(list(kernels.ACT_CODES)),
    half=st.booleans(), added=st.booleans(), dtype=st.sampled_from([None, FP32, BF16]), stored=st.booleans(),
    smoothed=st.booleans(), low=st.sampled_from([None, -0.17]),
)  # fmt: skip
def test_products_in_int8_of_every_size(level, t, k, n, act, half, added, dtype, stored, smoothed, low):
    """Also of weights that are stored as int8 rows with factors: the roundings are numpy's."""
    x, weight, bias, factors = randn(t, k), randn(n, k, seed=k), randn(n, seed=1), None
    x = cast(x if low is None else plain.gelu(x), BF16 if half else FP32)
    add, smooth = randn(t, n, seed=2) if added else None, 0.5 + np.abs(randn(k, seed=3)) if smoothed else None
    if stored:
        weight, factors = int8.quantise(weight, narrow_sums=False)
    with patch.object(plain, "quantise", lambda weight, narrow_sums: int8.quantise(weight, kernels.narrow_sums())):
        product = plain.Int8Linear(weight, factors, bias, act, smooth, low)
    expected = product(to_fp32(x), add)
    actual = kernels.Int8Linear(weight, factors, bias, act, smooth, low)(x, add, dtype)
    assert actual.shape == (t, n) and actual.dtype == (dtype or (FP32 if added else BF16))
    smoothest = np.abs(to_fp32(x) if smooth is None else to_fp32(x) / smooth).max(1, initial=0)
    step = np.outer(
        smoothest / 127, np.abs(product.weight).max(1) * product.int8.scales
    )  # a number may be rounded away
    assert (np.abs(expected - to_fp32(actual)) <= 1.2 * step + 1e-2 * np.abs(expected) + 1e-2 * (dtype != FP32)).all()


@many_sizes
@given(n=st.integers(1, 90), k=st.integers(1, 90), stored=st.booleans(), smoothed=st.booleans(), narrow=st.booleans())
def test_quantised_weights_have_the_bits_of_numpys(level, n, k, stored, smoothed, narrow):
    weight, factors = randn(n, k, seed=n), None
    weight[0] = 0
    if stored:
        weight, factors = int8.quantise(weight, narrow_sums=False)
    smooth = 0.5 + np.abs(randn(k, seed=3)) if smoothed else None
    with patch.object(kernels, "narrow_sums", lambda: narrow):
        actual = kernels.Int8Linear(weight, factors, None, None, smooth)
    panels, _, scales, *_ = actual.arrays  # (n / wide, k / 4, wide, 4)
    full = weight if factors is None else weight * factors[:, None]
    rows, expected = int8.quantise(full if smooth is None else full * smooth, narrow)
    assert (panels.transpose(0, 2, 1, 3).reshape(-1, panels.shape[1] * 4)[:n, :k] == rows).all()
    assert (scales[:n] == expected).all()
    offset = -128 * (rows.sum(1, dtype=np.int32).astype(np.float32) * expected)
    assert (actual.arrays[3][:n] == offset).all()


@many_sizes
@given(
    lengths=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 70)), max_size=4), heads=st.integers(1, 3),
    width=st.sampled_from([16, 32, 48, 64, 80, 128]), half=st.booleans(), causal=st.booleans(),
    scale=st.sampled_from([None, 0.1]), cached=st.booleans(), reach=st.none() | st.integers(0, 80),
)  # fmt: skip
def test_attention_of_every_size(level, lengths, heads, width, half, causal, scale, cached, reach):
    """Includes queries at the end of a sequence, keys scattered in a cache, some of them used twice, and a bias."""
    queries, keys = tuple(q for q, _ in lengths), tuple(max(q, k) if causal else k for q, k in lengths)
    random = np.random.default_rng(len(lengths))
    rows = sum(keys) + 9 if cached else sum(keys)
    slots = random.integers(rows, size=sum(keys), dtype=np.int32) if cached else None
    bias = None if reach is None else randn(heads, 2 * reach + 1)
    q, k, v = (randn(n, 3, heads, width, seed=i) for i, n in enumerate((sum(queries), rows, rows)))
    q, k, v = (cast(x, BF16 if half else FP32)[:, 1] for x in (q, k, v))
    options = {"causal": causal, "scale": scale, "bias": bias}
    actual = kernels.attend(q, k, v, queries, keys, slots, **options)
    expected = plain.attend(*map(to_fp32, (q, k, v)), queries, keys, slots, **options)
    assert actual.dtype == q.dtype
    np.testing.assert_allclose(to_fp32(actual), expected, rtol=0, atol=2e-2 if half else 3e-6)


@many_sizes
@given(
    rows=st.integers(0, 5), n=st.one_of(st.integers(1, 70), st.integers(1000, 5000)), count=st.integers(1, 12),
    banned=st.integers(0, 3), few=st.booleans(),
)  # fmt: skip
def test_the_best_scores(level, rows, n, count, banned, few):
    """Equal scores are in order of index."""
    scores = 4 * randn(rows, n, seed=n)
    if few:
        scores = np.round(scores)
    bans = np.random.default_rng(n).integers(n, size=(rows, banned)).tolist()
    values, places, sums = top_k(scores.copy(), count, bans)
    np.testing.assert_allclose(sums, np.log(np.exp(scores.astype(np.float64)).sum(1)), atol=1e-5)
    mask_out(scores, bans)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    assert (values == np.take_along_axis(scores, order, 1)).all()
    real = values > -np.inf
    assert (places[real] == order[real]).all() and ((places >= 0) & (places < n)).all()


def test_scores_that_are_none(level):
    x = randn(4, 3000)
    x[0, 7], x[1] = np.nan, -np.inf
    values, places, sums = kernels.top_k(x, 2, [])
    assert np.isnan(sums[0]) and sums[1] == values[1, 0] == -np.inf and np.isfinite(sums[2:]).all()
    assert (places[2:] == np.argsort(-x[2:], axis=1)[:, :2]).all()


@many_sizes
@given(
    t=st.integers(0, 9), width=st.sampled_from([16, 48, 96, 768]), half=st.booleans(), rms=st.booleans(),
    size=st.sampled_from([1e-4, 3, 1e4]),
)  # fmt: skip
def test_norms(level, t, width, half, rms, size):
    """Layer norms and, without bias, RMS norms."""
    x, weight, bias = size * (randn(t, width) + 1), randn(width, seed=1), None if rms else randn(width, seed=2)
    x = cast(x, BF16 if half else FP32)
    actual = kernels.norm(x, weight, bias, 1e-5)
    assert actual.dtype == x.dtype
    np.testing.assert_allclose(
        to_fp32(actual), plain.norm(to_fp32(x), weight, bias, 1e-5), atol=5e-2 if half else 2e-5, rtol=0
    )


@many_sizes
@given(n=st.integers(1, 90), k=st.integers(1, 90), rows=st.booleans())
def test_sizes_of_columns(level, n, k, rows):
    weight, factors = randn(n, k, seed=n), None
    if rows:
        weight, factors = int8.quantise(weight, narrow_sums=False)
    expected = plain.column_sizes(weight, factors)
    np.testing.assert_allclose(kernels.column_sizes(weight, factors), expected, rtol=1e-5)


def test_numbers_that_are_none_pass_through(level):
    """NaN stays NaN and does not spread to other rows."""
    q, k, v = randn(3, 5, 1, 16)
    for x in (q, k, v):
        x[0, 0, 3] = np.nan
    seen = np.isnan(kernels.attend(q, k, v, (3, 2), (3, 2))).any((1, 2))  # (t,)
    assert seen.tolist() == [True, True, True, False, False]
    weight = randn(8, 16)
    for act in kernels.ACT_CODES:
        x = randn(4, 16)
        x[1, 2], x[2, 5] = np.nan, np.inf
        y = kernels.Linear(weight, None, act)(x)
        assert np.isnan(y[1]).all() and np.isfinite(y[[0, 3]]).all()
        y = to_fp32(kernels.Linear(cast(weight, BF16), None, act)(cast(x, BF16)))
        assert np.isnan(y[1]).all() and np.isfinite(y[[0, 3]]).all()
        y = to_fp32(kernels.Int8Linear(weight, None, None, act)(x))
        assert not np.isfinite(y[1:3]).any() and np.isfinite(y[[0, 3]]).all()
    for number in NONES:
        x = randn(4, 16)
        x.view(np.uint32)[1, 2] = number
        assert np.isnan(to_fp32(kernels.Int8Linear(weight, None, None, None)(x))[1]).all()
        assert np.isnan(kernels.norm(x, np.ones(16, np.float32), None, 1e-5))[:, 0].tolist() == [
            False,
            True,
            False,
            False,
        ]
    with pytest.raises(InputError, match="nothing to multiply"):
        kernels.Linear(randn(8, 0))


def test_a_row_has_the_same_bits_alone_and_among_others(level):
    x, weight = randn(37, 3072), randn(100, 3072, seed=1)
    for product in (
        kernels.Linear(weight, None, "gelu"),
        kernels.Linear(cast(weight, BF16), None, "gelu"),
        kernels.Int8Linear(weight, None, None, "gelu"),
    ):
        together = product(x)
        assert all((product(x[i : i + 1])[0] == together[i]).all() for i in (0, 5, 11, 36))


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_the_bits_do_not_depend_on_the_number_of_threads(level, threads, monkeypatch):
    x, weight = randn(37, 640), randn(300, 640, seed=1)
    q, k, v = randn(3, 90, 5, 16)
    scores = randn(3, 5000)

    def everything():
        products = kernels.Linear(weight, None, "gelu"), kernels.Int8Linear(weight, None, None, "gelu")
        yield from (product(x) for product in products)
        yield kernels.norm(x, x[0], x[1], 1e-5)
        yield kernels.attend(q, k, v, (50, 40), (50, 40))
        yield kernels.column_sizes(weight, None)
        yield from kernels.top_k(scores, 4, [])

    monkeypatch.setattr(kernels, "thread_count", lambda: 1)
    alone = list(everything())
    monkeypatch.setattr(kernels, "thread_count", lambda: threads)
    assert all((a == b).all() for a, b in zip(alone, everything(), strict=True))


@pytest.mark.parametrize(("kind", "k"), [("fp32", 2500), ("bf16", 4101), ("int8", 9001)])
def test_products_longer_than_are_summed_at_a_time(level, kind, k):
    x, weight = randn(200, k), randn(130, k, seed=1)
    expected = plain.Linear(weight, None, "gelu")(x)
    if kind == "int8":
        product = kernels.Int8Linear(weight, None, None, "gelu")
    else:
        product = kernels.Linear(cast(weight, BF16 if kind == "bf16" else FP32), None, "gelu")
    error = np.abs(expected - to_fp32(product(x))).max()
    assert error < (1e-5 if kind == "fp32" else 2e-2) * np.abs(expected).max()


def test_arrays_of_another_width_or_form(level):
    """Not contiguous, reversed or in another dtype: computed correctly; of another width: refused."""
    x, weight, add = randn(24, 32), randn(20, 32, seed=1), randn(20, 24, seed=2).T
    expected = plain.Linear(weight)(x, add)
    np.testing.assert_array_equal(
        kernels.norm(x.astype(np.float64), x[0], x[1], 1e-5), kernels.norm(x, x[0], x[1], 1e-5)
    )
    exact, small = kernels.Linear(weight), kernels.Int8Linear(weight, None, None, None)
    for same in (x, np.asfortranarray(x), x[::-1].copy()[::-1], np.repeat(x, 2, 1)[:, ::2], cast(x, BF16)):
        np.testing.assert_allclose(exact(same, add), expected, atol=1e-5 if same.dtype == FP32 else 0.1)
        np.testing.assert_allclose(small(same, add), expected, atol=0.5)
    np.testing.assert_array_equal(small(x.astype(np.float64)), small(x))
    for product in (exact, small, lambda x: kernels.norm(x, np.ones(32, np.float32), None, 1e-5)):
        with pytest.raises(InputError, match="input width 31, expected 32"):
            product(x[:, :31])
    q, k, v = randn(3, 2, 5, 16).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(kernels.attend(q, k, v, (5,), (5,)), plain.attend(q, k, v, (5,), (5,)), atol=1e-6)
    for weights in (np.asfortranarray(weight), weight[::-1].copy()[::-1], np.repeat(weight, 2, 1)[:, ::2]):
        for kind in (kernels.Linear, lambda w: kernels.Int8Linear(w, None, None, None)):
            assert (kind(weights)(x) == kind(weight)(x)).all()


def test_rows_of_the_least_that_an_activation_gives(level):
    """In bf16, an activation's minimum is rounded below it; as an unsigned byte it must not wrap around to 255."""
    weight = np.ones((16, 32), np.float32)
    for act, least_at in (("silu", -1.2785), ("gelu", -0.7518), ("gelu_new", -0.7525), ("relu", -1.0)):
        x = cast(plain.ACTIVATIONS[act](np.full((2, 32), least_at, np.float32)), BF16)
        actual = to_fp32(kernels.Int8Linear(weight, None, None, None, None, int8.ACTIVATION_MINIMUM[act])(x))
        np.testing.assert_allclose(actual, plain.Linear(weight)(to_fp32(x)), atol=0.1)


def test_every_library_agrees_with_numpy(level):
    assert kernels._disagreements() == ""


@pytest.mark.skipif(kernels.library() is None, reason="gatonegro-kernels is not installed, or not for this processor")
def test_kernels_of_another_interface_are_refused(monkeypatch, forgotten):
    monkeypatch.setattr(kernels, "ABI_VERSION", 99)
    with pytest.warns(GatonegroWarning, match="interface version 3, expected 99"):
        assert not look_anew()


def test_kernels_that_cannot_be_used(monkeypatch, tmp_path, forgotten):
    """With a library for another machine, a wrong one or none, numpy's operators are used."""
    (tmp_path / "gatonegro_kernels").mkdir()
    (tmp_path / "gatonegro_kernels" / "__init__.py").write_text("")
    spec = PathFinder.find_spec("gatonegro_kernels", [str(tmp_path)])
    monkeypatch.setattr(kernels, "find_spec", lambda _: spec)
    monkeypatch.setattr(kernels, "kernel_isa", lambda: "avx2")
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
    monkeypatch.setattr(kernels, "kernel_isa", lambda: None)
    kernels.library.cache_clear()
    assert not look_anew()  # a processor without the instructions
    monkeypatch.setattr(kernels, "library", lambda: object())
    monkeypatch.setattr(kernels, "_disagreements", lambda: "int8 0.5")
    with pytest.warns(GatonegroWarning, match=r"int8 0\.5"):
        assert not look_anew()


Q, V16, V64 = randn(6, 2, 32), randn(16), randn(64)


@pytest.mark.parametrize(
    "call",
    [
        lambda: kernels.norm(randn(4, 64), V64, V16, 1e-5),
        lambda: kernels.norm(randn(4, 17), randn(17), None, 1e-5),
        lambda: kernels.Linear(randn(40, 64), V16),
        lambda: kernels.Linear(randn(40, 64))(V64),
        lambda: kernels.Linear(randn(40, 64))(randn(9, 64), randn(3, 40)),
        lambda: kernels.Int8Linear(randn(40, 64), None, None, None, V16),
        lambda: kernels.Int8Linear(randn(40, 64), V16, None, None),
        lambda: kernels.Int8Linear(randn(40, 0), None, None, None),
        lambda: kernels.column_sizes(randn(40, 64), V16),
        lambda: kernels.attend(Q, Q, Q, (7,), (6,)),
        lambda: kernels.attend(Q, Q, Q, (6,), (7,)),
        lambda: kernels.attend(Q, Q, Q, (-2, 8), (6, 0)),
        lambda: kernels.attend(Q, Q, Q[:1], (6,), (6,)),
        lambda: kernels.attend(Q, Q[:, :1], Q[:, :1], (6,), (6,)),
        lambda: kernels.attend(Q, Q, Q, (6,), (2,), np.array([0, 6])),
        lambda: kernels.attend(Q, Q, Q, (6,), (2,), np.array([0, -1])),
        lambda: kernels.attend(Q, Q, Q, (6,), (6,), bias=randn(1, 3)),
        lambda: kernels.attend(Q, Q, Q, (6,), (6,), bias=randn(2, 4)),
        lambda: kernels.attend(Q[..., :17], Q[..., :17], Q[..., :17], (6,), (6,)),
        lambda: kernels.top_k(randn(3, 5), 2, [[1]]),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(level, call):
    """The C code would read and write outside the arrays."""
    with pytest.raises(InputError):
        call()


def test_numbers_of_other_types_are_converted(level):
    """What the C code takes for fp32 or int8 is that."""
    x, weight = randn(3, 64), np.rint(10 * randn(40, 64))
    for dtype in (np.float64, np.float16, np.int8):
        np.testing.assert_array_equal(kernels.Linear(weight.astype(dtype))(x), kernels.Linear(weight)(x))
    ones, added = np.ones(40, np.float16), randn(3, 40)
    actual = kernels.Int8Linear(weight.astype(np.int8), ones, None, None)(x, added)
    np.testing.assert_allclose(actual, plain.Linear(weight)(x, added), atol=10)
    expected = kernels.attend(Q, cast(cast(Q, BF16), FP32), Q, (6,), (6,))
    np.testing.assert_array_equal(kernels.attend(Q, cast(Q, BF16), Q, (6,), (6,)), expected)
