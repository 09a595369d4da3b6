"""Tests of the shipped sentiment model and its card."""

import importlib
import json
import sys

import pytest
from small import ROOT

from gatonegro import hub, pipeline
from gatonegro.errors import LanguageMismatchWarning

NAME = "sentiment-es-en"

FIGURES = ROOT / "recipes" / "sentiment" / "figures.json"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        NAME not in hub.built_in_models(), reason=f"the built-in {NAME} is not installed: pip install ./models"
    ),
]

SHIPPED = ("es.tsv",)  # the suite that the shipped model's card counts


@pytest.fixture(scope="module")
def classify():
    return pipeline("sentiment-analysis", NAME)


@pytest.fixture(scope="module")
def suite():
    """Return the module `recipes/sentiment/behaviour.py`."""
    sys.path.insert(0, str(ROOT / "recipes" / "sentiment"))
    try:
        return importlib.import_module("behaviour")
    finally:
        sys.path.pop(0)


def test_the_suite_is_what_the_card_says_it_is(suite):
    rows = suite.pairs(SHIPPED)
    assert len(rows) >= 300 and len({row["group"] for row in rows}) == 12
    texts = [row[column] for row in rows for column in ("text", "twin")]
    assert len(set(texts)) == len(texts)
    for row in rows:
        for label in (row["label"], row["twin_label"]):
            assert set(label.split("|")) <= {"NEG", "NEU", "POS"} or (
                label == "=" and row["group"] in ("origin", "gender")
            )


def test_a_pair_passes_when_both_are_right(suite):
    assert suite.passes(("NEG", "POS"), ("NEG", "POS")) and not suite.passes(("NEG", "NEG"), ("NEG", "POS"))
    assert suite.passes(("NEU", "POS"), ("NEG|NEU", "POS")) and not suite.passes(("POS", "POS"), ("NEG|NEU", "POS"))
    assert suite.passes(("NEU", "NEU"), ("=", "=")) and not suite.passes(("NEU", "POS"), ("=", "="))


def test_the_shipped_model_behaves_as_its_card_says(suite):
    """Within one pair per group, since processors round differently."""
    groups, failures, noise = suite.behaviour(NAME, SHIPPED)
    measured = json.loads(FIGURES.read_text(encoding="utf-8"))
    for group, (passed, count) in groups.items():
        rate_on_card, of, _ = measured["behaviour"][group]
        assert of == count and abs(rate_on_card - passed) <= 1, group
    assert len(failures) == sum(count - passed for passed, count in groups.values())
    assert abs(noise - measured["noise"]) < 0.02


def test_unknown_emoji_are_replaced_by_their_names(classify):
    assert [answer["label"] for answer in classify(["Ya he llegado al hotel 🤮", "Ya he llegado al hotel 🥰"])] == [
        "NEG",
        "POS",
    ]
    assert classify("Ya he llegado 🤮")[0] == classify("Ya he llegado cara vomitando")[0]


def test_what_means_nothing_scores_low(classify):
    noise = classify(["asdkjh qwlekj zxcmn", "def f(x): return x * 2", "a1b2c3d4e5f6a7b8"], min_score=0.7)
    assert all(answer.get("unsure") for answer in noise)
    assert "unsure" not in classify("Una maravilla, volveremos seguro", min_score=0.7)[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("No estoy feliz", "NEG"),
        ("Caro pero merece la pena", "POS"),
        ("Genial", "POS"),
        ("Regular", "NEU"),
        ("El profesor es bueno, todo será sencillo", "POS"),
        ("EL PROFESOR ES BUENO, TODO SERÁ SENCILLO", "POS"),
        ("El tren sale a las ocho", "NEU"),
    ],
)
def test_what_it_must_know(classify, text, label):
    assert classify(text)[0]["label"] == label


@pytest.mark.case("N8")
@pytest.mark.parametrize(
    "text",
    [
        "O profesor é moi bo e todo vai ser sinxelo, encántame esta clase",
        "O rapaz foi á casa da súa avoa onte pola tarde",
    ],
)
def test_galician_is_told(text):
    with pytest.warns(LanguageMismatchWarning, match="Galician is related to Spanish"):
        pipeline("sentiment-analysis", "sentiment-es-en")(text)
