"""What tensors may be, and our int8 form of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gatonegro.errors import CheckpointError

SCALE = ".row_scale"  # ends the name of the tensor with an int8 matrix's scales
SMALLEST = 4096  # matrices of fewer numbers are not worth packing

# what weights can be, and what lies beside them (positions, masks); int8 is for our own form
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
KNOWN = FLOATS | {torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool}


def check(path: Path, tensors: Mapping[str, Tensor], form: str | None) -> None:
    """Refuse types that we do not know and numbers that are none."""
    if form not in (None, "int8"):
        raise CheckpointError(
            f"{path}: is in the form {form!r}, which a later gatonegro wrote: pip install -U gatonegro",
            f"{path}: está en la forma {form!r}, que escribió un gatonegro posterior: pip install -U gatonegro",
        )
    for name, tensor in tensors.items():
        if tensor.dtype not in KNOWN and not (form and tensor.dtype == torch.int8):
            raise CheckpointError(
                f"{path}: tensor {name!r} is {tensor.dtype}, which is not supported. Models that other programs "
                "have quantised cannot be read; take the original in fp32, fp16 or bf16.",
                f"{path}: el tensor {name!r} es {tensor.dtype}, un tipo que no se admite. Los modelos cuantizados "
                "por otros programas no se pueden leer; usa el original en fp32, fp16 o bf16.",
            )
        # the sum is not finite if a term is not, and needs no memory; it alone may be infinite though
        if tensor.dtype in FLOATS and not tensor.sum(dtype=torch.float32).isfinite() and not tensor.isfinite().all():
            raise CheckpointError(
                f"{path}: tensor {name!r} holds NaN or infinity, and so would every answer. Its training diverged "
                "or the file is damaged; take another checkpoint or fetch it anew.",
                f"{path}: el tensor {name!r} contiene NaN o infinito, y toda respuesta los contendría. Su "
                "entrenamiento divergió o el archivo está dañado; usa otro checkpoint o descárgalo de nuevo.",
            )


def pack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices (rows, columns) → int8, and `NAME.row_scale`, a fp16 scale a row (rows,). The rest → fp32.

    No number is off by more than half its row's scale, and packing what was unpacked gives the same bits again.
    Matrices with a row too large or too small for a fp16 scale stay as they are.
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
    """fp16 scales such that `largest` (rows,) is 127 steps or a little less; None where fp16 has none for some row."""
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
    """What `pack_int8` made → fp32.

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
    """The fp16 scales (rows,) of an int8 matrix (rows, columns) of a packed state."""
    matrix, scale = state[name], state.get(name + SCALE)
    if scale is None:
        raise CheckpointError(
            f"tensor {name!r} is int8, and its scales, {name + SCALE!r}, are missing.",
            f"el tensor {name!r} es int8, y faltan sus escalas, {name + SCALE!r}.",
        )
    if matrix.dim() != 2 or scale.shape != matrix.shape[:1] or scale.dtype != torch.float16:
        raise CheckpointError(
            f"tensor {name!r} is int8 of shape {tuple(matrix.shape)}, and its scales, {name + SCALE!r}, are "
            f"{scale.dtype} of shape {tuple(scale.shape)}: they must be float16, one a row.",
            f"el tensor {name!r} es int8 de forma {tuple(matrix.shape)}, y sus escalas, {name + SCALE!r}, son "
            f"{scale.dtype} de forma {tuple(scale.shape)}: deben ser float16, una por fila.",
        )
    return scale
