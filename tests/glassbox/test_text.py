"""How an explanation reads as text: the answer first, each step with its place, whole numbers at 80 columns."""

import re

import pytest

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, explain
from gatonegro.glassbox.text import to_text


@pytest.fixture(params=["es", "en"])
def lang(request):
    return request.param


@pytest.fixture
def explained(make_folder):
    """Return a function that explains a text by a small classifier."""
    folder = make_folder()
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return lambda text, lang="es": explain(text, model, tokenizer=tokenizer, lang=lang)


def headings(text: str) -> list[str]:
    return re.findall(r"^((?:\w.*, )?(?:[Pp]aso|[Ss]tep) \d)\. ", text, re.MULTILINE)


def test_the_answer_comes_before_the_steps(explained, lang):
    explanation = explained("the black cat", lang)
    text, answer, model = to_text(explanation).split("\n")[:3]
    assert (text, model.split(": ")[0]) == ("the black cat", "modelo" if lang == "es" else "model")
    assert answer.startswith(f"→ {explanation.answer[0][0]} 0") and str(explanation).count("→") == 1


def test_a_generated_text_comes_before_the_steps(parts):
    model, tokenizer = parts["bart"]
    explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5)
    assert to_text(explanation, width=500).split("\n")[1] == f"→ {explanation.text_written}".rstrip()


@pytest.mark.case("N15")
@pytest.mark.parametrize("kind", ["bart", "t5", "gpt2"])
def test_each_step_says_to_which_layer_it_belongs(parts, lang, kind):
    model, tokenizer = parts[kind]
    explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5, lang=lang)
    found = headings(str(explanation))
    assert len(found) == len(set(found)) == len(explanation.steps)


@pytest.mark.case("N15")
def test_the_place_of_a_step_names_stack_layer_and_attention(parts):
    model, tokenizer = parts["bart"]
    explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5, lang="es")
    places = dict(zip((step.name for step in explanation.steps), headings(str(explanation)), strict=True))
    assert places["vectorization"] == "Paso 1" and places["decoder.vectorization"] == "Decodificador, paso 1"
    assert places["encoder.0.softmax"] == "Codificador, capa 1, paso 4"
    assert places["decoder.1.cross.softmax"] == "Decodificador, capa 2, atención cruzada, paso 4"
    assert places["next"] == "Paso 8"


@pytest.mark.parametrize("words", [1, 4, 10])
def test_80_columns_hold_whole_numbers(explained, lang, words):
    explanation = explained(" ".join(["the", "black", "cat", "profesor", "sencillo"] * 2).split(" ", words)[0], lang)
    text = to_text(explanation, width=80)
    assert max(map(len, text.split("\n"))) <= 80
    comma = "," if lang == "es" else r"\."
    tables = re.findall(r"^ {5}\S.*\d" + comma + r"\d\d\b.*$", text, re.MULTILINE)
    n = len(explanation.tokens)
    rows = [line for line in tables if len(re.findall(rf"[01]{comma}\d\d(?!\d)", line)) == n]
    assert len(rows) == 2 * n, text  # a row of each token in each of two layers
    assert not re.search(rf"\d{comma}\d*…", text)


def test_labels_stand_beside_their_numbers(explained):
    explanation = explained("the black cat", "en")
    text = to_text(explanation, width=80)
    for label, score in explanation.answer:
        assert f"{label} {score:.4f}".rstrip("0") in text


def test_places_of_words_are_for_machines(explained):
    explanation = explained("the black cat", "en")
    assert "spans" in explanation["attribution"].tensors and "[0, " not in str(explanation)
