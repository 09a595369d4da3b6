"""Loading of models by name or from a folder: configuration, weights and head."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro import checkpoints, hub, storage
from gatonegro.checks import check_flags
from gatonegro.config import Config
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, InputError, MissingHeadError, OptionError
from gatonegro.families import family_of
from gatonegro.families.conversion import declared_heads, from_checkpoint, has_head, normalize_names, resolve_tying
from gatonegro.families.family import BASE_HEADS, read_config
from gatonegro.generation import generation_config
from gatonegro.models.generative import LanguageModel
from gatonegro.models.model import MESSAGES, Model, init_weights
from gatonegro.nn.heads import HEADS
from gatonegro.preprocessing import CONFIG_KEY, preprocessing_name
from gatonegro.tokenization import TOKENIZER_FILES


def load_config(source: hub.Source, head: str | None = None) -> Config:
    """Read a model's configuration from its `config.json`, with the values for a task head if one is given."""
    data = source.json("config.json")
    if data is None:
        raise ConfigError(*MESSAGES["no_config"].format(name=source.name))
    try:
        return read_config(family_of(data.get("model_type")), data, head)
    except ConfigError as error:
        raise error.within(source.name) from None


def head_of(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> str | None:
    """Return the task head that a model's `config.json` names, "none" for a model without one, or None if unknown."""
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
    """Load a model in evaluation mode by name or from a folder, and check its files unless they were checked before."""
    if num_labels is not None and not head.endswith("classification"):
        raise OptionError(*MESSAGES["num_labels"].format(head=head))
    source = hub.locate(name, revision=revision, local_files_only=local_files_only)
    config = load_config(source, head)
    check_flags(allow_pickle=allow_pickle)
    if num_labels is not None and not (isinstance(num_labels, int) and num_labels == config.num_labels):
        config = config.with_labels(num_labels)
    save_id = config.extra.get(checkpoints.SAVE_ID)
    tensors = checkpoints.read(source, allow_pickle=allow_pickle, unpack=False, checked=checked, save_id=save_id)
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
    if (preprocessing := preprocessing_name(source.name, config.extra.get(CONFIG_KEY))) is not None:  # for saved copies
        model.config = replace(model.config, extra={**model.config.extra, CONFIG_KEY: preprocessing})
    return model.eval()


def load_optimized(name: str | Path, head: str, *, precision: str, device: torch.device, **options: Any) -> Model:
    """Load a model by name, and return its optimized copy on a device."""

    def source(checked: bool = True) -> Model:
        return load(name, head, checked=checked, **options).to(device)

    fast = source(checked=False).optimize(precision)
    fast._source = cache(source)
    if not fast.stored_int8 and device.type == "cpu":
        # map embeddings again, to free the pages that were read for the other weights
        fast.embeddings = load(name, head, checked=True, **options).requires_grad_(False).embeddings
        for parameter in fast.head.parameters() if fast.head is not None else ():  # which would keep the old pages
            parameter.data = parameter.data.clone()
    return fast


def copy_to(
    folder: str | Path, name: str | Path, *, revision: str | None = None, local_files_only: bool = False
) -> list[Path]:
    """Copy a model's files into a folder, downloading them if necessary, and return the paths of the copies.

    The configuration is written last, so that an incomplete copy cannot be loaded.
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
    with storage.lock_folder(folder):
        others = sorted(_model_files(folder) - {path.name for path in files})
        if not others and (folder / "README.md").exists() and not (folder / "config.json").exists():
            others = ["README.md"]  # not the card of an earlier copy
        if others:  # they would be read instead of the copy's
            raise CheckpointError(*MESSAGES["other_files"].format(folder=folder, files=", ".join(others)))
        preprocessing = preprocessing_name(source.name, config.extra.get(CONFIG_KEY))  # its name may not imply it
        data = dict(config.extra) | ({CONFIG_KEY: preprocessing} if preprocessing else {})
        with storage.replace_files(folder) as staging:
            staging.remove("config.json")  # until all files are there, the folder is no model
            for path in files:
                staging.copy(path)
            staging.write("config.json", data)
    return [*(folder / path.name for path in files), folder / "config.json"]


def _model_files(folder: Path) -> set[str]:
    """Return the names of a folder's weight and tokenizer files, which would be read as part of a model."""
    kinds = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", *TOKENIZER_FILES)
    return {path.name for kind in kinds for path in folder.glob(kind)}


def build(config: Config, head: str) -> Model:
    """Build a model with undefined weights from a configuration and the name of a task head."""
    return (LanguageModel if config.decoder is not None or config.decoder_only else Model)(config, head)


def _assemble(
    config: Config, head: str, tensors: dict[str, Tensor], *, fresh_head: bool, dtype: torch.dtype | str | None
) -> Model:
    """Build a model from a configuration and a checkpoint's tensors; raise an error for tensors that do not fit."""
    family = family_of(config.model_type)
    if head not in (*BASE_HEADS, *family.heads):
        known = ", ".join(name for name in family.heads if name not in BASE_HEADS)
        raise MissingHeadError(*MESSAGES["unknown_head"].format(model_type=config.model_type, head=head, known=known))
    layers = config.num_hidden_layers + (config.decoder.num_hidden_layers if config.decoder else 0)
    if layers > len(tensors):  # before they are built
        raise CheckpointError(*MESSAGES["few_tensors"].format(layers=layers, count=len(tensors)))
    tensors = normalize_names(family, config, tensors)
    if head == "pooler" and not ("pooler" in family.heads and has_head(family, config, "pooler", tensors)):
        head = "none"  # BERT's pooler is optional
    config = resolve_tying(family, config, tensors)
    with torch.device("meta"):
        model = build(config, head)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    required = {name for name in shapes if not (fresh_head and name.startswith("head."))}
    state = from_checkpoint(family, config, head, tensors, required)
    kind = resolve_dtype(dtype, next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32))
    state = {n: t.to(kind) if t.is_floating_point() else t for n, t in state.items() if n in shapes}
    if fresh_head:
        new = init_weights(HEADS[head](config).to(kind), config.initializer_range).state_dict()
        state = {f"head.{n}": t for n, t in new.items()} | {
            n: t for n, t in state.items() if not n.startswith("head.") or t.shape == shapes[n]
        }
    for name, shape in shapes.items():
        if not state[name].is_floating_point():
            raise CheckpointError(*MESSAGES["weight_dtype"].format(name=name, dtype=state[name].dtype))
        if state[name].shape != shape:
            raise CheckpointError(
                *MESSAGES["weight_shape"].format(name=name, shape=tuple(state[name].shape), wanted=tuple(shape))
            )
    model.load_state_dict(state, assign=True)
    return model


def resolve_dtype(dtype: torch.dtype | str | None, stored: torch.dtype) -> torch.dtype:
    """Return the torch dtype for a user's `dtype`: fp32 for None, the checkpoint's for "auto", or the one named."""
    if isinstance(dtype, str) and dtype == "auto":
        return stored
    known = getattr(torch, dtype, None) if isinstance(dtype, str) else torch.float32 if dtype is None else dtype
    if not isinstance(known, torch.dtype) or known not in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        raise InputError(*MESSAGES["dtype"].format(dtype=dtype))
    return known
