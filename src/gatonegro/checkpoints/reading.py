"""Reading of checkpoints: tensors by name from safetensors files, shards or, on request, pickled weights."""

from __future__ import annotations

import json
import math
import mmap
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open

from gatonegro import storage
from gatonegro.checkpoints.int8 import unpack_int8
from gatonegro.checkpoints.validation import MESSAGES, as_array, check_form, check_tensors
from gatonegro.checks import Check
from gatonegro.errors import CheckpointError, MissingExtraError, PickleRefusedError, message_of
from gatonegro.hub import Source
from gatonegro.i18n import EMPTY, Message, catalog, format_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME = "model.safetensors", "model.safetensors.index.json"
# of the int8 form, under a name of its own, so that other programs do not take its steps for weights
INT8_WEIGHTS_NAME, INT8_WEIGHTS_INDEX_NAME = "model.int8.safetensors", "model.int8.safetensors.index.json"
PICKLED_WEIGHTS_NAME, PICKLED_WEIGHTS_INDEX_NAME = "pytorch_model.bin", "pytorch_model.bin.index.json"
WEIGHT_FORMS = (  # the first counts
    (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME),
    (INT8_WEIGHTS_NAME, INT8_WEIGHTS_INDEX_NAME),
    (PICKLED_WEIGHTS_NAME, PICKLED_WEIGHTS_INDEX_NAME),
)
SAFE_FILES = (*WEIGHT_FORMS[0], *WEIGHT_FORMS[1])
SAVE_ID = "gatonegro_save_id"  # in config.json and in the metadata of weight files: equal if one save wrote them
MAX_SHARDS = 10_000
VARIANT_CHECK = Check(
    lambda x: isinstance(x, str) and bool(re.fullmatch(r"[\w-]+", x)),
    Message('a name such as "fp16"', 'un nombre como "fp16"'),
)

