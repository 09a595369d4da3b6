"""Files → tensors by name; each file is checked before it is used."""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gatonegro.checkpoints.tensors import MESSAGES, check, unpack_int8
from gatonegro.errors import CheckpointError, PickleRefusedError, message_of
from gatonegro.hub import Source
from gatonegro.i18n import EMPTY, Message, catalog, format_int

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"

# first bytes of files that are often mistaken for weights → what they are; {file name → weights that cannot be read}
SIGNS = {sign.encode(): meaning for sign, meaning in catalog(Path(__file__).with_name("signs.json")).items()}
FOREIGN = catalog(Path(__file__).with_name("foreign.json"))
COPIED = os.name == "nt"  # Windows cannot replace a mapped file: a model could not be saved over itself
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def read(
    source: Source, *, allow_pickle: bool = False, unpack: bool = True, checked: bool = False
) -> dict[str, Tensor]:
    """Return all tensors of a checkpoint by name, in the types that they have on disk; safetensors are mapped.

    Args:
        allow_pickle: read pickled weights too.
        unpack: return our int8 form as fp32; else as int8 matrices (rows, columns), whose scales `scale_of` returns.
        checked: the files were checked before, so tensors that nobody uses need not be read.

    Raises:
        PickleRefusedError: there are only pickled weights, and `allow_pickle` is not set.
        CheckpointError: a file is damaged, or a tensor is missing, of an unknown type, or holds NaN or infinity.
    """
    paths, index, files = _find(source, allow_pickle)
    tensors: dict[str, Tensor] = {}
    for path in paths:
        shard, form = _open(path)
        if not checked:
            check(path, shard, form)
        missing = sorted({name for name, file in files.items() if file == path.name} - shard.keys())
        if missing:
            raise CheckpointError(*MESSAGES["missing"].format(index=index, name=missing[0], file=path.name))
        twice = sorted(shard.keys() & tensors.keys())
        if twice:
            raise CheckpointError(*MESSAGES["twice"].format(path=path, name=twice[0]))
        tensors |= shard
    if not tensors:
        raise CheckpointError(*MESSAGES["no_tensor"].format(path=paths[0]))
    try:
        return unpack_int8(tensors) if unpack else tensors
    except CheckpointError as error:
        raise error.within(source.name) from None


def weight_files(source: Source) -> list[Path]:
    """Return the files that hold a model's weights, and the index of its shards; fetch them if need be.

    Raises:
        CheckpointError: there are none, or a shard is missing.
    """
    paths, index, _ = _find(source, allow_pickle=True)
    return paths + ([index] if index else [])


def _find(source: Source, allow_pickle: bool) -> tuple[list[Path], Path | None, dict[str, str]]:
    """Return the files to read; if they are shards, also their index, and its {tensor: file name}."""
    for single, index in ((SINGLE, INDEX), (PICKLED, PICKLED_INDEX)):
        path = source.file(single) or source.file(index)
        if path is None:
            continue
        if single == PICKLED and not allow_pickle:
            raise PickleRefusedError(*MESSAGES["pickled"].format(name=source.name, file=path.name))
        if path.name == single:
            return [path], None, {}
        files, paths = _weight_map(path, Path(single).suffix), []
        for shard in sorted(set(files.values())):
            if (shard_path := source.file(shard)) is None:
                raise CheckpointError(*MESSAGES["no_shard"].format(path=path, shard=shard))
            paths.append(shard_path)
        return paths, path, files
    hint = EMPTY
    if others := {name: kind for name, kind in FOREIGN.items() if source.file(name)}:
        en, es = (
            word.join(f"{kind.in_(lang)} ({name})" for name, kind in others.items())
            for lang, word in (("en", " and "), ("es", " y "))
        )
        hint = Message(f" It has only {en}, which cannot be read here.", f" Solo tiene {es}; aquí no se leen.")
    place = source.location
    raise CheckpointError(
        f"{source.name}: there are no weights in {place.en}; looked for {SINGLE}, {INDEX}, {PICKLED}.{hint.en}",
        f"{source.name}: no hay pesos en {place.es}; se han buscado {SINGLE}, {INDEX} y {PICKLED}.{hint.es}",
    )


