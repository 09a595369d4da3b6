"""Checks of the dtypes and values of a checkpoint's tensors, and the error messages about checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.errors import CheckpointError
from gatonegro.i18n import catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
# of weights, and of positions and masks stored with them; int8 only in our own form
FLOAT_DTYPES = {"float16", "bfloat16", "float32", "float64"}
SUPPORTED_DTYPES = FLOAT_DTYPES | {"int64", "int32", "int16", "uint8", "bool"}
EXPONENTS = {"float16": 0x7C00, "bfloat16": 0x7F80}  # bits that are all set in NaN and infinity
CHUNK = 2**18  # numbers that fit in a processor's cache


def dtype_name(tensor: Any) -> str:
    """Return the name of a tensor's dtype, such as "float32"; an array of uint16 holds the bits of bfloat16."""
    return _name(tensor.dtype)


@cache  # numpy takes microseconds to name a dtype
def _name(dtype: Any) -> str:
    name = str(dtype).removeprefix("torch.")
    return "bfloat16" if name == "uint16" and isinstance(dtype, np.dtype) else name


def check_form(path: Path, form: str | None) -> None:
    """Raise CheckpointError if a weight file is of another form than plain tensors or our int8 form."""
    if form not in (None, "int8"):
        raise CheckpointError(*MESSAGES["later_form"].format(path=path, form=form))


def check_tensors(path: Path, tensors: Mapping[str, Any], form: str | None) -> None:
    """Raise CheckpointError if a checkpoint has a tensor with NaN, infinity or an unsupported dtype."""
    for name, tensor in tensors.items():
        dtype = dtype_name(tensor)
        if dtype not in SUPPORTED_DTYPES and not (form and dtype == "int8"):
            raise CheckpointError(*MESSAGES["dtype"].format(path=path, name=name, dtype=dtype))
        if dtype in FLOAT_DTYPES and not _is_finite(tensor, dtype):
            raise CheckpointError(*MESSAGES["not_finite"].format(path=path, name=name))


def as_array(tensor: Any) -> NDArray[Any]:
    """Return an array, or a tensor of PyTorch as one."""
    if isinstance(tensor, np.ndarray):
        return tensor
    import torch

    bits = tensor.dtype == torch.bfloat16
    array: NDArray[Any] = (tensor.view(torch.int16) if bits else tensor).detach().cpu().numpy()
    return array.view(np.uint16) if bits else array


def _is_finite(tensor: Any, dtype: str) -> bool:
    array, mask = as_array(tensor).reshape(-1), EXPONENTS.get(dtype)
    parts = (array[i : i + CHUNK] for i in range(0, array.size, CHUNK))
    if mask is None:
        return all(np.isfinite(part).all() for part in parts)
    return all((part.view(np.uint16) & np.uint16(mask)).max() < mask for part in parts)
