"""Our own compiled kernels, which replace PyTorch's operators where `gatonegro-kernels` is installed.

One call rounds the input, multiplies, adds the bias, activates and adds the residual. Unlike oneDNN's, they compile
nothing for a new shape, and are as efficient for few tokens as for many.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.engine.linear import Int8, Linear
from gatonegro.engine.processor import names
from gatonegro.errors import GatonegroWarning, InputError, MissingExtraError, message_of
from gatonegro.i18n import Message
from gatonegro.nn.attention import attend
from gatonegro.packing import Layout

VERSION = 2  # of the functions' arguments, as in kernels.cpp
WORDS = {torch.float32: 1, torch.bfloat16: 2, torch.int8: 4}  # numbers per multiplication of a lane
MULTIPLE = 16  # a head's width and a norm's are multiples of it
ACTS = {None: 0, "relu": 1, "gelu": 2, "gelu_new": 3, "gelu_pytorch_tanh": 3, "silu": 4, "swish": 4, "tanh": 5}
AT, SIZE, INT, FLOAT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_float
AVX2, AVX512 = {"avx2", "fma3", "f16c", "bmi2"}, {"avx512_f", "avx512_bw", "avx512_vl", "avx512_dq", "avx512_vnni"}
LEVELS = {  # library → capabilities that it needs of a processor; the best library first
    "avx512_bf16": AVX2 | AVX512 | {"avx512_bf16"},
    "avx512": AVX2 | AVX512,
    "avx2_vnni": AVX2 | {"avx_vnni"},
    "avx2": AVX2,
}
SIGNATURES = {  # as in kernels.cpp
    "linear": [AT, AT, INT, SIZE, AT, AT, AT, INT, INT],
    "norm": [AT, INT, SIZE, SIZE, AT, AT, FLOAT, AT, INT],
    "attend": [AT, AT, AT, INT, SIZE, SIZE, AT, AT, AT, SIZE, SIZE, SIZE, FLOAT, INT, AT, INT],
    "best": [AT, SIZE, SIZE, SIZE, AT, AT, AT, AT, AT, INT],
}


@cache
def level() -> str | None:
    """Return the name of the compiled library for this processor; None if none is for it."""
    return next((name for name, needs in LEVELS.items() if needs <= names()), None)


@cache
def library() -> ctypes.CDLL | None:
    """Return the library for this processor; None where there is none."""
    spec = find_spec("gatonegro_kernels")
    if spec is None or spec.origin is None or level() is None:
        return None
    path = Path(spec.origin).resolve().parent / f"kernels_{level()}.so"
    if not path.exists():
        return None
    for threads in (Path(torch.__file__).parent / "lib").glob("libgomp*"):  # PyTorch's, for the kernels to find
        ctypes.CDLL(str(threads), ctypes.RTLD_GLOBAL)
    kernels = ctypes.CDLL(str(path))
    if (version := kernels.gatonegro_version()) != VERSION:
        raise MissingExtraError(
            f"gatonegro-kernels is of form {version}, and {VERSION} is wanted: install the one of this gatonegro",
            f"gatonegro-kernels es de la forma {version}, y hace falta la {VERSION}: instala el de este gatonegro",
        )
    for name, arguments in SIGNATURES.items():
        if (function := getattr(kernels, f"gatonegro_{name}", None)) is not None:
            function.argtypes, function.restype = arguments, None
    return kernels


@cache
def available() -> bool:
    """Return True if kernels for this processor are installed and agree with PyTorch; warn where they disagree."""
    try:
        apart = "" if library() is None else _apart()
        why = Message.same(apart) if apart else None
    except (OSError, AttributeError, ctypes.ArgumentError, MissingExtraError) as failure:
        why = message_of(failure)
    if why:
        warning = GatonegroWarning(
            f"the kernels of gatonegro-kernels cannot be used here ({why.en}); PyTorch's operators take their place.",
            f"los núcleos de gatonegro-kernels no se pueden usar aquí ({why.es}); los sustituyen los operadores de "
            "PyTorch.",
        )
        warnings.warn(warning, stacklevel=2)
    return why is None and library() is not None


def fits(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Return True if there are kernels for attention and norms of this type and width."""
    known = dtype in (torch.float32, torch.bfloat16) and width % MULTIPLE == 0
    return known and device.type == "cpu" and available()


