"""safetensors ↔ state dict: single files and shards, our int8 form, and writing that survives a crash.

https://github.com/huggingface/safetensors#format
"""

from gatonegro.checkpoints.reading import INDEX, PICKLED, SINGLE, read, weight_files
from gatonegro.checkpoints.tensors import SCALE, pack_int8, scale_of, unpack_int8
from gatonegro.checkpoints.writing import write

__all__ = [
    "INDEX", "PICKLED", "SCALE", "SINGLE", "pack_int8", "read", "scale_of", "unpack_int8", "weight_files", "write",
]  # fmt: skip
