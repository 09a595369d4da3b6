"""`Weights`: a model's weights by name, with the operators that are made of them when they are first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro import operators
from gatonegro.checkpoints.int8 import Int8Rows, as_float32
from gatonegro.operators.arrays import BF16, FP32, cast
from gatonegro.operators.int8 import ACTIVATION_MINIMUM

DTYPES: dict[str, np.dtype] = {"fp32": FP32, "bf16": BF16, "int8": FP32}  # precision → dtype of hidden states


class Weights:
    """The weights of a model, or of a part of it.

    Operators are made when they are first used; a product in int8 is smoothed by its first input.

    Args:
        state: name → array, or `Int8Rows`: int8 numbers with a factor per row, as files store them.
        precision: that of the products: "fp32", "bf16" or "int8".
        prefix: what the names begin with.
        operators: what was made so far, by name: weights of norms, and products by tuples of names.
    """

    def __init__(
        self,
        state: Mapping[str, Any],
        precision: str = "fp32",
        prefix: str = "",
        operators: dict[Any, Any] | None = None,
    ):
        self.state, self.precision, self.prefix = state, precision, prefix
        self.dtype = DTYPES[precision]
        self.parts: dict[str, Weights] = {}
        self.operators: dict[Any, Any] = {} if operators is None else operators

    def __truediv__(self, name: str) -> Weights:
        """Return the weights of a part: `w / "encoder"` are those whose names begin with "encoder."."""
        if name not in self.parts:
            precision = "fp32" if name == "head" else self.precision  # a head is small, and its results are scores
            self.parts[name] = Weights(self.state, precision, f"{self.prefix}{name}.", self.operators)
        return self.parts[name]

    def full_name(self, name: str) -> str:
        """Return a tensor's name in the model; one that begins with "/" is of the model and not of the part."""
        return name[1:] if name.startswith("/") else self.prefix + name

    def array(self, name: str) -> np.ndarray:
        """Return a tensor in fp32."""
        return as_float32(self.state[self.full_name(name)])

    def has(self, name: str) -> bool:
        """Return True if there is a tensor of this name."""
        return self.full_name(name) in self.state

    def rows(self, name: str, ids: np.ndarray) -> np.ndarray:
        """Return some rows of a table, such as the embeddings (t, hidden) of token ids (t,)."""
        return as_float32(self.state[self.full_name(f"{name}.weight")][ids])

    def norm(self, x: np.ndarray, name: str, eps: float) -> np.ndarray:
        """Return x, normed: a layer norm or, where there is no bias, an RMS norm."""
        key = self.full_name(name)
        if key not in self.operators:
            bias = self.array(f"{name}.bias") if self.has(f"{name}.bias") else None
            self.operators[key] = self.array(f"{name}.weight"), bias
        weight, bias = self.operators[key]
        return operators.norm(x, weight, bias, eps)

    def linear(
        self,
        x: np.ndarray,
        *names: str,
        act: str | None = None,
        residual: np.ndarray | None = None,
        input_act: str | None = None,
        bias: str | None = None,
        scale: float = 1.0,
        dtype: np.dtype | None = None,
    ) -> np.ndarray:
        """Return act(x·Wᵀ + b) + residual (t, n) for a matrix W (n, k) and a vector b (n,).

        Args:
            x: (t, k).
            names: of W, or of several, whose results (t, n) stand side by side: one product is faster than three.
            act: an activation.
            residual: (t, n), or None.
            input_act: the activation of which `x` is the result, if it is one.
            bias: the name of b; default: that of W.
            scale: a factor of W.
            dtype: of the result, if not that of the precision.
        """
        key = tuple(map(self.full_name, names))
        if key not in self.operators:
            biases = [f"{name}.bias" for name in names] if bias is None else [bias]
            has_bias = self.has(biases[0])  # all of them or none
            b = np.concatenate([self.array(name).reshape(-1) for name in biases]) if has_bias else None  # (n,)
            rows, factors = self._stack([f"{name}.weight" for name in names], scale)
            if self.precision == "int8":
                low = ACTIVATION_MINIMUM.get(input_act or "")  # if it is known, nothing is smoothed
                smooth = operators.smoothing(x, rows, factors) if low is None else None  # (k,)
                self.operators[key] = operators.int8_linear(rows, factors, b, act, smooth, low)
            else:
                weight = rows if factors is None else rows * factors[:, None]
                self.operators[key] = operators.linear(cast(weight, self.dtype), b, act)
        y: np.ndarray = self.operators[key](x, residual, dtype)
        return y  # (t, n)

    def _stack(self, names: Sequence[str], scale: float) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the rows (n, k) of some matrices, times `scale`, in fp32 or as int8 numbers and factors (n,)."""
        parts = [self.state[self.full_name(name)] for name in names]
        if all(isinstance(part, Int8Rows) for part in parts):
            factors = np.concatenate([part.scales for part in parts]).astype(np.float32)
            return np.concatenate([part.rows for part in parts]), factors * np.float32(scale)
        weight = np.concatenate([self.array(name) for name in names])
        return weight if scale == 1.0 else weight * np.float32(scale), None
