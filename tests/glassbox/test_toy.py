"""The worked example, computed by hand."""

import re

import numpy as np
import pytest

from gatonegro import (
    explain,
)
from gatonegro.errors import InputError
from gatonegro.glassbox.toy import WORD_VECTORS, W


def test_the_worked_example_is_the_courses(toy):
    assert [step.number for step in toy.steps] == [1, 2, 3, 4, 5, 6, 7]
    linear = toy["linear"].tensors
    for name in "QKV":
        assert linear[name][0].tolist() == [[2, 1, 2], [4, 2, 4], [6, 3, 6]]
    assert toy["vectorization"].tensors["x"].tolist() == [list(v) for v in WORD_VECTORS.values()]


def test_the_worked_example_by_hand(toy):
    """Each step is recomputed with NumPy only."""
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
    expected = {
        "attention": ("scores", scores[None]), "softmax": ("probs", probs[None]), "add": ("sum", total),
        "norm": ("y", y), "feed_forward": ("z", norm(y + down)),
    }  # fmt: skip
    for name, (tensor, numbers) in expected.items():
        np.testing.assert_allclose(toy[name].tensors[tensor], numbers, atol=3e-4)  # it is rounded as on a board


def test_every_product_and_exponential_is_written_out(toy):
    lines = {step.kind: [line[1] for line in step.work] for step in toy.steps}
    assert "Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4" in lines["linear"] and len(lines["linear"]) == 28
    assert lines["linear"][0] == "W_Q = W_K = W_V = [[1, 0, 1], [0, 1, 0], [1, 0, 1]],  b = 0"
    assert "S(El, gato) = (2·4 + 1·2 + 2·4) / √3 = 18 / √3 = 10,3923" in lines["attention"]
    assert len([line for line in lines["softmax"] if line.startswith("A(")]) == 9
    assert all("e^(" in line for line in lines["softmax"] if line.startswith("A("))
    assert any("= 3,1·10⁻⁵ / 1,005568 = 0" in line for line in lines["softmax"])
    assert len([line for line in lines["softmax"] if re.fullmatch(r"contexto\(\w+\)_\d = .*·.*", line)]) == 9
    assert lines["norm"][1].startswith("media(El) = (") and len(lines["norm"]) == 1 + 3 * 5
    assert lines["norm"][3].startswith("y(El)_1 = (") and "varianza(El) = ((" in lines["norm"][2]
    assert "f(El) = ReLU([0,7071; −1,4142; 0,7071]) = [0,7071; 0; 0,7071]" in lines["feed_forward"]
    assert len([line for line in lines["feed_forward"] if "·W_" in line and ")_" in line]) == 18
    assert {step.kind for step in toy.steps if step.notes} == {"linear", "softmax", "add", "norm", "feed_forward"}
    spanish, english = str(toy), str(explain("El gato negro", model="toy", lang="en"))
    assert "Autoatención" in spanish and "El curso aplica softmax" in spanish
    assert "Self-attention" in english and "The course takes softmax" in english and "media" not in english


@pytest.mark.parametrize("text", ["", "El perro", "el gato", "El " * 13, "<script>"])
def test_the_toy_knows_three_words(text):
    with pytest.raises(InputError, match="El gato negro"):
        explain(text, model="toy")
