"""The glass box: the worked example by hand, and of real models that what is told is what was computed."""

import copy
import json
import re
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from generative import KINDS

from gatonegro import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    diagnose,
    explain,
    hub,
    pipeline,
)
from gatonegro.errors import CheckpointError, GatonegroError, InputError, MissingHeadError, OptionError
from gatonegro.glassbox.step_builders import RowLabels, stack_steps
from gatonegro.glassbox.toy import WORD_VECTORS, W
from gatonegro.models import load
from gatonegro.nn.watch import watch
from gatonegro.packing import Layout, pack

built_in = pytest.mark.skipif(
    "demo-en" not in hub.built_in_models(), reason="the built-in models are not installed: pip install ./models"
)


@pytest.fixture(scope="module")
def toy():
    return explain("El gato negro", model="toy", lang="es")


def test_the_worked_example_is_the_courses(toy):
    assert [step.number for step in toy.steps] == [1, 2, 3, 4, 5, 6, 7]
    linear = toy["linear"].tensors
    for name in "QKV":
        assert linear[name][0].tolist() == [[2, 1, 2], [4, 2, 4], [6, 3, 6]]
    assert toy["vectorization"].tensors["x"].tolist() == [list(v) for v in WORD_VECTORS.values()]


def test_the_worked_example_by_hand(toy):
    """Each step again by NumPy alone."""
    x = np.array(list(WORD_VECTORS.values()))
    q = x @ np.array(W)
    scores = q @ q.T / 3**0.5
    probs = np.exp(scores - scores.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    total = x + probs @ q

    def norm(r):
        return (r - r.mean(1, keepdims=True)) / np.sqrt(r.var(1, keepdims=True) + 1e-5)

    y = norm(total)
    down = np.maximum(y, 0) @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    wanted = {
        "attention": ("scores", scores[None]), "softmax": ("probs", probs[None]), "add": ("sum", total),
        "norm": ("y", y), "feed_forward": ("z", norm(y + down)),
    }  # fmt: skip
    for name, (tensor, numbers) in wanted.items():
        np.testing.assert_allclose(toy[name].tensors[tensor], numbers, atol=1e-12)


def test_every_product_and_exponential_is_written_out(toy):
    lines = {step.kind: [line[1] for line in step.work] for step in toy.steps}
    assert "Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4" in lines["linear"] and len(lines["linear"]) == 28
    assert lines["linear"][0] == "W_Q = W_K = W_V = [[1, 0, 1], [0, 1, 0], [1, 0, 1]],  b = 0"
    assert "S(El, gato) = (2·4 + 1·2 + 2·4) / √3 = 18 / √3 = 10.3923" in lines["attention"]
    assert len([line for line in lines["softmax"] if line.startswith("A(")]) == 9
    assert all("e^(" in line for line in lines["softmax"] if line.startswith("A("))
    assert len([line for line in lines["softmax"] if re.fullmatch(r"context\(\w+\)_\d = .*·.*", line)]) == 9
    assert lines["norm"][1].startswith("El: media = (") and len(lines["norm"]) == 1 + 3 * 5
    assert lines["norm"][3].startswith("y(El)_1 = (") and "varianza = ((" in lines["norm"][2]
    assert "ReLU([0.7071, -1.4142, 0.7071]) = [0.7071, 0, 0.7071]" in lines["feed_forward"]
    assert len([line for line in lines["feed_forward"] if "·W_" in line]) == 18
    assert {step.kind for step in toy.steps if step.notes} == {"linear", "softmax", "add", "norm", "feed_forward"}
    said, english = str(toy), str(explain("El gato negro", model="toy", lang="en"))
    assert "Autoatención" in said and "El curso aplica softmax" in said
    assert "Self-attention" in english and "The course takes softmax" in english and "media" not in english


@pytest.mark.parametrize("text", ["", "El perro", "el gato", "El " * 13, "<script>"])
def test_the_toy_knows_three_words(text):
    with pytest.raises(InputError, match="El gato negro"):
        explain(text, model="toy")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_of_models_that_write_is_what_they_compute(parts, kind):
    model, tokenizer = parts[kind]
    found = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5)
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(list(found.tokens))])
    written = torch.tensor([tokenizer.convert_tokens_to_ids(list(found.written))])[:, :-1]
    batch = {"input_ids": written} if kind == "gpt2" else {"input_ids": ids, "decoder_input_ids": written}
    with torch.no_grad():
        out = model(**batch, output_hidden_states=True, output_attentions=True)
    layers = model.config.decoder.num_hidden_layers if model.config.decoder else model.config.num_hidden_layers
    attentions = out.decoder_attentions if kind != "gpt2" else out.attentions
    hidden = out.decoder_hidden_states if kind != "gpt2" else out.hidden_states
    for i in range(layers):
        own = next(s for s in found.steps if s.name == f"decoder.{i}.softmax")
        np.testing.assert_allclose(own.tensors["probs"], attentions[i][0], atol=1e-6)
        assert np.isneginf(own.tensors["scores"][:, 0, 1:]).all()  # nobody sees what comes later
        if kind != "gpt2":
            cross = found[f"decoder.{i}.cross.softmax"].tensors["probs"]
            np.testing.assert_allclose(cross, out.cross_attentions[i][0], atol=1e-6)
        np.testing.assert_allclose(
            found[f"decoder.{i}.feed_forward"].tensors["z"], hidden[i + 1][0], atol=2e-6, rtol=1e-5
        )
        attention = found[f"decoder.{i}.masked_attention"]
        q, k, scores = (attention.tensors[name] for name in ("Q", "K", "scores"))
        of = q @ k.transpose(0, 2, 1) * (1 if kind[:2] == "t5" else q.shape[-1] ** -0.5) + attention.tensors.get("B", 0)
        seen = np.isfinite(scores)
        np.testing.assert_allclose(scores[seen], of[seen], atol=1e-4)
        assert ("B[j − i]" in attention.formula) == (kind[:2] == "t5") == ("√d" not in attention.formula)
    likeliest = out.logits[0].softmax(-1).topk(5)
    np.testing.assert_allclose(found["next"].tensors["probs"], likeliest.values, atol=1e-6)
    untraced = model.run(pack(written.tolist(), model.config)) if kind == "gpt2" else model.run(
        pack(ids.tolist(), model.config), written=pack(written.tolist(), model.config.decoder)
    )  # fmt: skip
    np.testing.assert_allclose(found["next"].tensors["sum"], untraced.detach().logsumexp(-1), atol=2e-6)
    json.loads(found.to_json(), parse_constant=pytest.fail)  # no infinity, which is what is masked
    new = found.written[-5:] if kind != "gpt2" else found.written[len(found.tokens) :]
    assert new and set(new) <= set(tokenizer.get_vocab())


