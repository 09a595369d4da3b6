"""Toy model with three words and vectors of three numbers, explained with all arithmetic written out.

It is the course's worked example; `EncoderLayer` computes it, with the weights below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.glassbox.explanation import Explanation
from gatonegro.glassbox.step_builders import CAPTIONS, RowLabels, layer_steps, step
from gatonegro.glassbox.steps import Step
from gatonegro.i18n import Message
from gatonegro.nn.encoder import EncoderLayer
from gatonegro.nn.recording import record_activations
from gatonegro.packing import Layout

WORD_VECTORS = {"El": (1.0, 1.0, 1.0), "gato": (1.0, 2.0, 3.0), "negro": (2.0, 3.0, 4.0)}
W = ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 1.0))  # W_Q = W_K = W_V, for row vectors: x·W
EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))  # W_O and W_1, the identity
SHIFT = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))  # W_2: shifts each number by one place
NORM_EPS = 1e-5
Line = str | Message  # a line of arithmetic


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
    words = text.split()
    if not words or any(word not in WORD_VECTORS for word in words) or len(words) > 12:
        known = " ".join(WORD_VECTORS)
        raise InputError(
            f"the toy model has three words, {known}, and reads 12 at most; not {text!r:.60}.",
            f"el modelo de juguete tiene tres palabras, {known}, y lee 12 como mucho; no {text!r:.60}.",
        )
    layer, x = make_layer(), torch.tensor([WORD_VECTORS[word] for word in words], dtype=torch.float64)  # (t, 3)
    with torch.no_grad(), record_activations(layer) as activations:
        layer(x, Layout((len(words),), (len(words),)))
    first = step("vectorization", formula="x = E[word]", variant="toy_vectorization", tensors={"x": x},
                 rows=tuple(words))  # fmt: skip
    ids = {word: i for i, word in enumerate(WORD_VECTORS)}
    steps = [replace(first, work=_messages(f"{word} = E[{ids[word]}] = {_row(WORD_VECTORS[word])}" for word in words))]
    for each in layer_steps(layer, activations, x, "", 0, RowLabels(tuple(words))):
        course = CAPTIONS.get(f"{each.kind}.course")  # a note, where the course's arithmetic differs
        name = f"encoder.0.{each.name}"
        steps.append(replace(each, name=name, work=_messages(_work(each, words)), notes=(course,) if course else ()))
    return Explanation(text, "toy", lang, tuple(words), tuple(replace(each, lang=lang) for each in steps))


def _messages(lines: Iterable[Line]) -> tuple[Message, ...]:
    """Convert lines of arithmetic to messages in English and Spanish."""
    return tuple(Message.same(line) if isinstance(line, str) else line for line in lines)


def _number(x: float) -> str:
    """Format a number as 3 if it is whole, as 0.3333 if it is a fraction, or as 1.0e-05 if it is very small."""
    return f"{x:.0f}" if x == round(x) else f"{x:.4f}" if abs(x) >= 1e-3 else f"{x:.1e}"


def _row(x: object) -> str:
    return "[" + ", ".join(_number(float(n)) for n in x) + "]"  # type: ignore[attr-defined]


def _dot(a: object, b: object) -> str:
    """Write out the dot product of two vectors as text, such as "1·2 + 3·4"."""
    return " + ".join(f"{_number(float(m))}·{_number(float(n))}" for m, n in zip(a, b, strict=True))  # type: ignore


def _work(step: Step, words: list[str]) -> Iterator[Line]:
    """Yield the arithmetic of a toy model's step as lines of text, with every product and exponential."""
    tensors = step.tensors
    if step.kind == "linear":
        yield f"W_Q = W_K = W_V = {_matrix(W)},  b = 0"
        for name in "QKV":
            for word, x, y in zip(words, tensors["x"], tensors[name][0], strict=True):
                yield from _matmul(f"{name}({word})", x, step.weights[f"W_{name}"].T, y)
    elif step.kind == "attention":
        for a, q, scores in zip(words, tensors["Q"][0], tensors["scores"][0], strict=True):
            for b, k, s in zip(words, tensors["K"][0], scores, strict=True):
                yield f"S({a}, {b}) = ({_dot(q, k)}) / √3 = {_number(float(q @ k))} / √3 = {_number(s)}"
    elif step.kind == "softmax":
        yield Message(
            "The largest score of a row is first subtracted from all: shares do not change, and numbers stay small.",
            "A cada puntuación se le resta antes la mayor de su fila: las partes no cambian y los números son menores.",
        )
        for a, scores, probs in zip(words, tensors["scores"][0], tensors["probs"][0], strict=True):
            top = float(max(scores))
            powers = [math.exp(float(s) - top) for s in scores]
            denominator = " + ".join(f"e^({_number(float(s) - top)})" for s in scores)
            total = _number(sum(powers))
            for b, s, power, p in zip(words, scores, powers, probs, strict=True):
                up = f"e^({_number(float(s) - top)})"
                yield f"A({a}, {b}) = {up} / ({denominator}) = {_number(power)} / {total} = {_number(p)}"
        for word, probs, context in zip(words, tensors["probs"][0], tensors["context"][0], strict=True):
            parts = " + ".join(f"{_number(p)}·V({other})" for p, other in zip(probs, words, strict=True))
            yield f"context({word}) = {parts}"
            for j, (column, n) in enumerate(zip(tensors["V"][0].T, context, strict=True)):
                yield f"context({word})_{j + 1} = {_dot(probs, column)} = {_number(n)}"
    elif step.kind == "add":
        yield Message(f"W_O = {_matrix(EYE)}: the output is the input", f"W_O = {_matrix(EYE)}: sale lo que entra")
        for word, x, y, r in zip(words, *(tensors[name] for name in ("x", "attention", "sum")), strict=True):
            yield f"{word}: {_row(x)} + {_row(y)} = {_row(r)}"
    elif step.kind == "norm":
        yield f"γ = 1,  β = 0,  ε = {NORM_EPS}"
        for word, r, y in zip(words, tensors["sum"], tensors["y"], strict=True):
            yield from _layer_norm("y", word, r, y)
    elif step.kind == "feed_forward":
        yield f"W_up = {_matrix(EYE)},  W_down = {_matrix(SHIFT)},  b = 0,  f(x) = ReLU(x) = max(0, x)"
        for i, word in enumerate(words):
            y, up, relu, down, total, z = (tensors[name][i] for name in ("y", "up", "activation", "down", "sum", "z"))
            yield from _matmul(f"({word}·W_up)", y, EYE, up)
            yield f"ReLU({_row(up)}) = {_row(relu)}"
            yield from _matmul(f"(f·W_down)({word})", relu, SHIFT, down)
            yield f"{word}: {_row(y)} + {_row(down)} = {_row(total)}"
            yield from _layer_norm("z", word, total, z)