@torch.inference_mode()
def _apart() -> str:
    """Return the names of kernels that disagree with PyTorch, and by how much; empty if none does."""
    random = torch.Generator().manual_seed(0)
    x, weight, bias, add = (torch.randn(*size, generator=random) for size in ((70, 96), (80, 96), (80,), (70, 80)))
    layout, (q, k, v) = Layout((50, 20), (50, 20)), torch.randn(70, 3, 2, 32, generator=random).unbind(1)
    norm, wanted = nn.LayerNorm(96), Linear(weight, bias, "gelu")(x, add)
    low, smooth = F.gelu(x), x.abs().amax(0)
    pairs = {
        "fp32": (KernelLinear(weight, bias, "gelu")(x, add), wanted, 1e-5),
        "int8": (KernelInt8(weight, bias, "gelu")(x, add), wanted, 0.03),
        "int8 above": (KernelInt8(weight, bias, low=-0.17)(low), Linear(weight, bias)(low), 0.03),
        "int8 smoothed": (KernelInt8(weight, bias, smooth=smooth)(x.bfloat16()), Linear(weight, bias)(x), 0.03),
        "attention": (attention(q, k, v, layout), attend(q, k, v, layout), 1e-5),
        "norm": (KernelNorm(norm)(x), norm(x), 1e-5),
    }
    if supports(torch.bfloat16):
        short = KernelLinear(weight.bfloat16(), bias.bfloat16(), "gelu")(x.bfloat16(), add.bfloat16())
        pairs["bf16"] = (short, wanted, 0.03)
    q16, k16, v16 = (t.bfloat16() for t in (q, k, v))
    pairs["attention in bf16"] = (attention(q16, k16, v16, layout), attend(q, k, v, layout), 0.03)
    pairs["norm in bf16"] = (KernelNorm(norm)(x.bfloat16()), norm(x), 0.03)
    apart = {name: float((a - b).abs().max() / b.abs().max()) for name, (a, b, _) in pairs.items()}
    return ", ".join(f"{name} {apart[name]:.2g}" for name in pairs if not apart[name] < pairs[name][2])


def supports(dtype: torch.dtype) -> bool:
    """Return True if there is a kernel for products of this type, and no faster operator: oneDNN's with AMX is."""
    if dtype in (torch.bfloat16, torch.int8) and "amx_int8" in names():
        return False
    return dtype in (torch.float32, torch.int8) or (dtype == torch.bfloat16 and level() == "avx512_bf16")


def panels(weight: Tensor) -> Tensor:
    """Return weights (n, k) as (n / wide, k / word, wide, word): numbers are in the order of the products."""
    wide, word = library().gatonegro_wide(), WORDS[weight.dtype]  # type: ignore[union-attr]
    n, k = weight.shape
    if not k:
        raise InputError(
            "the weights are empty: there is nothing to multiply.",
            "los pesos están vacíos: no hay nada que multiplicar.",
        )
    padded = F.pad(weight, (0, -k % word, 0, -n % wide))
    return padded.unflatten(1, (-1, word)).unflatten(0, (-1, wide)).transpose(1, 2).contiguous()


def pad_panels(vector: Tensor) -> Tensor:
    """Return a vector (n,) in fp32, padded with zeros to the rows of `panels`."""
    return F.pad(vector.float(), (0, -len(vector) % library().gatonegro_wide()))  # type: ignore[union-attr]


def ptr(tensor: Tensor | None) -> int | None:
    """Return the address of a tensor's numbers; None for no tensor."""
    return None if tensor is None else tensor.data_ptr()


def bf16(tensor: Tensor) -> bool:
    """Return True for bf16."""
    return tensor.dtype == torch.bfloat16


def plain(x: Tensor, dtype: torch.dtype, *, width: int) -> Tensor:
    """Return rows (…, width) in `dtype`, contiguous, as the kernels read them."""
    if x.shape[-1] != width:
        raise InputError(
            f"rows of {x.shape[-1]} numbers where the weights want {width}; they belong to different models.",
            f"filas de {x.shape[-1]} números donde los pesos piden {width}; son de modelos distintos.",
        )
    return (x if x.dtype == dtype else x.to(dtype)).contiguous()


class Weights(ctypes.Structure):
    """The struct of the same name in kernels.cpp."""

    _fields_ = [
        *((name, AT) for name in ("panels", "bias", "scale", "offset", "shrink")),
        *(("n", SIZE), ("k", SIZE), ("low", FLOAT), ("zero", INT), ("word", INT), ("act", INT)),
    ]


class Kernel:
    """The part that both products share: the weights as a C++ struct, and the call."""

    weights: Weights
    place: int  # address of `weights`
    out_features: int
    kept: tuple[Tensor | None, ...]  # the tensors that `weights` points to
    gives: torch.dtype | None = None  # type of the result, if not the precision's

    def compute(self, x: Tensor, add: Tensor | None, dtype: torch.dtype, scratch: Tensor | None = None) -> Tensor:
        n, rows, dtype = self.out_features, x.shape[:-1].numel(), self.gives or dtype
        y = torch.empty(*x.shape[:-1], n, dtype=dtype)
        add = None if add is None else plain(add.expand_as(y), dtype, width=n)
        library().gatonegro_linear(  # type: ignore[union-attr]
            self.place, ptr(x), bf16(x), rows, ptr(scratch), ptr(add), ptr(y), bf16(y), torch.get_num_threads()
        )
        return y  # (…, n)

    def lay_out(self, *weights: Any) -> None:
        self.weights = Weights(*weights)
        self.place, self.out_features = ctypes.addressof(self.weights), self.weights.n


