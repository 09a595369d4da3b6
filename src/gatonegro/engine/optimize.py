"""Replacing a model's modules by faster ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from gatonegro.engine import kernels, twins
from gatonegro.engine.linear import LEAST, Int8, Linear, Prepacked, int8, usable
from gatonegro.engine.processor import abilities, give_back
from gatonegro.engine.tuned import recall
from gatonegro.nn.attention import Attention
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import AddNorm, Embedding, Encoder, FeedForward
from gatonegro.nn.heads import LMHead

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
PRECISIONS = ("auto", *DTYPES)
MANY = 4096  # rows of an embedding; only larger ones are kept as int8


def best_precision(device: torch.device, stored_int8: bool) -> str:
    """Return the precision that "auto" means on a device: one that `tuned` remembers, else by a processor's abilities.

    Nothing is timed. int8 is for models that are stored so, whose answers in int8 were measured when they were made.
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
    """Replace a model's modules by faster ones, in the model itself: pass a copy that shares the weights.

    Args:
        stored_int8: the weights were stored as int8, so embeddings can be kept as int8 without loss.
        run: sends some tokens through the model; int8 takes the range of each channel from them.
    """
    device, dtype = next(model.parameters()).device, DTYPES[precision]
    fast = operator(precision, device)
    largest = _inputs(model, run) if issubclass(fast, Int8) else {}
    make = partial(_make, fast, dtype, largest)
    if isinstance(model.head, LMHead):
        model.head = twins.FastHead(model.head, model.embeddings.tokens, make, dtype)  # type: ignore[union-attr, arg-type]
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Attention):
                setattr(parent, name, twins.FastAttention(child, make, dtype, cross=name == "cross_attention"))
            elif isinstance(child, FeedForward):
                setattr(parent, name, twins.FastFeedForward(child, make))
            elif isinstance(child, AddNorm):
                setattr(parent, name, twins.FastAddNorm(child, dtype))
            elif isinstance(child, Encoder):
                setattr(parent, name, twins.FastEncoder(child, dtype))
            elif isinstance(child, Decoder):
                setattr(parent, name, twins.FastDecoder(child, dtype))
            elif isinstance(child, Embedding) and stored_int8 and device.type == "cpu" and len(child.weight) > MANY:
                setattr(parent, name, twins.as_bytes(child) or child)
    exact = operator("fp32", device)
    for parent in model.head.modules() if exact is kernels.KernelLinear and isinstance(model.head, nn.Module) else ():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and child.weight.dtype == torch.float32:
                setattr(parent, name, exact(child.weight.detach(), child.bias))
    give_back()


def operator(precision: str, device: torch.device) -> type[nn.Module]:
    """Return the fastest module that multiplies in a precision and is usable on a device."""
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
    """Return a module that multiplies as `source` does; its inputs are outputs of the activation `after`."""
    # a copy of the bias: the mapped one would keep its whole file open
    weight, bias = weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype, copy=True)
    if not issubclass(fast, Int8):
        return fast(weight, bias, act)
    if after in LEAST:
        return fast(weight, bias, act, low=LEAST[after])
    # inputs and weights become equally hard to quantise; the size of a channel's weights is their root mean square
    smooth = (largest[source].clamp(min=1e-5) / weight.square().mean(0).sqrt().clamp(min=1e-5)).sqrt()  # (k,)
    return fast(weight, bias, act, smooth / smooth.median())


def _inputs(model: nn.Module, run: Callable[[], object]) -> dict[nn.Module, Tensor]:
    """Return the largest absolute input of each channel (k,) of each Linear, and of the head."""
    largest: dict[nn.Module, Tensor] = {}

    def record(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        largest[module] = args[0].abs().amax(0).float()

    parts = [part for part in model.modules() if isinstance(part, nn.Linear | LMHead)]
    hooks = [part.register_forward_pre_hook(record) for part in parts]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return largest
