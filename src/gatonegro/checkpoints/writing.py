"""Writing of checkpoints that survives a crash: new files are written beside the old ones, then replace them.

`pack_int8` returns the tensors of an int8 checkpoint to write.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gatonegro.checkpoints.int8 import SCALE_SUFFIX
from gatonegro.checkpoints.reading import SAFE_FILES, SAVE_ID, weight_map
from gatonegro.checkpoints.validation import MESSAGES, check_tensors
from gatonegro.errors import CheckpointError, OptionError
from gatonegro.storage import as_json, convert_disk_errors, lock_folder, read_json, replace_files, write_text

MIN_PACKED_NUMBERS = 4096  # smaller matrices stay fp32
INT8_METADATA = {"gatonegro": "int8"}  # of a file in the int8 form


def write(
    folder: str | Path,
    state: Mapping[str, Tensor],
    *,
    files: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    max_shard_size: int | str = "5GB",
) -> None:
    """Write tensors as `model.safetensors`, or as shards and their index if larger than `max_shard_size`.

    New files are written beside the old ones and replace them in a row, while other processes wait for the folder's
    lock: if the process dies, the folder has all old weights or all new ones. It may be the folder that a model was
    loaded from. int8 tensors, with metadata of their own, are written as `model.int8.safetensors`.

    With a `config.json` in `files`, it and the weights get a save id. If the process dies between the two, the ids
    differ, and `read` refuses the folder.

    Args:
        folder: an existing or new folder.
        state: tensors by name.
        files: other files of the same save, {name: contents}: bytes, an object to write as JSON, or None to remove
            the file; they replace the old ones after the weights, in this order.
        metadata: metadata of the weight files.
        max_shard_size: maximum size of a weight file, in bytes or as "500MB".

    Raises:
        CheckpointError: the folder cannot be written, or a tensor holds NaN or infinity; the old weights stay.
        OptionError: `max_shard_size` is not a size.
    """
    folder, limit, files = Path(folder), _parse_size(max_shard_size), dict(files or {})
    packed = any(tensor.dtype == torch.int8 for tensor in state.values())
    if not state:
        raise CheckpointError(*MESSAGES["no_tensors_to_write"].format(folder=folder))
    check_tensors(folder, state, "int8" if packed else None)
    metadata = {"format": "pt", **(INT8_METADATA if packed else {}), **(metadata or {})}
    if "config.json" in files:
        metadata[SAVE_ID] = secrets.token_hex(8)
        files["config.json"] = {**files["config.json"], SAVE_ID: metadata[SAVE_ID]}
    shards = list(_split_shards(state, limit))
    single, index = SAFE_FILES[2:] if packed else SAFE_FILES[:2]
    with lock_folder(folder), convert_disk_errors(folder):
        old_shards = _old_shards(folder)
        if "config.json" in files:
            _complete_config(folder, [*SAFE_FILES[::2], *old_shards])
        with replace_files(folder) as staging:
            names = [single] if len(shards) == 1 else _shard_names(folder, single, len(shards))
            for name, shard in zip(names, shards, strict=True):
                save_file(shard, staging.file(name), metadata)
            if len(shards) > 1:
                staging.write(index, _index_of(dict(zip(names, shards, strict=True))))
            top = staging.steps[-1][0]  # from its replacement on, `read` reads the new weights,
            for name in SAFE_FILES[: SAFE_FILES.index(top)]:
                staging.remove(name)  # unless there is one of these
            for name, content in files.items():
                staging.remove(name) if content is None else staging.write(name, content)
        _remove_old_files(folder, (old_shards | {*SAFE_FILES}) - {top, *names})


def _shard_names(folder: Path, single: str, count: int) -> list[str]:
    stem, suffix = single.removesuffix(".safetensors"), ".safetensors"
    names = [f"{stem}-{i:05}-of-{count:05}{suffix}" for i in range(1, count + 1)]
    if any((folder / name).exists() for name in names):  # the old index may name them
        tag = secrets.token_hex(3)
        names = [name.replace(f"{stem}-", f"{stem}-{tag}-") for name in names]
    return names


def _index_of(shards: Mapping[str, dict[str, Tensor]]) -> dict[str, Any]:
    return {
        "metadata": {"total_size": sum(tensor.nbytes for shard in shards.values() for tensor in shard.values())},
        "weight_map": {tensor: name for name, shard in shards.items() for tensor in shard},
    }


def _old_shards(folder: Path) -> set[str]:
    """Return the names of the shards that a folder's indexes name."""
    names: set[str] = set()
    for index in SAFE_FILES[1::2]:
        with suppress(CheckpointError):  # there is none, or it is damaged
            names |= set(weight_map(folder / index).values())
    return names


def _complete_config(folder: Path, weights: list[str]) -> None:
    """Give a folder's config.json that has no save id that of its weights, so that new weights will not fit it."""
    with suppress(CheckpointError):  # there is none, or it is damaged
        if SAVE_ID not in (data := read_json(folder / "config.json", CheckpointError)):
            data[SAVE_ID] = next(filter(None, (_save_id(folder / name) for name in weights)), secrets.token_hex(8))
            write_text(folder / "config.json", as_json(data))


def _save_id(path: Path) -> str | None:
    with suppress(Exception), safe_open(path, "pt") as file:  # there is none, or it is damaged
        return (file.metadata() or {}).get(SAVE_ID)
    return None


def _remove_old_files(folder: Path, names: set[str]) -> None:
    """Remove a checkpoint's obsolete weights."""
    for name in names:
        with suppress(OSError):  # on Windows, while a model is mapped from it
            (folder / name).unlink()


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
    """Return an fp16 scale per row for storing a float matrix as int8, or None if a scale exceeds fp16."""
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
