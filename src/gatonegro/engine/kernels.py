"""Compiled CPU kernels for linear layers, attention, layer norm and top-k, from the package `gatonegro-kernels`.

One call quantises the input, multiplies, adds the bias, activates and adds the residual. Unlike oneDNN's, the kernels
compile nothing for a new shape, and are as efficient for few tokens as for many.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.engine.int8 import Int8
from gatonegro.engine.linear import Linear
from gatonegro.engine.processor import MESSAGES, cpu_capabilities
from gatonegro.errors import GatonegroWarning, InputError, MissingExtraError, message_of, warn
from gatonegro.i18n import Message
from gatonegro.nn.attention import attend
from gatonegro.packing import Layout

ABI_VERSION = 2  # of the C functions' signatures, as in kernels.cpp
NUMBERS_PER_WORD = {torch.float32: 1, torch.bfloat16: 2, torch.int8: 4}  # numbers per 32-bit word
WIDTH_MULTIPLE = 16  # attention heads and norms must have a multiple of this width
ACT_CODES = {None: 0, "relu": 1, "gelu": 2, "gelu_new": 3, "gelu_pytorch_tanh": 3, "silu": 4, "swish": 4, "tanh": 5}
PTR, SIZE, INT, FLOAT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_float
AVX2, AVX512 = {"avx2", "fma3", "f16c", "bmi2"}, {"avx512_f", "avx512_bw", "avx512_vl", "avx512_dq", "avx512_vnni"}
ISA_CAPABILITIES = {  # library → the processor capabilities that it needs, the fastest library first
    "avx512_bf16": AVX2 | AVX512 | {"avx512_bf16"},
    "avx512": AVX2 | AVX512,
    "avx2_vnni": AVX2 | {"avx_vnni"},
    "avx2": AVX2,
}
SIGNATURES = {  # as in kernels.cpp
    "linear": [PTR, PTR, INT, SIZE, PTR, PTR, PTR, INT, INT],
    "norm": [PTR, INT, SIZE, SIZE, PTR, PTR, FLOAT, PTR, INT],
    "attend": [PTR, PTR, PTR, INT, SIZE, SIZE, PTR, PTR, PTR, SIZE, SIZE, SIZE, FLOAT, INT, PTR, INT],
    "best": [PTR, SIZE, SIZE, SIZE, PTR, PTR, PTR, PTR, PTR, INT],
}


@cache
def kernel_isa() -> str | None:
    """Return the instruction set of the fastest kernel library that this processor can run, or None."""
    return next((name for name, needs in ISA_CAPABILITIES.items() if needs <= cpu_capabilities()), None)


@cache
def library() -> ctypes.CDLL | None:
    """Return the loaded library of compiled kernels for this processor, or None if none is installed."""
    spec = find_spec("gatonegro_kernels")
    if spec is None or spec.origin is None or kernel_isa() is None:
        return None
    path = Path(spec.origin).resolve().parent / f"kernels_{kernel_isa()}.so"
    if not path.exists():
        return None
    for threads in (Path(torch.__file__).parent / "lib").glob("libgomp*"):  # the kernels share PyTorch's OpenMP
        ctypes.CDLL(str(threads), ctypes.RTLD_GLOBAL)
    kernels = ctypes.CDLL(str(path))
    if (version := kernels.gatonegro_version()) != ABI_VERSION:
        raise MissingExtraError(*MESSAGES["version"].format(version=version, needed=ABI_VERSION))
    for name, arguments in SIGNATURES.items():
        if (function := getattr(kernels, f"gatonegro_{name}", None)) is not None:
            function.argtypes, function.restype = arguments, None
    return kernels


@cache
def available() -> bool:
    """Return True if compiled CPU kernels are installed and agree with PyTorch; warn if they disagree."""
    try:
        wrong = "" if library() is None else _disagreements()
        why = Message.same(wrong) if wrong else None
    except (OSError, AttributeError, ctypes.ArgumentError, MissingExtraError) as failure:
        why = message_of(failure)
    if why:
        warning = GatonegroWarning(*MESSAGES["kernels"].format(why=why))
        warn(warning, stacklevel=2)
    return why is None and library() is not None


def supports_width(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Return True if the compiled CPU kernels support attention heads and norms of this dtype and width."""
    supported = dtype in (torch.float32, torch.bfloat16) and width % WIDTH_MULTIPLE == 0
    return supported and device.type == "cpu" and available()


