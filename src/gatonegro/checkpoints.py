"""safetensors ↔ state dict: single files and shards, our int8 form, and writing that survives being cut off.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gatonegro.errors import CheckpointError, OptionError, PickleRefusedError
from gatonegro.hub import Source

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
SHARDS = "model-*-of-*.safetensors"
INT8 = {"gatonegro": "int8"}  # what the metadata of a file in our int8 form says
SCALE = ".row_scale"  # ends the name of the tensor with an int8 matrix's scales
SMALLEST = 4096  # matrices of fewer numbers are not worth packing

# what weights can be, and what lies beside them (positions, masks); int8 is for our own form
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
KNOWN = FLOATS | {torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool}

# first bytes of what is often found in the place of weights → what it is
SIGNS = {
    b"version https://git-lfs": "it is a pointer of Git LFS, not the weights: run `git lfs pull` in its folder",
    b"<": "it is a web page, not the weights: what was saved is a login or error page",
    b"PK\x03\x04": "it is a pickled PyTorch file by another name: name it pytorch_model.bin",
}
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FOREIGN = {
    "tf_model.h5": "those of TensorFlow",
    "flax_model.msgpack": "those of Flax",
    "adapter_model.safetensors": "those of an adapter, which is no whole model",
}


# reading


def read(source: Source, *, allow_pickle: bool = False, unpack: bool = True) -> dict[str, Tensor]:
    """All tensors of a checkpoint, by the names that it gives them; fp16, bf16 and fp32 as they are on disk.

    safetensors are mapped, not copied. Our int8 form comes back as fp32; with `unpack=False` as it is on disk: int8
    matrices (rows, columns), whose scales `scale_of` finds and checks.

    Raises:
        PickleRefusedError: there are only pickled weights, and `allow_pickle` is not set.
        CheckpointError: a file is damaged, or a tensor is missing, of an unknown type, or holds NaN or infinity.
    """
    paths, index, where = _find(source, allow_pickle)
    tensors: dict[str, Tensor] = {}
    for path in paths:
        found, form = _open(path)
        _check(path, found, form)
        missing = sorted({name for name, shard in where.items() if shard == path.name} - found.keys())
        if missing:
            raise CheckpointError(f"{index}: tensor {missing[0]!r} should be in {path.name}, which does not hold it.")
        twice = sorted(found.keys() & tensors.keys())
        if twice:
            raise CheckpointError(f"{path}: tensor {twice[0]!r} is in another shard too; which of them is meant?")
        tensors |= found
    if not tensors:
        raise CheckpointError(f"{paths[0]}: holds no tensor at all; fetch it anew or take another checkpoint.")
    try:
        return unpack_int8(tensors) if unpack else tensors
    except CheckpointError as error:
        raise CheckpointError(f"{source.name}: {error}") from None


def _find(source: Source, allow_pickle: bool) -> tuple[list[Path], Path | None, dict[str, str]]:
    """Files to read; and if they are shards, their index and what it says: tensor → file name."""
    for single, index in ((SINGLE, INDEX), (PICKLED, PICKLED_INDEX)):
        path = source.file(single) or source.file(index)
        if path is None:
            continue
        if single == PICKLED and not allow_pickle:
            raise PickleRefusedError(
                f"{source.name}: has its weights only as {path.name}. A pickled file can run code when it is opened, "
                "so it is not read unless you say so, and then nothing in it but tensors: "
                f"AutoModel….from_pretrained({source.name!r}, allow_pickle=True), or pipeline(…, allow_pickle=True). "
                f"Or write it anew, once and for all: gatonegro convert {source.name} -o FOLDER"
            )
        if path.name == single:
            return [path], None, {}
        where, paths = _weight_map(path, Path(single).suffix), []
        for shard in sorted(set(where.values())):
            if (found := source.file(shard)) is None:
                raise CheckpointError(f"{path}: names the shard {shard!r}, which is not there. Fetch it too.")
            paths.append(found)
        return paths, path, where
    others = [f"{kind} ({name})" for name, kind in FOREIGN.items() if source.file(name)]
    raise CheckpointError(
        f"{source.name}: there are no weights in {source.where}; looked for {SINGLE}, {INDEX}, {PICKLED}"
        + (f". It has only {' and '.join(others)}, which cannot be read here." if others else ".")
    )


def _weight_map(index: Path, suffix: str) -> dict[str, str]:
    """Tensor → file name, from an index whose every value has been looked at."""
    try:
        where = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        if not isinstance(where, dict) or not where:
            raise TypeError("its weight_map is empty, or no object")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{index}: is no index of shards ({error!r:.200}). Fetch it anew.") from None
    for name, shard in where.items():
        if not isinstance(shard, str) or not re.fullmatch(r"[^/\\:\0]+" + re.escape(suffix), shard):
            raise CheckpointError(
                f"{index}: puts tensor {name!r} into {str(shard)!r:.200}, no {suffix} file beside it; refused."
            )
    return where


def _open(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """Tensors of a file, and what its metadata says of their form."""
    if path.suffix == ".bin":
        return _unpickle(path), None
    if not os.access(path, os.R_OK):
        raise CheckpointError(f"{path}: cannot be read; its permissions do not let you.")
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            return tensors, (file.metadata() or {}).get("gatonegro")
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError) as error:
        raise CheckpointError(f"{path}: is no whole safetensors file: {_why(path) or error}. Fetch it anew.") from None


def _why(path: Path) -> str | None:
    """What is wrong with a file that safetensors refuses, if it can be said better than it says it."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError), path.open("rb") as file:
        size, start = path.stat().st_size, file.read(64)
        for sign, meaning in SIGNS.items():
            if start.startswith(sign):
                return meaning
        length = int.from_bytes(start[:8], "little")
        if size < 8 or length > size - 8:
            return f"it has {size:,} bytes, too few for its own header; the download was cut off, or it is no such file"
        if length > 10**8:
            return f"its header has {length:,} bytes, more than is allowed"
        file.seek(8)
        for name, entry in json.loads(file.read(length)).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            if end > size - 8 - length:
                return f"tensor {name!r} should end at byte {8 + length + end:,}, but the file has {size:,}"
            if math.prod(entry["shape"]) * BYTES[entry["dtype"]] != end - begin:
                return f"tensor {name!r} is {entry['dtype']} of shape {entry['shape']} in {end - begin:,} bytes"
    return None


