"""Toy model with three words and vectors of three numbers, explained with all arithmetic written out.

It is the course's worked example, with the weights below: the steps of an `EncoderLayer`, whose results are rounded as
on a board.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.glassbox import MESSAGES
from gatonegro.glassbox.explanation import Explanation
from gatonegro.glassbox.labels import symbols
from gatonegro.glassbox.step_builders import CAPTIONS, RowLabels, layer_steps, step
from gatonegro.glassbox.steps import Array, Step
from gatonegro.i18n import NOISE, Message, format_number, format_vector
from gatonegro.nn.encoder import EncoderLayer
from gatonegro.nn.recording import record_activations
from gatonegro.packing import Layout

WORD_VECTORS = {"El": (1.0, 1.0, 1.0), "gato": (1.0, 2.0, 3.0), "negro": (2.0, 3.0, 4.0)}
W = ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 1.0))  # W_Q = W_K = W_V, for row vectors: x·W
EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))  # W_O and W_1, the identity
SHIFT = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))  # W_2: shifts each number by one place
NORM_EPS = 1e-5


def make_layer() -> EncoderLayer:
    """Build the encoder layer of the three-word toy model."""
    config = Config(
        "toy", vocab_size=3, hidden_size=3, num_hidden_layers=1, num_attention_heads=1, intermediate_size=3,
        max_position_embeddings=3, hidden_act="relu", layer_norm_eps=NORM_EPS, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    layer = EncoderLayer(config).double().eval()
    attention, ff = layer.attention, layer.feed_forward
    with torch.no_grad():
        for part, weight in (
            (attention.query, W), (attention.key, W), (attention.value, W), (attention.output, EYE), (ff.up, EYE),
            (ff.down, SHIFT),
        ):  # fmt: skip
            assert part is not None
            part.weight.copy_(torch.tensor(weight).T)  # PyTorch stores W transposed
            part.bias.zero_()
    return layer


def toy(text: str, lang: str) -> Explanation:
    """Return the explanation of a text by the toy model, which has a vocabulary of three words."""
    words = tuple(text.split())
    if not words or any(word not in WORD_VECTORS for word in words) or len(words) > 12:
        raise InputError(*MESSAGES["toy_words"].format(known=" ".join(WORD_VECTORS), text=text))
    layer, x = make_layer(), torch.tensor([WORD_VECTORS[word] for word in words], dtype=torch.float64)  # (t, 3)
    with torch.no_grad(), record_activations(layer) as activations:
        layer(x, Layout((len(words),), (len(words),)))
    first = step("vectorization", formula="x = E[word]", variant="toy_vectorization", tensors={"x": x}, rows=words)
    lines = (symbols(f"x({word}) = E[{word}] = {_row(WORD_VECTORS[word])}") for word in words)
    steps, board = [replace(first, work=tuple(lines))], board_arithmetic(x.numpy())
    for each in layer_steps(layer, activations, x, "", 0, RowLabels(words)):
        course = CAPTIONS.get(f"{each.kind}.course")  # a note, where the course's arithmetic differs
        tensors = {name: board.get(f"{each.kind}.{name}", board[name]) for name in each.tensors}
        each = replace(each, name=f"encoder.0.{each.name}", tensors=tensors, notes=(course,) if course else ())
        work = (line if isinstance(line, Message) else symbols(line) for line in _work(each, words))
        steps.append(replace(each, work=tuple(work)))
    return Explanation(text, "toy", lang, words, tuple(replace(each, lang=lang) for each in steps))


def board_arithmetic(x: Array) -> dict[str, Array]:
    """Compute the layer's tensors from its input (t, 3), by name; each result is rounded before it is used."""
    q = x @ np.array(W)
    scores = _rounded(q @ q.T / math.sqrt(x.shape[1]))
    probs = np.array([_softmax(row)[2] for row in scores])
    context = _rounded(probs @ q)
    total = _rounded(x + context)
    y = np.array([_layer_norm(r)[2] for r in total])
    relu = np.maximum(y, 0)
    down = relu @ np.array(SHIFT)
    last = _rounded(y + down)  # also called sum, in the last step
    return {
        "x": x, "Q": q[None], "K": q[None], "V": q[None], "scores": scores[None], "probs": probs[None],
        "context": context[None], "attention": context, "sum": total, "y": y, "up": y, "activation": relu,
        "down": down, "feed_forward.sum": last, "z": np.array([_layer_norm(r)[2] for r in last]),
    }  # fmt: skip


@np.vectorize
def _rounded(x: float) -> float:
    return round(x, 4) if abs(x) >= NOISE else 0.0


def _softmax(scores: Array) -> tuple[Array, float, Array]:
    """Return the exponentials of a row of scores and their sum, to six decimals, and the shares."""
    exact = np.exp(_rounded(scores - max(scores)))
    powers, total = np.array([float(f"{n:.1e}" if n < NOISE else f"{n:.6f}") for n in exact]), round(exact.sum(), 6)
    return powers, total, _rounded(powers / total)


