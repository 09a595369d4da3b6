"""Functions that build the steps of an explanation from a model's recorded activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatonegro.glassbox.labels import FORMULAS, symbols
from gatonegro.glassbox.steps import Array, Step, StepText
from gatonegro.i18n import catalog
from gatonegro.nn.attention import AttentionTrace

Activations = Mapping[str, list[Tensor | list[AttentionTrace]]]  # module's name → its output at each call
CAPTIONS = catalog(Path(__file__).parent / "captions.json")
STEP_NUMBERS = {  # number of the step in the course, then of the attribution; 8 for all other kinds
    "vectorization": 1, "linear": 2, "attention": 3, "masked_attention": 3, "cross_attention": 3, "softmax": 4,
    "add": 5, "norm": 6, "feed_forward": 7, "attribution": 9,
}  # fmt: skip


@dataclass(frozen=True)
class RowLabels:
    """Tokens that label the rows of an encoder's or decoder's tensors in an explanation.

    In cross-attention the query of a token serves the next one, so the row is labelled with the next token.
    """

    tokens: tuple[str, ...]
    next_tokens: tuple[str, ...] = ()  # in a decoder, the token generated after each of `tokens`
    source: tuple[str, ...] = ()  # the source's tokens, the keys of cross-attention
    memory: Tensor | None = None  # the encoder's output for the source. (u, hidden)


def array(x: Tensor) -> Array:
    """Convert a tensor to a NumPy array, which is fp32 for a tensor in bf16 (which NumPy lacks) or fp16."""
    x = x.detach().cpu()
    return np.asarray(x.float() if x.dtype in (torch.bfloat16, torch.float16) else x)


def step(kind: str, prefix: str = "", formula: str = "", variant: str = "", **more: Any) -> Step:
    """Build an explanation step of a kind such as "softmax", with the caption and formula of its kind or variant."""
    caption = StepText(*(CAPTIONS.get(f"{variant}.{part}") or CAPTIONS[f"{kind}.{part}"] for part in StepText._fields))
    for part in ("tensors", "weights"):
        more[part] = {name: array(x) for name, x in more.get(part, {}).items() if x is not None}
    formulas = symbols(formula or FORMULAS[variant or kind])
    return Step(f"{prefix}{kind}", kind, STEP_NUMBERS.get(kind, 8), caption, formulas, **more)


def output_of(activations: Activations, name: str, call: int = 0) -> Tensor:
    """Return a module's recorded output, by the module's name and the index of its call."""
    x = activations[name][call]
    assert isinstance(x, Tensor)
    return x


def weights_of(parts: Mapping[str, nn.Module]) -> dict[str, Tensor | None]:
    """Return the weights and biases of modules, given by name, with keys such as "W_up" and "b_up"."""
    kinds = (("W", "weight"), ("b", "bias"))
    return {f"{letter}_{name}": getattr(part, kind, None) for name, part in parts.items() for letter, kind in kinds}


def stack_steps(stack: Any, activations: Activations, x: Tensor, name: str, labels: RowLabels) -> Iterator[Step]:
    """Yield the explanation steps of all layers of an encoder or decoder, and of its final norm."""
    layers = list(stack.layers)
    for i, layer in enumerate(layers):
        call = sum(earlier is layer for earlier in layers[:i])  # ALBERT calls one layer many times
        yield from layer_steps(layer, activations, x, f"{name}.layers.{i}", i, labels, call)
        x = output_of(activations, f"{name}.layers.{i}", call)  # (t, hidden)
    if stack.norm is not None:
        yield norm_step(stack.norm, x, output_of(activations, f"{name}.norm"), f"{name}.", labels.tokens)


def layer_steps(
    layer: Any, activations: Activations, x: Tensor, name: str, number: int, labels: RowLabels, index: int = 0
) -> Iterator[Step]:
    """Yield the explanation steps of one call of an encoder or decoder layer.

    Args:
        layer: the layer.
        activations: recorded activations of one sequence.
        x: the layer's input. (t, hidden)
        name: the layer's name in `activations`.
        number: index of the layer in its stack, from 0.
        labels: token labels.
        index: index of this call of the layer, from 0.
    """
    call = _LayerCall(activations, f"{name}." if name else "", number, labels, index)
    yield from _attention(call, layer, x, "attention", f"{call.stack}.{number}." if name else "")
    x = call.output("attention_add")
    if hasattr(layer, "cross_attention"):
        yield from _attention(call, layer, x, "cross_attention", f"{call.stack}.{number}.cross.")
        x = call.output("cross_attention_add")
    yield _feed_forward(call, layer, x, f"{call.stack}.{number}." if name else "")


@dataclass(frozen=True)
class _LayerCall:
    """Recorded call of an encoder or decoder layer, with access to the outputs of the layer's modules."""

    activations: Activations
    prefix: str  # of the names of the layer's modules
    number: int
    labels: RowLabels
    index: int

    @property
    def stack(self) -> str:
        return self.prefix.split(".")[0]

    def output(self, part: str) -> Tensor:
        return output_of(self.activations, self.prefix + part, self.index)


