"""Choice of the fastest precision and operators, and replacement of a model's modules by faster ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from gatonegro.engine import fast_modules, kernels
from gatonegro.engine.int8 import Int8, int8_operator, to_int8_embedding
from gatonegro.engine.linear import Linear, Prepacked
from gatonegro.engine.processor import MESSAGES, fast_precisions
from gatonegro.errors import GatonegroWarning, warn
from gatonegro.nn.attention import Attention
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import AddNorm, Embedding, Embeddings, Encoder, FeedForward
from gatonegro.nn.heads import LMHead
from gatonegro.operators import kernels as compiled
from gatonegro.operators.int8 import ACTIVATION_MINIMUM, smoothing
from gatonegro.operators.processor import cpu_capabilities, trim_memory
from gatonegro.operators.tuned_precision import load_fastest

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.float32}
PRECISIONS = ("auto", *DTYPES)
BACKEND = f"torch {torch.__version__}"
MAX_FP32_EMBEDDING_ROWS = 4096  # larger embeddings stay int8 where the model was stored as int8
CATCH_WARNINGS_LOCK = Lock()  # `catch_warnings` is for one thread at a time


def best_precision(device: torch.device, stored_int8: bool) -> str:
    """Return the precision that `precision="auto"` stands for on a device, such as "bf16".

    It is this machine's in `tuned.json`, else the first of int8 and bf16 that the processor has instructions for; no
    precision is timed. int8 is for models stored as int8, whose accuracy in int8 was measured when they were made.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type != "cpu":
        return "fp32"
    if (best := load_fastest(BACKEND, stored_int8)) is not None:
        return best
    choices = ("int8", "bf16") if stored_int8 else ("bf16",)
    return next((kind for kind in choices if kind in fast_precisions()), "fp32")


@torch.no_grad()
def replace_modules(
    model: nn.Module,
    precision: str,
    stored_int8: bool,
    run: Callable[[], object],
    products: Mapping[tuple[str, ...], Any] | None = None,
) -> None:
    """Replace a model's modules by faster ones, in place.

    Args:
        model: a copy that shares the weights of the original.
        precision: a key of `DTYPES`.
        stored_int8: the weights were stored as int8, so embeddings can stay int8 without loss.
        run: runs the model on some tokens, from which int8 takes the range of each channel.
        products: the compiled kernels' linear layers by the names of their weights, if these are to be used.
    """
    device, dtype = next(model.parameters()).device, DTYPES[precision]
    int8_embeddings = stored_int8 and device.type == "cpu"
    if products is not None:
        make: fast_modules.MakeLinear = partial(_kernel, products, {m: name for name, m in model.named_modules()})
    else:
        linear_type = linear_class(precision, device)
        input_maxima = _input_maxima(model, run) if issubclass(linear_type, Int8) else {}
        make = partial(_make_linear, linear_type, dtype, input_maxima)
    if isinstance(model.head, LMHead):
        model.head = fast_modules.FastLMHead(model.head, model.embeddings.tokens, make, dtype)  # type: ignore[union-attr, arg-type]
    elif products is not None and isinstance(model.head, nn.Module):
        fast_modules.speed_up_head(model.head, make)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Attention):
                setattr(parent, name, fast_modules.FastAttention(child, make, dtype, cross=name == "cross_attention"))
            elif isinstance(child, FeedForward):
                setattr(parent, name, fast_modules.FastFeedForward(child, make))
            elif isinstance(child, AddNorm):
                setattr(parent, name, fast_modules.FastAddNorm(child, dtype))
            elif isinstance(child, Encoder):
                setattr(parent, name, fast_modules.FastEncoder(child, dtype))
            elif isinstance(child, Decoder):
                setattr(parent, name, fast_modules.FastDecoder(child, dtype))
            elif isinstance(child, Embeddings) and child.norm is not None and products is not None:
                child.norm = fast_modules.fast_norm(child.norm, torch.float32)
            elif isinstance(child, Embedding) and int8_embeddings and len(child.weight) > MAX_FP32_EMBEDDING_ROWS:
                setattr(parent, name, to_int8_embedding(child) or child)
    trim_memory()


