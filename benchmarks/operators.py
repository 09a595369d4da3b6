"""Compare the speed of PyTorch's operators: those that the engine uses, and alternatives.

    python benchmarks/operators.py

10⁹ operations per second of products of `rows` tokens with a feed-forward's matrices, 768 → 3072, per operator, best of
several, in turns; and milliseconds of the operations between the products. Writes `benchmarks/results/operators.json`
and `.md`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from common import HERE, machine, save

from gatonegro.engine.attention import KernelAttend
from gatonegro.engine.int8 import FbgemmInt8, OnednnInt8, has_wide_sums, quantise
from gatonegro.engine.kernels import Kernel, KernelNorm, to_array
from gatonegro.engine.processor import fast_precisions
from gatonegro.nn.attention import attend
from gatonegro.operators import kernels
from gatonegro.packing import Layout

ROWS = (8, 16, 64, 256, 2048)
K, N = 768, 3072
TIMES = 9


def best(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the seconds of each function, best of several runs in turns."""
    took = dict.fromkeys(ways, float("inf"))
    for n in range(TIMES + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if n:
                took[name] = min(took[name], time.perf_counter() - start)
    return took


def products(rows: int) -> dict[str, Callable[[], object]]:
    x, weight, bias = torch.randn(rows, K), torch.randn(N, K) * 0.05, torch.randn(N)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight)
    small, scales = quantise(weight, narrow_sums=not has_wide_sums())
    zeros, bytes_ = torch.zeros(N, dtype=torch.long), torch.randint(0, 256, (rows, K), dtype=torch.uint8)
    onednn = torch.ops.onednn.qlinear_prepack(small, None)
    per_row = torch.quantize_per_channel(small * scales[:, None], scales.double(), zeros, 0, torch.qint8)
    fbgemm = torch.ops.quantized.linear_prepack(per_row, None)

    def qlinear(zero: int) -> Callable[[], object]:
        return lambda: torch.ops.onednn.qlinear_pointwise(
            bytes_, 1.0, zero, onednn, scales, zeros, bias, 1.0, 0, torch.float32, "none", [], "none"
        )

    ways: dict[str, Callable[[], object]] = {
        "fp32, F.linear": lambda: F.linear(x, weight, bias),
        "fp32, oneDNN, laid out once": lambda: torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], ""),
        "int8, oneDNN, bytes given, zero point 128": qlinear(128),
        "int8, oneDNN, bytes given, zero point 0": qlinear(0),
        "int8, FBGEMM, rounds fp32 itself": lambda: torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            x, 0.05, 128, fbgemm
        ),
        "int8, FBGEMM, finds the scale of the whole itself": lambda: torch.ops.quantized.linear_dynamic(x, fbgemm),
        "int8, as the engine does with oneDNN": lambda m=OnednnInt8(weight, bias): m(x),
        "int8, as the engine does with FBGEMM": lambda m=FbgemmInt8(weight, bias): m(x),
    }
    if kernels.available():
        matrix, vector, half = to_array(weight), to_array(bias), to_array(weight.bfloat16())
        small, curved = (Kernel(kernels.Int8Linear(matrix, None, vector, act)) for act in (None, "gelu"))
        ways["fp32, our kernel"] = lambda m=Kernel(kernels.Linear(matrix, vector)): m(x)
        ways["int8, our kernel, rounding included"] = lambda: small(x)
        ways["int8, our kernel, rounding and GELU included"] = lambda: curved(x)
        ways["bf16, our kernel"] = lambda m=Kernel(kernels.Linear(half, vector)), h=x.bfloat16(): m(h)
    if "bf16" in fast_precisions():
        half, half_weight, half_bias = x.bfloat16(), weight.bfloat16(), bias.bfloat16()
        half_packed = torch.ops.mkldnn._reorder_linear_weight(half_weight)
        ways["bf16, F.linear"] = lambda: F.linear(half, half_weight, half_bias)
        ways["bf16, oneDNN, laid out once"] = lambda: torch.ops.mkldnn._linear_pointwise(
            half, half_packed, half_bias, "none", [], ""
        )
    return ways


