"""Writing of checkpoints that survives a crash: new files are written beside the old ones, then replace them."""

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

from gatonegro.checkpoints.reading import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME
from gatonegro.checkpoints.validation import MESSAGES, check_tensors
from gatonegro.errors import CheckpointError, OptionError
from gatonegro.storage import atomic_write, convert_disk_errors, write_text

SHARD_PATTERN = "model-*-of-*.safetensors"
INT8_METADATA = {"gatonegro": "int8"}  # of a file in the int8 form


def write(
    folder: str | Path,
    state: Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
    max_shard_size: int | str = "5GB",
) -> None:
    """Write tensors as `model.safetensors`, or as shards and their index if larger than `max_shard_size`.

    New files are written beside the old ones and replace them in one last step: if the process dies, the folder has all
    old weights or all new ones. It may be the folder that a model was loaded from. Metadata is added for int8 tensors.

    Raises:
        CheckpointError: the folder cannot be written, or a tensor holds NaN or infinity; the old weights stay.
        OptionError: `max_shard_size` is not a size.
    """
    folder, limit = Path(folder), _parse_size(max_shard_size)
    packed = any(tensor.dtype == torch.int8 for tensor in state.values())
    if not state:
        raise CheckpointError(*MESSAGES["no_tensors_to_write"].format(folder=folder))
    check_tensors(folder, state, "int8" if packed else None)
    metadata = {"format": "pt", **(INT8_METADATA if packed else {}), **(metadata or {})}
    shards = list(_split_shards(state, limit))
    with convert_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if len(shards) == 1:
            _save_file(shards[0], folder / SAFE_WEIGHTS_NAME, metadata)  # from here on, `read` reads it
            new_files = {SAFE_WEIGHTS_NAME}
        else:
            new_files = _write_shards(folder, shards, metadata)
    _remove_old_files(folder, new_files)


def _write_shards(folder: Path, shards: list[dict[str, Tensor]], metadata: dict[str, str]) -> set[str]:
    """Write the shards of a checkpoint and their index, and return the names of all files written."""
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    if any((folder / name).exists() for name in names):  # the old index may name them
        tag = secrets.token_hex(3)
        names = [name.replace("model-", f"model-{tag}-") for name in names]
    for name, shard in zip(names, shards, strict=True):
        _save_file(shard, folder / name, metadata)
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for shard in shards for tensor in shard.values())},
        "weight_map": {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard},
    }
    write_text(folder / SAFE_WEIGHTS_INDEX_NAME, json.dumps(index, indent=2) + "\n")
    (folder / SAFE_WEIGHTS_NAME).unlink(missing_ok=True)  # `read` prefers it; from here on, it reads the shards
    return {SAFE_WEIGHTS_INDEX_NAME, *names}


def _remove_old_files(folder: Path, new_files: set[str]) -> None:
    """Remove a checkpoint's obsolete files: old weights, and temporary files of a process that died."""
    long_ago = time.time() - 3600  # seconds; another process may be writing the younger ones
    for path in (folder / SAFE_WEIGHTS_INDEX_NAME, *folder.glob(SHARD_PATTERN), *folder.glob(".model*.tmp")):
        with suppress(OSError):  # on Windows, while a model is mapped from it
            if path.name not in new_files and (path.suffix != ".tmp" or path.stat().st_mtime < long_ago):
                path.unlink()


def _parse_size(size: int | str) -> int:
    """Return a file size in bytes, given as a number or a text such as "500MB" or "2GiB"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *(?:([kmg])(i?))?b?", str(size).strip(), re.IGNORECASE)
    if isinstance(size, bool) or match is None or not 0 < float(match[1]) < 1e18:
        raise OptionError(*MESSAGES["shard_size"].format(size=size))
    return int(float(match[1]) * (1024 if match[3] else 1000) ** " kmg".index((match[2] or " ").lower()))


def _split_shards(state: Mapping[str, Tensor], limit: int) -> Iterator[dict[str, Tensor]]:
    """Yield a state dict's tensors in shards of at most `limit` bytes, with copies of tensors that share memory."""
    shard: dict[str, Tensor] = {}
    free, addresses = limit, set()
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        if shard and tensor.nbytes > free:
            yield shard
            shard, free = {}, limit
        shard[name] = tensor.clone() if address in addresses else tensor
        free -= tensor.nbytes
        addresses.add(address)
    yield shard


def _save_file(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata)
