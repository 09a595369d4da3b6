"""Loading a model by name or from a folder: its configuration, its tensors under our names, its head."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro import checkpoints, hub, storage
from gatonegro.config import Config
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, InputError, MissingHeadError, OptionError
from gatonegro.families import family_of
from gatonegro.families.family import (
    BASE_HEADS,
    declared_heads,
    from_checkpoint,
    has_head,
    normalize_names,
    read_config,
    resolve_tying,
)
from gatonegro.generation import generation_config
from gatonegro.models.language import LanguageModel
from gatonegro.models.model import Model, initialise
from gatonegro.nn.heads import HEADS
from gatonegro.preprocessing import CONFIG_KEY, preprocessing_name
from gatonegro.tokenization import TOKENIZER_FILES


def load_config(source: hub.Source, head: str | None = None) -> Config:
    """Return the configuration of a source."""
    data = source.json("config.json")
    if data is None:
        raise ConfigError(
            f"{source.name!r} has no config.json, so it is not a model that can be loaded; a folder that "
            "save_pretrained wrote, or a model's name on the hub, has one.",
            f"{source.name!r} no tiene config.json, así que no es un modelo que se pueda cargar; lo tiene una "
            "carpeta que escribió save_pretrained, o el nombre de un modelo del hub.",
        )
    try:
        return read_config(family_of(data.get("model_type")), data, head)
    except ConfigError as error:
        raise error.within(source.name) from None


def head_of(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> str | None:
    """Return the head that a model's config.json names: "none" for a model without a task, None if it names none."""
    source = hub.locate(name, revision=revision, local_files_only=local_files_only)
    config = load_config(source)
    family = family_of(config.model_type)
    classes = config.extra.get("architectures") or ()
    bare = any(family.heads[head].architecture in classes for head in BASE_HEADS if head in family.heads)
    return next(iter(declared_heads(family, config)), "none" if bare else None)


def load(
    name: str | Path,
    head: str,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    allow_pickle: bool = False,
    num_labels: int | None = None,
    dtype: torch.dtype | str | None = None,
    checked: bool = False,
) -> Model:
    """Return a model in evaluation mode. With `checked`, its files were checked before, and are not checked again."""
    if num_labels is not None and not head.endswith("classification"):
        raise OptionError(
            f"num_labels= is for heads that classify, and this is {head}; leave it out.",
            f"num_labels= es para las cabezas que clasifican, y esta es {head}; quítalo.",
        )
    source = hub.locate(name, revision=revision, local_files_only=local_files_only)
    config = load_config(source, head)
    if num_labels is not None and num_labels != config.num_labels:
        config = config.with_labels(num_labels)
    tensors = checkpoints.read(source, allow_pickle=allow_pickle, unpack=False, checked=checked)
    stored_int8 = any(tensor.dtype == torch.int8 for tensor in tensors.values())
    try:
        tensors = checkpoints.unpack_int8(tensors)
        model = _assemble(config, head, tensors, fresh_head=num_labels is not None, dtype=dtype)
    except GatonegroError as error:
        raise error.within(source.name) from None
    model.name_or_path, model.stored_int8 = source.name, stored_int8
    if isinstance(model, LanguageModel):
        data = source.json("generation_config.json")  # older models have its keys in config.json
        ids = {name: value for name, value in config.extra.items() if name.endswith("_token_id")}
        model.generation_config = generation_config(config.extra if data is None else {**ids, **data})
    if (wanted := preprocessing_name(source.name, config.extra.get(CONFIG_KEY))) is not None:  # for saved copies
        model.config = replace(model.config, extra={**model.config.extra, CONFIG_KEY: wanted})
    return model.eval()


def load_fast(name: str | Path, head: str, *, precision: str, device: torch.device, **how: Any) -> Model:
    """Return a model's faster copy, on a device. The model is not kept, and is read again if `source` is used."""

    def source(checked: bool = True) -> Model:
        return load(name, head, checked=checked, **how).to(device)

    fast = source(checked=False).optimize(precision)
    fast._source = cache(source)
    if not fast.stored_int8 and device.type == "cpu":
        # map embeddings again, to free the pages that were read for the other weights
        fast.embeddings = load(name, head, checked=True, **how).requires_grad_(False).embeddings
        for parameter in fast.head.parameters() if fast.head is not None else ():  # which would keep the old pages
            parameter.data = parameter.data.clone()
    return fast


