"""From what `watch` saw of a model to steps. Layers know nothing of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatonegro.glassbox.explanation import Array, Step
from gatonegro.glassbox.story import STORY
from gatonegro.nn.attention import Attention, Seen
from gatonegro.nn.encoder import AddNorm

Record = Mapping[str, list[Tensor | list[Seen]]]


def array(x: Tensor) -> Array:
    """A tensor as NumPy; bf16, which NumPy does not know, as fp32."""
    x = x.detach().cpu()
    return np.asarray(x.float() if x.dtype in (torch.bfloat16, torch.float16) else x)


def step(kind: str, lang: str, where: str, layer: int | None = None, formula: str = "", **more: Any) -> Step:
    """A step of some kind, with its words."""
    told = STORY[kind]
    for part in ("tensors", "weights"):
        more[part] = {name: array(x) for name, x in more.get(part, {}).items() if x is not None}
    return Step(f"{where}{kind}", kind, told.number, told.title, told.text, formula or told.formula, layer=layer,
                lang=lang, **more)  # fmt: skip


def only(seen: Record, name: str, call: int = 0) -> Tensor:
    """What a module gave at a call."""
    found = seen[name][call]
    assert isinstance(found, Tensor)
    return found


def layer_steps(layer: Any, seen: Record, x: Tensor, name: str, number: int, lang: str) -> Iterator[Step]:
    """The steps of one layer of an encoder or a decoder.

    Args:
        seen: what `watch` recorded of one sequence, with names that begin with `name`, the layer's own.
        x: what went in. (t, hidden)
    """
    where = f"{name.split('.')[0]}.{number}." if name else ""
    at = f"{name}." if name else ""
    parts = [("attention", "attention" if not layer.attention.attend.causal else "masked_attention")]
    if hasattr(layer, "cross_attention"):
        parts.append(("cross_attention", "cross_attention"))
    for part, kind in parts:
        front = where + ("cross." if part == "cross_attention" else "")
        yield from _attention(getattr(layer, part), getattr(layer, f"{part}_add"), seen, x, f"{at}{part}", kind, front,
                              number, lang)  # fmt: skip
        x = only(seen, f"{at}{part}_add")
    yield _feed_forward(layer, seen, x, at, where, number, lang)


def _attention(
    part: Attention, add: AddNorm, seen: Record, x: Tensor, name: str, kind: str, where: str, number: int, lang: str
) -> Iterator[Step]:
    heads = part.heads
    looked = seen[f"{name}.attend"][0]
    assert isinstance(looked, list)
    own = looked[0]  # of the first sequence; what is packed here is one
    norm = only(seen, f"{name}_add.norm")
    if add.before:
        yield step("norm", lang, where + "before_", number, formula="y = γ·(x − mean) / √(variance + ε) + β",
                   tensors={"x": x, "y": norm}, weights=_affine(add.norm))  # fmt: skip
    read = norm if add.before else x
    q, k, v = (
        only(seen, f"{name}.{each}").unflatten(-1, (heads, -1)).transpose(0, 1) for each in ("query", "key", "value")
    )
    yield step("linear", lang, where, number, tensors={"x": read, "Q": q, "K": k, "V": v}, weights={
        f"{letter}_{each[0].upper()}": getattr(getattr(part, each), kind_)
        for each in ("query", "key", "value") for letter, kind_ in (("W", "weight"), ("b", "bias"))
    })  # fmt: skip
    stack = f"{name.split('.')[0]}.relative"
    bias = only(seen, stack) if stack in seen and kind != "cross_attention" else None  # (h, q, k): T5's positions
    scale = {None: " / √d", 1.0: ""}.get(part.attend.scale, f" · {part.attend.scale}")
    formula = STORY[kind].formula.replace(" / √d", scale + ("" if bias is None else " + B[j − i]"))
    yield step(kind, lang, where, number, formula, tensors={"Q": q, "K": k, "B": bias, "scores": own.scores})
    context = own.context.transpose(0, 1)  # (h, q, d)
    yield step("softmax", lang, where, number, tensors={"scores": own.scores, "probs": own.probs, "context": context})
    output = only(seen, f"{name}.output")
    total = x + output.to(x.dtype)
    yield step("add", lang, where, number, tensors={"x": x, "attention": output, "sum": total},
               weights={"W_O": part.output.weight, "b_O": part.output.bias})  # fmt: skip
    if not add.before:
        yield step("norm", lang, where, number, tensors={"sum": total, "y": norm}, weights=_affine(add.norm))


def _feed_forward(layer: Any, seen: Record, x: Tensor, at: str, where: str, number: int, lang: str) -> Step:
    ff, add = layer.feed_forward, layer.feed_forward_add
    norm, given = only(seen, f"{at}feed_forward_add.norm"), only(seen, f"{at}feed_forward")
    tensors: dict[str, Tensor] = {"y": x}
    if add.before:
        tensors["norm"] = norm
    for each in ("up", "gate", "value", "activation", "down"):
        if f"{at}feed_forward.{each}" in seen:
            tensors[each] = only(seen, f"{at}feed_forward.{each}")
    tensors |= {"sum": x + given.to(x.dtype), "z": only(seen, f"{at}feed_forward_add")}
    weights = {
        f"{letter}_{each}": getattr(getattr(ff, each), kind)
        for each in ("up", "gate", "value", "down")
        if getattr(ff, each, None) is not None
        for letter, kind in (("W", "weight"), ("b", "bias"))
    }
    formula = {
        (False, False): STORY["feed_forward"].formula,
        (True, False): "z = x + f(norm(x)·W_1 + b_1)·W_2 + b_2",
        (False, True): "z = norm(y + (f(y·W_g) ⊙ y·W_v)·W_2)",
        (True, True): "z = x + (f(norm(x)·W_g) ⊙ norm(x)·W_v)·W_2",
    }[add.before, ff.up is None]
    return step("feed_forward", lang, where, number, formula, tensors=tensors, weights=weights | _affine(add.norm))


def _affine(norm: nn.Module) -> dict[str, Tensor | None]:
    return {"γ": getattr(norm, "weight", None), "β": getattr(norm, "bias", None)}


def stack_steps(layers: Iterable[nn.Module], seen: Record, x: Tensor, name: str, lang: str) -> Iterator[Step]:
    """The steps of all layers of a stack, "encoder" or "decoder". x: (t, hidden) before the first."""
    for i, layer in enumerate(layers):
        yield from layer_steps(layer, seen, x, f"{name}.layers.{i}", i, lang)
        x = only(seen, f"{name}.layers.{i}")
