"""safetensors ↔ state dict (first slice)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gatonegro.errors import CheckpointError
from gatonegro.hub import Source


def read(source: Source, *, allow_pickle: bool = False) -> dict[str, Tensor]:
    path = source.file("model.safetensors")
    if path is None:
        raise CheckpointError(f"{source.name}: no model.safetensors.")
    with safe_open(path, "pt") as f:
        out = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118
        packed = (f.metadata() or {}).get("gatonegro") == "int8"
    return unpack_int8(out) if packed else out


def write(folder: str | Path, state: Mapping[str, Tensor], *, metadata=None, max_shard_size: int = 5 * 10**9) -> None:
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / "model.safetensors.tmp"
    save_file({k: v.contiguous().clone() for k, v in state.items()}, beside, {"format": "pt", **(metadata or {})})
    os.replace(beside, folder / "model.safetensors")


def write_text(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def pack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    out = {}
    for name, t in state.items():
        if t.dim() == 2 and t.numel() >= 4096:
            scale = (t.abs().amax(1) / 127).half().float().clamp(min=1e-7)
            out[name] = (t / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
            out[name + ".scale"] = scale.half()
        else:
            out[name] = t
    return out


def unpack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        n: t.float() * state[n + ".scale"].float()[:, None] if t.dtype == torch.int8 else t
        for n, t in state.items()
        if not n.endswith(".scale")
    }
