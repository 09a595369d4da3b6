"""Loading of models by name or from a folder: configuration, weights and head."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro import checkpoints, hub, storage
from gatonegro.checks import check_flags, short_repr
from gatonegro.compat import accepts
from gatonegro.config import Config
from gatonegro.engine import resolve_device
from gatonegro.errors import CheckpointError, GatonegroError, InputError, MissingHeadError, OptionError
from gatonegro.families import PreTrainedConfig, family_of, load_config
from gatonegro.families.configuration import LABEL_KEYS, read_config, write_config
from gatonegro.families.conversion import (
    declared_heads,
    from_checkpoint,
    has_head,
    name_map,
    normalize_names,
    resolve_tying,
    saved_names,
    without_other_heads,
)
from gatonegro.families.family import BASE_HEADS
from gatonegro.generation import GenerationConfig
from gatonegro.models.classes import model_class
from gatonegro.models.generative import LanguageModel
from gatonegro.models.model import MESSAGES, Model
from gatonegro.models.named import init_weights
from gatonegro.nn.heads import HEADS
from gatonegro.preprocessing import CONFIG_KEY, preprocessing_name
from gatonegro.tokenization import TOKENIZER_FILES


def head_of(name: str | Path, **where: Any) -> str | None:
    """Return the task head that a model's `config.json` names, "none" for a model without one, or None if unknown.

    `where` has the arguments of `hub.locate`.
    """
    source = hub.locate(name, **where)
    config = load_config(source)
    family = family_of(config.model_type)
    classes = config.extra.get("architectures") or ()
    bare = any(family.heads[head].architecture in classes for head in BASE_HEADS if head in family.heads)
    return next(iter(declared_heads(family, config)), "none" if bare else None)


@accepts("AutoModel.from_pretrained")
def load(
    name: str | Path,
    head: str,
    *,
    config: Config | str | Path | None = None,
    allow_pickle: bool = False,
    variant: str | None = None,
    dtype: torch.dtype | str | None = None,
    device_map: Any = None,
    generation_config: GenerationConfig | None = None,
    ignore_mismatched_sizes: bool = False,
    allow_fresh_head: bool = True,
    info: dict[str, Any] | None = None,
    checked: bool = False,
    model_type: str | None = None,
    **options: Any,
) -> Model:
    """Load a model in evaluation mode by name or from a folder, and check its files unless they were checked before.

    With `allow_fresh_head`, a head is random if the checkpoint lacks it and the call has the labels or a configuration.
    `info`, if given, receives the names of tensors that are not as expected. `options` are the arguments of
    `hub.locate` and other values of the configuration's keys.
    """
    where, others = hub.split_arguments(options)
    changes = {name: value for name, value in others.items() if value is not None}
    check_flags(allow_pickle=allow_pickle, ignore_mismatched_sizes=ignore_mismatched_sizes)
    device = None if device_map is None else resolve_device(one_device(device_map))
    source = hub.locate(name, **where)
    is_given = config is not None
    labelled = head.endswith("classification") and not changes.keys().isdisjoint(LABEL_KEYS)
    fresh_head = allow_fresh_head and (is_given or labelled)
    if isinstance(config, PreTrainedConfig):
        config = copy.deepcopy(config)
    elif isinstance(config, Config):
        family = family_of(config.model_type)
        config = read_config(family, write_config(family, config, head))
    else:
        config = load_config(source if config is None else hub.locate(config, **where))
    if model_type not in (None, config.model_type):
        wanted = model_class(str(model_type), head).__name__
        raise InputError(*MESSAGES["other_family"].format(wanted=wanted, kind=config.model_type)).within(source.name)
    config.change(changes, "AutoModel.from_pretrained")
    save_id = None if is_given else config.extra.get(checkpoints.SAVE_ID)
    tensors = checkpoints.read(
        source, allow_pickle=allow_pickle, variant=variant, unpack=False, checked=checked, save_id=save_id
    )
    stored_int8 = any(tensor.dtype == torch.int8 for tensor in tensors.values())
    try:
        tensors = checkpoints.unpack_int8(tensors)
        model = _assemble(
            config, head, tensors, fresh_head=fresh_head, dtype=dtype, ignore_sizes=ignore_mismatched_sizes, info=info
        )
    except GatonegroError as error:
        raise error.within(source.name) from None
    model.name_or_path, model.stored_int8 = source.name, stored_int8
    if isinstance(model, LanguageModel):
        data = source.json("generation_config.json")  # older models have its keys in config.json
        if generation_config is not None:
            model.generation_config = copy.deepcopy(generation_config)
        elif data is None:
            model.generation_config = GenerationConfig.from_model_config(config)
        else:
            ids = {name: value for name, value in config.extra.items() if name.endswith("_token_id")}
            model.generation_config = GenerationConfig.from_dict({**ids, **data})
    if (preprocessing := preprocessing_name(source.name, config.extra.get(CONFIG_KEY))) is not None:  # for saved copies
        model.config = model.config.replace(extra={**model.config.extra, CONFIG_KEY: preprocessing})
    model.config.update({"dtype": model.dtype})  # type: ignore[attr-defined]
    return (model if device is None else model.to(device)).eval()


def one_device(device_map: Any) -> Any:
    """Return the device of a `device_map`, for `resolve_device`, or raise OptionError if it names several."""
    devices = list(device_map.values()) if isinstance(device_map, Mapping) else [device_map]
    if not devices or any(device != devices[0] for device in devices):
        raise OptionError(*MESSAGES["device_map"].format(device_map=short_repr(device_map)))
    several = ("auto", "balanced", "balanced_low_0", "sequential")  # where there are several devices
    return "auto" if isinstance(devices[0], str) and devices[0] in several else devices[0]


def load_optimized(name: str | Path, head: str, *, precision: str, device: torch.device, **options: Any) -> Model:
    """Load a model by name, and return its optimized copy on a device."""

    def source(checked: bool = True) -> Model:
        return load(name, head, checked=checked, **options).to(device)

    fast = source(checked=False).optimize(precision)
    options["force_download"] = False  # for `source`, later
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
    config.check()
    return model_class(config.model_type, head)(config, head)


def _assemble(
    config: Config,
    head: str,
    tensors: dict[str, Tensor],
    *,
    fresh_head: bool,
    dtype: torch.dtype | str | None,
    ignore_sizes: bool,
    info: dict[str, Any] | None,
) -> Model:
    """Build a model from a configuration and a checkpoint's tensors; raise an error for tensors that do not fit.

    With `fresh_head`, a head that the checkpoint lacks is random; with `ignore_sizes`, tensors of another shape are.
    """
    family = family_of(config.model_type)
    if head not in (*BASE_HEADS, *family.heads):
        known = ", ".join(name for name in family.heads if name not in BASE_HEADS)
        raise MissingHeadError(*MESSAGES["unknown_head"].format(model_type=config.model_type, head=head, known=known))
    layers = config.num_hidden_layers + (config.decoder.num_hidden_layers if config.decoder else 0)
    if layers > len(tensors):  # before they are built
        raise CheckpointError(*MESSAGES["few_tensors"].format(layers=layers, count=len(tensors)))
    stored = tensors.keys()
    tensors = normalize_names(family, config, tensors)
    if head == "pooler" and not ("pooler" in family.heads and has_head(family, config, "pooler", tensors)):
        head = "none"  # BERT's pooler is optional
    config = resolve_tying(family, config, tensors)
    with torch.device("meta"):
        model = build(config, head)
    shapes = {name: tensor.shape for name, tensor in model.own_state_dict().items()}
    required = {name for name in shapes if not (fresh_head and name.startswith("head."))}
    own = without_other_heads(family, config, tensors) if fresh_head or head in BASE_HEADS else tensors
    state = from_checkpoint(family, config, head, own, required)
    kind = resolve_dtype(dtype, next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32))
    state = {n: t.to(kind) if t.is_floating_point() else t for n, t in state.items() if n in shapes}
    wrong = {name for name, tensor in state.items() if tensor.shape != shapes[name]}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise CheckpointError(*MESSAGES["weight_dtype"].format(name=name, dtype=tensor.dtype))
        if name in wrong and not ignore_sizes:
            problem = MESSAGES["other_labels" if fresh_head and name.startswith("head.") else "weight_shape"]
            raise CheckpointError(*problem.format(name=name, shape=tuple(tensor.shape), wanted=tuple(shapes[name])))
    new = [name for name in shapes if name not in state or name in wrong]
    if info is not None:
        saved = saved_names(family, config, head)
        names = {n: entry.checkpoint_name for entry in reversed(saved) for n in entry.model_names}
        others = tensors.keys() - {entry.checkpoint_name for entry in name_map(family, config, head)}
        others = {n for n in others if not n.endswith(family.ignored)}
        info["missing_keys"] = {names[name] for name in shapes.keys() - state.keys()}
        info["unexpected_keys"] = {n if n in stored else n.removeprefix(family.prefix) for n in others}
        info["mismatched_keys"] = {(names[n], tuple(state[n].shape), tuple(shapes[n])) for n in wrong}
        info["error_msgs"] = []
    if new:
        prefix = "head." if all(name.startswith("head.") for name in new) else ""
        fresh = init_weights(HEADS[head](config), config.initializer_range) if prefix else build(config, head)
        drawn = torch.nn.Module.state_dict(fresh.to(kind))
        state |= {name: drawn[name.removeprefix(prefix)] for name in new}
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
