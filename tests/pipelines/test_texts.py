"""Texts of every kind: the course's sentences, odd texts, values that are no text."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from answers import label, same

from gatonegro import (
    hub,
    pipeline,
)
from gatonegro.errors import (
    GatonegroWarning,
    InputError,
)

COURSE = [
    "Me encantan las clases de Nechu, explica genial",
    "El profesor es bueno, todo será sencillo",
    "El profesor es bueno todo será sencillo",
    "He estado deseando un curso así toda mi vida",
    "Me encanta HuggingFace",
    "I love Nechu's lessons, she explains things brilliantly",
    "The teacher is good, everything will be easy",
]


@pytest.mark.parametrize("text", COURSE)
def test_the_built_in_model_on_the_sentences_of_the_course(text):
    if not (hub.built_in_models().get("sentiment-es-en", Path()) / "model.int8.safetensors").exists():
        pytest.skip("gatonegro-models is not installed")
    assert label(pipeline("sentiment-analysis")(text)) == "POS"


ODD = {
    "empty": "",
    "spaces": " \t\n\r ",
    "no-break space": "\u00a0\u200b",
    "NUL": "el\0 gato\0",
    "only NUL": "\0" * 100,
    "control characters": "".join(map(chr, range(32))),
    "replacement": "\ufffd\uffff",
    "emoji": "😀🤬🥺👩‍👩‍👧‍👦🇪🇸",
    "a million letters without a space": "a" * 1_000_000,
    "a hundred thousand combining marks": "e" + "\u0301" * 100_000,
    "combining marks alone": "\u0301" * 100_000,
    "right to left": "\u202egato",
    "special tokens": "[CLS] [SEP] [PAD] [MASK] [UNK]",
    "beyond the basic plane": "\U0010ffff𝒢𝒶𝓉𝑜",
    "Chinese": "黑猫" * 10,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_answered_alike_alone_and_among_others(classify, name):
    alone = classify(ODD[name], top_k=None)
    assert len(alone) == 3 and all(math.isfinite(label_score["score"]) for label_score in alone)
    among = classify(["el gato", ODD[name], "no es nada", ODD[name]], top_k=None)
    assert same(among[1], alone) and same(among[3], alone)


@pytest.mark.parametrize("name", [name for name in ODD if "special" not in name])
def test_odd_texts_are_answered_as_transformers_does(tiny, classify, theirs, name):
    assert same(classify(ODD[name], top_k=None), theirs(tiny)(ODD[name], top_k=None))


def test_a_text_of_very_many_tokens(classify):
    with pytest.warns(GatonegroWarning):
        (answer,) = classify("¿?" * 10_000)
    assert math.isfinite(answer["score"])


def test_nothing_in_nothing_out(classify):
    assert classify([]) == [] == classify(()) == classify(np.array([], dtype=str))
    assert same(classify([""]), classify(""))


WRONG = {
    "a whole number": 3,
    "a number": 3.5,
    "bool": True,
    "bytes": b"hola",
    "bytearray": bytearray(b"hola"),
    "list": ["hola"],
    "nothing": [],
    "nested": [["hola", "adiós"]],
    "tuple": ("hola", "adiós"),
    "dict without text": {"texto": "hola"},
    "empty dict": {},
    "dict with more": {"text": "hola", "label": "POS"},
    "dict of a number": {"text": 3},
    "dict of None and more": {"text": None, "label": "POS"},
    "dict of None and a number": {"text": None, "text_pair": 3},
    "dict of a list": {"text": ["hola", "adiós"]},
    "dict with a wrong pair": {"text": "hola", "text_pair": 3},
    "lone surrogate": "hola \ud83d",
    "lone surrogate in a dict": {"text": "hola \udc80"},
    "lone surrogate in a pair": {"text": "hola", "text_pair": "\udfff"},
    "object": object(),
    "class": str,
    "array": np.array(["hola"]),
    "tensor": torch.tensor([1, 2]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_text_is_refused_by_its_number(classify, name):
    wrong = WRONG[name]
    with pytest.raises(InputError, match=r"\bitem 2\b"):
        classify(["hola", "no", wrong, "no"])
    with pytest.raises(InputError, match=r"\bitem 2\b"):
        list(classify(iter(["hola", {"text": "no", "text_pair": "hola"}, wrong])))
    with pytest.raises(InputError, match=r"\bitem 70\b"):  # beyond the first window
        classify(["hola"] * 70 + [wrong])
    assert label(classify("hola")), "and the pipeline goes on"


@pytest.mark.parametrize("name", [name for name in WRONG if name not in ("list", "nothing", "tuple", "array")])
def test_what_is_no_text_is_refused_alone(classify, name):
    with pytest.raises(InputError):
        classify(WRONG[name])


def test_messages_say_what_to_do(classify):
    for wrong, message in (
        (b"hola", "bytes.*decode"),
        (["hola", "adiós"], "flat list.*text_pair"),
        ({"texto": "hola"}, "texto.*'text'"),
        ("\ud83d", "lone surrogate"),
    ):
        with pytest.raises(InputError, match=message):
            classify(["hola", wrong])


def test_tables(classify):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match="DataFrame"):  # its items would be the names of its columns
        classify(pandas.DataFrame({"texto": ["hola"], "nota": [1]}))


def test_arrays_of_other_shapes(classify):
    for wrong in (
        np.array(["hola", "no"]).reshape(1, 2),
        np.array([1.0]),
        np.array(3),
        np.array("hola"),
        torch.ones(2),
    ):
        try:
            answer = classify(wrong)
        except InputError:
            continue
        assert label(answer) and wrong.shape == () and wrong.dtype.kind == "U"


def ways_to_call(pipe):
    """Return functions that give rows to a pipeline, one for each of its methods."""
    return (
        pipe,
        pipe.to_frame,
        lambda rows: list(pipe.stream([rows])),
        lambda rows: list(pipe.run([(rows, {})])),
    )


@pytest.mark.parametrize("rows", [{"bueno", "malo"}, frozenset(["bueno"]), set()])
def test_a_set_is_refused_for_its_lack_of_order(tiny, rows):
    for call in ways_to_call(pipeline("text-classification", str(tiny), language_check="off")):
        with pytest.raises(InputError, match="has no order") as error:
            call(rows)
        assert "sorted(textos)" in error.value.in_("es")


def test_the_accessor_of_a_series_is_no_list(tiny):
    accessor = pytest.importorskip("pandas").Series(["bueno", "malo"]).str
    for call in ways_to_call(pipeline("text-classification", str(tiny), language_check="off")):
        with pytest.raises(InputError, match="StringMethods"):
            call(accessor)
