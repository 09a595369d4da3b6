"""Which words made a classifier's decision: how words are found in tokens, what they add, and whether it is clear."""

import csv
import itertools
import json
import math

import numpy as np
import pytest
from small import ROOT

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, explain, hub
from gatonegro.glassbox.attribution import Attribution, attribute, group_tokens, shapley
from gatonegro.glassbox.html import notebook, page

SPECIAL = {0, 1}  # ids of the special tokens below; 1 is the unknown token too

with (ROOT / "benchmarks" / "cues.tsv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def words_of(text: str, tokens: list[str], ids: list[int] | None = None) -> tuple[list[str], list[int]]:
    """Return the words of a text, and the word of each of the tokens that follow each other in it."""
    offsets, at = [], 0
    for token in tokens:
        at = text.index(token, at)
        offsets.append((at, at + len(token)))
        at += len(token)
    ids = [5] * len(tokens) if ids is None else ids
    spans, owners = group_tokens(text, [0, *ids, 1], [(0, 0), *offsets, (0, 0)], SPECIAL)
    assert owners[0] == owners[-1] == -1
    return [text[start:end] for start, end in spans], owners[1:-1]


@pytest.mark.case("N12")
@pytest.mark.parametrize(
    ("text", "tokens", "words", "owners"),
    [
        ("El duerme", ["El", "du", "er", "me"], ["El", "duerme"], [0, 1, 1, 1]),
        ("bueno, sencillo.", ["bueno", ",", "sencillo", "."], ["bueno", "sencillo"], [0, 2, 1, 2]),
        ("¡Qué bien!", ["¡", "Qué", "bien", "!"], ["Qué", "bien"], [2, 0, 1, 2]),
        ("I didn't", ["I", "didn", "'", "t"], ["I", "didn't"], [0, 1, 1, 1]),
        ("I didn’t", ["I", "didn", "’", "t"], ["I", "didn’t"], [0, 1, 1, 1]),
        ("well-made", ["well", "-", "made"], ["well-made"], [0, 0, 0]),
        ("so - so", ["so", "-", "so"], ["so", "so"], [0, 2, 1]),
        ("a 3.5, b", ["a", "3", ".", "5", ",", "b"], ["a", "3.5", "b"], [0, 1, 1, 1, 3, 2]),
        ("mal 😡!", ["mal", "😡", "!"], ["mal", "😡"], [0, 1, 2]),
        ("mal ❤️👍🏽", ["mal", "❤️", "👍", "🏽"], ["mal", "❤️👍🏽"], [0, 1, 1, 1]),
        ("bien :) (sí)", ["bien", ":", ")", "(", "sí", ")"], ["bien", ":)", "sí"], [0, 1, 1, 3, 2, 3]),
        ("<b>a</b>", ["<", "b", ">", "a", "</", "b", ">"], ["b", "a", "b"], [3, 0, 3, 1, 3, 2, 3]),
        ("#bien @ana", ["#", "bien", "@", "ana"], ["#bien", "@ana"], [0, 0, 1, 1]),
        ("el Sol", ["el", " ", "S", "ol"], ["el", "Sol"], [0, 1, 1, 1]),  # white space as a token of its own
        ("el, Sol ", ["el", ",", " ", "Sol", " "], ["el", "Sol"], [0, 2, 1, 1, 2]),
        ("de la casa", ["de la", "casa"], ["de la", "casa"], [0, 1]),  # a token of two words
        ("de la casa", ["d", "e l", "a c", "asa"], ["de la casa"], [0, 0, 0, 0]),
        ("東京は", ["東", "京は"], ["東", "京は"], [0, 1]),
        ("uno dos tres", ["uno", "dos"], ["uno", "dos"], [0, 1]),  # the rest was cut off
        ("¡¿…!?", ["¡¿", "…", "!?"], [], [0, 0, 0]),
        ("a € b ・ 1°C", ["a", "€", "b", "・", "1", "°", "C"], ["a", "b", "1", "°", "C"], [0, 5, 1, 5, 2, 3, 4]),
        ("___ snake_case", ["___", "snake", "_", "case"], ["snake_case"], [1, 0, 0, 0]),
        ("", [], [], []),
    ],
)
def test_tokens_of_a_word_are_one_and_punctuation_is_apart(text, tokens, words, owners):
    assert words_of(text, tokens) == (words, owners)


def test_an_unknown_or_special_token_that_is_written_in_the_text_is_a_word():
    assert words_of("Ñu come", ["Ñu", "come"], [1, 5]) == (["Ñu", "come"], [0, 1])


@pytest.mark.parametrize("pairs", [1, 3])
def test_shapley_values_of_games_that_are_known(pairs):
    weights = np.array([0.5, -2.0, 3.0, 0.0])
    calls = []

    def additive(sets):
        calls.append(len(sets))
        return 7 + sets @ weights

    np.testing.assert_allclose(shapley(additive, 4, pairs), weights, atol=1e-12)
    assert calls == [2 * pairs * 5]  # all sets in one call
    both = shapley(lambda sets: 4.0 * (sets[:, 0] & sets[:, 1]), 3, pairs)  # one without the other is nothing
    np.testing.assert_allclose(both, [2, 2, 0], atol=1e-12)  # exact: an order and its reverse
    assert shapley(lambda sets: np.ones(len(sets)), 0, pairs).shape == (0,)


def test_more_orders_come_nearer_to_all_orders():
    rng = np.random.default_rng(1)
    table = {bits: rng.normal() for bits in itertools.product((False, True), repeat=5)}

    def value(sets):
        return np.array([table[tuple(kept)] for kept in sets.tolist()])

    exact = np.zeros(5)
    for order in itertools.permutations(range(5)):
        kept = [False] * 5
        for part in order:
            before = table[tuple(kept)]
            kept[part] = True
            exact[part] += (table[tuple(kept)] - before) / math.factorial(5)
    few, many = (np.abs(shapley(value, 5, pairs) - exact).max() for pairs in (1, 400))
    assert many < 0.15 < few
    assert shapley(value, 5, 2).sum() == pytest.approx(table[(True,) * 5] - table[(False,) * 5])


@pytest.mark.case("N12")
@pytest.mark.parametrize("text", ["the cat, the black cat!", "profesor sencillo", "¡!", "cat", "the " * 40])
@pytest.mark.parametrize("problem", [None, "multi_label_classification", "regression"])
def test_the_parts_add_up_to_the_answer(make_folder, text, problem):
    folder = make_folder(problem_type=problem, **({"id2label": {0: "x"}} if problem == "regression" else {}))
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    explanation = explain(text, model, tokenizer=tokenizer, lang="en")
    step, logits = explanation["attribution"], explanation["head"].tensors["logits"].astype(float)
    best = int(logits.argmax())
    odds = logits[best] if problem else logits[best] - np.log(np.exp(np.delete(logits, best)).sum())
    of = {name: float(x) for name, x in step.tensors.items() if x.ndim == 0}
    assert of["start"] + of["sum"] == pytest.approx(odds, abs=1e-4) and of["sum"] == pytest.approx(of["delta"])
    values = step.tensors["attribution"]
    assert of["sum"] == pytest.approx(values.sum() + of["punctuation"]) and len(values) == len(step.rows)
    assert [text[start:end] for start, end in step.tensors["spans"]] == list(step.rows)
    assert not set(step.rows) & set(",.!¡") and "[CLS]" not in step.rows
    saved = json.loads(explanation.to_json())["steps"][-1]
    assert saved["rows"] == list(step.rows) and len(saved["tensors"]["attribution"]) == len(step.rows)


def test_a_tokenizer_without_special_tokens_has_an_empty_text_too(make_folder):
    model = AutoModelForSequenceClassification.from_pretrained(make_folder())
    found = attribute(model, "ab cd", [7, 8], [(0, 2), (3, 5)], set(), 0)
    assert found.words == ["ab", "cd"] and found.start + found.values.sum() == pytest.approx(found.odds)


@pytest.mark.parametrize("words", [1, 10, 40])
def test_the_number_of_forward_passes_is_bounded(make_folder, monkeypatch, words):
    model = AutoModelForSequenceClassification.from_pretrained(make_folder(max_position_embeddings=256))
    text = " ".join(["gato"] * words)
    offsets = [(5 * i, 5 * i + 4) for i in range(words)]
    tokens, predict = [], model.predict
    monkeypatch.setattr(model, "predict", lambda ids: (tokens.extend(map(len, ids)), predict(ids))[1])
    attribute(model, text, list(range(6, 6 + words)), offsets, set(), 0)
    assert sum(tokens) <= 4000 and len(tokens) <= 2 * 12 * (words + 1)


@pytest.mark.case("N12")
@pytest.mark.parametrize(
    ("values", "odds", "clear"),
    [
        ([0.1, 2.0, -0.5], 0.5, True),
        ([0.1, 2.0, 0.1, 1.5, 0.1, -0.1], 0.5, True),  # two words that stand out
        ([0.4, 1.0, 0.5, 0.5], 0.5, False),  # all are much alike
        ([0.1, 1.0, -1.6], 0.5, True),  # what speaks against it is another matter
        ([0.1, 2.0, -0.5], -0.2, False),  # hardly more than an empty text
        ([-0.1, -2.0], 0.5, False),  # nothing speaks for it
        ([0.0, 0.0], 0.5, False),
        ([], 0.5, False),
        ([2.0], 0.5, True),
    ],
)
def test_a_decision_that_is_not_clear_is_said(values, odds, clear):
    words = [f"word{i}" for i in range(len(values))]
    assert Attribution(words, [], np.array(values), 0.0, -1.0, odds).is_clear is clear


@pytest.mark.case("N12")
@pytest.mark.parametrize("word", ["El", "de la", "están", "the", "It's", "I’ve"])
def test_a_function_word_decides_nothing(word):
    assert not Attribution([word, "frío"], [], np.array([3.0, 0.1]), 0.0, -1.0, 2.0).is_clear
    assert Attribution(["frío", word], [], np.array([3.0, 0.1]), 0.0, -1.0, 2.0).is_clear


@pytest.mark.parametrize("word", ["no", "not", "sin", "without", "muy", "didn't", "Can’t", "de la casa", "😡", ":)"])
def test_words_that_negate_intensify_or_mean_something_may_decide(word):
    assert Attribution([word, "frío"], [], np.array([3.0, 0.1]), 0.0, -1.0, 2.0).is_clear


@pytest.mark.case("N12")
def test_the_page_and_the_text_say_what_is_not_known(make_folder):
    folder = make_folder()
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for text in ("¡!", ""):
        explanation = explain(text, model, tokenizer=tokenizer, lang="es")
        (note,) = explanation["attribution"].notes
        assert "no se sabe qué palabras decidieron" in str(explanation) and note.es in notebook(explanation)
        assert note.en in page(explanation) and "estimación" in explanation["attribution"].text


built_in = pytest.mark.skipif(
    "sentiment-es-en" not in hub.built_in_models(), reason="the built-in models are not installed: pip install ./models"
)


@built_in
@pytest.mark.case("N12")
@pytest.mark.parametrize("row", [row for row in ROWS if row["cue"]][4::5], ids=lambda row: row["cue"])
def test_the_word_that_decides_comes_first(row):
    explanation = explain(row["text"])
    step = explanation["attribution"]
    first = step.rows[int(step.tensors["attribution"].argmax())]
    assert explanation.answer[0][0] == row["label"] and first == row["cue"]


@built_in
@pytest.mark.case("N12")
@pytest.mark.parametrize(
    ("text", "words", "first"),
    [
        ("El profesor es muy bueno, todo será sencillo", "El profesor es muy bueno todo será sencillo", "bueno"),
        ("El gato negro duerme", "El gato negro duerme", ""),
        ("¡Qué asco de sitio! 😡", "Qué asco de sitio 😡", ""),
        ("I didn't like the state-of-the-art screen.", "I didn't like the state-of-the-art screen", "didn't"),
    ],
)
def test_words_are_whole_and_commas_apart(text, words, first):
    step = explain(text)["attribution"]
    assert list(step.rows) == words.split()
    assert first in ("", step.rows[int(step.tensors["attribution"].argmax())])


@built_in
@pytest.mark.case("N12")
def test_an_article_is_not_named_as_what_decided():
    step = explain("El desayuno estaba frío", lang="es")["attribution"]  # answered NEU, as an empty text is
    assert step.rows[int(step.tensors["attribution"].argmax())] == "El"
    assert "artículo" in step.notes[0].es and "article" in step.notes[0].en


@built_in
@pytest.mark.slow
@pytest.mark.case("N12")
def test_facts_have_no_decisive_word():
    facts = [row["text"] for row in ROWS if not row["cue"]][::2]
    unclear = [text for text in facts if explain(text)["attribution"].notes]
    assert len(unclear) >= 0.6 * len(facts), unclear