def copy_to(
    folder: str | Path, name: str | Path, *, revision: str | None = None, local_files_only: bool = False
) -> list[Path]:
    """Copy a model's files, downloaded if necessary, into a folder. Return their paths.

    The weights and the configuration come last, so that an incomplete copy cannot be loaded.
    """
    source = hub.locate(name, revision=revision, local_files_only=local_files_only)
    config = load_config(source)  # fails before a long download
    folder = storage.output_folder(folder)
    files = [
        path
        for file in ("README.md", "generation_config.json", *TOKENIZER_FILES)
        if (path := source.file(file)) is not None
    ]
    files += checkpoints.weight_files(source)
    others = sorted(_model_files(folder) - {path.name for path in files})
    if not others and (folder / "README.md").exists() and not (folder / "config.json").exists():
        others = ["README.md"]  # not the card of an earlier copy
    if others:  # they would be read instead of the copy's
        raise CheckpointError(
            f"{folder}: holds something else ({', '.join(others)}). Name another folder, or delete that one.",
            f"{folder}: contiene otra cosa ({', '.join(others)}). Nombra otra carpeta, o borra esa.",
        )
    for path in files:
        storage.copy(path, folder / path.name)
    wanted = preprocessing_name(source.name, config.extra.get(CONFIG_KEY))  # the copy's name may not imply it
    data = dict(config.extra) | ({CONFIG_KEY: wanted} if wanted else {})
    storage.write_text(folder / "config.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    return [*(folder / path.name for path in files), folder / "config.json"]


def _model_files(folder: Path) -> set[str]:
    """Return the files in a folder that would be read as part of a model, except its configuration."""
    kinds = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", *TOKENIZER_FILES)
    return {path.name for kind in kinds for path in folder.glob(kind)}


def build(config: Config, head: str) -> Model:
    """Return a model of the configuration's class, with undefined weights."""
    return (LanguageModel if config.decoder is not None or config.decoder_only else Model)(config, head)


def _assemble(
    config: Config, head: str, tensors: dict[str, Tensor], *, fresh_head: bool, dtype: torch.dtype | str | None
) -> Model:
    family = family_of(config.model_type)
    if head not in (*BASE_HEADS, *family.heads):
        known = ", ".join(name for name in family.heads if name not in BASE_HEADS)
        raise MissingHeadError(
            f"a {config.model_type} model has no {head} head; it can have: {known}. Name a model that was made for "
            "the task.",
            f"un modelo {config.model_type} no tiene cabeza {head}; puede tener: {known}. Indica un modelo hecho "
            "para la tarea.",
        )
    tensors = normalize_names(family, config, tensors)
    if head == "pooler" and not ("pooler" in family.heads and has_head(family, config, "pooler", tensors)):
        head = "none"  # BERT's pooler is optional
    config = resolve_tying(family, config, tensors)
    with torch.device("meta"):
        model = build(config, head)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    required = {name for name in shapes if not (fresh_head and name.startswith("head."))}
    state = from_checkpoint(family, config, head, tensors, required)
    kind = precision(dtype, next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32))
    state = {n: t.to(kind) if t.is_floating_point() else t for n, t in state.items() if n in shapes}
    if fresh_head:
        new = initialise(HEADS[head](config).to(kind), config.initializer_range).state_dict()
        state = {f"head.{n}": t for n, t in new.items()} | {
            n: t for n, t in state.items() if not n.startswith("head.") or t.shape == shapes[n]
        }
    for name, shape in shapes.items():
        if not state[name].is_floating_point():
            raise CheckpointError(
                f"the tensor for {name!r} is {state[name].dtype}, and weights must be floating point; models that "
                "other programs have quantised cannot be read.",
                f"el tensor de {name!r} es {state[name].dtype}, y los pesos deben ser de coma flotante; los modelos "
                "cuantizados por otros programas no se pueden leer.",
            )
        if state[name].shape != shape:
            raise CheckpointError(
                f"the tensor for {name!r} is of shape {tuple(state[name].shape)}, but config.json asks for "
                f"{tuple(shape)}; the two belong to different models.",
                f"el tensor de {name!r} es de forma {tuple(state[name].shape)}, pero config.json pide "
                f"{tuple(shape)}; son de modelos distintos.",
            )
    model.load_state_dict(state, assign=True)
    return model


def precision(dtype: torch.dtype | str | None, stored: torch.dtype) -> torch.dtype:
    """Return the dtype of a name; fp32 for None, and `stored`, the checkpoint's, for "auto"."""
    if dtype == "auto":
        return stored
    known = getattr(torch, dtype, None) if isinstance(dtype, str) else torch.float32 if dtype is None else dtype
    if known not in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        raise InputError(
            f'dtype must be "auto", "float32", "bfloat16", "float16" or "float64", not {dtype!r:.80}.',
            f'dtype debe ser "auto", "float32", "bfloat16", "float16" o "float64", no {dtype!r:.80}.',
        )
    return known
