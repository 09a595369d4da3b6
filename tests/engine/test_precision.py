"""Precisions: what auto chooses, by the processor or by a measurement."""

import os

import pytest
import torch
from small import BOUNDS

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, pipeline
from gatonegro.engine import best_precision
from gatonegro.engine import processor as torch_processor
from gatonegro.engine.optimize import BACKEND
from gatonegro.errors import OptionError
from gatonegro.operators import processor, tuned_precision

pytestmark = pytest.mark.usefixtures("quiet", "operators")


CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", [*BOUNDS, "auto"])
def test_pipelines_in_every_precision(tiny, precision):
    texts = ["el gato es bueno", "la película fue muy mala", "no", "", "hotel " * 30] * 3
    plain = pipeline("sentiment-analysis", model=tiny, dtype="float32")(texts)
    fast = pipeline("sentiment-analysis", model=tiny, precision=precision)
    assert fast.model.precision in BOUNDS and fast.model.source.precision == ""
    for first, second in zip(plain, fast(texts), strict=True):
        assert abs(first["score"] - second["score"]) < 0.1
    assert {type(v) for v in fast(texts)[0].values()} == {str, float}


def test_a_model_object_runs_in_its_own_precision_unless_another_is_named(tiny):
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    assert pipeline("sentiment-analysis", model=model, tokenizer=tokenizer).model.precision == ""
    fast = pipeline("sentiment-analysis", model=model, tokenizer=tokenizer, precision="int8").model
    assert fast.precision == "int8" and fast.source is model
    optimized = model.optimize("fp32")
    assert pipeline("sentiment-analysis", model=optimized, tokenizer=tokenizer).model is optimized


def test_precision_or_dtype(tiny):
    with pytest.raises(OptionError, match="one of the two"):
        pipeline("sentiment-analysis", model=tiny, precision="fp32", dtype="float32")
    assert pipeline("sentiment-analysis", model=tiny, dtype="float64").model.dtype == torch.float64


@pytest.fixture
def on_machine(monkeypatch, tmp_path):
    """Return a function that pretends that this processor has other features, limited by environment variables."""
    monkeypatch.setenv("GATONEGRO_CACHE", os.devnull)  # nothing was measured there
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)

    def pretend(flags, environment):
        name = "Features" if "neon" in flags else "flags"
        processor.CPU_INFO.write_text(f"processor\t: 0\n{name}\t\t: {' '.join(flags)}\n")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        forget()

    yield pretend
    forget()


def forget():
    for cached in (processor.cpu_capabilities, processor.fast_precisions, torch_processor.fast_precisions):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("flags", "environment", "stored", "other"),
    [
        (["sse2"], {"ATEN_CPU_CAPABILITY": "default"}, "fp32", "fp32"),
        (["sse2", "avx2"], {"ATEN_CPU_CAPABILITY": "avx2"}, "int8", "fp32"),
        (["sse2", "avx2", "avx_vnni"], {"ATEN_CPU_CAPABILITY": "avx2"}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni"], {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {}, "int8", "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"], {}, "int8", "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {"ATEN_CPU_CAPABILITY": "default"}, "fp32", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {"ATEN_CPU_CAPABILITY": "avx2"}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {"ONEDNN_MAX_CPU_ISA": "SSE41"}, "fp32", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {"ONEDNN_MAX_CPU_ISA": "AVX10_1_512"}, "int8",
         "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}, "int8",
         "fp32"),
        (["neon", "bf16"], {"ATEN_CPU_CAPABILITY": "default"}, "bf16", "bf16"),
        (["neon", "bf16"], {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "bf16", "bf16"),
        (["neon"], {"ATEN_CPU_CAPABILITY": "default"}, "fp32", "fp32"),
    ],
)  # fmt: skip
def test_what_auto_means(on_machine, flags, environment, stored, other):
    on_machine(flags, environment)
    assert best_precision(CPU, stored_int8=True) == stored
    assert best_precision(CPU, stored_int8=False) == other


def test_auto_is_what_was_measured_here(monkeypatch, tmp_path):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path))
    tuned_precision.save_fastest(BACKEND, "int8", "fp32")
    assert best_precision(CPU, stored_int8=True) == "int8" and best_precision(CPU, stored_int8=False) == "fp32"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp16")])
def test_what_auto_means_on_a_gpu(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    assert best_precision(torch.device("cuda"), stored_int8=True) == expected
    assert best_precision(torch.device("mps"), stored_int8=True) == "fp32"