def _matmul(name: str, x: Any, weight: Sequence[Sequence[float]], y: Any) -> list[str]:
    """Write out the product of a vector and a matrix as text, with one line per number of the result."""
    columns = zip(*weight, strict=True)  # weight is (in, out)
    return [f"{name}_{j + 1} = {_dot(x, w)} = {_number(y[j])}" for j, w in enumerate(columns)]


def _matrix(weight: Sequence[Sequence[float]]) -> str:
    return "[" + ", ".join(map(_row, weight)) + "]"


def _layer_norm(name: str, word: str, r: Any, y: Any) -> Iterator[Line]:
    """Yield lines of text that write out the mean, variance and result of a layer norm for one word."""
    numbers = [float(n) for n in r]
    mean = sum(numbers) / len(numbers)
    variance = sum((n - mean) ** 2 for n in numbers) / len(numbers)
    m, v, count = _number(mean), _number(variance), len(numbers)
    total = f"({' + '.join(map(_number, numbers))}) / {count} = {m}"
    squares = f"({' + '.join(f'({_number(n)} − {m})²' for n in numbers)}) / {count} = {v}"
    yield Message(f"{word}: mean = {total}", f"{word}: media = {total}")
    yield Message(f"{word}: variance = {squares}", f"{word}: varianza = {squares}")
    for j, (n, out) in enumerate(zip(numbers, y, strict=True), 1):
        yield f"{name}({word})_{j} = ({_number(n)} − {m}) / √({v} + ε) = {_number(float(out))}"
