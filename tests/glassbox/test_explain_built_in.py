"""Explanations of the built-in models."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from gatonegro import (
    explain,
    hub,
    pipeline,
)
from gatonegro.errors import OptionError

built_in = pytest.mark.skipif(
    "demo-en" not in hub.built_in_models(), reason="the built-in models are not installed: pip install ./models"
)


@built_in
class TestBuiltIn:
    def test_a_translator_translates_to_the_other_language(self):
        explanation = explain("El gato negro", model="translate-es-en", lang="en")
        assert explanation.tokens[:3] == (">>en<<", "▁El", "▁gato") and "▁cat" in explanation.written
        assert ">>en<<" in explanation.notes[0][0]
        explanation = explain(">>es<< The black cat", model="translate-es-en", lang="en")
        assert explanation.tokens[0] == ">>es<<" and "▁gato" in explanation.written and not explanation.notes

    def test_a_pipeline_gets_a_diagnosis(self):
        assert explain("El profesor es bueno, todo será sencillo", pipeline(model="demo-en")).diagnosis.fits is False

    def test_each_step_follows_from_the_one_before(self):
        explanation = explain("El gato negro duerme", lang="es")
        linear, scores = explanation["encoder.3.linear"], explanation["encoder.3.attention"].tensors["scores"]
        q = linear.tensors["x"] @ linear.weights["W_Q"].T + linear.weights["b_Q"]
        np.testing.assert_allclose(linear.tensors["Q"].transpose(1, 0, 2).reshape(q.shape), q, atol=1e-4)
        mine = linear.tensors["Q"] @ linear.tensors["K"].transpose(0, 2, 1) / linear.tensors["Q"].shape[-1] ** 0.5
        np.testing.assert_allclose(scores, mine, atol=1e-4)
        softmax, add, norm = (explanation[f"encoder.3.{name}"] for name in ("softmax", "add", "norm"))
        np.testing.assert_allclose(softmax.tensors["probs"].sum(-1), 1, atol=1e-5)
        np.testing.assert_allclose(add.tensors["sum"], add.tensors["x"] + add.tensors["attention"], atol=1e-6)
        r = norm.tensors["sum"]
        y = (r - r.mean(1, keepdims=True)) / np.sqrt(r.var(1, keepdims=True) + 1e-12)
        np.testing.assert_allclose(norm.tensors["y"], y * norm.weights["γ"] + norm.weights["β"], atol=1e-4)
        before, after = explanation["encoder.3.feed_forward"].tensors["z"], explanation["encoder.4.linear"].tensors["x"]
        np.testing.assert_array_equal(before, after)

    def test_a_weight_that_changes_changes_its_step_and_what_follows(self):
        clf = pipeline("sentiment-analysis", "demo-en", dtype="float32")
        model = copy.deepcopy(clf.model)
        with torch.no_grad():
            model.encoder.layers[1].attention.value.weight[0, 0] += 0.1
        before = explain("The black cat", clf)
        after = explain("The black cat", model, tokenizer=clf.tokenizer)
        same = [a.name for a, b in zip(before.steps, after.steps, strict=True)
                if all(np.array_equal(a.tensors[k], b.tensors[k]) for k in a.tensors)]  # fmt: skip
        assert {name for name in same if not name.startswith("encoder.0.")} == {"vectorization", "encoder.1.attention"}
        assert len([name for name in same if name.startswith("encoder.0.")]) == 6
        a, b = before["encoder.1.linear"].tensors, after["encoder.1.linear"].tensors
        assert np.array_equal(a["Q"], b["Q"]) and not np.array_equal(a["V"], b["V"])
        np.testing.assert_allclose(b["V"][0, :, 0] - a["V"][0, :, 0], 0.1 * a["x"][:, 0], atol=1e-6)

    def test_an_optimized_model_is_explained_by_its_source_with_a_note(self):
        clf = pipeline("sentiment-analysis", "demo-en", precision="fp32")
        explanation = explain("The black cat", clf, lang="en")
        assert "its optimized copy in fp32" in explanation.notes[0][0]
        assert "! This is the model itself" in str(explanation)

    def test_a_text_over_the_window_is_truncated_with_a_note(self):
        explanation = explain("gato " * 2000, lang="en")
        assert len(explanation.tokens) == 512 and "512 are read" in explanation.notes[0][0]
        assert "which words made the decision" in explanation.notes[1][0]

    def test_a_model_that_does_not_fit_says_so(self):
        explanation = explain("El profesor es bueno, todo será sencillo", model="demo-en", lang="en")
        assert explanation.diagnosis.fits is False and "made for English" in str(explanation)
        assert explanation.answer[0][0] == "NEGATIVE"

    @pytest.mark.parametrize("text", ["The food was awful but I loved the teacher", "It is good", "no"])
    def test_what_words_add_is_what_the_logit_rises_by(self, text):
        step = explain(text, model="demo-en")["attribution"].tensors
        assert float(step["sum"]) == pytest.approx(float(step["delta"]), abs=0.02 + 0.02 * abs(float(step["delta"])))

    def test_which_words_made_the_decision(self):
        explanation = explain("The food was awful", model="demo-en", lang="en")
        step = explanation["attribution"]
        shares = dict(zip(step.rows, step.tensors["attribution"].tolist(), strict=True))
        assert explanation.answer[0][0] == "NEGATIVE" and max(shares, key=shares.get) == "awful"
        assert list(shares) == ["The", "food", "was", "awful"] and "awful +" in str(explanation)
        assert not any(s.kind == "attribution" for s in explain("gato " * 200).steps)  # it would take long

    def test_text_is_data(self):
        explanation = explain("<script>alert(1)</script> [red]x[/red] \x1b[31m", lang="en")
        text = str(explanation)
        assert "<script>alert(1)</script>" in text and "[red]x[/red]" in text and "\x1b" not in text

    @pytest.mark.slow
    def test_it_is_kept(self, tmp_path):
        from safetensors.numpy import load_file

        explanation = explain("El gato negro", lang="es")
        exact = load_file(explanation.save(tmp_path / "x.safetensors"))
        assert exact.keys() == explanation.tensors().keys()
        for name, x in explanation.tensors().items():
            np.testing.assert_array_equal(exact[name], x)
        saved = json.loads(explanation.save(tmp_path / "x.json").read_text(encoding="utf-8"))
        assert saved["answer"][0]["label"] == explanation.answer[0][0] and len(saved["steps"]) == len(explanation.steps)
        (head,) = (step for step in saved["steps"] if step["name"] == "head")
        np.testing.assert_allclose(head["tensors"]["logits"], explanation["head"].tensors["logits"], rtol=1e-5)
        with np.load(explanation.save(tmp_path / "x.npz")) as kept:
            assert len(kept.files) == len(exact)
        assert "Autoatención" in explanation.save(tmp_path / "x.txt").read_text(encoding="utf-8")
        with pytest.raises(OptionError, match="saved as"):
            explanation.save(tmp_path / "x.pdf")
        with pytest.raises(KeyError, match="softmax"):
            explanation["softmax"]

    @pytest.mark.slow
    def test_a_notebook_shows_it_with_and_without_scripts(self):
        explanation = explain("<b>El</b> gato & negro", lang="es")
        shown = explanation._repr_html_()
        still, frame = shown.split("<iframe", 1)
        assert len(still.encode()) < 200_000 and "<script" not in still and "<b>El" not in still and "NEU" in still
        assert "&lt;" in still and "▁gato" in still and "Cuánto mira cada palabra" in still
        assert 'sandbox="allow-scripts"' in frame and frame.count('"') == 8
        assert "<table" in explain("El gato negro", model="toy")._repr_html_()
        assert "<table" not in explain("gato " * 60)._repr_html_().split("<iframe")[0]

    @pytest.mark.slow
    def test_the_command_line(self, tmp_path):
        run = [sys.executable, "-m", "gatonegro", "explain"]
        done = subprocess.run([*run, "-m", "toy", "El gato negro"], capture_output=True, text=True, check=True)
        assert "Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4" in done.stdout
        done = subprocess.run([*run, "El gato", "-o", tmp_path / "x.json"], capture_output=True, text=True, check=True)
        assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["text"] == "El gato" and not done.stdout
        done = subprocess.run([*run, "-m", "toy", "perro"], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "has three words" in done.stderr