def _layer_norm(r: Array) -> tuple[float, float, Array]:
    """Return the mean, variance and layer norm of a vector, all rounded."""
    mean = float(_rounded(r.mean()))
    variance = float(_rounded(((r - mean) ** 2).mean()))
    return mean, variance, _rounded((r - mean) / math.sqrt(variance + NORM_EPS))


def _number(x: float) -> str:
    return format_number(x).en


def _row(x: Iterable[float]) -> str:
    return format_vector(x).en


def _dot(a: Iterable[float], b: Iterable[float]) -> str:
    """Write out the dot product of two vectors as text, such as "1·2 + 3·4"."""
    return " + ".join(f"{_number(m)}·{_number(n)}" for m, n in zip(a, b, strict=True))


def _work(step: Step, words: Sequence[str]) -> Iterator[str | Message]:
    """Yield the arithmetic of a toy model's step as lines of text, with every product and exponential."""
    tensors = step.tensors
    if step.kind == "linear":
        yield f"W_Q = W_K = W_V = {_matrix(W)},  b = 0"
        for name in "QKV":
            for word, x, y in zip(words, tensors["x"], tensors[name][0], strict=True):
                yield from _matmul(f"{name}({word})", x, W, y)
    elif step.kind == "attention":
        for a, q, scores in zip(words, tensors["Q"][0], tensors["scores"][0], strict=True):
            for b, k, s in zip(words, tensors["K"][0], scores, strict=True):
                yield f"S({a}, {b}) = ({_dot(q, k)}) / √3 = {_number(q @ k)} / √3 = {_number(s)}"
    elif step.kind == "softmax":
        yield MESSAGES["largest_score"]
        for a, scores in zip(words, tensors["scores"][0], strict=True):
            powers, sum_, probs = _softmax(scores)
            exponentials = [f"e^({_number(s - max(scores))})" for s in scores]
            denominator = " + ".join(exponentials)
            for b, up, power, p in zip(words, exponentials, powers, probs, strict=True):
                power, total = (format_number(n, 6, small=True).en for n in (power, sum_))
                yield f"A({a}, {b}) = {up} / ({denominator}) = {power} / {total} = {_number(p)}"
        for word, probs, context in zip(words, tensors["probs"][0], tensors["context"][0], strict=True):
            parts = " + ".join(f"{_number(p)}·V({other})" for p, other in zip(probs, words, strict=True))
            yield f"context({word}) = {parts} = {_row(context)}"
            yield from _matmul(f"context({word})", probs, tensors["V"][0], context)
    elif step.kind == "add":
        yield Message(f"W_O = {_matrix(EYE)}: the output is the input", f"W_O = {_matrix(EYE)}: sale lo que entra")
        for word, x, y, r in zip(words, *(tensors[name] for name in ("x", "attention", "sum")), strict=True):
            yield f"r({word}) = {_row(x)} + {_row(y)} = {_row(r)}"
    elif step.kind == "norm":
        yield f"γ = 1,  β = 0,  ε = {format_number(NORM_EPS, small=True).en}"
        for word, r in zip(words, tensors["sum"], strict=True):
            yield from _norm_lines("y", word, r)
    elif step.kind == "feed_forward":
        yield f"W_up = {_matrix(EYE)},  W_down = {_matrix(SHIFT)},  b = 0,  f(x) = ReLU(x) = max(0, x)"
        for i, word in enumerate(words):
            y, up, relu, down, total = (tensors[name][i] for name in ("y", "up", "activation", "down", "sum"))
            yield from _matmul(f"(y·W_up)({word})", y, EYE, up)
            yield f"f({word}) = ReLU({_row(up)}) = {_row(relu)}"
            yield from _matmul(f"(f·W_down)({word})", relu, SHIFT, down)
            yield f"(y + f·W_down)({word}) = {_row(y)} + {_row(down)} = {_row(total)}"
            yield from _norm_lines("z", word, total)


def _matmul(name: str, x: Iterable[float], weight: Any, y: Sequence[float]) -> list[str]:
    """Write out the product of a vector and a matrix as text, with one line per number of the result."""
    columns = zip(*weight, strict=True)  # weight is (in, out)
    return [f"{name}_{j + 1} = {_dot(x, w)} = {_number(y[j])}" for j, w in enumerate(columns)]


def _matrix(weight: Iterable[Iterable[float]]) -> str:
    return "[" + ", ".join(map(_row, weight)) + "]"


def _norm_lines(name: str, word: str, r: Array) -> Iterator[str]:
    """Yield lines of text that write out the mean, variance and result of a layer norm for one word."""
    mean, variance, y = _layer_norm(r)
    numbers, m, v = [_number(n) for n in r], _number(mean), _number(variance)
    yield f"mean({word}) = ({' + '.join(numbers)}) / {len(r)} = {m}"
    yield f"variance({word}) = ({' + '.join(f'({n} − {m})²' for n in numbers)}) / {len(r)} = {v}"
    for j, (n, out) in enumerate(zip(numbers, y, strict=True), 1):
        yield f"{name}({word})_{j} = ({n} − {m}) / √({v} + ε) = {_number(out)}"
