"""The compiled CPU kernels of `gatonegro-kernels` over numpy arrays: products, norms, attention and top-k.

One call quantises the input, multiplies, adds the bias, activates and adds the residual. The kernels compile nothing
for a new shape, and are as efficient for few tokens as for many.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.errors import GatonegroWarning, InputError, MissingExtraError, message_of, warn
from gatonegro.i18n import Message
from gatonegro.operators import plain
from gatonegro.operators.arrays import BF16, FP32, address, cast, to_fp32
from gatonegro.operators.int8 import Int8Weights
from gatonegro.operators.processor import MESSAGES, cpu_capabilities, thread_count

ABI_VERSION = 3  # of the C functions' signatures, as in kernels.cpp
WIDTH_MULTIPLE = 16  # attention heads and norms must have a multiple of this width
ACT_CODES = {None: 0, "relu": 1, "gelu": 2, "gelu_new": 3, "gelu_pytorch_tanh": 3, "silu": 4, "swish": 4, "tanh": 5}
PTR, SIZE, INT, FLOAT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_float
AVX2, AVX512 = {"avx2", "fma3", "f16c", "bmi2"}, {"avx512_f", "avx512_bw", "avx512_vl", "avx512_dq", "avx512_vnni"}
ISA_CAPABILITIES = {  # library → the processor capabilities that it needs, the fastest library first
    "avx512_bf16": AVX2 | AVX512 | {"avx512_bf16"},
    "avx512": AVX2 | AVX512,
    "avx2_vnni": AVX2 | {"avx_vnni"},
    "avx2": AVX2,
    "neon_bf16": {"asimddp", "i8mm", "bf16"},  # of Arm processors
    "neon_dotprod": {"asimddp"},
    "neon": {"asimd"},
}
SIGNATURES = {  # as in kernels.cpp
    "linear": [PTR, PTR, INT, SIZE, PTR, PTR, PTR, INT, INT],
    "norm": [PTR, INT, SIZE, SIZE, PTR, PTR, FLOAT, PTR, INT],
    "attend": [*[PTR] * 3, INT, SIZE, SIZE, *[PTR] * 4, *[SIZE] * 4, FLOAT, INT, PTR, INT],
    "sizes": [PTR, INT, PTR, SIZE, SIZE, PTR, INT],
    "quantise": [PTR, INT, PTR, SIZE, SIZE, PTR, INT, PTR, PTR, PTR, INT],
    "best": [PTR, SIZE, SIZE, SIZE, PTR, PTR, PTR, PTR, PTR, INT],
}


@cache
def kernel_isa() -> str | None:
    """Return the instruction set of the fastest kernel library that this processor can run, or None."""
    return next((name for name, needs in ISA_CAPABILITIES.items() if needs <= cpu_capabilities()), None)


@cache
def library() -> Any:
    """Return the loaded library of compiled kernels for this processor, or None if none is installed."""
    spec = find_spec("gatonegro_kernels")
    if spec is None or spec.origin is None or kernel_isa() is None:
        return None
    path = Path(spec.origin).resolve().parent / f"kernels_{kernel_isa()}.so"
    if not path.exists():
        return None
    kernels = ctypes.CDLL(str(path))
    if (version := kernels.gatonegro_version()) != ABI_VERSION:
        raise MissingExtraError(*MESSAGES["version"].format(version=version, needed=ABI_VERSION))
    for name, arguments in SIGNATURES.items():
        function = getattr(kernels, f"gatonegro_{name}")
        function.argtypes, function.restype = arguments, None
    return kernels


@cache
def available() -> bool:
    """Return True if compiled CPU kernels are installed and agree with numpy; warn if they disagree."""
    try:
        wrong = "" if library() is None else _disagreements()
        why = Message.same(wrong) if wrong else None
    except (OSError, AttributeError, ctypes.ArgumentError, MissingExtraError) as failure:
        why = message_of(failure)
    if why:
        warn(GatonegroWarning(*MESSAGES["kernels"].format(why=why)), stacklevel=2)
    return why is None and library() is not None


def is_fast(precision: str) -> bool:
    """Return True if the compiled kernel has instructions for products in this precision, and does not emulate them."""
    return precision in ("fp32", "int8") or (precision == "bf16" and kernel_isa() in ("avx512_bf16", "neon_bf16"))


def narrow_sums() -> bool:
    """Return True if the int8 kernel sums pairs of products in 16 bits, which can overflow."""
    return kernel_isa() == "avx2"


def supports_width(width: int) -> bool:
    """Return True if the compiled kernels support attention heads and norms of this width."""
    return width % WIDTH_MULTIPLE == 0


def _disagreements() -> str:
    """Return a text that names the kernels that disagree with numpy's operators and their errors, or "" for none."""
    x, weight, bias, add = map(_some_numbers, ((13, 96), (40, 96), (40,), (13, 40)))
    q, k, v = qkv = _some_numbers((3, 13, 2, 32))
    one, zero = np.ones(96, np.float32), np.zeros(96, np.float32)
    lengths, smooth, positive = ((9, 4), (9, 4)), np.abs(x).max(0), plain.ACTIVATIONS["gelu"](x)
    product, activated = plain.Linear(weight, bias), plain.Linear(weight, bias, "gelu")(x, add)
    results = {
        "int8": (Int8Linear(weight, None, bias, "gelu")(x, add), activated),
        "int8 above": (Int8Linear(weight, None, bias, None, None, -0.17)(positive), product(positive)),
        "int8 smoothed": (Int8Linear(weight, None, bias, None, smooth)(cast(x, BF16)), product(x)),
    }
    for name, dtype in (("fp32", FP32), ("bf16", BF16)):
        linear, inputs = Linear(cast(weight, dtype), bias, "gelu"), cast(x, dtype)
        a, b, c = cast(qkv, dtype)
        results[name] = linear(inputs, cast(add, dtype)), activated
        results[f"attention in {name}"] = attend(a, b, c, *lengths), plain.attend(q, k, v, *lengths)
        results[f"norm in {name}"] = norm(inputs, one, zero, 1e-5), plain.norm(x, one, zero, 1e-5)
    wrong = []
    for name, (result, wanted) in results.items():
        error = float(np.abs(to_fp32(result) - wanted).max() / np.abs(wanted).max())
        if not error < (1e-5 if name.endswith("fp32") else 0.03):
            wrong.append(f"{name} {error:.2g}")
    return ", ".join(wrong)


