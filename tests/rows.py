"""Rows for `Pipeline.run`, good and bad."""

import pytest

from gatonegro import hub

LONG = "el gato es bueno " * 40

TEXTS = ["el gato es bueno", "", "la casa no es nada", LONG, "¿ perro ?", "todo", "una película " * 9]

BAD = [True, 3.5, 3, b"hola", "hola \ud83d", ["hola"], object()]

MASKED = [f"{text[:200]} [MASK]" for text in TEXTS]

SENTENCES = [
    "El gato negro duerme en la casa vieja.",
    "",
    "¿Dónde está la biblioteca? No entiendo.",
    "Hola\n\n- 3 gatos",
]


def near(ours, theirs, tolerance=1e-4) -> bool:
    """Compare shapes, keys, labels and texts exactly, and numbers within a tolerance."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(near(ours[key], theirs[key], tolerance) for key in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(near, ours, theirs, [tolerance] * len(theirs)))
    if isinstance(theirs, float):
        return abs(ours - theirs) <= tolerance
    return ours == theirs


def put_answers(pipe, rows, queue) -> None:
    """Put the values and errors of a pipeline's answers into a queue, from a spawned process."""
    queue.put([(answer.value, answer.error and answer.error.args) for answer in pipe.run([(rows, {})])])


BUILT_IN = pytest.mark.skipif("demo-en" not in hub.built_in_models(), reason="the built-in models are not installed")


def kinds(answers):
    return [[notice.kind for notice in answer.notices] for answer in answers]
