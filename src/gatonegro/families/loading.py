"""Loading of checkpoints by name or from a folder, up to a model's configuration and tensors; copying of their files.

Nothing here needs PyTorch, but for pickled weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatonegro import checkpoints, hub, storage
from gatonegro.checkpoints.reading import Framework
from gatonegro.checks import check_flags, short_repr
from gatonegro.config import Config
from gatonegro.errors import CheckpointError, GatonegroError, OptionError
from gatonegro.families import PreTrainedConfig, family_of, load_config
from gatonegro.families.assembly import Assembled, assemble
from gatonegro.families.configuration import LABEL_KEYS, read_config, write_config
from gatonegro.families.conversion import declared_heads
from gatonegro.families.family import BASE_HEADS, MESSAGES, class_name, other_class
from gatonegro.preprocessing import CONFIG_KEY, preprocessing_name
from gatonegro.tokenization import TOKENIZER_FILES


@dataclass
class Checkpoint:
    """The contents of a model's files, read for a task head.

    Attributes:
        source: where its files are.
        config: its configuration, with the changes of the call.
        head: the task head.
        tensors: the tensors by the checkpoint's names; int8 matrices as fp32 tensors or as `Int8Rows`.
        stored_int8: some matrices are stored as int8.
        fresh_head: the head may be missing.
        generation: the contents of generation_config.json, or None.
    """

    source: hub.Source
    config: PreTrainedConfig
    head: str
    tensors: dict[str, Any]
    stored_int8: bool
    fresh_head: bool
    generation: dict[str, Any] | None

    def assemble(self, **options: Any) -> Assembled:
        """Return the tensors by the model's names, after the checks of `assembly.assemble`, whose options these are."""
        try:
            return assemble(self.config, self.head, self.tensors, fresh_head=self.fresh_head, **options)
        except GatonegroError as error:
            raise error.within(self.source.name) from None


def open_checkpoint(
    name: str | Path,
    head: str,
    framework: Framework,
    *,
    config: Config | str | Path | None = None,
    allow_pickle: bool = False,
    variant: str | None = None,
    allow_fresh_head: bool = True,
    checked: bool = False,
    model_type: str | None = None,
    **options: Any,
) -> Checkpoint:
    """Read a model's configuration and weights by name or from a folder.

    Args:
        name: a folder, a built-in model or a name on the hub.
        head: the task head.
        framework: see `checkpoints.read`, as of `allow_pickle`, `variant` and `checked`.
        config: the configuration, or the name of a model that has it; None: the model's own.
        allow_pickle: read pickled weights too.
        variant: the name of the weight files.
        allow_fresh_head: the head may be missing if the call has the labels or a configuration.
        checked: the files were checked before.
        model_type: the only family that the model may be of.
        **options: the arguments of `hub.locate`, and other values of the configuration's keys.

    Raises:
        GatonegroError: see `AutoModel.from_pretrained`.
    """
    where, others = hub.split_arguments(options)
    changes = {name: value for name, value in others.items() if value is not None}
    check_flags(allow_pickle=allow_pickle)
    source = hub.locate(name, **where)
    is_given = config is not None
    labelled = head.endswith("classification") and not changes.keys().isdisjoint(LABEL_KEYS)
    if isinstance(config, PreTrainedConfig):
        config = copy.deepcopy(config)
    elif isinstance(config, Config):
        family = family_of(config.model_type)
        config = read_config(family, write_config(family, config, head))
    else:
        config = load_config(source if config is None else hub.locate(config, **where))
    family = family_of(config.model_type)
    if model_type not in (None, config.model_type):
        raise other_class(class_name(family_of(model_type), head), config.model_type).within(source.name)
    config.change(changes, "AutoModel.from_pretrained")
    save_id = None if is_given else config.extra.get(checkpoints.SAVE_ID)
    tensors = checkpoints.read(
        source, framework, allow_pickle=allow_pickle, variant=variant, unpack=False, checked=checked, save_id=save_id
    )
    stored_int8 = any(checkpoints.dtype_name(tensor) == "int8" for tensor in tensors.values())
    try:
        tensors = checkpoints.unpack_int8(tensors)
    except CheckpointError as error:
        raise error.within(source.name) from None
    generation = None
    if not {"seq2seq-lm", "causal-lm"}.isdisjoint(family.heads):
        generation = source.json("generation_config.json")
    if (preprocessing := preprocessing_name(source.name, config.extra.get(CONFIG_KEY))) is not None:  # for saved copies
        config = config.replace(extra={**config.extra, CONFIG_KEY: preprocessing})
    fresh_head = allow_fresh_head and (is_given or labelled)
    return Checkpoint(source, config, head, tensors, stored_int8, fresh_head, generation)


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


def one_device(device_map: Any) -> Any:
    """Return the device of a `device_map`, for `resolve_device`, or raise OptionError if it names several."""
    devices = list(device_map.values()) if isinstance(device_map, Mapping) else [device_map]
    if not devices or any(device != devices[0] for device in devices):
        raise OptionError(*MESSAGES["device_map"].format(device_map=short_repr(device_map)))
    several = ("auto", "balanced", "balanced_low_0", "sequential")  # where there are several devices
    return "auto" if isinstance(devices[0], str) and devices[0] in several else devices[0]


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
