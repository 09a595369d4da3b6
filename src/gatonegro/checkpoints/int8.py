"""Int8 checkpoints, a quarter of the size of fp32: each matrix as int8 numbers with an fp16 scale per matrix row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gatonegro.checkpoints.validation import MESSAGES
from gatonegro.errors import CheckpointError

SCALE_SUFFIX = ".row_scale"  # an int8 matrix's name with this suffix is the name of its scales
MIN_PACKED_NUMBERS = 4096  # smaller matrices stay fp32


def pack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with its large matrices as int8 and an fp16 scale per matrix row, and the rest as fp32.

    The scales of a matrix NAME are `NAME.row_scale`. A number's error is at most half its row's scale, and packing
    unpacked tensors returns the same bits. A matrix with a row too large or small for an fp16 scale becomes fp32.
    """
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.dtype == torch.int8:
            raise CheckpointError(*MESSAGES["packed"].format(name=name))
        out[name] = tensor.float() if tensor.is_floating_point() else tensor
        if (
            not tensor.is_floating_point()
            or tensor.dim() != 2
            or tensor.numel() < MIN_PACKED_NUMBERS
            or name + SCALE_SUFFIX in state
        ):
            continue
        scale = _scales(out[name].abs().amax(1))
        if scale is not None:
            steps = out[name] / torch.where(scale == 0, 1, scale.float())[:, None]
            out[name], out[name + SCALE_SUFFIX] = steps.round().to(torch.int8), scale  # round: half to even
    return out


def _scales(largest: Tensor) -> Tensor | None:
    """Return an fp16 scale for each row of an int8 matrix, from its largest number; None if one does not fit fp16."""
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
    """Return a state dict with its int8 matrices converted back to fp32, by the scales that `pack_int8` stored.

    Raises:
        CheckpointError: an int8 matrix has no scales that fit it.
    """
    scales = {name + SCALE_SUFFIX for name, tensor in state.items() if tensor.dtype == torch.int8}
    return {
        name: tensor.float().mul_(row_scales(state, name).float()[:, None]) if tensor.dtype == torch.int8 else tensor
        for name, tensor in state.items()
        if name not in scales
    }


def row_scales(state: Mapping[str, Tensor], name: str) -> Tensor:
    """Return the fp16 scales, one per matrix row, of an int8 matrix in a state dict that `pack_int8` returned."""
    matrix, scale = state[name], state.get(name + SCALE_SUFFIX)
    if scale is None:
        raise CheckpointError(*MESSAGES["no_scales"].format(name=name, scales=name + SCALE_SUFFIX))
    if matrix.dim() != 2 or scale.shape != matrix.shape[:1] or scale.dtype != torch.float16:
        shapes = {"shape": tuple(matrix.shape), "scales_shape": tuple(scale.shape)}
        problem = MESSAGES["scales"].format(name=name, scales=name + SCALE_SUFFIX, dtype=scale.dtype, **shapes)
        raise CheckpointError(*problem)
    return scale
