"""Explanations of small models contain what the models computed."""

import copy
import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from small_checkpoints import KINDS

from gatonegro import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    diagnose,
    explain,
    pipeline,
)
from gatonegro.errors import CheckpointError, GatonegroError, InputError, MissingHeadError, OptionError
from gatonegro.glassbox.step_builders import RowLabels, stack_steps
from gatonegro.models import load
from gatonegro.nn.recording import record_activations
from gatonegro.packing import Layout, pack


@pytest.mark.parametrize("kind", KINDS)
def test_explanations_of_generative_models_show_what_they_compute(parts, kind):
    model, tokenizer = parts[kind]
    explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5)
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(list(explanation.tokens))])
    written = torch.tensor([tokenizer.convert_tokens_to_ids(list(explanation.written))])[:, :-1]
    batch = {"input_ids": written} if kind == "gpt2" else {"input_ids": ids, "decoder_input_ids": written}
    with torch.no_grad():
        out = model(**batch, output_hidden_states=True, output_attentions=True)
    layers = model.config.decoder.num_hidden_layers if model.config.decoder else model.config.num_hidden_layers
    attentions = out.decoder_attentions if kind != "gpt2" else out.attentions
    hidden = out.decoder_hidden_states if kind != "gpt2" else out.hidden_states
    for i in range(layers):
        own = next(s for s in explanation.steps if s.name == f"decoder.{i}.softmax")
        np.testing.assert_allclose(own.tensors["probs"], attentions[i][0], atol=1e-6)
        assert np.isneginf(own.tensors["scores"][:, 0, 1:]).all()  # nobody sees what comes later
        if kind != "gpt2":
            cross = explanation[f"decoder.{i}.cross.softmax"].tensors["probs"]
            np.testing.assert_allclose(cross, out.cross_attentions[i][0], atol=1e-6)
        z = torch.tensor(explanation[f"decoder.{i}.feed_forward"].tensors["z"])
        if i == layers - 1 and model.decoder.norm is not None:  # the last hidden states come after it
            z = model.decoder.norm(z).detach()
        np.testing.assert_allclose(z, hidden[i + 1][0], atol=2e-6, rtol=1e-5)
        attention = explanation[f"decoder.{i}.masked_attention"]
        q, k, scores = (attention.tensors[name] for name in ("Q", "K", "scores"))
        of = q @ k.transpose(0, 2, 1) * (1 if kind[:2] == "t5" else q.shape[-1] ** -0.5) + attention.tensors.get("B", 0)
        seen = np.isfinite(scores)
        np.testing.assert_allclose(scores[seen], of[seen], atol=1e-4)
        assert ("B[j − i]" in attention.formula) == (kind[:2] == "t5") == ("√d" not in attention.formula)
    likeliest = out.logits[0].softmax(-1).topk(5)
    np.testing.assert_allclose(explanation["next"].tensors["probs"], likeliest.values, atol=1e-6)
    untraced = model.run(pack(written.tolist(), model.config)) if kind == "gpt2" else model.run(
        pack(ids.tolist(), model.config), target=pack(written.tolist(), model.config.decoder)
    )  # fmt: skip
    np.testing.assert_allclose(explanation["next"].tensors["sum"], untraced.detach().logsumexp(-1), atol=2e-6)
    json.loads(explanation.to_json(), parse_constant=pytest.fail)  # no infinity, which is what is masked
    new = explanation.written[-5:] if kind != "gpt2" else explanation.written[len(explanation.tokens) :]
    assert new and set(new) <= set(tokenizer.get_vocab())


HEADS = {
    "sequence-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
    "masked-lm": AutoModelForMaskedLM,
    "none": AutoModel,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_of_a_generative_model_follows_from_the_one_before(parts, kind):
    """Each formula, computed from the tensors of its step, gives the next tensors."""
    model, tokenizer = parts[kind]
    explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5)
    x = None
    for step in explanation.steps:
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
    last = [step for step in explanation.steps if step.name in ("decoder.norm", "encoder.norm")]
    assert len(last) == {"t5": 2, "t5-v1.1": 2, "gpt2": 1}.get(kind, 0)
    z = explanation["next"].tensors["z"]
    np.testing.assert_allclose(z, (last[-1].tensors["y"] if last else explanation.steps[-2].tensors["z"]), atol=1e-6)
    if kind != "gpt2":
        step, name = ("encoder.norm", "y") if kind[:2] == "t5" else ("encoder.1.feed_forward", "z")
        end = explanation[step].tensors[name]
        np.testing.assert_allclose(x, end, atol=1e-6)
    formula = explanation["next"].formula
    assert ("d^(−½)" in formula) == (kind == "t5") and ("W_output" in formula) == (kind == "t5-v1.1")