HEADS = {
    "sequence-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
    "masked-lm": AutoModelForMaskedLM,
    "none": AutoModel,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_of_models_that_write_follows_from_the_one_before(parts, kind):
    """What the formulas say, computed from what the steps show."""
    model, tokenizer = parts[kind]
    found = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5)
    x = None
    for step in found.steps:
        of, weights = step.tensors, step.weights
        assert all(x.shape[-2] == len(step.rows) for name, x in of.items() if name in ("x", "Q", "y", "z", "context"))
        if step.kind == "vectorization":
            scale = of["tokens"].shape[-1] ** 0.5 if "√d" in step.formula else 1.0
            assert ("√d" in step.formula) == (kind == "marian")
            if "norm" not in step.formula:
                np.testing.assert_allclose(of["x"], scale * of["tokens"] + of.get("positions", 0), atol=1e-6)
        elif step.kind == "norm":
            r = of.get("sum", of.get("x"))
            if "mean(" in step.formula:
                y = weights["γ"] * r / np.sqrt((r**2).mean(-1, keepdims=True) + 1e-6)
            else:
                r = r - r.mean(-1, keepdims=True)
                y = weights["γ"] * r / np.sqrt((r**2).mean(-1, keepdims=True) + 1e-5) + weights["β"]
            np.testing.assert_allclose(of["y"], y, atol=2e-5, rtol=1e-4)
            assert ("mean(" in step.formula) == (kind[:2] == "t5")
        elif step.kind == "linear":
            read = of["memory"] if ".cross." in step.name else of["x"]
            k = (read @ weights["W_K"].T + weights.get("b_K", 0)).reshape(len(read), len(of["K"]), -1)
            np.testing.assert_allclose(of["K"], k.transpose(1, 0, 2), atol=1e-5)
            assert len(read) == len(step.columns or step.rows) and ("M·W_K" in step.formula) == (".cross." in step.name)
            x = of.get("memory", x)
        elif step.kind == "softmax":
            np.testing.assert_allclose(of["context"], of["probs"] @ of["V"], atol=1e-5)
    last = [step for step in found.steps if step.name in ("decoder.norm", "encoder.norm")]
    assert len(last) == {"t5": 2, "t5-v1.1": 2, "gpt2": 1}.get(kind, 0)
    z = found["next"].tensors["z"]
    np.testing.assert_allclose(z, (last[-1].tensors["y"] if last else found.steps[-2].tensors["z"]), atol=1e-6)
    if kind != "gpt2":
        end = found["encoder.norm"].tensors["y"] if kind[:2] == "t5" else found["encoder.1.feed_forward"].tensors["z"]
        np.testing.assert_allclose(x, end, atol=1e-6)
    assert ("d^(−½)" in found["next"].formula) == (kind == "t5") and ("W_output" in found["next"].formula) == (
        kind == "t5-v1.1"
    )


