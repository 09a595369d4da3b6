"""Reading and crash-safe writing of checkpoints as safetensors: one file or shards, also with int8 matrices.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatonegro.checkpoints.int8 import SCALE_SUFFIX, Int8Rows, as_float32, row_scales, unpack_int8
from gatonegro.checkpoints.reading import (
    INT8_WEIGHTS_INDEX_NAME,
    INT8_WEIGHTS_NAME,
    PICKLED_WEIGHTS_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    SAVE_ID,
    read,
    weight_files,
)  # fmt: skip
from gatonegro.checkpoints.validation import FLOAT_DTYPES, dtype_name

if TYPE_CHECKING:
    from gatonegro.checkpoints.writing import pack_int8, write

__all__ = [
    "FLOAT_DTYPES", "INT8_WEIGHTS_INDEX_NAME", "INT8_WEIGHTS_NAME",
    "PICKLED_WEIGHTS_NAME", "SAFE_WEIGHTS_INDEX_NAME", "SAFE_WEIGHTS_NAME", "SAVE_ID", "SCALE_SUFFIX",
    "Int8Rows", "as_float32", "dtype_name", "pack_int8", "read", "row_scales", "unpack_int8",
    "weight_files", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("pack_int8", "write"):  # which need torch
        from gatonegro.checkpoints import writing

        return getattr(writing, name)
    raise AttributeError(name)