def attention() -> dict[str, Callable[[], object]]:
    """Time attention over 75 sentences of 27 tokens, 12 heads of 64, and a layer norm of as many tokens."""
    layout = Layout((27,) * 75, (27,) * 75)
    q, k, v = torch.randn(27 * 75, 3, 12, 64).unbind(1)
    half = [t.bfloat16() for t in (q, k, v)]
    norm, x = torch.nn.LayerNorm(K), torch.randn(27 * 75, K)
    ways: dict[str, Callable[[], object]] = {
        "attention of 75 × 27 tokens, PyTorch's, fp32": lambda: attend(q, k, v, layout),
        "attention of 75 × 27 tokens, PyTorch's, bf16": lambda: attend(*half, layout),
        f"layer norm of {K}, PyTorch's, fp32": lambda: norm(x),
    }
    if kernels.available():
        ways["attention of 75 × 27 tokens, our kernel, fp32"] = lambda m=KernelAttend(): m(q, k, v, layout)
        ways["attention of 75 × 27 tokens, our kernel, bf16"] = lambda m=KernelAttend(): m(*half, layout)
        ways[f"layer norm of {K}, our kernel, fp32"] = lambda m=KernelNorm(norm): m(x)
    return ways


def between() -> dict[str, Callable[[], object]]:
    """Time the operations between the products of a feed-forward, on 2,048 tokens: (2048, 3072)."""
    x, add = torch.randn(2048, N), torch.randn(2048, 1)
    scale = x.abs().amax(1, keepdim=True) / 127
    weight, narrow = torch.randn(N, K) * 0.05, torch.randn(2048, K)
    packed, out = torch.ops.mkldnn._reorder_linear_weight(weight), torch.randn(2048, K)
    down = torch.ops.mkldnn._reorder_linear_weight(torch.randn(K, N) * 0.05)
    return {
        "GELU": lambda: F.gelu(x),
        "GELU, in place": lambda: torch.ops.aten.gelu_(x),
        "product": lambda: torch.ops.mkldnn._linear_pointwise(narrow, packed, None, "none", [], ""),
        "product with GELU inside": lambda: torch.ops.mkldnn._linear_pointwise(
            narrow, packed, None, "gelu", [], "none"
        ),
        "product back": lambda: torch.ops.mkldnn._linear_pointwise(x, down, None, "none", [], ""),
        "product back with the residual inside": lambda: torch.ops.mkldnn._linear_pointwise.binary(
            x, out, down, None, "add"
        ),
        "largest of each row": lambda: torch.maximum(x.amax(1), -x.amin(1)),
        "largest of each row, by abs": lambda: x.abs().amax(1),
        "largest of each row, by a norm": lambda: torch.linalg.vector_norm(x, float("inf"), 1),
        "bytes, quantize_per_tensor of x / scale": lambda: torch.quantize_per_tensor(x / scale, 1.0, 128, torch.quint8),
        "bytes, quantize_per_channel by rows": lambda: torch.quantize_per_channel(
            x, scale[:, 0].double(), torch.full((2048,), 128), 0, torch.quint8
        ),
        "bytes, by public operators": lambda: (x / scale).add_(128.5).to(torch.uint8),
        "rows times their scales, and a bias": lambda: torch.addcmul(add, x, scale),
    }


@torch.inference_mode()
def main() -> None:
    warnings.simplefilter("ignore")
    rates: dict[str, dict[int, int]] = {}
    for rows in ROWS:
        for name, seconds in best(products(rows)).items():
            rates.setdefault(name, {})[rows] = round(2 * rows * K * N / seconds / 1e9)
    passes = {name: round(1000 * seconds, 2) for name, seconds in best(between() | attention()).items()}
    result = {"command": "python benchmarks/operators.py", "machine": machine(), "rates": rates, "ms": passes}
    lines = ["", f"10⁹ operations a second, {K} → {N}, by the number of tokens:", ""]
    lines += ["| operator | " + " | ".join(map(str, ROWS)) + " |", "|---|" + "---:|" * len(ROWS)]
    lines += [f"| {name} | " + " | ".join(map(str, row.values())) + " |" for name, row in rates.items()]
    lines += ["", f"Milliseconds, on 2,048 tokens of {N}, or as it says:", "", "| what | ms |", "|---|---:|"]
    lines += [f"| {name} | {ms} |" for name, ms in passes.items()]
    save(HERE / "results" / "operators", result, lines)


if __name__ == "__main__":
    main()