FAMILY = {
    "bert": {"type_vocab_size": 2},
    "distilbert": {"type_vocab_size": 0},
    "roberta": {"type_vocab_size": 1, "position_rule": "count"},
    "camembert": {"type_vocab_size": 1, "position_rule": "count"},
    "xlm-roberta": {"type_vocab_size": 1, "position_rule": "count"},
}


@pytest.mark.parametrize("family", FAMILY)
@pytest.mark.parametrize("head", HEADS)
def test_explanations_of_encoders_show_what_they_compute(make_folder, family, head):
    folder = make_folder(head, model_type=family, **FAMILY[family])
    model, tokenizer = HEADS[head].from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    explanation = explain("the black cat", model, tokenizer=tokenizer, lang="en")
    batch = tokenizer("the black cat", return_tensors="pt")
    batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        out = model(**batch, output_hidden_states=True, output_attentions=True)
    np.testing.assert_allclose(explanation["vectorization"].tensors["x"], out.hidden_states[0][0], atol=1e-6)
    ids = pack([tokenizer("the black cat")["input_ids"]], model.config).to("cpu")
    with torch.no_grad():
        untraced = model.encoder(model.embeddings(ids), Layout(ids.lengths, ids.lengths))
    np.testing.assert_allclose(explanation["encoder.1.feed_forward"].tensors["z"], untraced, atol=1e-6)
    for i, probs in enumerate(out.attentions):
        np.testing.assert_allclose(explanation[f"encoder.{i}.softmax"].tensors["probs"], probs[0], atol=1e-6)
        z = explanation[f"encoder.{i}.feed_forward"].tensors["z"]
        np.testing.assert_allclose(z, out.hidden_states[i + 1][0], atol=1e-6)
    last = next(step.tensors for step in explanation.steps if step.number == 8)
    if head == "none":
        np.testing.assert_allclose(last["z"], out.last_hidden_state[0], atol=1e-6)
    elif head == "token-classification":
        best = out.logits[0].softmax(-1).max(-1)
        np.testing.assert_allclose(last["probs"][:, 0], best.values, atol=1e-6)
        labels = [model.config.id2label[i] for i in best.indices.tolist()]
        assert [explanation.words[i] for i in last["likeliest"][:, 0].tolist()] == labels
    elif head == "masked-lm":
        np.testing.assert_allclose(last["probs"], out.logits[0].softmax(-1).topk(5).values, atol=1e-6)
    else:
        np.testing.assert_allclose(last["logits"], out.logits[0], atol=1e-5)
    if head == "sequence-classification":
        assert explanation.answer[0][1] == pytest.approx(float(out.logits.softmax(-1).max()), abs=1e-6)


def test_a_layer_that_is_called_twice_has_two_steps(make_folder):
    """A shared layer, as in ALBERT, has one set of steps per call."""
    model = AutoModel.from_pretrained(make_folder("none"))
    model.encoder.layers = torch.nn.ModuleList([model.encoder.layers[0]] * 3)
    ids = pack([[2, 5, 6, 3]], model.config).to("cpu")
    with torch.no_grad():
        expected = model.embeddings(ids)
        with record_activations(model) as seen:
            model.run(ids)
        steps = list(stack_steps(model.encoder, seen, expected, "encoder", RowLabels(("a", "b", "c", "d"))))
        for i in range(3):
            expected = model.encoder.layers[0](expected, Layout(ids.lengths, ids.lengths))
            explained = next(step for step in steps if step.name == f"encoder.{i}.feed_forward").tensors["z"]
            np.testing.assert_allclose(explained, expected, atol=1e-6)


def test_what_a_pipeline_does_to_a_text_is_done_here_too(make_folder):
    folder = make_folder("sequence-classification")
    clf = pipeline("text-classification", str(folder), preprocess=str.lower)
    explanation = explain("THE CAT", clf, lang="en")
    assert explanation.tokens == explain("the cat", str(folder)).tokens
    assert explanation.notes[-1][0] == "The model reads: the cat"