@torch.inference_mode()
def _disagreements() -> str:
    """Return a text that names the compiled kernels that disagree with PyTorch and their errors, or "" for none."""
    random = torch.Generator().manual_seed(0)
    x, weight, bias, add = (torch.randn(*size, generator=random) for size in ((70, 96), (80, 96), (80,), (70, 80)))
    layout, (q, k, v) = Layout((50, 20), (50, 20)), torch.randn(70, 3, 2, 32, generator=random).unbind(1)
    norm, expected = nn.LayerNorm(96), Linear(weight, bias, "gelu")(x, add)
    positive, smooth = F.gelu(x), x.abs().amax(0)
    pairs = {
        "fp32": (KernelLinear(weight, bias, "gelu")(x, add), expected, 1e-5),
        "int8": (KernelInt8(weight, bias, "gelu")(x, add), expected, 0.03),
        "int8 above": (KernelInt8(weight, bias, input_min=-0.17)(positive), Linear(weight, bias)(positive), 0.03),
        "int8 smoothed": (KernelInt8(weight, bias, smooth=smooth)(x.bfloat16()), Linear(weight, bias)(x), 0.03),
        "attention": (attention(q, k, v, layout), attend(q, k, v, layout), 1e-5),
        "norm": (KernelNorm(norm)(x), norm(x), 1e-5),
    }
    if prefers_kernel(torch.bfloat16):
        result = KernelLinear(weight.bfloat16(), bias.bfloat16(), "gelu")(x.bfloat16(), add.bfloat16())
        pairs["bf16"] = (result, expected, 0.03)
    q16, k16, v16 = (t.bfloat16() for t in (q, k, v))
    pairs["attention in bf16"] = (attention(q16, k16, v16, layout), attend(q, k, v, layout), 0.03)
    pairs["norm in bf16"] = (KernelNorm(norm)(x.bfloat16()), norm(x), 0.03)
    errors = {name: float((a - b).abs().max() / b.abs().max()) for name, (a, b, _) in pairs.items()}
    return ", ".join(f"{name} {errors[name]:.2g}" for name in pairs if not errors[name] < pairs[name][2])


def prefers_kernel(dtype: torch.dtype) -> bool:
    """Return True if our compiled kernel multiplies faster than PyTorch's operators in this dtype on this processor."""
    if dtype in (torch.bfloat16, torch.int8) and "amx_int8" in cpu_capabilities():
        return False
    return dtype in (torch.float32, torch.int8) or (dtype == torch.bfloat16 and kernel_isa() == "avx512_bf16")


def pack_panels(weight: Tensor) -> Tensor:
    """Return a weight matrix (n, k) in the memory layout that the compiled kernel reads."""
    wide, word = library().gatonegro_wide(), NUMBERS_PER_WORD[weight.dtype]  # type: ignore[union-attr]
    n, k = weight.shape
    if not k:
        raise InputError(*MESSAGES["empty_weights"])
    padded = F.pad(weight, (0, -k % word, 0, -n % wide))
    return padded.unflatten(1, (-1, word)).unflatten(0, (-1, wide)).transpose(1, 2).contiguous()


def pad_panels(vector: Tensor) -> Tensor:
    """Return a bias or scale vector in fp32, padded with zeros to the row count of the reordered weights."""
    return F.pad(vector.float(), (0, -len(vector) % library().gatonegro_wide()))  # type: ignore[union-attr]


def data_ptr(tensor: Tensor | None) -> int | None:
    """Return the memory address of a tensor's data, or None for no tensor."""
    return None if tensor is None else tensor.data_ptr()


def is_bf16(tensor: Tensor) -> bool:
    """Return True if a tensor is bf16."""
    return tensor.dtype == torch.bfloat16


def as_contiguous(x: Tensor, dtype: torch.dtype, *, width: int) -> Tensor:
    """Return a tensor (…, width) as contiguous memory of `dtype`; raise InputError for another width."""
    if x.shape[-1] != width:
        raise InputError(*MESSAGES["width"].format(given=x.shape[-1], width=width))
    return (x if x.dtype == dtype else x.to(dtype)).contiguous()


class Weights(ctypes.Structure):
    """The weights of a linear layer as a C struct, with the fields of `Weights` in kernels.cpp."""

    _fields_ = [
        *((name, PTR) for name in ("panels", "bias", "scale", "offset", "inv_smooth")),
        *(("n", SIZE), ("k", SIZE), ("input_min", FLOAT), ("zero_point", INT), ("word", INT), ("act", INT)),
    ]


class Kernel:
    """Base class of linear layers that a compiled kernel computes from weights in a C++ struct."""

    weights: Weights
    address: int  # address of `weights`
    out_features: int
    tensors: tuple[Tensor | None, ...]  # what `weights` points to
    out_dtype: torch.dtype | None = None  # dtype of the result, if not the precision's

    def compute(self, x: Tensor, add: Tensor | None, dtype: torch.dtype, scratch: Tensor | None = None) -> Tensor:
        """Call the compiled kernel for contiguous inputs (…, k), and return the linear layer's output (…, n)."""
        n, rows, dtype = self.out_features, x.shape[:-1].numel(), self.out_dtype or dtype
        y = torch.empty(*x.shape[:-1], n, dtype=dtype)
        add = None if add is None else as_contiguous(add.expand_as(y), dtype, width=n)
        library().gatonegro_linear(  # type: ignore[union-attr]
            self.address, data_ptr(x), is_bf16(x), rows, data_ptr(scratch), data_ptr(add), data_ptr(y), is_bf16(y),
            torch.get_num_threads(),
        )  # fmt: skip
        return y  # (…, n)

    def set_weights(self, *weights: Any) -> None:
        self.weights = Weights(*weights)
        self.address, self.out_features = ctypes.addressof(self.weights), self.weights.n


