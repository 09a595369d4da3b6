"""Texts to classify, and the comparison of answers with those of `transformers`."""

import pytest

TEXTS = [
    "El profesor es bueno, todo será sencillo.",
    "no",
    "¡una clase muy mala!",
    "",
    "el gato y el perro",
    "no es nada",
]


def same(ours, theirs) -> bool:
    """Compare shapes, keys and labels exactly, and scores within 1e-5."""
    if isinstance(theirs, dict):
        return (
            ours.keys() == theirs.keys()
            and ours["label"] == theirs["label"]
            and ours["score"] == pytest.approx(theirs["score"], abs=1e-5)
        )
    return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(same, ours, theirs))


def label(answer) -> str:
    return (answer[0] if isinstance(answer, list) else answer)["label"]


LONG = "el gato es bueno y el perro no es nada " * 20


PAIRS = [{"text": "el gato", "text_pair": "el perro"}, {"text": "es bueno"}, {"text": "", "text_pair": "no"}]
