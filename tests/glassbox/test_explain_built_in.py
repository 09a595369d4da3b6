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


@pytest.fixture(scope="module")
def toy():
    return explain("El gato negro", model="toy", lang="es")


@built_in
class TestBuiltIn:
    def test_a_translator_is_asked_for_the_other_language(self):
        found = explain("El gato negro", model="translate-es-en", lang="en")
        assert found.tokens[:3] == (">>en<<", "▁El", "▁gato") and "▁cat" in found.written
        assert ">>en<<" in found.notes[0][0]
        found = explain(">>es<< The black cat", model="translate-es-en", lang="en")
        assert found.tokens[0] == ">>es<<" and "▁gato" in found.written and not found.notes

    def test_of_a_pipeline_the_fit_is_told(self):
        assert explain("El profesor es bueno, todo será sencillo", pipeline(model="demo-en")).diagnosis.fits is False

    def test_each_step_follows_from_the_one_before(self):
        found = explain("El gato negro duerme", lang="es")
        linear, scores = found["encoder.3.linear"], found["encoder.3.attention"].tensors["scores"]
        q = linear.tensors["x"] @ linear.weights["W_Q"].T + linear.weights["b_Q"]
        np.testing.assert_allclose(linear.tensors["Q"].transpose(1, 0, 2).reshape(q.shape), q, atol=1e-4)
        mine = linear.tensors["Q"] @ linear.tensors["K"].transpose(0, 2, 1) / linear.tensors["Q"].shape[-1] ** 0.5
        np.testing.assert_allclose(scores, mine, atol=1e-4)
        softmax, add, norm = (found[f"encoder.3.{name}"] for name in ("softmax", "add", "norm"))
        np.testing.assert_allclose(softmax.tensors["probs"].sum(-1), 1, atol=1e-5)
        np.testing.assert_allclose(add.tensors["sum"], add.tensors["x"] + add.tensors["attention"], atol=1e-6)
        r = norm.tensors["sum"]
        y = (r - r.mean(1, keepdims=True)) / np.sqrt(r.var(1, keepdims=True) + 1e-12)
        np.testing.assert_allclose(norm.tensors["y"], y * norm.weights["γ"] + norm.weights["β"], atol=1e-4)
        before, after = found["encoder.3.feed_forward"].tensors["z"], found["encoder.4.linear"].tensors["x"]
        np.testing.assert_array_equal(before, after)

    def test_a_weight_that_changes_changes_its_step_and_what_follows(self):
        clf = pipeline("sentiment-analysis", "demo-en", dtype="float32")
        model = copy.deepcopy(clf.model)
        with torch.no_grad():
            model.encoder.layers[1].attention.value.weight[0, 0] += 0.1
        one = explain("The black cat", clf)
        other = explain("The black cat", model, tokenizer=clf.tokenizer)
        same = [a.name for a, b in zip(one.steps, other.steps, strict=True)
                if all(np.array_equal(a.tensors[k], b.tensors[k]) for k in a.tensors)]  # fmt: skip
        assert {name for name in same if not name.startswith("encoder.0.")} == {"vectorization", "encoder.1.attention"}
        assert len([name for name in same if name.startswith("encoder.0.")]) == 6
        a, b = one["encoder.1.linear"].tensors, other["encoder.1.linear"].tensors
        assert np.array_equal(a["Q"], b["Q"]) and not np.array_equal(a["V"], b["V"])
        np.testing.assert_allclose(b["V"][0, :, 0] - a["V"][0, :, 0], 0.1 * a["x"][:, 0], atol=1e-6)

    def test_an_optimized_model_is_explained_by_its_source_with_a_note(self):
        clf = pipeline("sentiment-analysis", "demo-en", precision="fp32")
        found = explain("The black cat", clf, lang="en")
        assert "its optimized copy in fp32" in found.notes[0][0] and "! This is the model itself" in str(found)

    def test_a_text_over_the_window_is_cut_and_that_is_said(self):
        found = explain("gato " * 2000, lang="en")
        assert len(found.tokens) == 512 and "512 are read" in found.notes[0][0]
        assert "which words made the decision" in found.notes[1][0]

    def test_a_model_that_does_not_fit_says_so(self):
        found = explain("El profesor es bueno, todo será sencillo", model="demo-en", lang="en")
        assert found.diagnosis.fits is False and "made for English" in str(found) and found.answer[0][0] == "NEGATIVE"

    @pytest.mark.parametrize("text", ["The food was awful but I loved the teacher", "It is good", "no"])
    def test_what_words_add_is_what_the_logit_rises_by(self, text):
        step = explain(text, model="demo-en")["attribution"].tensors
        assert float(step["sum"]) == pytest.approx(float(step["delta"]), abs=0.02 + 0.02 * abs(float(step["delta"])))

    def test_which_words_made_the_decision(self):
        found = explain("The food was awful", model="demo-en", lang="en")
        shares = dict(zip(found.tokens, found["attribution"].tensors["attribution"].tolist(), strict=True))
        assert found.answer[0][0] == "NEGATIVE" and max(shares, key=shares.get) == "awful"
        assert shares["[CLS]"] == shares["[SEP]"] == 0 and "awful +" in str(found)
        assert not any(s.kind == "attribution" for s in explain("gato " * 200).steps)  # it would take long

    def test_text_is_data(self):
        found = explain("<script>alert(1)</script> [red]x[/red] \x1b[31m", lang="en")
        said = str(found)
        assert "<script>alert(1)</script>" in said and "[red]x[/red]" in said and "\x1b" not in said

    def test_it_is_kept(self, tmp_path):
        from safetensors.numpy import load_file

        found = explain("El gato negro", lang="es")
        exact = load_file(found.save(tmp_path / "x.safetensors"))
        assert exact.keys() == found.tensors().keys()
        for name, x in found.tensors().items():
            np.testing.assert_array_equal(exact[name], x)
        said = json.loads(found.save(tmp_path / "x.json").read_text(encoding="utf-8"))
        assert said["answer"][0]["label"] == found.answer[0][0] and len(said["steps"]) == len(found.steps)
        (head,) = (step for step in said["steps"] if step["name"] == "head")
        np.testing.assert_allclose(head["tensors"]["logits"], found["head"].tensors["logits"], rtol=1e-5)
        with np.load(found.save(tmp_path / "x.npz")) as kept:
            assert len(kept.files) == len(exact)
        assert "Autoatención" in found.save(tmp_path / "x.txt").read_text(encoding="utf-8")
        with pytest.raises(OptionError, match="saved as"):
            found.save(tmp_path / "x.pdf")
        with pytest.raises(KeyError, match="softmax"):
            found["softmax"]

    def test_a_notebook_shows_it_with_and_without_scripts(self):
        found = explain("<b>El</b> gato & negro", lang="es")
        shown = found._repr_html_()
        still, frame = shown.split("<iframe", 1)
        assert len(still.encode()) < 200_000 and "<script" not in still and "<b>El" not in still and "NEU" in still
        assert "&lt;" in still and "▁gato" in still and "Cuánto mira cada palabra" in still
        assert 'sandbox="allow-scripts"' in frame and frame.count('"') == 8
        assert "<table" in explain("El gato negro", model="toy")._repr_html_()
        assert "<table" not in explain("gato " * 60)._repr_html_().split("<iframe")[0]

    def test_the_command_line(self, tmp_path):
        run = [sys.executable, "-m", "gatonegro", "explain"]
        done = subprocess.run([*run, "-m", "toy", "El gato negro"], capture_output=True, text=True, check=True)
        assert "Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4" in done.stdout
        done = subprocess.run([*run, "El gato", "-o", tmp_path / "x.json"], capture_output=True, text=True, check=True)
        assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["text"] == "El gato" and not done.stdout
        done = subprocess.run([*run, "-m", "toy", "perro"], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "has three words" in done.stderr
