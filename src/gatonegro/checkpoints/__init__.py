"""safetensors ↔ state dict: single files and shards, our int8 form, and writing that survives being cut off.

https://github.com/huggingface/safetensors#format
"""

from gatonegro.checkpoints.reading import INDEX, PICKLED, SINGLE, read, weight_files
from gatonegro.checkpoints.tensors import SCALE, pack_int8, scale_of, unpack_int8
from gatonegro.checkpoints.writing import copy, folder_of, replacing, write, write_text

__all__ = [
    "INDEX",
    "PICKLED",
    "SCALE",
    "SINGLE",
    "copy",
    "folder_of",
    "pack_int8",
    "read",
    "replacing",
    "scale_of",
    "unpack_int8",
    "weight_files",
    "write",
    "write_text",
]  # fmt: skip