def test_texts_over_a_limit_are_cut_with_a_note(parts):
    model, tokenizer = parts["gpt2"]
    explanation = explain("El gato negro " * 200, model, tokenizer=tokenizer, max_new_tokens=5, lang="en")
    assert len(explanation.written) <= model.config.max_tokens and "is not explained" in explanation.notes[0][0]
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
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        explain("the cat", broken, tokenizer=AutoTokenizer.from_pretrained(folder))
    with pytest.raises(InputError):
        explain("the cat", broken, tokenizer="bert")
    with pytest.raises(InputError, match="surrogate"):
        explain("a\ud800b", str(folder))
    (tmp_path / "x.html").mkdir()
    toy = explain("El gato", model="toy")
    with pytest.raises(OptionError, match="folder"):
        toy.save(tmp_path / "x.html")
    with pytest.raises(OptionError, match="there is no folder"):  # a mistyped path is no wish for a folder
        toy.save(tmp_path / "new" / "x.NPZ")
    (tmp_path / "new").mkdir()
    assert toy.save(tmp_path / "new" / "x.NPZ").stat().st_size
    folder = make_folder("pooler")
    pooled = explain("the cat", load(folder, "pooler"), tokenizer=AutoTokenizer.from_pretrained(folder))
    assert pooled.steps[-1].tensors["pooled"].shape == (1, 32) and not pooled.answer


def test_several_labels_or_a_number_are_scored_as_the_pipeline_does(make_folder):
    for kind, total in (("multi_label_classification", None), ("regression", None), (None, 1.0)):
        folder = make_folder("sequence-classification", problem_type=kind)
        answer = dict(explain("the black cat", str(folder), lang="en").answer)
        answers = pipeline("text-classification", str(folder))("the black cat", top_k=None)
        assert answer == pytest.approx({label["label"]: label["score"] for label in answers}, abs=1e-5)
        assert total is None or sum(answer.values()) == pytest.approx(total)


def test_every_text_is_there_in_both_languages():
    from string import Formatter

    from gatonegro.glassbox.explain import NOTES
    from gatonegro.glassbox.html import GLOSSARY, PAGE_TEXTS
    from gatonegro.glassbox.step_builders import CAPTIONS, STEP_NUMBERS
    from gatonegro.language.diagnosis import REPORT_LABELS as REPORT
    from gatonegro.language.matching import LANGUAGE_NAMES

    for messages in (CAPTIONS, NOTES, PAGE_TEXTS, GLOSSARY, REPORT, LANGUAGE_NAMES):
        for key, message in messages.items():
            fields = [{(name or "").partition(".")[0] for _, name, *_ in Formatter().parse(text)} for text in message]
            assert all(text.strip() for text in message) and fields[0] == fields[1], key
    assert all(f"{kind}.{part}" in CAPTIONS for kind in STEP_NUMBERS for part in ("title", "short", "text"))
    assert all(": " in text for message in GLOSSARY.values() for text in message)


def test_ids_without_a_token_are_shown_by_number(parts):
    model, tokenizer = copy.deepcopy(parts["gpt2"])
    model.resize_token_embeddings(len(tokenizer) + 50)
    with torch.no_grad():
        model.embeddings.tokens.weight[len(tokenizer) :] *= 1000  # the likeliest, or the least likely
    shown = {f"#{i}" for i in range(len(tokenizer), len(tokenizer) + 50)}
    explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=2)
    assert shown & {*explanation.words.values()}
    assert str(explanation)


def test_an_explanation_is_in_the_requested_language_and_not_the_users(monkeypatch, make_folder):
    monkeypatch.setenv("GATONEGRO_LANG", "en")
    folder = make_folder("masked-lm")
    explanation = explain("  ", str(folder), lang="es")
    assert explanation.to_dict()["notes"][0].startswith("El texto está en blanco")
    assert "está en blanco" in str(explanation)
    assert str(explanation.notes[0]).startswith("The text is blank")
    assert explanation.steps[-1].caption.short == ("Words", "Palabras")  # of a masked model no word comes next
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


@pytest.mark.parametrize("value", [["El gato"], ("a", "b"), None, 3, b"gato", {"text": "a"}, float("nan")])
def test_a_message_names_the_argument_that_is_refused(value):
    with pytest.raises(InputError) as error:
        explain(value)
    assert error.value.in_("en").startswith("text is ") and error.value.in_("es").startswith("text es ")


@pytest.mark.parametrize("text", ["Das ist gut", "Hola", "🙂", "1984"])
def test_an_unclear_diagnosis_says_why(text, make_folder):
    report = diagnose(text, str(make_folder("sequence-classification")))
    assert report.fits is None and "unclear: too little text" in str(report)