class KernelLinear(Kernel, nn.Module):
    """act(x·Wᵀ + b) + add in fp32 or bf16, by our kernel."""

    def __init__(self, weight: Tensor, bias: Tensor | None, act: str | None = None):
        nn.Module.__init__(self)
        (n, k), word = weight.shape, WORDS[weight.dtype]
        self.dtype, self.k, self.short = weight.dtype, k, -k % word
        self.kept = panels(weight), pad_panels(torch.zeros(n) if bias is None else bias)
        self.lay_out(*map(ptr, self.kept), None, None, None, n, k + self.short, 0, 0, word, ACTS[act])

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        x = plain(x, self.dtype, width=self.k)
        return self.compute(F.pad(x, (0, self.short)) if self.short else x, add, self.dtype)  # (t, n)


class KernelInt8(Kernel, Int8):
    """act(x·Wᵀ + b) + add in int8. The result is fp32 with `add`, else bf16, which is rounded to bytes next."""

    @staticmethod
    def narrow() -> bool:
        return level() == "avx2"

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        (n, k), word = rows.shape, WORDS[rows.dtype]
        offset = -self.zero * (rows.sum(1, dtype=torch.int32) * scales)
        self.kept = panels(rows), *map(pad_panels, (self.bias, scales, offset)), self.shrink
        self.lay_out(*map(ptr, self.kept), n, k, self.low or 0, self.zero, word, ACTS[self.act])
        self.k, self.bytes = k, 4 + k + -k % word  # bytes per row: its scale, and its numbers

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        x = plain(x, torch.bfloat16 if bf16(x) else torch.float32, width=self.k)
        scratch = torch.empty(x.shape[:-1].numel() * self.bytes, dtype=torch.uint8)
        return self.compute(x, add, torch.bfloat16 if add is None else torch.float32, scratch)  # (t, n)


def attention(
    q: Tensor, k: Tensor, v: Tensor, layout: Layout, causal: bool = False, scale: float | None = None
) -> Tensor:
    """Return the result of `attend` without a bias, (t, h, d), of all sequences and heads by one call."""
    (_, heads, width), y = q.shape, torch.empty(q.shape, dtype=q.dtype)
    assert len(layout.query_lengths) == len(layout.key_lengths)  # the C code checks no bounds
    if any(x.stride()[1:] != (width, 1) for x in (q, k, v)) or k.stride(0) != v.stride(0):
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    queries, keys = layout.cu_seqlens
    library().gatonegro_attend(  # type: ignore[union-attr]
        ptr(q), ptr(k), ptr(v), bf16(q), q.stride(0), k.stride(0), ptr(queries), ptr(keys), ptr(layout.key_slots),
        len(layout.query_lengths), heads, width, width**-0.5 if scale is None else scale, causal, ptr(y),
        torch.get_num_threads(),
    )  # fmt: skip
    return y  # (t, h, d)


def top_k(scores: Tensor, count: int, banned: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the result of `generation.topk.top_k` for scores (rows, n) in fp32."""
    rows, n = scores.shape
    starts = torch.tensor([0, *accumulate(map(len, banned or [()] * rows))], dtype=torch.int32)  # (rows + 1,)
    bans = torch.tensor([place for some in banned for place in some], dtype=torch.int32)
    values, sums = scores.new_empty(rows, count), scores.new_empty(rows)
    places = torch.empty(rows, count, dtype=torch.long)
    pointers = map(ptr, (starts, bans, values, places, sums))
    library().gatonegro_best(  # type: ignore[union-attr]
        ptr(scores), rows, n, count, *pointers, torch.get_num_threads()
    )
    return values, places, sums


class KernelNorm(nn.Module):
    """Layer norm, https://arxiv.org/abs/1607.06450, of fp32 or bf16."""

    def __init__(self, source: nn.LayerNorm):
        super().__init__()
        self.weight, self.bias = (part.detach().float().contiguous() for part in (source.weight, source.bias))
        self.eps = source.eps

    def forward(self, x: Tensor) -> Tensor:
        x = plain(x, torch.bfloat16 if bf16(x) else torch.float32, width=len(self.weight))
        y = torch.empty_like(x)
        library().gatonegro_norm(  # type: ignore[union-attr]
            ptr(x), bf16(x), *x.shape, ptr(self.weight), ptr(self.bias), self.eps, ptr(y), torch.get_num_threads()
        )
        return y  # (t, hidden)
