"""Loading of models by name or from a folder: configuration, weights and head."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import torch

from gatonegro.checks import check_flags
from gatonegro.compat import accepts
from gatonegro.config import Config
from gatonegro.engine import resolve_device
from gatonegro.errors import InputError
from gatonegro.families.loading import one_device, open_checkpoint
from gatonegro.generation import GenerationConfig
from gatonegro.models.classes import model_class
from gatonegro.models.generative import LanguageModel
from gatonegro.models.model import MESSAGES, Model
from gatonegro.models.named import init_weights
from gatonegro.nn.heads import HEADS


@accepts("AutoModel.from_pretrained")
def load(
    name: str | Path,
    head: str,
    *,
    dtype: torch.dtype | str | None = None,
    device_map: Any = None,
    generation_config: GenerationConfig | None = None,
    ignore_mismatched_sizes: bool = False,
    info: dict[str, Any] | None = None,
    **options: Any,
) -> Model:
    """Load a model in evaluation mode by name or from a folder, and check its files unless they were checked before.

    With `allow_fresh_head`, a head is random if the checkpoint lacks it and the call has the labels or a configuration.
    `info`, if given, receives the names of tensors that are not as expected. `options` are those of `open_checkpoint`.
    """
    check_flags(ignore_mismatched_sizes=ignore_mismatched_sizes)
    device = None if device_map is None else resolve_device(one_device(device_map))
    checkpoint = open_checkpoint(name, head, "pt", **options)
    config, head, state, new = checkpoint.assemble(ignore_sizes=ignore_mismatched_sizes, info=info)
    kind = resolve_dtype(dtype, next((tensor.dtype for tensor in state.values()), torch.float32))
    state = {name: tensor.to(kind) for name, tensor in state.items()}
    if new:
        prefix = "head." if all(name.startswith("head.") for name in new) else ""
        fresh = init_weights(HEADS[head](config), config.initializer_range) if prefix else build(config, head)
        drawn = torch.nn.Module.state_dict(fresh.to(kind))
        state |= {name: drawn[name.removeprefix(prefix)] for name in new}
    with torch.device("meta"):
        model = build(config, head)
    model.load_state_dict(state, assign=True)
    model.name_or_path, model.stored_int8 = checkpoint.source.name, checkpoint.stored_int8
    if isinstance(model, LanguageModel):
        own = GenerationConfig.of_files(config, checkpoint.generation)
        model.generation_config = own if generation_config is None else copy.deepcopy(generation_config)
    model.config.update({"dtype": model.dtype})  # type: ignore[attr-defined]
    return (model if device is None else model.to(device)).eval()


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


def build(config: Config, head: str) -> Model:
    """Build a model with undefined weights from a configuration and the name of a task head."""
    config.check()
    return model_class(config.model_type, head)(config, head)


def resolve_dtype(dtype: torch.dtype | str | None, stored: torch.dtype) -> torch.dtype:
    """Return the torch dtype for a user's `dtype`: fp32 for None, the checkpoint's for "auto", or the one named."""
    if isinstance(dtype, str) and dtype == "auto":
        return stored
    known = getattr(torch, dtype, None) if isinstance(dtype, str) else torch.float32 if dtype is None else dtype
    if not isinstance(known, torch.dtype) or known not in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        raise InputError(*MESSAGES["dtype"].format(dtype=dtype))
    return known