# first bytes of files that are mistaken for weights → their description
FILE_SIGNATURES = {start.encode(): kind for start, kind in catalog(Path(__file__).with_name("signatures.json")).items()}
UNSUPPORTED_WEIGHTS = catalog(Path(__file__).with_name("unsupported.json"))  # by file name
COPY_MAPPED_TENSORS = os.name == "nt"  # Windows cannot replace a mapped file: a model could not be saved over itself
DTYPES = {  # of safetensors, in numpy; bf16 as its bits
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip
KINDS = {"C": "complex", "F": "float", "U": "uint"}  # of other dtypes, in their names in PyTorch
Framework = Literal["pt", "np"]


def read(
    source: Source,
    framework: Framework = "pt",
    *,
    allow_pickle: bool = False,
    variant: str | None = None,
    unpack: bool = True,
    checked: bool = False,
    save_id: object = None,
) -> dict[str, Any]:
    """Return all tensors of a checkpoint by name, in the dtypes in which they are stored.

    Args:
        source: the model's files; safetensors are memory-mapped.
        framework: "pt" for tensors of PyTorch; "np" for read-only arrays of numpy, in which bf16 is its bits as uint16.
        allow_pickle: read pickled weights too.
        variant: read the files of this name, such as `model.fp16.safetensors` for "fp16".
        unpack: return the int8 form as fp32, or `Int8Rows` with "np"; else as int8 matrices (rows, columns), whose
            scales `row_scales` returns.
        checked: the files were checked before, so unused tensors need not be read.
        save_id: the value of `SAVE_ID` in config.json, if any; the weights must have the same, or none.

    Raises:
        PickleRefusedError: there are only pickled weights, and `allow_pickle` is not set.
        CheckpointError: a file is damaged or of another save, or a tensor is missing, of an unsupported dtype, or has
            NaN or infinity.
        MissingExtraError: the weights are pickled, and PyTorch is not installed.
    """
    paths, index, files = _find_files(source, allow_pickle, variant)
    tensors: dict[str, Any] = {}
    save_ids = {save_id} if isinstance(save_id, str) else set()
    for path in paths:
        shard, metadata = _read_file(path, framework)
        save_ids |= {metadata[SAVE_ID]} if SAVE_ID in metadata else set()
        if len(save_ids) > 1:
            raise CheckpointError(*MESSAGES["half_saved"].format(path=path))
        if not checked:
            check_tensors(path, shard, metadata.get("gatonegro"))
        missing = sorted({name for name, file in files.items() if file == path.name} - shard.keys())
        if missing:
            raise CheckpointError(*MESSAGES["missing"].format(index=index, name=missing[0], file=path.name))
        twice = sorted(shard.keys() & tensors.keys())
        if twice:
            raise CheckpointError(*MESSAGES["twice"].format(path=path, name=twice[0]))
        tensors |= {name: as_array(t) for name, t in shard.items()} if framework == "np" else shard
    if not tensors:
        raise CheckpointError(*MESSAGES["no_tensor"].format(path=paths[0]))
    try:
        return unpack_int8(tensors) if unpack else tensors
    except CheckpointError as error:
        raise error.within(source.name) from None


def weight_files(source: Source) -> list[Path]:
    """Return the paths of a model's weight files and shard index, after downloading those that are missing.

    Raises:
        CheckpointError: there are none, or a shard is missing.
    """
    paths, index, _ = _find_files(source, allow_pickle=True)
    return paths + ([index] if index else [])


def _find_files(
    source: Source, allow_pickle: bool, variant: str | None = None
) -> tuple[list[Path], Path | None, dict[str, str]]:
    """Return a checkpoint's weight files, its index of shards or None, and the index as {tensor name: file name}."""
    if variant is not None:
        VARIANT_CHECK("variant", variant)
    forms = [[f".{variant}.".join(name.rsplit(".", 1)) if variant else name for name in pair] for pair in WEIGHT_FORMS]
    for single, index in forms:
        path = source.file(single) or source.file(index)
        if path is None:
            continue
        if single == forms[-1][0] and not allow_pickle:
            raise PickleRefusedError(*MESSAGES["pickled"].format(name=source.name, file=path.name))
        if path.name == single:
            return [path], None, {}
        files, paths = weight_map(path, Path(single).suffix), []
        for shard in sorted(set(files.values())):
            if (shard_path := source.file(shard)) is None:
                raise CheckpointError(*MESSAGES["no_shard"].format(path=path, shard=shard))
            paths.append(shard_path)
        return paths, path, files
    hint = EMPTY
    if others := {name: kind for name, kind in UNSUPPORTED_WEIGHTS.items() if source.file(name)}:
        en, es = (
            word.join(f"{kind.in_(lang)} ({name})" for name, kind in others.items())
            for lang, word in (("en", " and "), ("es", " y "))
        )
        hint = Message(f" It has only {en}, which cannot be read here.", f" Solo tiene {es}; aquí no se leen.")
    names = {"safe": forms[0][0], "index": forms[0][1], "pickled": forms[-1][0]}
    raise CheckpointError(*MESSAGES["no_weights"].format(name=source.name, where=source.location, hint=hint, **names))


def weight_map(index: Path, suffix: str = ".safetensors") -> dict[str, str]:
    """Return {tensor name: file name} from an index of shards, or raise CheckpointError if the index is invalid."""
    try:
        files = storage.read_json(index, CheckpointError).get("weight_map")
        if not isinstance(files, dict) or not files:
            raise CheckpointError(*MESSAGES["no_weight_map"])
    except CheckpointError as error:
        raise CheckpointError(*MESSAGES["no_index"].format(index=index, why=message_of(error))) from None
    for name, shard in files.items():
        if not isinstance(shard, str) or not re.fullmatch(r"[^/\\:\0]+" + re.escape(suffix), shard):
            raise CheckpointError(*MESSAGES["outside"].format(index=index, name=name, shard=str(shard), suffix=suffix))
    if (count := len(set(files.values()))) > MAX_SHARDS:
        raise CheckpointError(*MESSAGES["many_shards"].format(index=index, count=count, most=MAX_SHARDS))
    return files


def _read_file(path: Path, framework: Framework) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the tensors of a weight file by name, and its metadata, such as {"gatonegro": "int8"}."""
    if path.suffix == ".bin":
        return _unpickle(path), {}
    if not os.access(path, os.R_OK):
        raise CheckpointError(*MESSAGES["permissions"].format(path=path))
    try:
        before = path.stat()
        with safe_open(path, framework) as file:  # which checks the header
            metadata = file.metadata() or {}
            check_form(path, metadata.get("gatonegro"))
            if framework == "np":
                tensors: dict[str, Any] = _map_arrays(path)
            else:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
                if COPY_MAPPED_TENSORS:
                    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            after = path.stat()
            # header and tensors are opened one after the other, and a save may replace the file in between
            if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
                raise CheckpointError(*MESSAGES["half_saved"].format(path=path))
            return tensors, metadata
    except CheckpointError:
        raise
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        damage = _describe_damage(path)
        if damage is None and "allocate memory" in str(error):
            raise MemoryError(str(error)) from None
        raise CheckpointError(*MESSAGES["not_safetensors"].format(path=path, why=damage or message_of(error))) from None


def _map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file as arrays that lie in the mapped file."""
    with path.open("rb") as file:
        data = file.read() if COPY_MAPPED_TENSORS else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        if (dtype := entry["dtype"]) not in DTYPES:
            kind = KINDS.get(dtype[0], dtype[0]) + dtype[1:].lower()
            raise CheckpointError(*MESSAGES["dtype"].format(path=path, name=name, dtype=kind))
        array: Any = np.ndarray(entry["shape"], DTYPES[dtype], data, start + entry["data_offsets"][0])
        arrays[name] = array if array.flags.aligned else array.copy()
    return arrays


def _describe_damage(path: Path) -> Message | None:
    """Return the reason why a safetensors file is invalid, or None to use the error of the `safetensors` library."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError), path.open("rb") as file:
        size, start = path.stat().st_size, file.read(64)
        for signature, kind in FILE_SIGNATURES.items():
            if start.startswith(signature):
                return kind
        length, count = int.from_bytes(start[:8], "little"), format_int(size)
        if size < 8 or length > size - 8:
            return MESSAGES["too_short"].format(count=count)
        if length > 10**8:
            return MESSAGES["long_header"].format(length=format_int(length))
        file.seek(8)
        for name, entry in json.loads(file.read(length)).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            dtype, shape, last = entry["dtype"], entry["shape"], 8 + length + end
            if last > size:
                return MESSAGES["cut_off"].format(name=name, last=format_int(last), count=count)
            if not all(isinstance(n, int) for n in shape):
                return None
            if math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize != end - begin:
                return MESSAGES["wrong_size"].format(name=name, dtype=dtype, shape=shape, bytes=format_int(end - begin))
    return None


def _unpickle(path: Path) -> dict[str, Any]:
    """Return the tensors of a pickled PyTorch state dict, without running code from the file."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError(*MESSAGES["no_torch"].format(path=path)) from None
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise CheckpointError(*MESSAGES["bad_pickle"].format(path=path, why=str(error).partition("\n")[0])) from None
    if not isinstance(tensors, dict) or not all(
        isinstance(n, str) and isinstance(t, torch.Tensor) for n, t in tensors.items()
    ):
        raise CheckpointError(*MESSAGES["no_state_dict"].format(path=path))
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
            # a few bytes whose strides make a matrix of any size
            raise CheckpointError(*MESSAGES["too_few_numbers"].format(path=path, name=name, shape=tuple(tensor.shape)))
    return dict(tensors)