def _some_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers from -1 to 1, always the same; numpy's random ones take longer to import than the check takes."""
    count = int(np.prod(shape))
    return np.sin(np.arange(count, dtype=np.float32) ** 2 % 977).reshape(shape)


class Weights(ctypes.Structure):
    """The weights of a linear layer as a C struct, with the fields of `Weights` in kernels.cpp."""

    _fields_ = [
        *((name, PTR) for name in ("panels", "bias", "scale", "offset", "inv_smooth")),
        *(("n", SIZE), ("k", SIZE), ("input_min", FLOAT), ("zero_point", INT), ("word", INT), ("act", INT)),
    ]


class Linear:
    """A linear layer act(x·Wᵀ + b) + add in fp32 or bf16, computed by the compiled kernel.

    Args:
        weight: (n, k) in fp32 or as bf16 bits.
        bias: (n,), or None.
        act: activation of the result, or None.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray | None = None, act: str | None = None):
        weight = weight if weight.dtype == BF16 else to_fp32(weight)
        word = 4 // weight.itemsize  # numbers per 32-bit word
        vector = pad_panels(np.zeros(len(weight), np.float32) if bias is None else _fit(bias, FP32, len(weight)))
        self.dtype: np.dtype | None = weight.dtype  # of inputs; None: fp32 or bf16
        self._set(weight.shape, word, act, pack_panels(weight), vector)

    def _set(
        self,
        shape: tuple[int, ...],
        word: int,
        act: str | None,
        *arrays: np.ndarray | None,
        input_min: float = 0.0,
        zero_point: int = 0,
    ) -> None:
        (self.n, self.k), self.arrays = shape, arrays  # which the struct points to
        self.k_padding = -self.k % word
        pointers = [*map(address, arrays), *[None] * 4][:5]
        k = self.k + self.k_padding if word < 4 else self.k
        self.weights = Weights(*pointers, self.n, k, input_min, zero_point, word, ACT_CODES[act])
        self.address = ctypes.addressof(self.weights)

    def out_dtype(self, has_residual: bool) -> np.dtype:
        """Return the dtype of results: the weights' or, in int8, fp32 with a residual and bf16 without one."""
        return self.dtype or (FP32 if has_residual else BF16)

    def __call__(self, x: np.ndarray, add: np.ndarray | None = None, dtype: np.dtype | None = None) -> np.ndarray:
        """Return act(x·Wᵀ + b) + add (t, n) for inputs (t, k), as `dtype` or that of `out_dtype`.

        Weights in fp32 give fp32 alone.
        """
        rows, scratch = len(x), None
        is_bf16 = self.dtype != FP32 and (dtype or self.out_dtype(add is not None)) == BF16
        dtype = BF16 if is_bf16 else FP32
        if self.dtype is None:
            x = _rows(x, self.k)
            scratch = np.empty(rows * (4 + self.k + self.k_padding), np.uint8)  # a row's scale, and its numbers
        else:
            x = _rows(cast(x, self.dtype), self.k)
            x = np.pad(x, ((0, 0), (0, self.k_padding))) if self.k_padding else x
        y = np.empty((rows, self.n), dtype)
        add = _fit(add, dtype, rows, self.n)
        library().gatonegro_linear(
            self.address, address(x), x.dtype == BF16, rows, address(scratch), address(add), address(y), is_bf16,
            thread_count(),
        )  # fmt: skip
        return y  # (t, n)


