"""Tensors → files: written beside the old ones, which they then replace."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from gatonegro.checkpoints.reading import INDEX, SINGLE
from gatonegro.checkpoints.tensors import check
from gatonegro.errors import CheckpointError, OptionError
from gatonegro.storage import atomic_write, convert_disk_errors, write_text

SHARDS = "model-*-of-*.safetensors"
INT8 = {"gatonegro": "int8"}  # in the metadata of a file in our int8 form


def write(
    folder: str | Path,
    state: Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
    max_shard_size: int | str = "5GB",
) -> None:
    """Write tensors as `model.safetensors`, or as shards of at most `max_shard_size` bytes and their index.

    New files are written beside the old ones, which one last step replaces: whenever the process dies, the folder holds
    all old weights or all new ones. It may be the folder that a model was loaded from. The metadata of tensors that
    `pack_int8` made names their form.

    Raises:
        CheckpointError: the folder cannot be written, or a tensor holds NaN or infinity; the old weights stay.
        OptionError: `max_shard_size` is not a size.
    """
    folder, limit = Path(folder), _size(max_shard_size)
    packed = any(tensor.dtype == torch.int8 for tensor in state.values())
    if not state:
        raise CheckpointError(f"{folder}: there is no tensor to write.", f"{folder}: no hay tensores que escribir.")
    check(folder, state, "int8" if packed else None)
    about = {"format": "pt", **(INT8 if packed else {}), **(metadata or {})}
    shards = list(_shards(state, limit))
    with convert_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if len(shards) == 1:
            _save(shards[0], folder / SINGLE, about)  # from here on, `read` reads it
            written = {SINGLE}
        else:
            written = _write_shards(folder, shards, about)
    _tidy(folder, written)


def _write_shards(folder: Path, shards: list[dict[str, Tensor]], about: dict[str, str]) -> set[str]:
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    if any((folder / name).exists() for name in names):  # the old index names them
        tag = secrets.token_hex(3)
        names = [name.replace("model-", f"model-{tag}-") for name in names]
    for name, shard in zip(names, shards, strict=True):
        _save(shard, folder / name, about)
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for shard in shards for tensor in shard.values())},
        "weight_map": {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard},
    }
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    (folder / SINGLE).unlink(missing_ok=True)  # `read` prefers it; from here on, it reads the shards
    return {INDEX, *names}


def _tidy(folder: Path, written: set[str]) -> None:
    """Remove files that are no longer read: older weights, and unfinished files of a process that died long ago."""
    long_ago = time.time() - 3600  # seconds; another process may be writing the younger ones
    for path in (folder / INDEX, *folder.glob(SHARDS), *folder.glob(".model*.tmp")):
        with suppress(OSError):  # on Windows, while a model is mapped from it
            if path.name not in written and (path.suffix != ".tmp" or path.stat().st_mtime < long_ago):
                path.unlink()


def _size(size: int | str) -> int:
    """Return the bytes of a number, or of a text such as "500MB" or "2GiB"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *(?:([kmg])(i?))?b?", str(size).strip(), re.IGNORECASE)
    if isinstance(size, bool) or match is None or not 0 < float(match[1]) < 1e18:
        raise OptionError(
            f'max_shard_size must be a number of bytes, or such as "500MB" or "2GiB", not {size!r:.80}.',
            f'max_shard_size debe ser un número de bytes, o algo como "500MB" o "2GiB", no {size!r:.80}.',
        )
    return int(float(match[1]) * (1024 if match[3] else 1000) ** " kmg".index((match[2] or " ").lower()))


def _shards(state: Mapping[str, Tensor], limit: int) -> Iterator[dict[str, Tensor]]:
    """Yield shards of whole tensors; tied ones are copied, since safetensors takes no shared memory."""
    shard: dict[str, Tensor] = {}
    left, seen = limit, set()
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        if shard and tensor.nbytes > left:
            yield shard
            shard, left = {}, limit
        shard[name] = tensor.clone() if place in seen else tensor
        left -= tensor.nbytes
        seen.add(place)
    yield shard


def _save(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    with atomic_write(path) as beside:
        save_file(tensors, beside, about)
