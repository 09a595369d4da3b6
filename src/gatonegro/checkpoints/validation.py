"""Checks of the dtypes and values of a checkpoint's tensors, and the error messages about checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gatonegro.errors import CheckpointError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
# of weights, and of positions and masks stored with them; int8 only in our own form
FLOAT_DTYPES = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
SUPPORTED_DTYPES = FLOAT_DTYPES | {torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool}


def check_tensors(path: Path, tensors: Mapping[str, Tensor], form: str | None) -> None:
    """Raise CheckpointError if a checkpoint has a tensor with NaN, infinity or an unsupported dtype."""
    if form not in (None, "int8"):
        raise CheckpointError(*MESSAGES["later_form"].format(path=path, form=form))
    for name, tensor in tensors.items():
        if tensor.dtype not in SUPPORTED_DTYPES and not (form and tensor.dtype == torch.int8):
            raise CheckpointError(*MESSAGES["dtype"].format(path=path, name=name, dtype=tensor.dtype))
        # a sum is not finite if a term is not, and needs no memory; but it may also overflow
        if (
            tensor.dtype in FLOAT_DTYPES
            and not tensor.sum(dtype=torch.float32).isfinite()
            and not tensor.isfinite().all()
        ):
            raise CheckpointError(*MESSAGES["not_finite"].format(path=path, name=name))