class Int8Linear(Linear):
    """A linear layer in int8, with the arguments of `plain.Int8Linear`."""

    def __init__(
        self,
        weight: np.ndarray,
        row_scales: np.ndarray | None,
        bias: np.ndarray | None,
        act: str | None,
        smooth: np.ndarray | None = None,
        input_min: float | None = None,
    ):
        weight, wide = _matrix(weight), library().gatonegro_wide()
        n, k = weight.shape
        row_scales, bias, smooth = _fit(row_scales, FP32, n), _fit(bias, FP32, n), _fit(smooth, FP32, k)
        panels = np.empty((-(-n // wide), -(-k // 4), wide, 4), np.int8)
        scales, sums = np.empty(len(panels) * wide, np.float32), np.empty(len(panels) * wide, np.int32)
        library().gatonegro_quantise(
            address(weight), weight.dtype == np.int8, address(row_scales), n, k, address(smooth), narrow_sums(),
            *map(address, (panels, scales, sums)), thread_count(),
        )  # fmt: skip
        w = Int8Weights.of(panels, scales, sums, bias, smooth, input_min)
        self.dtype = None
        arrays = panels, w.bias, scales, w.offset, w.inv_smooth
        self._set((n, k), 4, act, *arrays, input_min=w.input_min, zero_point=w.zero_point)


def _rows(x: np.ndarray, width: int) -> np.ndarray:
    """Return inputs as the C code reads them, contiguous and in fp32 or bf16; raise InputError for another width."""
    if x.shape[-1] != width:
        raise InputError(*MESSAGES["width"].format(given=x.shape[-1], width=width))
    return _fit(x, BF16 if x.dtype == BF16 else FP32, len(x), width)


def _fit(x: Any, dtype: np.dtype, *shape: int) -> Any:
    """Return an array or None as the C code, which checks no bounds, reads it; raise InputError for another shape."""
    if x is None:
        return None
    if x.shape != shape:
        raise InputError(*MESSAGES["shape"].format(given=x.shape, wanted=shape))
    return np.ascontiguousarray(cast(x, dtype))


def _matrix(weight: np.ndarray) -> np.ndarray:
    """Return weights (n, k) as the C code reads them, in int8 or fp32; raise InputError if they are empty."""
    if not weight.shape[1]:
        raise InputError(*MESSAGES["empty_weights"])
    return np.ascontiguousarray(weight if weight.dtype == np.int8 else to_fp32(weight))


def _check_width(width: int) -> None:
    if not supports_width(width):
        raise InputError(*MESSAGES["multiple"].format(width=width, multiple=WIDTH_MULTIPLE))


def column_sizes(weight: np.ndarray, row_scales: np.ndarray | None) -> np.ndarray:
    """Return the root mean square of each column (k,) of a matrix, see `plain.column_sizes`."""
    weight, row_scales = _matrix(weight), _fit(row_scales, FP32, len(weight))
    sizes, is_int8 = np.empty(weight.shape[1], np.float32), weight.dtype == np.int8
    library().gatonegro_sizes(
        address(weight), is_int8, address(row_scales), *weight.shape, address(sizes), thread_count()
    )
    return sizes


def pack_panels(weight: np.ndarray) -> np.ndarray:
    """Return a weight matrix (n, k) in the memory layout that the compiled kernel reads."""
    wide, word = library().gatonegro_wide(), 4 // weight.itemsize
    n, k = weight.shape
    if not k:
        raise InputError(*MESSAGES["empty_weights"])
    if k % word or n % wide:
        weight = np.pad(weight, ((0, -n % wide), (0, -k % word)))
    words = np.ascontiguousarray(weight).view(np.uint32)  # (n, k / word)
    return np.ascontiguousarray(words.reshape(-1, wide, words.shape[1]).transpose(0, 2, 1))


def pad_panels(vector: np.ndarray) -> np.ndarray:
    """Return a bias or scale vector in fp32, padded with zeros to the row count of the reordered weights."""
    return np.pad(vector.astype(np.float32), (0, -len(vector) % library().gatonegro_wide()))


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, eps: float) -> np.ndarray:
    """Compute a layer norm or, without bias, an RMS norm of fp32 or bf16 numbers (t, hidden)."""
    _check_width(len(weight))
    x = _rows(x, len(weight))
    weight, bias = _fit(weight, FP32, x.shape[1]), _fit(bias, FP32, x.shape[1])
    y = np.empty_like(x)
    library().gatonegro_norm(
        address(x), x.dtype == BF16, *x.shape, address(weight), address(bias), eps, address(y), thread_count()
    )
    return y  # (t, hidden)


def attend(
    q: np.ndarray,  # (t, h, d)
    k: np.ndarray,  # (u, h, d)
    v: np.ndarray,  # (u, h, d)
    query_lengths: Sequence[int],
    key_lengths: Sequence[int],
    key_slots: np.ndarray | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    bias: np.ndarray | None = None,
) -> np.ndarray:
    """Compute attention for all packed sequences and heads in one call, with the arguments of `plain.attend`."""
    dtype = BF16 if q.dtype == BF16 else FP32
    q, k, v = (cast(x, dtype) for x in (q, k, v))
    (_, heads, width), item, y = q.shape, q.itemsize, np.empty(q.shape, dtype)
    _check_width(width)
    if any(x.strides[1:] != (width * item, item) for x in (q, k, v)) or k.strides != v.strides:
        q, k, v = map(np.ascontiguousarray, (q, k, v))
    starts = [np.array([0, *accumulate(lengths)], np.int32) for lengths in (query_lengths, key_lengths)]
    slots = None if key_slots is None else np.ascontiguousarray(key_slots, np.int32)
    bias = None if bias is None else _fit(bias, FP32, heads, bias.shape[1] // 2 * 2 + 1)
    places = len(k) if slots is None else len(slots)  # the C code checks no bounds
    if (
        k.shape != v.shape or k.shape[1:] != q.shape[1:] or len(query_lengths) != len(key_lengths)
        or min(query_lengths, default=0) < 0 or min(key_lengths, default=0) < 0
        or starts[0][-1] > len(q) or starts[1][-1] > places
        or (slots is not None and len(slots) and slots.view(np.uint32).max() >= len(k))
    ):  # fmt: skip
        raise InputError(*MESSAGES["attend"].format(q=q.shape, k=k.shape, v=v.shape))
    library().gatonegro_attend(
        address(q), address(k), address(v), dtype == BF16, q.strides[0] // item, k.strides[0] // item,
        *map(address, starts), address(slots), address(bias), 0 if bias is None else bias.shape[1] // 2,
        len(query_lengths), heads, width, width**-0.5 if scale is None else scale, causal, address(y), thread_count(),
    )  # fmt: skip
    return y  # (t, h, d)


def top_k(scores: np.ndarray, count: int, banned: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's `count` largest scores outside its banned indices, their indices, and the row's logsumexp."""
    (rows, n), scores = scores.shape, np.ascontiguousarray(scores, np.float32)
    if banned and len(banned) != rows:
        raise InputError(*MESSAGES["shape"].format(given=(len(banned),), wanted=(rows,)))
    starts = np.array([0, *accumulate(map(len, banned or [()] * rows))], np.int32)  # (rows + 1,)
    bans = np.array([index for row in banned for index in row], np.int32)
    values, indices = np.empty((rows, count), np.float32), np.empty((rows, count), np.int64)
    sums = np.empty(rows, np.float32)
    pointers = [address(array) for array in (starts, bans, values, indices, sums)]
    library().gatonegro_best(address(scores), rows, n, count, *pointers, thread_count())
    return values, indices, sums
