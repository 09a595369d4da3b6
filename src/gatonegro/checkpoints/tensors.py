"""Checks of tensors, and our int8 form of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gatonegro.errors import CheckpointError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
SCALE = ".row_scale"  # suffix of the name of the tensor with an int8 matrix's scales
SMALLEST = 4096  # numbers of a matrix that is worth packing

# types of weights, and of the positions and masks beside them; only our own form has int8
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
KNOWN = FLOATS | {torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool}


def check(path: Path, tensors: Mapping[str, Tensor], form: str | None) -> None:
    """Raise CheckpointError for unknown types, NaN and infinity."""
    if form not in (None, "int8"):
        raise CheckpointError(*MESSAGES["later_form"].format(path=path, form=form))
    for name, tensor in tensors.items():
        if tensor.dtype not in KNOWN and not (form and tensor.dtype == torch.int8):
            raise CheckpointError(*MESSAGES["dtype"].format(path=path, name=name, dtype=tensor.dtype))
        # the sum is not finite if a term is not, and needs no memory; it alone may be infinite though
        if tensor.dtype in FLOATS and not tensor.sum(dtype=torch.float32).isfinite() and not tensor.isfinite().all():
            raise CheckpointError(*MESSAGES["not_finite"].format(path=path, name=name))


def pack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return matrices (rows, columns) as int8 and `NAME.row_scale`, one fp16 scale per row (rows,); the rest as fp32.

    The error of a number is at most half its row's scale, and packing unpacked tensors returns the same bits.
    Matrices with a row too large or too small for a fp16 scale become fp32.
    """
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.dtype == torch.int8:
            raise CheckpointError(
                f"tensor {name!r} is int8 already; unpack_int8 first.",
                f"el tensor {name!r} ya es int8; usa antes unpack_int8.",
            )
        out[name] = tensor.float() if tensor.is_floating_point() else tensor
        if not tensor.is_floating_point() or tensor.dim() != 2 or tensor.numel() < SMALLEST or name + SCALE in state:
            continue
        scale = _scales(out[name].abs().amax(1))
        if scale is not None:
            steps = out[name] / torch.where(scale == 0, 1, scale.float())[:, None]
            out[name], out[name + SCALE] = steps.round().to(torch.int8), scale  # round: half to even
    return out


def _scales(largest: Tensor) -> Tensor | None:
    """Return fp16 scales that make `largest` (rows,) 127 steps or a little less; None if a row's does not fit fp16."""
    exact = largest / 127
    near = exact.half()
    # rounded up; the bits of positive numbers count up with their value
    scale = (near.view(torch.int16) + (near.float() < exact).to(torch.int16)).view(torch.float16)
    # Below 2^-14 fp16 gets coarse: a row's largest number may then be 100 steps, and packing anew would find another
    # scale. With powers of two it is 64 steps or more, which find the same one.
    mantissa, exponent = torch.frexp(exact)
    power = torch.ldexp(torch.ones_like(exact), exponent - (mantissa == 0.5).int()).half()
    scale = torch.where(exact < 2**-14, power, scale).where(largest > 0, 0)
    return scale if bool((scale.isfinite() & ((scale > 0) == (largest > 0))).all()) else None


def unpack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that `pack_int8` made as fp32.

    Raises:
        CheckpointError: an int8 matrix has no scales that fit it.
    """
    scales = {name + SCALE for name, tensor in state.items() if tensor.dtype == torch.int8}
    return {
        name: tensor.float().mul_(scale_of(state, name).float()[:, None]) if tensor.dtype == torch.int8 else tensor
        for name, tensor in state.items()
        if name not in scales
    }


def scale_of(state: Mapping[str, Tensor], name: str) -> Tensor:
    """Return the fp16 scales (rows,) of an int8 matrix (rows, columns) in a packed state."""
    matrix, scale = state[name], state.get(name + SCALE)
    if scale is None:
        raise CheckpointError(*MESSAGES["no_scales"].format(name=name, scales=name + SCALE))
    if matrix.dim() != 2 or scale.shape != matrix.shape[:1] or scale.dtype != torch.float16:
        shapes = {"shape": tuple(matrix.shape), "scales_shape": tuple(scale.shape)}
        problem = MESSAGES["scales"].format(name=name, scales=name + SCALE, dtype=scale.dtype, **shapes)
        raise CheckpointError(*problem)
    return scale
