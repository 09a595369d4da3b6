"""PyTorch's private operators: missing or wrong ones are replaced."""

import json

import pytest
import torch
from small import BOUNDS, logits, random_ids, wide_model

from gatonegro import pipeline
from gatonegro.engine.int8 import FbgemmInt8, Int8, OnednnInt8, has_wide_sums
from gatonegro.engine.linear import Linear, Prepacked
from gatonegro.engine.optimize import is_usable
from gatonegro.errors import GatonegroWarning
from gatonegro.operators import processor

pytestmark = pytest.mark.usefixtures("quiet", "operators")


both_int8 = pytest.mark.parametrize("kind", [OnednnInt8, FbgemmInt8])

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from gatonegro import pipeline
found = {}
for precision in ("auto", "fp32", "int8", "bf16"):
    clf = pipeline("sentiment-analysis", model=sys.argv[1], precision=precision)
    found[precision] = [clf.model.precision, [one["score"] for one in clf(["el gato es bueno", "no", "la casa " * 9])]]
print(json.dumps(found))
"""


@pytest.mark.parametrize("switch", [{"ATEN_CPU_CAPABILITY": "default"}, {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {}])
def test_a_machine_without_the_means_answers_rightly(tiny, python, switch):
    ran = python("-c", SCRIPT, tiny, env=switch)
    assert ran.returncode == 0, ran.stderr.decode()
    actual = json.loads(ran.stdout)
    expected = [answer["score"] for answer in pipeline("sentiment-analysis", model=tiny, dtype="float32")(
        ["el gato es bueno", "no", "la casa " * 9])]  # fmt: skip
    for precision, (_, scores) in actual.items():
        assert scores == pytest.approx(expected, abs=1e-5 if precision == "fp32" else 0.1)
    if switch:
        assert actual["auto"][0] == "fp32"


def test_an_operator_that_is_missing_or_wrong_is_replaced_with_a_warning(monkeypatch):
    class Wrong(Linear):
        def forward(self, x, add=None):
            return super().forward(x, add) * 1.5

    class Gone(Linear):
        def forward(self, x, add=None):
            raise AttributeError("'_OpNamespace' 'onednn' object has no attribute 'qlinear_pointwise'")

    for kind, why in ((Wrong, "0.5"), (Gone, "no attribute")):
        with pytest.warns(GatonegroWarning, match="slower one is used instead") as warned:
            assert not is_usable.__wrapped__(kind)
        assert why in str(warned[0].message)
    monkeypatch.setattr("gatonegro.engine.optimize.is_usable", lambda *_: False)
    model, sequences = wide_model(), random_ids([30, 4])
    for precision, bound in BOUNDS.items():
        optimized = model.optimize(precision)
        assert not any(isinstance(part, Prepacked | Int8) for part in optimized.modules())
        expected = logits(model, sequences)
        assert (expected - logits(optimized, sequences)).abs().max() <= bound * max(1, expected.abs().max())


@both_int8
@pytest.mark.parametrize("low", [None, -0.17])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_int8_products(kind, low, rows):
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(rows, 96, generator=generator), torch.randn(40, 96, generator=generator)
    x = x if low is None else torch.nn.functional.gelu(x)
    bias, add = torch.randn(40, generator=generator), torch.randn(rows, 40, generator=generator)
    expected = Linear(weight, bias, "gelu")(x, add.clone())
    actual = kind(weight, bias, "gelu", input_min=low)(x, add.clone())
    assert (expected - actual).abs().mean() < 0.01 * expected.abs().max()
    assert is_usable(kind)


def test_saturation_is_noticed(monkeypatch):
    assert isinstance(has_wide_sums(), bool)
    assert has_wide_sums() or not {"avx512_vnni", "avx_vnni"} & processor.cpu_capabilities()
