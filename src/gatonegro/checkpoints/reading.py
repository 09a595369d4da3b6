"""Files → tensors by name, each looked at before it is believed."""

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

from gatonegro.checkpoints.tensors import check, unpack_int8
from gatonegro.errors import CheckpointError, PickleRefusedError, message_of
from gatonegro.hub import Source
from gatonegro.i18n import Message, number

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"

# first bytes of what is often found in the place of weights → what it is
SIGNS = {
    b"version https://git-lfs": Message(
        "it is a pointer of Git LFS, not the weights: run `git lfs pull` in its folder",
        "es un puntero de Git LFS, no los pesos: ejecuta `git lfs pull` en su carpeta",
    ),
    b"<": Message(
        "it is a web page, not the weights: what was saved is a login or error page",
        "es una página web, no los pesos: lo que se guardó es una página de error o de inicio de sesión",
    ),
    b"PK\x03\x04": Message(
        "it is a pickled PyTorch file by another name: name it pytorch_model.bin",
        "es un archivo pickle de PyTorch con otro nombre: llámalo pytorch_model.bin",
    ),
}
COPIED = os.name == "nt"  # Windows lets no one replace a file that is mapped: a model could not be saved over itself
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FOREIGN = {
    "tf_model.h5": Message("those of TensorFlow", "los de TensorFlow"),
    "flax_model.msgpack": Message("those of Flax", "los de Flax"),
    "adapter_model.safetensors": Message(
        "those of an adapter, which is no whole model",
        "los de un adaptador, que no es un modelo entero",
    ),
}


def read(
    source: Source, *, allow_pickle: bool = False, unpack: bool = True, checked: bool = False
) -> dict[str, Tensor]:
    """All tensors of a checkpoint, by the names that it gives them; fp16, bf16 and fp32 as they are on disk.

    safetensors are mapped, not copied. Our int8 form comes back as fp32; with `unpack=False` as it is on disk: int8
    matrices (rows, columns), whose scales `scale_of` finds and checks. A file that was `checked` is only mapped: what
    nobody uses is not read.

    Raises:
        PickleRefusedError: there are only pickled weights, and `allow_pickle` is not set.
        CheckpointError: a file is damaged, or a tensor is missing, of an unknown type, or holds NaN or infinity.
    """
    paths, index, where = _find(source, allow_pickle)
    tensors: dict[str, Tensor] = {}
    for path in paths:
        found, form = _open(path)
        if not checked:
            check(path, found, form)
        missing = sorted({name for name, shard in where.items() if shard == path.name} - found.keys())
        if missing:
            raise CheckpointError(
                f"{index}: tensor {missing[0]!r} should be in {path.name}, which does not hold it.",
                f"{index}: el tensor {missing[0]!r} debería estar en {path.name}, que no lo contiene.",
            )
        twice = sorted(found.keys() & tensors.keys())
        if twice:
            raise CheckpointError(
                f"{path}: tensor {twice[0]!r} is in another shard too; which of them is meant?",
                f"{path}: el tensor {twice[0]!r} está también en otro fragmento; ¿cuál de los dos es el bueno?",
            )
        tensors |= found
    if not tensors:
        raise CheckpointError(
            f"{paths[0]}: holds no tensor at all; fetch it anew or take another checkpoint.",
            f"{paths[0]}: no contiene ningún tensor; descárgalo de nuevo o usa otro checkpoint.",
        )
    try:
        return unpack_int8(tensors) if unpack else tensors
    except CheckpointError as error:
        raise error.within(source.name) from None


def weight_files(source: Source) -> list[Path]:
    """The files that hold a model's weights, and the index of its shards; fetched if need be.

    Raises:
        CheckpointError: there are none, or a shard is missing.
    """
    paths, index, _ = _find(source, allow_pickle=True)
    return paths + ([index] if index else [])


def _find(source: Source, allow_pickle: bool) -> tuple[list[Path], Path | None, dict[str, str]]:
    """Files to read; and if they are shards, their index and what it says: tensor → file name."""
    for single, index in ((SINGLE, INDEX), (PICKLED, PICKLED_INDEX)):
        path = source.file(single) or source.file(index)
        if path is None:
            continue
        if single == PICKLED and not allow_pickle:
            raise PickleRefusedError(
                f"{source.name}: has its weights only as {path.name}. A pickled file can run code when it is "
                "opened, so it is not read unless you say so, and then nothing in it but tensors: "
                f"AutoModel….from_pretrained({source.name!r}, allow_pickle=True), or pipeline(…, "
                "allow_pickle=True). Or write it anew, once and for all: "
                f"gatonegro convert {source.name} -o FOLDER",
                f"{source.name}: solo tiene sus pesos como {path.name}. Un archivo pickle puede ejecutar código al "
                "abrirse, así que no se lee si no lo pides, y entonces solo los tensores que contenga: "
                f"AutoModel….from_pretrained({source.name!r}, allow_pickle=True), o pipeline(…, "
                "allow_pickle=True). O conviértelo de una vez por todas: "
                f"gatonegro convert {source.name} -o CARPETA",
            )
        if path.name == single:
            return [path], None, {}
        where, paths = _weight_map(path, Path(single).suffix), []
        for shard in sorted(set(where.values())):
            if (found := source.file(shard)) is None:
                raise CheckpointError(
                    f"{path}: names the shard {shard!r}, which is not there. Fetch it too.",
                    f"{path}: nombra el fragmento {shard!r}, que no está. Descárgalo también.",
                )
            paths.append(found)
        return paths, path, where
    others = {name: kind for name, kind in FOREIGN.items() if source.file(name)}
    hint = Message.same("")
    if others:
        en, es = (
            word.join(f"{kind.in_(lang)} ({name})" for name, kind in others.items())
            for lang, word in (("en", " and "), ("es", " y "))
        )
        hint = Message(f" It has only {en}, which cannot be read here.", f" Solo tiene {es}; aquí no se leen.")
    place = source.where
    raise CheckpointError(
        f"{source.name}: there are no weights in {place.en}; looked for {SINGLE}, {INDEX}, {PICKLED}.{hint.en}",
        f"{source.name}: no hay pesos en {place.es}; se han buscado {SINGLE}, {INDEX} y {PICKLED}.{hint.es}",
    )