FAMILY = {
    "bert": {"type_vocab_size": 2},
    "distilbert": {"type_vocab_size": 0},
    "roberta": {"type_vocab_size": 1, "position_rule": "count"},
    "camembert": {"type_vocab_size": 1, "position_rule": "count"},
    "xlm-roberta": {"type_vocab_size": 1, "position_rule": "count"},
}


@pytest.mark.parametrize("family", FAMILY)
@pytest.mark.parametrize("head", HEADS)
def test_what_is_told_of_encoders_is_what_they_compute(make_folder, family, head):
    folder = make_folder(head, model_type=family, **FAMILY[family])
    model, tokenizer = HEADS[head].from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    found = explain("the black cat", model, tokenizer=tokenizer, lang="en")
    batch = tokenizer("the black cat", return_tensors="pt")
    batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        out = model(**batch, output_hidden_states=True, output_attentions=True)
    np.testing.assert_allclose(found["vectorization"].tensors["x"], out.hidden_states[0][0], atol=1e-6)
    ids = pack([tokenizer("the black cat")["input_ids"]], model.config)
    with torch.no_grad():
        untraced = model.encoder(model.embeddings(ids), Layout(ids.lengths, ids.lengths))
    np.testing.assert_allclose(found["encoder.1.feed_forward"].tensors["z"], untraced, atol=1e-6)
    for i, probs in enumerate(out.attentions):
        np.testing.assert_allclose(found[f"encoder.{i}.softmax"].tensors["probs"], probs[0], atol=1e-6)
        z = found[f"encoder.{i}.feed_forward"].tensors["z"]
        np.testing.assert_allclose(z, out.hidden_states[i + 1][0], atol=1e-6)
    last = next(step.tensors for step in found.steps if step.number == 8)
    if head == "none":
        np.testing.assert_allclose(last["z"], out.last_hidden_state[0], atol=1e-6)
    elif head == "token-classification":
        best = out.logits[0].softmax(-1).max(-1)
        np.testing.assert_allclose(last["probs"][:, 0], best.values, atol=1e-6)
        labels = [model.config.id2label[i] for i in best.indices.tolist()]
        assert [found.words[i] for i in last["likeliest"][:, 0].tolist()] == labels
    elif head == "masked-lm":
        np.testing.assert_allclose(last["probs"], out.logits[0].softmax(-1).topk(5).values, atol=1e-6)
    else:
        np.testing.assert_allclose(last["logits"], out.logits[0], atol=1e-5)
    if head == "sequence-classification":
        assert found.answer[0][1] == pytest.approx(float(out.logits.softmax(-1).max()), abs=1e-6)


def test_a_layer_that_is_called_twice_is_told_as_two(make_folder):
    """As ALBERT does: the calls of one layer, by their order."""
    model = AutoModel.from_pretrained(make_folder("none"))
    model.encoder.layers = torch.nn.ModuleList([model.encoder.layers[0]] * 3)
    ids = pack([[2, 5, 6, 3]], model.config)
    with torch.no_grad():
        wanted = model.embeddings(ids)
        with watch(model) as seen:
            model.run(ids)
        steps = list(stack_steps(model.encoder, seen, wanted, "encoder", RowLabels(("a", "b", "c", "d"))))
        for i in range(3):
            wanted = model.encoder.layers[0](wanted, Layout(ids.lengths, ids.lengths))
            told = next(step for step in steps if step.name == f"encoder.{i}.feed_forward").tensors["z"]
            np.testing.assert_allclose(told, wanted, atol=1e-6)


def test_what_a_pipeline_does_to_a_text_is_done_here_too(make_folder):
    folder = make_folder("sequence-classification")
    clf = pipeline("text-classification", str(folder), preprocess=str.lower)
    found = explain("THE CAT", clf, lang="en")
    assert found.tokens == explain("the cat", str(folder)).tokens and found.notes[-1][0] == "The model reads: the cat"


def test_of_what_is_read_and_written_there_is_a_limit_and_it_is_said(parts):
    model, tokenizer = parts["gpt2"]
    found = explain("El gato negro " * 200, model, tokenizer=tokenizer, max_new_tokens=5, lang="en")
    assert len(found.written) <= model.config.max_tokens and "is not explained" in found.notes[0][0]
    model, tokenizer = parts["bart"]
    notes = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=2, lang="en").notes
    assert any("was cut after 2 tokens" in note[0] for note in notes)


