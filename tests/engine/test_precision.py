"""Precisions: what auto chooses, by the processor or by a measurement."""

import json
import os

import pytest
import torch
from small import BOUNDS

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, pipeline
from gatonegro.engine import best_precision, processor, tuned_precision
from gatonegro.errors import OptionError

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


def on_machine(monkeypatch, capabilities, level="AVX512", **environment):
    monkeypatch.setenv("GATONEGRO_CACHE", os.devnull)  # nothing was measured there
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(capabilities, True) | {"l2_cache_size": 1})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
    forget()


def forget():
    for cached in (processor.cpu_capabilities, processor.fast_precisions):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "level", "environment", "stored", "other"),
    [
        (["sse2"], "DEFAULT", {}, "fp32", "fp32"),
        (["sse2", "avx2"], "AVX2", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx_vnni"], "AVX2", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni"], "AVX512", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {}, "int8", "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"], "AVX512", {}, "int8", "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "DEFAULT", {}, "fp32", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX2", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "SSE41"}, "fp32", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "AVX10_1_512"}, "int8",
         "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}, "int8",
         "fp32"),
        (["neon", "bf16"], "DEFAULT", {}, "bf16", "bf16"),
        (["neon", "bf16"], "SVE256", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "bf16", "bf16"),
        (["neon"], "DEFAULT", {}, "fp32", "fp32"),
    ],
)  # fmt: skip
def test_what_auto_means(monkeypatch, capabilities, level, environment, stored, other):
    on_machine(monkeypatch, capabilities, level, **environment)
    try:
        assert best_precision(CPU, stored_int8=True) == stored
        assert best_precision(CPU, stored_int8=False) == other
    finally:
        forget()


def test_what_was_measured_here_is_heeded(monkeypatch, tmp_path):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path / "new" / "folder"))
    assert tuned_precision.load_fastest(True) is None
    path = tuned_precision.save_fastest("int8", "fp32")
    assert best_precision(CPU, stored_int8=True) == "int8" and best_precision(CPU, stored_int8=False) == "fp32"
    assert [file.name for file in path.parent.iterdir()] == ["tuned.json"]
    for damaged in ("", "[]", "{", '{"x": 1}', json.dumps({tuned_precision.machine_key(): ["int8"]}),
                    json.dumps({tuned_precision.machine_key(): {"fastest": "int3", "exact": 5}})):  # fmt: skip
        path.write_text(damaged)
        assert tuned_precision.load_fastest(True) is None
        tuned_precision.save_fastest("bf16", "bf16")
        assert tuned_precision.load_fastest(False) == "bf16"
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert tuned_precision.load_fastest(True) is None  # and does not wait for somebody to write
    monkeypatch.setattr(torch, "__version__", "3.0")  # another PyTorch may be otherwise
    assert tuned_precision.load_fastest(True) is None


@pytest.mark.parametrize(
    ("platform", "names", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/gatonegro/tuned.json"),
        ("linux", {"HOME": "/h"}, "/h/.cache/gatonegro/tuned.json"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/gatonegro/tuned.json"),
    ],
)
def test_where_it_is_kept(monkeypatch, platform, names, expected):
    for name in ("GATONEGRO_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert tuned_precision.tuned_path().as_posix() == expected


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp16")])
def test_what_auto_means_on_a_gpu(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    assert best_precision(torch.device("cuda"), stored_int8=True) == expected
    assert best_precision(torch.device("mps"), stored_int8=True) == "fp32"
