"""Int8 checkpoints, a quarter of the size of fp32: each matrix as int8 numbers with an fp16 scale per matrix row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.checkpoints.validation import MESSAGES, dtype_name
from gatonegro.errors import CheckpointError
from gatonegro.operators.arrays import to_fp32

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE_SUFFIX = ".row_scale"  # an int8 matrix's name with this suffix is the name of its scales


class Int8Rows:
    """A matrix (n, k) of fp32 numbers, kept as int8 numbers with an fp16 scale per row.

    Args:
        rows: int8 numbers (n, k).
        scales: fp16 numbers (n,), by which the rows are multiplied.
    """

    ndim, dtype = 2, np.dtype(np.float32)

    def __init__(self, rows: NDArray[Any], scales: NDArray[Any]):
        self.rows, self.scales = rows, scales

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (n, k)."""
        return self.rows.shape

    @property
    def T(self) -> NDArray[Any]:
        """The transposed matrix (k, n) in fp32."""
        return np.transpose(self.expand())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Int8Rows:
        return Int8Rows(self.rows[rows], self.scales[rows])

    def expand(self) -> NDArray[Any]:
        """Return the matrix (n, k) in fp32."""
        numbers: NDArray[Any] = np.multiply(self.rows, self.scales.astype(np.float32)[:, None], dtype=np.float32)
        return numbers


def as_float32(x: Any) -> NDArray[Any]:
    """Return an array, the bits of bf16 or `Int8Rows` as numbers in fp32."""
    return x.expand() if isinstance(x, Int8Rows) else to_fp32(x)


def unpack_int8(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict with int8 matrices as fp32 tensors, or as `Int8Rows` if they are arrays of numpy.

    Raises:
        CheckpointError: an int8 matrix has no scales that fit it.
    """
    packed = {name: row_scales(state, name) for name, tensor in state.items() if dtype_name(tensor) == "int8"}
    scales, out = {name + SCALE_SUFFIX for name in packed}, {}
    for name, tensor in state.items():
        if name in packed and isinstance(tensor, np.ndarray):
            out[name] = Int8Rows(tensor, packed[name])
        elif name not in scales:
            out[name] = tensor.float().mul_(packed[name].float()[:, None]) if name in packed else tensor
    return out


def row_scales(state: Mapping[str, Any], name: str) -> Any:
    """Return the fp16 scales, one per matrix row, of an int8 matrix in a state dict that `pack_int8` returned."""
    matrix, scale = state[name], state.get(name + SCALE_SUFFIX)
    if scale is None:
        raise CheckpointError(*MESSAGES["no_scales"].format(name=name, scales=name + SCALE_SUFFIX))
    if matrix.ndim != 2 or scale.shape != matrix.shape[:1] or dtype_name(scale) != "float16":
        shapes = {"shape": tuple(matrix.shape), "scales_shape": tuple(scale.shape)}
        problem = MESSAGES["scales"].format(name=name, scales=name + SCALE_SUFFIX, dtype=dtype_name(scale), **shapes)
        raise CheckpointError(*problem)
    return scale