class KernelLinear(Kernel, nn.Module):
    """A linear layer act(x·Wᵀ + b) + add in fp32 or bf16, computed by the compiled CPU kernel."""

    def __init__(self, weight: Tensor, bias: Tensor | None, act: str | None = None):
        nn.Module.__init__(self)
        (n, k), word = weight.shape, NUMBERS_PER_WORD[weight.dtype]
        self.dtype, self.k, self.k_padding = weight.dtype, k, -k % word
        self.tensors = pack_panels(weight), pad_panels(torch.zeros(n) if bias is None else bias)
        sizes = n, k + self.k_padding
        self.set_weights(*map(data_ptr, self.tensors), None, None, None, *sizes, 0, 0, word, ACT_CODES[act])

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        x = as_contiguous(x, self.dtype, width=self.k)
        return self.compute(F.pad(x, (0, self.k_padding)) if self.k_padding else x, add, self.dtype)  # (t, n)


class KernelInt8(Kernel, Int8):
    """A linear layer in int8 by the compiled CPU kernel, with results in bf16 or, if a residual is added, fp32."""

    @staticmethod
    def narrow_sums() -> bool:
        return kernel_isa() == "avx2"

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        (n, k), word = rows.shape, NUMBERS_PER_WORD[rows.dtype]
        offset = -self.zero_point * (rows.sum(1, dtype=torch.int32) * scales)
        self.tensors = pack_panels(rows), *map(pad_panels, (self.bias, scales, offset)), self.inv_smooth
        zero = self.input_min or 0, self.zero_point
        self.set_weights(*map(data_ptr, self.tensors), n, k, *zero, word, ACT_CODES[self.act])
        self.k, self.scratch_bytes = k, 4 + k + -k % word  # per row: its scale, and its numbers

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        x = as_contiguous(x, torch.bfloat16 if is_bf16(x) else torch.float32, width=self.k)
        scratch = torch.empty(x.shape[:-1].numel() * self.scratch_bytes, dtype=torch.uint8)
        return self.compute(x, add, torch.bfloat16 if add is None else torch.float32, scratch)  # (t, n)


def attention(
    q: Tensor, k: Tensor, v: Tensor, layout: Layout, causal: bool = False, scale: float | None = None
) -> Tensor:
    """Compute attention without a bias for all packed sequences and heads in one call of the compiled CPU kernel."""
    (_, heads, width), y = q.shape, torch.empty(q.shape, dtype=q.dtype)
    assert len(layout.query_lengths) == len(layout.key_lengths)  # the C code checks no bounds
    if any(x.stride()[1:] != (width, 1) for x in (q, k, v)) or k.stride(0) != v.stride(0):
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    queries, keys = layout.cu_seqlens
    library().gatonegro_attend(  # type: ignore[union-attr]
        data_ptr(q), data_ptr(k), data_ptr(v), is_bf16(q), q.stride(0), k.stride(0),
        data_ptr(queries), data_ptr(keys), data_ptr(layout.key_slots),
        len(layout.query_lengths), heads, width, width**-0.5 if scale is None else scale, causal, data_ptr(y),
        torch.get_num_threads(),
    )  # fmt: skip
    return y  # (t, h, d)


def top_k(scores: Tensor, count: int, banned: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return each row's `count` largest scores outside its banned indices, their indices, and the row's logsumexp."""
    rows, n = scores.shape
    starts = torch.tensor([0, *accumulate(map(len, banned or [()] * rows))], dtype=torch.int32)  # (rows + 1,)
    bans = torch.tensor([index for row in banned for index in row], dtype=torch.int32)
    values, sums = scores.new_empty(rows, count), scores.new_empty(rows)
    indices = torch.empty(rows, count, dtype=torch.long)
    pointers = map(data_ptr, (starts, bans, values, indices, sums))
    library().gatonegro_best(  # type: ignore[union-attr]
        data_ptr(scores), rows, n, count, *pointers, torch.get_num_threads()
    )
    return values, indices, sums


class KernelNorm(nn.Module):
    """Layer norm in fp32 or bf16, computed by the compiled CPU kernel, https://arxiv.org/abs/1607.06450."""

    def __init__(self, source: nn.LayerNorm):
        super().__init__()
        self.weight, self.bias = (part.detach().float().contiguous() for part in (source.weight, source.bias))
        self.eps = source.eps

    def forward(self, x: Tensor) -> Tensor:
        x = as_contiguous(x, torch.bfloat16 if is_bf16(x) else torch.float32, width=len(self.weight))
        y = torch.empty_like(x)
        library().gatonegro_norm(  # type: ignore[union-attr]
            data_ptr(x), is_bf16(x), *x.shape, data_ptr(self.weight), data_ptr(self.bias), self.eps, data_ptr(y),
            torch.get_num_threads(),
        )  # fmt: skip
        return y  # (t, hidden)