def _unpickle(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        why = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path}: is damaged, or holds more than tensors, which is refused ({why:.200})."
        ) from None
    if not isinstance(tensors, dict) or not all(
        isinstance(n, str) and isinstance(t, Tensor) for n, t in tensors.items()
    ):
        raise CheckpointError(f"{path}: holds something other than tensors by name; take out its state dict first.")
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
            # a few bytes that claim to be a matrix without end
            raise CheckpointError(
                f"{path}: tensor {name!r} has fewer numbers than its shape {tuple(tensor.shape)} says."
            )
    return dict(tensors)


def _check(path: Path, tensors: Mapping[str, Tensor], form: str | None) -> None:
    """Refuse types that we do not know and numbers that are none."""
    if form not in (None, "int8"):
        raise CheckpointError(
            f"{path}: is in the form {form!r}, which a later gatonegro wrote: pip install -U gatonegro"
        )
    for name, tensor in tensors.items():
        if tensor.dtype not in KNOWN and not (form and tensor.dtype == torch.int8):
            raise CheckpointError(
                f"{path}: tensor {name!r} is {tensor.dtype}, which is not supported. Models that other programs have "
                "quantised cannot be read; take the original in fp32, fp16 or bf16."
            )
        # the sum is not finite if a term is not, and needs no memory; it alone may be infinite though
        if tensor.dtype in FLOATS and not tensor.sum(dtype=torch.float32).isfinite() and not tensor.isfinite().all():
            raise CheckpointError(
                f"{path}: tensor {name!r} holds NaN or infinity, and so would every answer. Its training diverged or "
                "the file is damaged; take another checkpoint or fetch it anew."
            )


# our int8 form


def pack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices (rows, columns) → int8, and `NAME.row_scale`, a fp16 scale a row (rows,). The rest → fp32.

    No number is off by more than half its row's scale, and packing what was unpacked gives the same bits again.
    Matrices with a row too large or too small for a fp16 scale stay as they are.
    """
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.dtype == torch.int8:
            raise CheckpointError(f"tensor {name!r} is int8 already; unpack_int8 first.")
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
        raise CheckpointError(f"tensor {name!r} is int8, and its scales, {name + SCALE!r}, are missing.")
    if matrix.dim() != 2 or scale.shape != matrix.shape[:1] or scale.dtype != torch.float16:
        raise CheckpointError(
            f"tensor {name!r} is int8 of shape {tuple(matrix.shape)}, and its scales, {name + SCALE!r}, are "
            f"{scale.dtype} of shape {tuple(scale.shape)}: they must be float16, one a row."
        )
    return scale


# writing


def folder_of(name: str | Path) -> Path:
    """Where to write, if a folder can have that name.

    Raises:
        OptionError: it is no name of a folder.
    """
    if not isinstance(name, str | os.PathLike) or not os.fspath(name) or "\0" in str(name):
        raise OptionError(f"the folder to write to must be a path, such as './modelo', not {name!r:.80}.")
    return Path(name)


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
        raise CheckpointError(f"{folder}: there is no tensor to write.")
    _check(folder, state, "int8" if packed else None)
    about = {"format": "pt", **(INT8 if packed else {}), **(metadata or {})}
    shards = list(_shards(state, limit))
    with _told(folder):
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
        raise OptionError(f'max_shard_size must be a number of bytes, or such as "500MB" or "2GiB", not {size!r:.80}.')
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
    with _replacing(path) as beside:
        save_file(tensors, beside, about)


def write_text(path: str | Path, text: str) -> None:
    """Write a small UTF-8 file beside the old one, then put it in its place.

    Raises:
        CheckpointError: it cannot be written; the old one stays.
    """
    path = Path(path)
    with _told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(path) as beside:
            beside.write_bytes(text.encode())


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        beside.touch()
        mode = beside.stat().st_mode  # save_file would leave a file that its owner alone can read
        yield beside
        beside.chmod(mode)
        with beside.open("r+b") as file:
            os.fsync(file.fileno())  # else the name could reach the disk before the bytes
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn the failures of a disk into ours."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: cannot be written ({error}). The disk may be full, the folder not yours, or, on Windows, a "
            "loaded model may hold the old file open: write to another folder. What was there is still whole."
        ) from error