def _weight_map(index: Path, suffix: str) -> dict[str, str]:
    """Tensor → file name, from an index whose every value has been looked at."""
    try:
        data = json.loads(index.read_text(encoding="utf-8"))
        where = data.get("weight_map") if isinstance(data, dict) else None
        if not isinstance(where, dict) or not where:
            raise CheckpointError(
                "its weight_map is not there, empty, or no object", "su weight_map falta, está vacío o no es un objeto"
            )
    except (OSError, ValueError, RecursionError) as error:
        why = message_of(error)
        raise CheckpointError(
            f"{index}: is no index of shards ({why.en:.200}). Fetch it anew.",
            f"{index}: no es un índice de fragmentos ({why.es:.200}). Descárgalo de nuevo.",
        ) from None
    for name, shard in where.items():
        if not isinstance(shard, str) or not re.fullmatch(r"[^/\\:\0]+" + re.escape(suffix), shard):
            raise CheckpointError(
                f"{index}: puts tensor {name!r} into {str(shard)!r:.200}, no {suffix} file beside it; refused.",
                f"{index}: pone el tensor {name!r} en {str(shard)!r:.200}, que no es un archivo {suffix} de su "
                "carpeta; se rechaza.",
            )
    return where


def _open(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """Tensors of a file, and what its metadata says of their form."""
    if path.suffix == ".bin":
        return _unpickle(path), None
    if not os.access(path, os.R_OK):
        raise CheckpointError(
            f"{path}: cannot be read; its permissions do not let you.",
            f"{path}: no se puede leer; sus permisos no te dejan.",
        )
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            if COPIED:
                tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            return tensors, (file.metadata() or {}).get("gatonegro")
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError) as error:
        why = _why(path) or message_of(error)
        raise CheckpointError(
            f"{path}: is no whole safetensors file: {why.en}. Fetch it anew.",
            f"{path}: no es un archivo safetensors entero: {why.es}. Descárgalo de nuevo.",
        ) from None


def _why(path: Path) -> Message | None:
    """What is wrong with a file that safetensors refuses, if it can be said better than it says it."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError), path.open("rb") as file:
        size, start = path.stat().st_size, file.read(64)
        for sign, meaning in SIGNS.items():
            if start.startswith(sign):
                return meaning
        length, count = int.from_bytes(start[:8], "little"), number(size)
        if size < 8 or length > size - 8:
            return Message(
                f"it has {count.en} bytes, too few for its own header; the download was cut off, or it is no such file",
                f"tiene {count.es} bytes, muy pocos para su propia cabecera; la descarga se cortó, o no es un archivo "
                "de ese tipo",
            )
        if length > 10**8:
            return Message(
                f"its header has {number(length).en} bytes, more than is allowed",
                f"su cabecera tiene {number(length).es} bytes, más de lo permitido",
            )
        file.seek(8)
        for name, entry in json.loads(file.read(length)).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            dtype, shape, last = entry["dtype"], entry["shape"], 8 + length + end
            if last > size:
                return Message(
                    f"tensor {name!r} should end at byte {number(last).en}, but the file has {count.en}",
                    f"el tensor {name!r} debería acabar en el byte {number(last).es}, y el archivo tiene {count.es}",
                )
            if math.prod(shape) * BYTES[dtype] != end - begin:
                return Message(
                    f"tensor {name!r} is {dtype} of shape {shape} in {number(end - begin).en} bytes",
                    f"el tensor {name!r} es {dtype} de forma {shape} en {number(end - begin).es} bytes",
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
    if not isinstance(tensors, dict) or not all(
        isinstance(n, str) and isinstance(t, Tensor) for n, t in tensors.items()
    ):
        raise CheckpointError(
            f"{path}: holds something other than tensors by name; take out its state dict first.",
            f"{path}: contiene algo distinto de tensores por nombre; extrae antes su state dict.",
        )
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
            # a few bytes that claim to be a matrix without end
            raise CheckpointError(
                f"{path}: tensor {name!r} has fewer numbers than its shape {tuple(tensor.shape)} says.",
                f"{path}: el tensor {name!r} tiene menos números de los que dice su forma, {tuple(tensor.shape)}.",
            )
    return dict(tensors)
