"""The text of `print(model)`: PyTorch's module tree, with shapes and a description beside each module."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from gatonegro.i18n import catalog, localized
from gatonegro.nn.attention import Attend, Attention
from gatonegro.nn.encoder import Activation, AddNorm, Embedding, Embeddings, Encoder, EncoderLayer, FeedForward
from gatonegro.nn.heads import MaskedLMHead, Pooler, SequenceClassificationHead, SpanHead, TokenClassificationHead

# (module, hidden size) → the shapes of its input and output; letters as in the key that `describe` prints
SHAPES: dict[type[nn.Module], Callable[[Any, int], str]] = {
    Embeddings: lambda m, x: f"ids (t) → (t, {x})",
    **dict.fromkeys(
        (Encoder, EncoderLayer, Attention, AddNorm, FeedForward, nn.LayerNorm), lambda m, x: f"(t, {x}) → (t, {x})"
    ),
    Attend: lambda m, x: "q, k, v (t, h, d) → (t, h, d)",
    Pooler: lambda m, x: f"(t, {x}) → (n, {x})",
    SequenceClassificationHead: lambda m, x: f"(t, {x}) → (n, {m.output.out_features})",
    **dict.fromkeys((TokenClassificationHead, SpanHead), lambda m, x: f"(t, {x}) → (t, {m.output.out_features})"),
    MaskedLMHead: lambda m, x: f"(t, {x}) → (t, {len(m.bias)})",
    Embedding: lambda m, x: f"(t) → (t, {m.embedding_dim})",
    nn.Linear: lambda m, x: f"(…, {m.in_features}) → (…, {m.out_features})",
    nn.Dropout: lambda m, x: localized("in training only", "solo al entrenar"),
    Activation: lambda m, x: "(…) → (…)",
}

# descriptions of modules, by class name
PARTS = catalog(Path(__file__).with_name("parts.json"))


def describe(model: nn.Module, title: str, hidden: int) -> str:
    """Return PyTorch's module tree of a model, with shapes and a description at the end of each module's line."""
    path: list[str] = []
    lines: list[tuple[str, str]] = []
    for line in nn.Module.__repr__(model).splitlines():
        remark = ""
        if match := re.match(r"^( *)\((\w+)(?:-\d+)?\): ", line):
            path = [*path[: len(match[1]) // 2 - 1], match[2]]
            part = model.get_submodule(".".join(path))
            kind = type(part)
            remark = SHAPES[kind](part, hidden) if kind in SHAPES else ""
            if kind.__module__.startswith("gatonegro") and kind.__name__ in PARTS:
                remark = f"{remark:<24} {PARTS[kind.__name__]}"
        line = line.replace("in_features=", "").replace("out_features=", "").replace(", elementwise_affine=True", "")
        lines.append((line, remark))
    width = max(len(line) for line, remark in lines if remark) + 2
    body = [f"{line:<{width}}# {remark}" if remark else line for line, remark in lines]
    key = localized(
        "t: tokens of all sequences, n: sequences, h: heads, d: width of a head",
        "t: tokens de todas las secuencias, n: secuencias, h: cabezas, d: ancho de una cabeza",
    )
    return "\n".join([f"# {title}", f"# {key}", *body])