@pytest.mark.parametrize("kind", ["bart", "gpt2"])
def test_an_explanation_has_the_diagnosis_that_diagnose_returns(folders, kind, tmp_path):
    folder = shutil.copytree(folders[kind], tmp_path / kind)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"languages": ["en"]}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    text = "El profesor es bueno, todo será sencillo"
    diagnosis = explain(text, str(folder), max_new_tokens=2).diagnosis
    assert diagnosis.fits is False and diagnosis == diagnose(text, str(folder))


def test_what_cannot_be_explained(parts, make_folder, tmp_path):
    model, tokenizer = parts["gpt2"]
    bare = copy.deepcopy(model)
    bare.head = None
    with pytest.raises(MissingHeadError, match="AutoModelForCausalLM"):
        explain("El gato", bare, tokenizer=tokenizer)
    folder = make_folder("sequence-classification")
    broken = AutoModelForSequenceClassification.from_pretrained(folder)
    broken.head.output.bias.data[0] = float("nan")
    with pytest.raises(CheckpointError, match="no number"):
        explain("the cat", broken, tokenizer=AutoTokenizer.from_pretrained(folder))
    with pytest.raises(InputError):
        explain("the cat", broken, tokenizer="bert")
    with pytest.raises(InputError, match="surrogate"):
        explain("a\ud800b", str(folder))
    (tmp_path / "x.html").mkdir()
    toy = explain("El gato", model="toy")
    with pytest.raises(OptionError, match="folder"):
        toy.save(tmp_path / "x.html")
    assert toy.save(tmp_path / "new" / "x.NPZ").stat().st_size
    folder = make_folder("pooler")
    pooled = explain("the cat", load(folder, "pooler"), tokenizer=AutoTokenizer.from_pretrained(folder))
    assert pooled.steps[-1].tensors["pooled"].shape == (1, 32) and not pooled.answer


def test_several_labels_or_a_number_are_scored_as_the_pipeline_does(make_folder):
    for kind, total in (("multi_label_classification", None), ("regression", None), (None, 1.0)):
        folder = make_folder("sequence-classification", problem_type=kind)
        answer = dict(explain("the black cat", str(folder), lang="en").answer)
        said = pipeline("text-classification", str(folder))("the black cat", top_k=None)
        assert answer == pytest.approx({one["label"]: one["score"] for one in said}, abs=1e-5)
        assert total is None or sum(answer.values()) == pytest.approx(total)


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
        assert done.returncode == 1 and "knows three words" in done.stderr


def test_every_text_is_there_in_both_languages():
    from string import Formatter

    from gatonegro.glassbox.explain import NOTES
    from gatonegro.glassbox.html import GLOSSARY, WORDS
    from gatonegro.glassbox.step_builders import CAPTIONS, STEP_NUMBERS
    from gatonegro.language.diagnosis import REPORT_LABELS as REPORT
    from gatonegro.language.matching import LANGUAGE_NAMES

    for messages in (CAPTIONS, NOTES, WORDS, GLOSSARY, REPORT, LANGUAGE_NAMES):
        for key, message in messages.items():
            fields = [{name for _, name, *_ in Formatter().parse(text)} for text in message]
            assert all(text.strip() for text in message) and fields[0] == fields[1], key
    assert all(f"{kind}.{part}" in CAPTIONS for kind in STEP_NUMBERS for part in ("title", "short", "text"))
    assert all(": " in text for message in GLOSSARY.values() for text in message)


def test_words_are_in_the_language_that_is_asked_for_whatever_the_users_is(monkeypatch, make_folder):
    monkeypatch.setenv("GATONEGRO_LANG", "en")
    folder = make_folder("masked-lm")
    found = explain("  ", str(folder), lang="es")
    assert found.to_dict()["notes"][0].startswith("El texto está en blanco") and "está en blanco" in str(found)
    assert str(found.notes[0]).startswith("The text is blank")
    assert found.steps[-1].caption.short == ("Words", "Palabras")  # of a masked model no word comes next
    for call in (lambda: explain(1), lambda: explain("a", lang="fr"), lambda: explain("perro", model="toy")):
        with pytest.raises(GatonegroError) as raised:
            call()
        assert raised.value.in_("es") != raised.value.in_("en") == str(raised.value)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: explain(1), InputError),
        (lambda: explain("a", lang="fr"), OptionError),
        (lambda: explain("a", model=3), InputError),
        (lambda: explain("a", model="./none"), GatonegroError),
    ],
)
def test_what_is_refused(call, error):
    with pytest.raises(error), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
