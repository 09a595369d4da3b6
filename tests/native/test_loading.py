"""Loading of models in numpy: from files, in a precision, with the answers of PyTorch's model."""

import json

import numpy as np
import pytest
from small import random_ids, wide_model

from gatonegro import AutoModelForSequenceClassification
from gatonegro.errors import ConfigError, OptionError
from gatonegro.generation import GenerationConfig
from gatonegro.native import best_precision, load, loading
from gatonegro.operators import kernels, tuned_precision

IDS = [[i % 60 for i in ids] for ids in random_ids([9, 4, 1])]


def test_a_classifier(tiny):
    expected = AutoModelForSequenceClassification.from_pretrained(tiny).eval()
    model = load(tiny, "sequence-classification", precision="fp32")
    assert model.precision == "fp32" and not model.stored_int8 and model.config.id2label == expected.config.id2label
    np.testing.assert_allclose(model.predict(IDS), expected.predict(IDS), atol=1e-5)


def test_one_that_is_stored_as_int8(tmp_path):
    wide_model().save_pretrained(tmp_path, int8=True)
    stored = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    model = load(tmp_path, "sequence-classification", precision="fp32")
    assert model.stored_int8
    np.testing.assert_allclose(model.predict(IDS), stored.predict(IDS), atol=1e-5)


def test_generators(folders, parts):
    """With the generation options of their files."""
    options = GenerationConfig(max_new_tokens=8)
    for kind, folder in folders.items():
        expected, head = parts[kind][0].eval(), "causal-lm" if kind == "gpt2" else "seq2seq-lm"
        model = load(folder, head, precision="fp32")
        assert model.generates and model.generation_config.to_dict() == expected.generation_config.to_dict()
        sources, prompts = (None, IDS) if kind == "gpt2" else (IDS, None)
        found = [[text[0].ids for text in m.generate_ids(sources, prompts, options)] for m in (model, expected)]
        assert found[0] == found[1]


def test_precisions_that_are_none(tiny):
    for wrong in ("fp16", "int4", None, 8):
        with pytest.raises(OptionError, match="int8"):
            load(tiny, "sequence-classification", precision=wrong)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match=tmp_path.name):
        load(tmp_path, "sequence-classification")


def test_options_of_generation_in_config_json_are_checked(folders, tmp_path):
    """Also beside a generation_config.json, as in PyTorch: the start token is read there."""
    for path in folders["t5"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    for wrong in (-1, "x", 1.5):
        (tmp_path / "config.json").write_text(json.dumps(data | {"decoder_start_token_id": wrong}))
        with pytest.raises(ConfigError, match="decoder_start_token_id"):
            load(tmp_path, "seq2seq-lm")


@pytest.mark.parametrize(
    ("available", "fast", "preferred", "stored", "other"),
    [
        (False, {"int8", "bf16"}, {"int8", "bf16"}, "fp32", "fp32"),
        (True, {"int8", "bf16"}, {"int8", "bf16"}, "int8", "bf16"),
        (True, {"int8"}, {"int8"}, "int8", "fp32"),
        (True, {"int8", "bf16"}, {"int8"}, "int8", "fp32"),
        (True, {"int8", "bf16"}, set(), "fp32", "fp32"),
        (True, set(), {"int8"}, "fp32", "fp32"),
    ],
)
def test_what_auto_means(monkeypatch, tmp_path, available, fast, preferred, stored, other):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "available", lambda: available)
    monkeypatch.setattr(kernels, "is_fast", lambda precision: precision in preferred)
    monkeypatch.setattr(loading, "fast_precisions", lambda: fast)
    assert best_precision(stored_int8=True) == stored and best_precision(stored_int8=False) == other
    tuned_precision.save_fastest(loading.BACKEND, "bf16", "bf16")
    assert best_precision(stored_int8=True) == ("bf16" if available else "fp32")
