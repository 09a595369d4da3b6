"""What `print(model)` says: the module tree and, beside each part, what it does to which shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torch import nn

from gatonegro.i18n import localized
from gatonegro.nn.attention import Attend, Attention
from gatonegro.nn.encoder import Activation, AddNorm, Embedding, Embeddings, Encoder, EncoderLayer, FeedForward
from gatonegro.nn.heads import MaskedLMHead, Pooler, SequenceClassificationHead, TokenClassificationHead

# Each says a part's shapes from the part and the size of a hidden state; t is the tokens of all sequences, n the
# sequences, h the heads, d the width of a head.
SHAPES: dict[type[nn.Module], Callable[[Any, int], str]] = {
    Embeddings: lambda m, x: f"ids (t) → (t, {x})",
    Encoder: lambda m, x: f"(t, {x}) → (t, {x})",
    EncoderLayer: lambda m, x: f"(t, {x}) → (t, {x})",
    Attention: lambda m, x: f"(t, {x}) → (t, {x})",
    Attend: lambda m, x: "q, k, v (t, h, d) → (t, h, d)",
    AddNorm: lambda m, x: f"(t, {x}) → (t, {x})",
    FeedForward: lambda m, x: f"(t, {x}) → (t, {x})",
    Pooler: lambda m, x: f"(t, {x}) → (n, {x})",
    SequenceClassificationHead: lambda m, x: f"(t, {x}) → (n, {m.output.out_features})",
    TokenClassificationHead: lambda m, x: f"(t, {x}) → (t, {m.output.out_features})",
    MaskedLMHead: lambda m, x: f"(t, {x}) → (t, {len(m.bias)})",
    Embedding: lambda m, x: f"(t) → (t, {m.embedding_dim})",
    nn.Linear: lambda m, x: f"(…, {m.in_features}) → (…, {m.out_features})",
    nn.LayerNorm: lambda m, x: f"(t, {x}) → (t, {x})",
    nn.Dropout: lambda m, x: localized("in training only", "solo al entrenar"),
    Activation: lambda m, x: "(…) → (…)",
}

# what the first line of a part's docstring says, for those who read Spanish
SPANISH: dict[type[nn.Module], str] = {
    Embeddings: "Vectores de token, posición y segmento, sumados y normalizados.",
    Encoder: "Capa tras capa.",
    EncoderLayer: "Autoatención y luego red, cada una con su suma.",
    Attention: "Cada token mira a su propia secuencia, una cabeza cada vez.",
    AddNorm: "norm(x + f(x)), o x + f(norm(x)): la suma, escrita una sola vez.",
    FeedForward: "Subir, una no linealidad, bajar; cada token por sí solo.",
    Pooler: "El primer token, por una aplicación lineal y tanh, como BERT.",
    SequenceClassificationHead: "Del primer token, un número por etiqueta para la secuencia.",
    TokenClassificationHead: "Un número por etiqueta para cada token.",
    MaskedLMHead: "Un número por palabra del vocabulario, con los vectores de los tokens.",
    Embedding: "Un vector por número.",
    Activation: "Cada número por sí solo.",
}


def describe(model: nn.Module, title: str, hidden: int) -> str:
    """PyTorch's own tree of a model, with a remark at the end of each line that names a part."""
    path: list[str] = []
    lines: list[tuple[str, str]] = []
    for line in nn.Module.__repr__(model).splitlines():
        match = re.match(r"^( *)\((\w+)(?:-\d+)?\): ", line)
        part: nn.Module | None = None
        if match:
            path = [*path[: len(match[1]) // 2 - 1], match[2]]
            part = model.get_submodule(".".join(path))
        shape = SHAPES.get(type(part)) if part is not None else None
        remark = shape(part, hidden) if shape else ""
        own = type(part).__doc__ if part is not None and type(part).__module__.startswith("gatonegro") else None
        own = own and localized(own, SPANISH.get(type(part), own))  # type: ignore[arg-type]
        line = line.replace("in_features=", "").replace("out_features=", "").replace(", elementwise_affine=True", "")
        lines.append((line, f"{remark:<24} {str(own).splitlines()[0]}" if own else remark))
    width = max(len(line) for line, remark in lines if remark) + 2
    body = [f"{line:<{width}}# {remark}" if remark else line for line, remark in lines]
    key = localized(
        "t: tokens of all sequences, n: sequences, h: heads, d: width of a head",
        "t: tokens de todas las secuencias, n: secuencias, h: cabezas, d: ancho de una cabeza",
    )
    return "\n".join([f"# {title}", f"# {key}", *body])
