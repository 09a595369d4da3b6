"""With the compiled kernels, an optimized model of PyTorch and one in numpy give the same bits."""

import numpy as np
import pytest
import torch
from small import ENCODERS, GENERATORS, generator, native, random_ids, wide_model

from gatonegro.checkpoints.int8 import Int8Rows
from gatonegro.engine.kernels import to_array
from gatonegro.families import FAMILIES
from gatonegro.generation import GenerationConfig
from gatonegro.native import NativeModel
from gatonegro.operators import int8, kernels, plain

pytestmark = [
    pytest.mark.skipif(not kernels.available(), reason="gatonegro-kernels is not installed, or not for this processor"),
    pytest.mark.filterwarnings("ignore:PyTorch's fast operator"),  # of a machine that lacks hardware for a precision
]

RAGGED = random_ids([60, 31, 31, 7, 1, 64])
TARGETS = random_ids([9, 9, 1, 20, 2, 40], seed=1)
PRECISIONS = ("fp32", "int8", "bf16")
HEADS = [(family, head) for family in ENCODERS for head in FAMILIES[family].heads]


@pytest.fixture(autouse=True)
def prefer(monkeypatch):
    """Let the kernels multiply in every precision, on processors too where something else is faster."""
    monkeypatch.setattr(kernels, "is_fast", lambda precision: precision in PRECISIONS)


def assert_same(actual, expected):
    assert [a.shape for a in actual] == [e.shape for e in expected]
    assert all((a == e).all() for a, e in zip(actual, expected, strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("family", "head"), HEADS)
def test_encoders(family, head, precision):
    source = wide_model(family, head)
    fast, twin = source.optimize(precision), native(source, precision)
    assert_same(twin.predict(RAGGED), fast.predict(RAGGED))
    assert_same(twin.embed(RAGGED), fast.embed(RAGGED))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "values", [{"intermediate_size": 33}, {"is_gated_act": True}, {"pre_norm": True}, {"d_kv": 16}]
)
def test_encoders_with_odd_options(values, precision):
    source = wide_model(**values)
    assert_same(native(source, precision).predict(RAGGED), source.optimize(precision).predict(RAGGED))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", GENERATORS)
def test_generators(kind, precision):
    source = generator(kind)
    fast, twin = source.optimize(precision), native(source, precision)
    assert_same(twin.predict(RAGGED), fast.predict(RAGGED))
    if kind != "gpt2":
        assert_same(twin.token_log_probs(RAGGED, TARGETS), fast.token_log_probs(RAGGED, TARGETS))
        cross = [model.cross_attention(RAGGED[1], TARGETS[1]) for model in (twin, fast)]
        np.testing.assert_allclose(*cross, atol=1e-6 if precision == "fp32" else 1e-2)
    sources = None if kind == "gpt2" else RAGGED
    for values in ({}, {"num_beams": 3, "no_repeat_ngram_size": 2, "repetition_penalty": 1.2}):
        options = GenerationConfig(**values, max_new_tokens=15, eos_token_id=[5, 17, 60, 3])
        ours, theirs = (
            [[(text.ids, text.score) for text in texts] for texts in model.generate_ids(sources, TARGETS, options)]
            for model in (twin, fast)
        )
        assert ours == theirs


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_that_are_stored_as_int8(precision):
    """Of the file's int8 rows, numpy makes the products that PyTorch makes of the numbers that they stand for."""
    source = wide_model("bert", "sequence-classification")
    state: dict = {}
    for name, tensor in source.own_state_dict().items():
        state[name] = to_array(tensor)
        if state[name].ndim == 2:
            rows, scales = int8.quantise(state[name], narrow_sums=False)
            state[name] = Int8Rows(rows, scales)
            tensor.copy_(torch.from_numpy(state[name].expand()))
    twin = NativeModel(source.config, source.task_head, state, precision)
    assert_same(twin.predict(RAGGED), source.optimize(precision).predict(RAGGED))


@pytest.mark.parametrize("family", ENCODERS)
def test_without_kernels_answers_are_close(family, monkeypatch):
    """Labels are the same; in int8 scores differ as much as its roundings, which may be finer without kernels."""
    source = wide_model(family)
    kernel = {precision: np.array(source.optimize(precision).predict(RAGGED)) for precision in ("fp32", "int8")}
    monkeypatch.setattr(kernels, "available", lambda: False)
    for precision, bound in (("fp32", 1e-5), ("int8", 2e-2)):
        numpy = np.array(native(source, precision).predict(RAGGED))
        pytorch = np.array(source.optimize(precision).predict(RAGGED))
        for other in (kernel[precision], pytorch):
            assert (numpy.argmax(1) == other.argmax(1)).all()
            np.testing.assert_allclose(plain.softmax(numpy), plain.softmax(other), atol=bound, rtol=0)
