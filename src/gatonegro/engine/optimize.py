"""From a model to its faster twin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from gatonegro.engine import kernels
from gatonegro.engine.linear import LEAST, Int8, Linear, Prepacked, int8, usable
from gatonegro.engine.processor import abilities, give_back
from gatonegro.engine.tuned import recall
from gatonegro.engine.twins import (
    FastAddNorm,
    FastAttention,
    FastDecoder,
    FastEncoder,
    FastFeedForward,
    FastHead,
    as_bytes,
)
from gatonegro.nn.attention import Attention
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import AddNorm, Embedding, Encoder, FeedForward
from gatonegro.nn.heads import NextTokenHead

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
PRECISIONS = ("auto", *DTYPES)
MANY = 4096  # rows of an embedding from which it is worth keeping small


def best_precision(device: torch.device, stored_int8: bool) -> str:
    """What "auto" means on a device: what was measured there once, see `tuned`, else what a table says of a processor's
    abilities. Nothing is timed.

    int8 is for models that are stored so: what it does to their answers was measured when they were made.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type != "cpu":
        return "fp32"
    if (best := recall(stored_int8)) is not None:
        return best
    wanted = ("int8", "bf16") if stored_int8 else ("bf16",)
    return next((kind for kind in wanted if kind in abilities()), "fp32")


@torch.no_grad()
def put_twins(model: nn.Module, precision: str, stored_int8: bool, run: Callable[[], object]) -> None:
    """Put faster modules in the place of a model's own, in the model itself: give it a copy that shares the weights.

    `run` sends some tokens through the model: int8 looks at what becomes of them inside it. Embeddings that are
    `stored_int8` lose nothing when they are kept so.
    """
    device, dtype = next(model.parameters()).device, DTYPES[precision]
    fast = operator(precision, device)
    largest = _inputs(model, run) if issubclass(fast, Int8) else {}
    make = partial(_make, fast, dtype, largest)
    if isinstance(model.head, NextTokenHead):
        model.head = FastHead(model.head, model.embeddings.tokens, make, dtype)  # type: ignore[union-attr, arg-type]
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Attention):
                setattr(parent, name, FastAttention(child, make, dtype, cross=name == "cross_attention"))
            elif isinstance(child, FeedForward):
                setattr(parent, name, FastFeedForward(child, make))
            elif isinstance(child, AddNorm):
                setattr(parent, name, FastAddNorm(child, dtype))
            elif isinstance(child, Encoder):
                setattr(parent, name, FastEncoder(child, dtype))
            elif isinstance(child, Decoder):
                setattr(parent, name, FastDecoder(child, dtype))
            elif isinstance(child, Embedding) and stored_int8 and device.type == "cpu" and len(child.weight) > MANY:
                setattr(parent, name, as_bytes(child) or child)
    exact = operator("fp32", device)
    for parent in model.head.modules() if exact is kernels.KernelLinear and isinstance(model.head, nn.Module) else ():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and child.weight.dtype == torch.float32:
                setattr(parent, name, exact(child.weight.detach(), child.bias))
    give_back()


def operator(precision: str, device: torch.device) -> type[nn.Module]:
    """The fastest that multiplies in a precision and is usable on a device."""
    if device.type != "cpu":
        return Linear
    dtype = torch.int8 if precision == "int8" else DTYPES[precision]
    if kernels.supports(dtype) and kernels.available():
        return kernels.KernelInt8 if precision == "int8" else kernels.KernelLinear
    if precision == "int8" and usable(int8()):  # type: ignore[arg-type]
        return int8()
    if torch.backends.mkldnn.is_available() and usable(Prepacked, DTYPES[precision]):
        return Prepacked
    return Linear


def _make(
    fast: type[nn.Module],
    dtype: torch.dtype,
    largest: dict[nn.Module, Tensor],
    weight: Tensor,
    bias: Tensor | None,
    *,
    source: nn.Module,
    act: str | None = None,
    after: str | None = None,
) -> nn.Module:
    """A module that multiplies as `source` does; its inputs come out of the activation `after`."""
    # a copy of the bias, which else would keep the whole file that it is mapped from
    weight, bias = weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype, copy=True)
    if not issubclass(fast, Int8):
        return fast(weight, bias, act)
    if after in LEAST:
        return fast(weight, bias, act, low=LEAST[after])
    # inputs and weights made equally hard to quantise, a half each; a channel's weights count by their mean square
    smooth = (largest[source].clamp(min=1e-5) / weight.square().mean(0).sqrt().clamp(min=1e-5)).sqrt()  # (k,)
    return fast(weight, bias, act, smooth / smooth.median())


def _inputs(model: nn.Module, run: Callable[[], object]) -> dict[nn.Module, Tensor]:
    """The largest number that comes into each channel of each Linear, and of the head, (k,)."""
    seen: dict[nn.Module, Tensor] = {}

    def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        seen[module] = args[0].abs().amax(0).float()

    looked_at = [part for part in model.modules() if isinstance(part, nn.Linear | NextTokenHead)]
    hooks = [part.register_forward_pre_hook(look) for part in looked_at]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return seen