def _weight_map(index: Path, suffix: str) -> dict[str, str]:
    """Return {tensor: file name} of an index, with every value checked."""
    try:
        data = json.loads(index.read_text(encoding="utf-8"))
        files = data.get("weight_map") if isinstance(data, dict) else None
        if not isinstance(files, dict) or not files:
            raise CheckpointError(
                "its weight_map is not there, empty, or no object", "su weight_map falta, está vacío o no es un objeto"
            )
    except (OSError, ValueError, RecursionError) as error:
        why = message_of(error)
        raise CheckpointError(
            f"{index}: is no index of shards ({why.en:.200}). Download it again.",
            f"{index}: no es un índice de fragmentos ({why.es:.200}). Descárgalo de nuevo.",
        ) from None
    for name, shard in files.items():
        if not isinstance(shard, str) or not re.fullmatch(r"[^/\\:\0]+" + re.escape(suffix), shard):
            raise CheckpointError(*MESSAGES["outside"].format(index=index, name=name, shard=str(shard), suffix=suffix))
    return files


def _open(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """Return the tensors of a file, and the form in its metadata."""
    if path.suffix == ".bin":
        return _unpickle(path), None
    if not os.access(path, os.R_OK):
        raise CheckpointError(*MESSAGES["permissions"].format(path=path))
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            if COPIED:
                tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            return tensors, (file.metadata() or {}).get("gatonegro")
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError) as error:
        why = _why(path) or message_of(error)
        raise CheckpointError(
            f"{path}: is no whole safetensors file: {why.en}. Download it again.",
            f"{path}: no es un archivo safetensors entero: {why.es}. Descárgalo de nuevo.",
        ) from None


def _why(path: Path) -> Message | None:
    """Return why safetensors refuses a file; None where its own message is as good."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError), path.open("rb") as file:
        size, start = path.stat().st_size, file.read(64)
        for sign, meaning in SIGNS.items():
            if start.startswith(sign):
                return meaning
        length, count = int.from_bytes(start[:8], "little"), format_int(size)
        if size < 8 or length > size - 8:
            return Message(
                f"it has {count.en} bytes, too few for its own header; the download was cut off, or it is no such file",
                f"tiene {count.es} bytes, muy pocos para su propia cabecera; la descarga se cortó, o no es un archivo "
                "de ese tipo",
            )
        if length > 10**8:
            return Message(
                f"its header has {format_int(length).en} bytes, more than is allowed",
                f"su cabecera tiene {format_int(length).es} bytes, más de lo permitido",
            )
        file.seek(8)
        for name, entry in json.loads(file.read(length)).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            dtype, shape, last = entry["dtype"], entry["shape"], 8 + length + end
            if last > size:
                return Message(
                    f"tensor {name!r} should end at byte {format_int(last).en}, but the file has {count.en}",
                    f"el tensor {name!r} debería acabar en el byte {format_int(last).es}; el archivo tiene {count.es}",
                )
            if math.prod(shape) * BYTES[dtype] != end - begin:
                return Message(
                    f"tensor {name!r} is {dtype} of shape {shape} in {format_int(end - begin).en} bytes",
                    f"el tensor {name!r} es {dtype} de forma {shape} en {format_int(end - begin).es} bytes",
                )
    return None


def _unpickle(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        why = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path}: is damaged, or holds more than tensors, which is refused ({why:.200}).",
            f"{path}: está dañado, o contiene algo más que tensores, y eso se rechaza ({why:.200}).",
        ) from None
    named = isinstance(tensors, dict)
    if not named or not all(isinstance(n, str) and isinstance(t, Tensor) for n, t in tensors.items()):
        raise CheckpointError(*MESSAGES["no_state_dict"].format(path=path))
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
            # a few bytes whose strides make a matrix of any size
            raise CheckpointError(*MESSAGES["too_few_numbers"].format(path=path, name=name, shape=tuple(tensor.shape)))
    return dict(tensors)
