"""Steps of an explanation, made from the activations that `record_activations` recorded of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatonegro.glassbox.steps import Array, Step, StepText
from gatonegro.i18n import catalog
from gatonegro.nn.attention import AttentionTrace

Activations = Mapping[str, list[Tensor | list[AttentionTrace]]]  # outputs per call, by module name
CAPTIONS = catalog(Path(__file__).parent / "captions.json")
NUMBERS = {  # of the course's steps; all other kinds are 8
    "vectorization": 1, "linear": 2, "attention": 3, "masked_attention": 3, "cross_attention": 3, "softmax": 4,
    "add": 5, "norm": 6, "feed_forward": 7,
}  # fmt: skip
# by kind or variant; those of other kinds depend on the model
FORMULAS = json.loads((Path(__file__).parent / "formulas.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Rows:
    """Token labels of the rows of a stack's tensors.

    In cross-attention a query belongs to the word that is written next, so its row is labelled with that word.
    """

    own: tuple[str, ...]
    written: tuple[str, ...] = ()  # the next word, written at each place of a decoder
    read: tuple[str, ...] = ()  # keys of cross-attention
    memory: Tensor | None = None  # the encoder's output for these. (u, hidden)


def array(x: Tensor) -> Array:
    """Return a tensor as a NumPy array; bf16, which NumPy lacks, and fp16 as fp32."""
    x = x.detach().cpu()
    return np.asarray(x.float() if x.dtype in (torch.bfloat16, torch.float16) else x)


def step(kind: str, where: str = "", formula: str = "", variant: str = "", **more: Any) -> Step:
    """Return a step of a kind, with its caption, which a variant of the kind may replace in part."""
    caption = StepText(*(CAPTIONS.get(f"{variant}.{part}") or CAPTIONS[f"{kind}.{part}"] for part in StepText._fields))
    for part in ("tensors", "weights"):
        more[part] = {name: array(x) for name, x in more.get(part, {}).items() if x is not None}
    formula = formula or FORMULAS[variant or kind]
    return Step(f"{where}{kind}", kind, NUMBERS.get(kind, 8), caption, formula, **more)


def output(seen: Activations, name: str, call: int = 0) -> Tensor:
    """Return the output of a module at a call."""
    x = seen[name][call]
    assert isinstance(x, Tensor)
    return x


def stack_steps(stack: Any, seen: Activations, x: Tensor, name: str, rows: Rows) -> Iterator[Step]:
    """Yield the steps of all layers of a stack, "encoder" or "decoder", and of its last norm. x: (t, hidden)"""
    layers = list(stack.layers)
    for i, layer in enumerate(layers):
        call = sum(earlier is layer for earlier in layers[:i])  # ALBERT calls one layer many times
        yield from layer_steps(layer, seen, x, f"{name}.layers.{i}", i, rows, call)
        x = output(seen, f"{name}.layers.{i}", call)
    if stack.norm is not None:
        yield norm_step(stack.norm, x, output(seen, f"{name}.norm"), f"{name}.", rows.own)


def layer_steps(
    layer: Any, seen: Activations, x: Tensor, name: str, number: int, rows: Rows, call: int = 0
) -> Iterator[Step]:
    """Yield the steps of one layer of an encoder or a decoder.

    Args:
        x: the layer's input. (t, hidden)
        name: the layer's name in `seen`, which has one sequence.
        call: index of this call of the layer, from 0.
    """
    one = _Call(seen, f"{name}." if name else "", number, rows, call)
    yield from _attention(one, layer, x, "attention", f"{one.stack}.{number}." if name else "")
    x = one.gave("attention_add")
    if hasattr(layer, "cross_attention"):
        yield from _attention(one, layer, x, "cross_attention", f"{one.stack}.{number}.cross.")
        x = one.gave("cross_attention_add")
    yield _feed_forward(one, layer, x, f"{one.stack}.{number}." if name else "")


@dataclass(frozen=True)
class _Call:
    """A recorded call of a layer."""

    seen: Activations
    at: str  # prefix of the names of the layer's parts
    number: int
    rows: Rows
    call: int

    @property
    def stack(self) -> str:
        return self.at.split(".")[0]

    def gave(self, part: str) -> Tensor:
        return output(self.seen, self.at + part, self.call)


def norm_step(
    norm: nn.Module, x: Tensor, y: Tensor, where: str, rows: Sequence[str], layer: int | None = None,
    name: str = "x",
) -> Step:  # fmt: skip
    """Return the step of a norm of x (t, hidden), which is shown as `name`."""
    centered, affine = isinstance(norm, nn.LayerNorm), dict(norm.named_parameters())
    r = "r" if name == "sum" else "x"
    formula = f"y = γ·({r} − mean) / √(variance + ε) + β" if centered else f"y = γ·{r} / √(mean({r}²) + ε)"
    weights = {"γ": affine.get("weight"), "β": affine.get("bias")}
    return step("norm", where, formula, "norm" if centered else "rms_norm", layer=layer, rows=tuple(rows),
                tensors={name: x, "y": y}, weights=weights)  # fmt: skip


def _attention(one: _Call, layer: Any, x: Tensor, name: str, where: str) -> Iterator[Step]:
    part, add, rows = getattr(layer, name), getattr(layer, f"{name}_add"), one.rows
    across = name == "cross_attention"
    looked = one.seen[f"{one.at}{name}.attend"][one.call]
    assert isinstance(looked, list)
    own = looked[0]  # of the only sequence
    norm = one.gave(f"{name}_add.norm")
    more: dict[str, Any] = {"layer": one.number, "rows": rows.own}
    if add.pre_norm:
        yield norm_step(add.norm, x, norm, where + "before_", rows.own, one.number)
    q, k, v = (
        one.gave(f"{name}.{each}").unflatten(-1, (part.heads, -1)).transpose(0, 1) for each in ("query", "key", "value")
    )
    yield step(
        "linear", where, variant="cross_linear" if across else "", **more, columns=rows.read if across else (),
        tensors={"x": norm if add.pre_norm else x, "memory": rows.memory if across else None, "Q": q, "K": k, "V": v},
        weights={
            f"{letter}_{each[0].upper()}": getattr(getattr(part, each), kind)
            for each in ("query", "key", "value") for letter, kind in (("W", "weight"), ("b", "bias"))
        },
    )  # fmt: skip
    kind = name if across else "masked_attention" if part.attend.causal else "attention"
    relative = f"{one.stack}.relative"
    bias = output(one.seen, relative) if relative in one.seen and not across else None  # (h, q, k): T5's positions
    scale = {None: " / √d", 1.0: ""}.get(part.attend.scale, f" · {part.attend.scale}")
    formula = FORMULAS[kind].replace(" / √d", scale + ("" if bias is None else " + B[j − i]"))
    sides: dict[str, Any] = (
        {"rows": rows.written, "columns": rows.read} if across else {"rows": rows.own, "columns": rows.own}
    )
    scores = {"Q": q, "K": k, "B": bias, "scores": own.scores}
    yield step(kind, where, formula, layer=one.number, **sides, tensors=scores)
    context = own.context.transpose(0, 1)  # (h, q, d)
    mixed = {"scores": own.scores, "probs": own.probs, "V": v, "context": context}
    yield step("softmax", where, layer=one.number, **sides, tensors=mixed)
    gave = one.gave(f"{name}.output")
    total = x + gave.to(x.dtype)
    yield step("add", where, **more, tensors={"x": x, "attention": gave, "sum": total},
               weights={"W_O": part.output.weight, "b_O": part.output.bias})  # fmt: skip
    if not add.pre_norm:
        yield norm_step(add.norm, total, norm, where, rows.own, one.number, "sum")


def _feed_forward(one: _Call, layer: Any, x: Tensor, where: str) -> Step:
    ff, add = layer.feed_forward, layer.feed_forward_add
    parts = [each for each in ("up", "gate", "value", "activation", "down") if getattr(ff, each) is not None]
    tensors: dict[str, Tensor] = {"x": x, "norm": one.gave("feed_forward_add.norm")} if add.pre_norm else {"y": x}
    tensors |= {each: one.gave(f"feed_forward.{each}") for each in parts}
    tensors |= {"sum": x + one.gave("feed_forward").to(x.dtype), "z": one.gave("feed_forward_add")}
    weights = {
        f"{letter}_{each}": getattr(getattr(ff, each), kind)
        for each in parts
        if each != "activation"
        for letter, kind in (("W", "weight"), ("b", "bias"))
    }
    affine = dict(add.norm.named_parameters())
    weights |= {"γ": affine.get("weight"), "β": affine.get("bias")}
    variant = "pre_feed_forward" if add.pre_norm else "feed_forward"
    formula = FORMULAS[variant if ff.up is not None else f"{variant}.gated"]
    return step("feed_forward", where, formula, variant, layer=one.number, rows=one.rows.own, tensors=tensors,
                weights=weights)  # fmt: skip