def norm_step(
    norm: nn.Module, x: Tensor, y: Tensor, prefix: str, rows: Sequence[str], layer: int | None = None, name: str = "x"
) -> Step:
    """Return the explanation step of a layer or RMS norm, given its input, displayed as `name`, and its output."""
    centered = isinstance(norm, nn.LayerNorm)
    r = "r" if name == "sum" else "x"
    formula = f"y = γ·({r} − mean) / √(variance + ε) + β" if centered else f"y = γ·{r} / √(mean({r}²) + ε)"
    weights = {"γ": getattr(norm, "weight", None), "β": getattr(norm, "bias", None)}
    return step("norm", prefix, formula, "norm" if centered else "rms_norm", layer=layer, rows=tuple(rows),
                tensors={name: x, "y": y}, weights=weights)  # fmt: skip


def _attention(call: _LayerCall, layer: Any, x: Tensor, name: str, prefix: str) -> Iterator[Step]:
    part, add, labels = getattr(layer, name), getattr(layer, f"{name}_add"), call.labels
    cross = name == "cross_attention"
    traces = call.activations[f"{call.prefix}{name}.attend"][call.index]
    assert isinstance(traces, list)
    trace = traces[0]  # of the only sequence
    norm = call.output(f"{name}_add.norm")
    more: dict[str, Any] = {"layer": call.number, "rows": labels.tokens}
    if add.pre_norm:
        yield norm_step(add.norm, x, norm, prefix + "before_", labels.tokens, call.number)
    q, k, v = (
        call.output(f"{name}.{p}").unflatten(-1, (part.heads, -1)).transpose(0, 1) for p in ("query", "key", "value")
    )
    yield step(
        "linear", prefix, variant="cross_linear" if cross else "", **more, columns=labels.source if cross else (),
        tensors={"x": norm if add.pre_norm else x, "memory": labels.memory if cross else None, "Q": q, "K": k, "V": v},
        weights=weights_of({"Q": part.query, "K": part.key, "V": part.value}),
    )  # fmt: skip
    kind = name if cross else "masked_attention" if part.attend.causal else "attention"
    relative = f"{call.stack}.relative"  # T5's relative positions
    bias = output_of(call.activations, relative) if relative in call.activations and not cross else None  # (h, q, k)
    scale = {None: " / √d", 1.0: ""}.get(part.attend.scale, f" · {part.attend.scale}")
    formula = FORMULAS[kind].replace(" / √d", scale + ("" if bias is None else " + B[j − i]"))
    rows, columns = (labels.next_tokens, labels.source) if cross else (labels.tokens, labels.tokens)
    axes: dict[str, Any] = {"layer": call.number, "rows": rows, "columns": columns}
    scores = {"Q": q, "K": k, "B": bias, "scores": trace.scores}
    yield step(kind, prefix, formula, **axes, tensors=scores)
    context = trace.context.transpose(0, 1)  # (h, q, d)
    mixed = {"scores": trace.scores, "probs": trace.probs, "V": v, "context": context}
    yield step("softmax", prefix, **axes, tensors=mixed)
    attention = call.output(f"{name}.output")
    total = x + attention.to(x.dtype)
    added = {"x": x, "attention": attention, "sum": total}
    yield step("add", prefix, **more, tensors=added, weights=weights_of({"O": part.output}))
    if not add.pre_norm:
        yield norm_step(add.norm, total, norm, prefix, labels.tokens, call.number, "sum")


def _feed_forward(call: _LayerCall, layer: Any, x: Tensor, prefix: str) -> Step:
    ff, add = layer.feed_forward, layer.feed_forward_add
    parts = [name for name in ("up", "gate", "value", "activation", "down") if getattr(ff, name) is not None]
    tensors: dict[str, Tensor] = {"x": x, "norm": call.output("feed_forward_add.norm")} if add.pre_norm else {"y": x}
    tensors |= {name: call.output(f"feed_forward.{name}") for name in parts}
    tensors |= {"sum": x + call.output("feed_forward").to(x.dtype), "z": call.output("feed_forward_add")}
    weights = weights_of({name: getattr(ff, name) for name in parts if name != "activation"})
    weights |= {"γ": getattr(add.norm, "weight", None), "β": getattr(add.norm, "bias", None)}
    variant = "pre_feed_forward" if add.pre_norm else "feed_forward"
    formula = FORMULAS[variant if ff.up is not None else f"{variant}.gated"]
    return step("feed_forward", prefix, formula, variant, layer=call.number, rows=call.labels.tokens, tensors=tensors,
                weights=weights)  # fmt: skip
