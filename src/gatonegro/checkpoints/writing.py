"""Tensors → files, beside what is there and then in its place."""

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
from gatonegro.storage import disk_errors, replacing, write_text

SHARDS = "model-*-of-*.safetensors"
INT8 = {"gatonegro": "int8"}  # what the metadata of a file in our int8 form says


def write(
    folder: str | Path,
    state: Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
    max_shard_size: int | str = "5GB",
) -> None:
    """Write tensors as `model.safetensors`, or as shards of at most `max_shard_size` bytes and their index.

    All is written beside what is there, which one last step replaces: whenever the process dies, the folder holds the
    old weights or the new ones, whole. It may be the folder that a model was loaded from. What `pack_int8` made is
    marked as such.

    Raises:
        CheckpointError: the folder cannot be written, or a tensor holds NaN or infinity; the old weights stay.
        OptionError: `max_shard_size` is no size.
    """
    folder, limit = Path(folder), _size(max_shard_size)
    packed = any(tensor.dtype == torch.int8 for tensor in state.values())
    if not state:
        raise CheckpointError(f"{folder}: there is no tensor to write.", f"{folder}: no hay tensores que escribir.")
    check(folder, state, "int8" if packed else None)
    about = {"format": "pt", **(INT8 if packed else {}), **(metadata or {})}
    shards = list(_shards(state, limit))
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if len(shards) == 1:
            _save(shards[0], folder / SINGLE, about)  # from here on, it is what is read
            written = {SINGLE}
        else:
            written = _write_shards(folder, shards, about)
    _tidy(folder, written)


def _write_shards(folder: Path, shards: list[dict[str, Tensor]], about: dict[str, str]) -> set[str]:
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    if any((folder / name).exists() for name in names):  # those are the old index's
        tag = secrets.token_hex(3)
        names = [name.replace("model-", f"model-{tag}-") for name in names]
    for name, shard in zip(names, shards, strict=True):
        _save(shard, folder / name, about)
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for shard in shards for tensor in shard.values())},
        "weight_map": {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard},
    }
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    (folder / SINGLE).unlink(missing_ok=True)  # it is read first; from here on, the shards are
    return {INDEX, *names}


def _tidy(folder: Path, written: set[str]) -> None:
    """Remove what is no longer read: older weights, and what a process that was killed long ago left half written."""
    long_ago = time.time() - 3600  # another process may be writing the younger ones
    for path in (folder / INDEX, *folder.glob(SHARDS), *folder.glob(".model*.tmp")):
        with suppress(OSError):  # on Windows, while a model is mapped from it
            if path.name not in written and (path.suffix != ".tmp" or path.stat().st_mtime < long_ago):
                path.unlink()


def _size(size: int | str) -> int:
    """Bytes, from a number or from such as "500MB" or "2GiB"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *(?:([kmg])(i?))?b?", str(size).strip(), re.IGNORECASE)
    if isinstance(size, bool) or found is None or not 0 < float(found[1]) < 1e18:
        raise OptionError(
            f'max_shard_size must be a number of bytes, or such as "500MB" or "2GiB", not {size!r:.80}.',
            f'max_shard_size debe ser un número de bytes, o algo como "500MB" o "2GiB", no {size!r:.80}.',
        )
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " kmg".index((found[2] or " ").lower()))


def _shards(state: Mapping[str, Tensor], limit: int) -> Iterator[dict[str, Tensor]]:
    """Each tensor whole and in memory of its own, as safetensors wants them; so tied ones are written twice."""
    shard: dict[str, Tensor] = {}
    room, seen = limit, set()
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        if shard and tensor.nbytes > room:
            yield shard
            shard, room = {}, limit
        shard[name] = tensor.clone() if place in seen else tensor
        room -= tensor.nbytes
        seen.add(place)
    yield shard


def _save(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    with replacing(path) as beside:
        save_file(tensors, beside, about)
