"""Reading and crash-safe writing of checkpoints as safetensors: one file or shards, also with int8 matrices.

https://github.com/huggingface/safetensors#format
"""

from gatonegro.checkpoints.int8 import SCALE_SUFFIX, pack_int8, row_scales, unpack_int8
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
from gatonegro.checkpoints.writing import write

__all__ = [
    "INT8_WEIGHTS_INDEX_NAME", "INT8_WEIGHTS_NAME",
    "PICKLED_WEIGHTS_NAME", "SAFE_WEIGHTS_INDEX_NAME", "SAFE_WEIGHTS_NAME", "SAVE_ID", "SCALE_SUFFIX",
    "pack_int8", "read", "row_scales", "unpack_int8", "weight_files", "write",
]  # fmt: skip