def uses_kernels(precision: str, device: torch.device) -> bool:
    """Return True if the compiled kernels compute the products of a model in a given precision on a given device."""
    has_amx = precision != "fp32" and "amx_int8" in cpu_capabilities()  # for which oneDNN has faster products
    return device.type == "cpu" and compiled.is_fast(precision) and not has_amx and compiled.available()


def linear_class(precision: str, device: torch.device) -> type[nn.Module]:
    """Return the class of PyTorch's fastest linear layer that is usable in a given precision on a given device."""
    if device.type != "cpu":
        return Linear
    if precision == "int8" and is_usable(int8_operator()):  # type: ignore[arg-type]
        return int8_operator()
    if torch.backends.mkldnn.is_available() and is_usable(Prepacked, DTYPES[precision]):
        return Prepacked
    return Linear


@cache
def is_usable(kind: type[nn.Module], dtype: torch.dtype = torch.float32) -> bool:
    """Return True if a class of linear layer runs in this PyTorch and computes the right result, else warn once."""
    random = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 96, generator=random) for n in (70, 48))
    bias, add = (torch.randn(*size, generator=random) for size in ((48,), (70, 48)))
    expected = Linear(weight, bias)(x, add)
    inputs = [t.to(dtype) for t in (weight, bias, x, add)]
    try:
        with CATCH_WARNINGS_LOCK, torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's quantize_… warn, once, that they may be removed
            result = kind(*inputs[:2])(*inputs[2:]).float()
        error = float((result - expected).abs().max() / expected.abs().max())
        why = "" if error < (1e-5 if kind is Prepacked and dtype == torch.float32 else 0.03) else f"{error:.2g}"
    except (RuntimeError, AttributeError, NotImplementedError, TypeError) as failure:
        why = str(failure).partition("\n")[0][:200]
    if why:
        name = "int8" if issubclass(kind, Int8) else str(dtype).removeprefix("torch.")
        warning = GatonegroWarning(*MESSAGES["operator"].format(name=name, why=why))
        warn(warning, stacklevel=2)
    return not why


def _kernel(
    products: Mapping[tuple[str, ...], Any], names: Mapping[nn.Module, str], *parts: nn.Module, **options: Any
) -> nn.Module:
    """Return the module that calls the compiled product of `parts`, linear layers with the same input."""
    key = tuple(names[part] for part in parts)
    if isinstance(parts[0], LMHead):
        key = ("embeddings.tokens" if parts[0].output is None else "head.output",)
    return kernels.Kernel(products[key])


def _make_linear(
    linear_type: type[nn.Module],
    dtype: torch.dtype,
    input_maxima: dict[nn.Module, Tensor],
    *parts: nn.Module,
    weight: Tensor | None = None,
    act: str | None = None,
    input_act: str | None = None,
) -> nn.Module:
    """Return a faster linear layer in place of `parts`, which reads outputs of the activation `input_act`, if any."""
    if weight is None:
        weight = torch.cat([part.weight for part in parts])  # type: ignore[misc]
    first = parts[0]
    biases = [part.bias for part in parts] if first.bias is not None else []
    bias = torch.cat([vector.detach().reshape(-1) for vector in biases]).to(dtype) if biases else None  # type: ignore
    weight = weight.detach().to(dtype)
    if not issubclass(linear_type, Int8):
        return linear_type(weight, bias, act)
    if input_act in ACTIVATION_MINIMUM:
        return linear_type(weight, bias, act, input_min=ACTIVATION_MINIMUM[input_act])
    smooth = smoothing(input_maxima[first].numpy(), weight.square().mean(0).sqrt().numpy())  # (k,)
    return linear_type(weight, bias, act, torch.from_numpy(smooth))


def _input_maxima(model: nn.Module, run: Callable[[], object]) -> dict[nn.Module, Tensor]:
    """Run a model, and return the largest absolute value of each input channel of its linear layers and its head."""
    input_maxima: dict[nn.Module, Tensor] = {}

    def record(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        input_maxima[module] = args[0].abs().amax(0).float()

    parts = [part for part in model.modules() if isinstance(part, nn.Linear | LMHead)]
    hooks = [part.register_forward_pre_hook(record) for part in parts]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return input_maxima
