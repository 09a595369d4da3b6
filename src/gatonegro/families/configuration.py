"""`PreTrainedConfig`: a `Config` by a family's names in `transformers`, and conversion of `config.json` to it and back.

https://huggingface.co/docs/transformers/main_classes/configuration
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import MISSING, fields
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from gatonegro import hub, storage
from gatonegro.checks import short_repr, whole
from gatonegro.compat import accepts, refusal, unknown
from gatonegro.config import MAX_LABELS, Config, JsonConfig, check_fields
from gatonegro.errors import ConfigError
from gatonegro.families.family import BASE_HEADS, COMMON_DEFAULTS, GENERATION_OPTIONS, MESSAGES, Family

P = TypeVar("P", bound="PreTrainedConfig")
FIELDS = {field.name: field.default for field in fields(Config)}  # their defaults, or MISSING
LABEL_KEYS = ("id2label", "label2id", "num_labels")
STANDARD_LABELS = {"id2label": {0: "LABEL_0", 1: "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
ALIASES = {"torch_dtype": "dtype", "use_return_dict": "return_dict"}  # older name in `transformers` → name


class PreTrainedConfig(JsonConfig, Config):
    """A model's configuration under its family's names in `transformers`, such as `d_model`, which can be changed.

    A family's class, such as `BertConfig`, builds one from keywords; missing ones have the values of `transformers`.
    A change is checked at once. Values that exclude each other are found when a model is built.
    """

    family: ClassVar[Family]
    attribute_map: ClassVar[Mapping[str, str]] = {}
    sub_configs: ClassVar[Mapping[str, Any]] = {}  # of models that read texts and images
    has_no_defaults_at_init, _attn_implementation = False, "sdpa"
    name_or_path = ""  # where it was loaded from

    def __init__(self, **values: Any):
        if type(self) is PreTrainedConfig:
            raise ConfigError(*MESSAGES["no_family"])
        known = self.family.defaults
        named = {
            self.attribute_map.get(name, name): _plain(value)
            for name, value in values.items()
            if name in known or name not in GENERATION_OPTIONS
        }
        self._read({**named, "model_type": known["model_type"]})

    def _read(self, data: Mapping[str, Any]) -> None:
        """Set all fields from the keys of `config.json`."""
        values = {**FIELDS, **_fields(self.family, data)}
        check_fields(values)
        vars(self).update(values)

    def _values(self) -> dict[str, Any]:
        """Return all attributes that `transformers` has, and other keys of `config.json`."""
        aliases = {name: getattr(self, field) for name, field in self.family.aliases.items()}
        values = {**self.family.defaults, **_keys(self.family, self), **aliases}
        return {name: value for name, value in values.items() if name != "num_labels"}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            key = ALIASES.get(name, self.attribute_map.get(name, name))
            if key in (values := self._values()):
                value = values[key]
                if key != "dtype" or not isinstance(value, str):
                    return value
                dtype = getattr(import_module("torch"), value, None)
                return dtype if type(dtype).__name__ == "dtype" else value
        message = MESSAGES["no_attribute"].format(name=name, kind=type(self).__name__)
        raise AttributeError(str(refusal(f"PreTrainedConfig.{name}") or message))

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name == "name_or_path":
            vars(self)[name] = value
            return
        key = ALIASES.get(name, self.attribute_map.get(name, name))
        data = _keys(self.family, self)
        if key == "num_labels":
            if type(value) is int and value == self.num_labels:
                return
            del data["id2label"]
        elif key == "label2id" and isinstance(value, Mapping):
            key, value = "id2label", {i: label for label, i in value.items()}
        elif key in {"model_type", *self.family.aliases} or (key in FIELDS and key not in data):
            if value == getattr(self, key):
                return
            raise ConfigError(*MESSAGES["fixed"].format(name=name, kind=type(self).__name__))
        self._read({**data, key: _plain(value)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PreTrainedConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def get_text_config(self: P, decoder: bool | None = None, encoder: bool | None = None) -> P:
        """Return the configuration itself, which is of a text model.

        Args:
            decoder: without meaning here.
            encoder: without meaning here.
        """
        return self

    def update(self, config_dict: Mapping[str, Any]) -> None:
        """Set several attributes, by name."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes, as `to_dict` in `transformers` does."""
        left_out = {*GENERATION_OPTIONS, *self.attribute_map} - {*self.family.defaults, *self.attribute_map.values()}
        return deepcopy({name: value for name, value in self._values().items() if name not in left_out})

    def to_diff_dict(self) -> dict[str, Any]:
        """Return the attributes that differ from those that a configuration of any family has."""
        common = COMMON_DEFAULTS | STANDARD_LABELS
        return {name: value for name, value in self.to_dict().items() if name not in common or common[name] != value}

    @accepts("PreTrainedConfig.save_pretrained")
    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` to a folder.

        Args:
            folder: an existing or new folder.

        Raises:
            ConfigError: values exclude each other.
            CheckpointError: the folder cannot be written.
        """
        self.check()
        self._save(folder, "config.json")

    @classmethod
    def from_dict(cls: type[P], config_dict: Mapping[str, Any], **changes: Any) -> P:
        """Build a configuration from the keys of `config.json`.

        Args:
            config_dict: the keys.
            changes: values of attributes, by name.

        Raises:
            ConfigError: a value is not possible.
            OptionError: there is no such attribute.
        """
        config = cls(**config_dict)
        config.change(changes, "PreTrainedConfig.from_dict")
        return config

    def change(self, changes: Mapping[str, Any], function: str) -> None:
        """Set several attributes for a function that takes their values as arguments.

        Args:
            changes: values of attributes, by name.
            function: its name, for messages.

        Raises:
            ConfigError: a value is not possible, or labels contradict each other.
            OptionError: there is no such attribute.
        """
        for name in changes:
            if not hasattr(self, name):
                raise unknown(function, name, [*self._values(), *self.attribute_map, *LABEL_KEYS, *hub.ARGUMENTS])
        labels = {name: changes[name] for name in LABEL_KEYS if changes.get(name) is not None}
        self.update({name: value for name, value in changes.items() if name not in LABEL_KEYS})
        self.update(dict(reversed(labels.items())))
        labels.pop("id2label", None)
        if any(not isinstance(value, int | Mapping) or getattr(self, name) != value for name, value in labels.items()):
            raise ConfigError(*MESSAGES["labels_differ"].format(id2label=short_repr(dict(self.id2label))))

    @classmethod
    @accepts("PreTrainedConfig.from_pretrained")
    def get_config_dict(cls, name: str | Path, **where: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the contents of a model's config.json, and an empty dict.

        Args:
            name: a folder, a built-in model or a name on the hub.
            **where: the arguments of `hub.locate`.
        """
        return hub.locate(name, **where).json("config.json") or {}, {}

    @classmethod
    def from_json_file(cls: type[P], json_file: str | Path) -> P:
        """Read a file that `to_json_file` wrote, at a path."""
        return cls(**storage.read_json(Path(json_file), ConfigError))

    @classmethod
    @accepts("PreTrainedConfig.from_pretrained")
    def from_pretrained(cls, name: str | Path, *, return_unused_kwargs: bool = False, **changes: Any) -> Any:
        """Load a model's configuration.

        Args:
            name: a folder, a built-in model or a name on the hub.
            return_unused_kwargs: return a pair: the configuration, and a dict of `changes` that are no attributes.
            changes: values of attributes, by name, and the arguments of `hub.locate`, such as `revision`.

        Raises:
            HubError: the model is not found, or cannot be downloaded.
            ConfigError: its config.json is missing, damaged or of another family, or a change is not possible.
            OptionError: an argument is unknown or not possible.
        """
        from gatonegro.families import load_config

        where, changes = hub.split_arguments(changes)
        config = load_config(hub.locate(name, **where))
        if not isinstance(config, cls):
            raise ConfigError(*MESSAGES["other_family"].format(kind=type(config).__name__, name=name, cls=cls.__name__))
        unused = {k: value for k, value in changes.items() if return_unused_kwargs and not hasattr(config, k)}
        config.change({k: changes[k] for k in changes.keys() - unused}, "PreTrainedConfig.from_pretrained")
        return (config, unused) if return_unused_kwargs else config


def _plain(value: Any) -> Any:
    """Return a value as `config.json` has it: a dtype of torch by its name."""
    return str(value).removeprefix("torch.") if type(value).__module__ == "torch" else value


@cache
def config_class(family: Family) -> type[PreTrainedConfig]:
    """Return a family's class of configurations, such as `BertConfig`."""
    name = family.heads[family.base_head].architecture.removesuffix("Model") + "Config"
    kind = family.defaults.get("model_type", "")
    attributes = {
        "__module__": "gatonegro",  # where pickle finds it
        "__doc__": f"The configuration of a model of the family {kind}, see `PreTrainedConfig`.",
        "family": family,
        "model_type": kind,
        "attribute_map": family.attribute_map,
    }
    return type(name, (PreTrainedConfig,), attributes)


def read_config(family: Family, data: Mapping[str, Any]) -> PreTrainedConfig:
    """Convert the contents of a `config.json` to a configuration, whose `extra` keeps all of its keys."""
    config: PreTrainedConfig = object.__new__(config_class(family))
    config._read(data)
    config.check()
    return config


def _fields(family: Family, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Config` for the contents of a `config.json`."""
    for key, value in family.required.items():
        if data.get(key, value) != value:
            raise ConfigError(*MESSAGES["unsupported"].format(key=key, value=short_repr(data[key]), only=value))
    values: dict[str, Any] = {}
    for name, key in family.config_keys.items():
        value = data.get(key, family.defaults.get(key))
        if value is not None or key in data or key in family.defaults:
            values[name] = value
    classes = data.get("architectures")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ConfigError(*MESSAGES["architectures"].format(value=short_repr(classes)))
    for key, rows in family.value_map.items():
        value = data.get(key, family.defaults.get(key))
        if not isinstance(value, str | bool | None) or value not in rows:
            known = ", ".join(map(repr, rows))
            raise ConfigError(*MESSAGES["unknown_value"].format(key=key, value=short_repr(value), known=known))
        values |= rows[value]
    labels = _labels(data, family.defaults.get("num_labels", 2))
    try:
        values |= {
            **family.fixed,
            "model_type": str(data["model_type"]),
            "id2label": {int(i): label for i, label in labels.items()},
            "problem_type": data.get("problem_type"),
            "extra": dict(data),
        }
    except (TypeError, KeyError, ValueError) as error:
        raise ConfigError(*MESSAGES["wrong_kind"].format(error=error)) from error
    if missing := [name for name, default in FIELDS.items() if default is MISSING and name not in values]:
        raise ConfigError(*MESSAGES["wrong_kind"].format(error=missing[0]))
    if family.decoder_attribute_map is not None:
        stored = ((name, data.get(key, family.defaults.get(key))) for name, key in family.decoder_attribute_map.items())
        different = {name: value for name, value in stored if value is not None}  # T5: as many layers as the encoder
        decoder = object.__new__(Config)
        vars(decoder).update({**FIELDS, **values, "add_cross_attention": True, **different})
        check_fields(vars(decoder))
        values["decoder"] = decoder
    return values


def _labels(data: Mapping[str, Any], count: int) -> Mapping[Any, str]:
    """Return a model's labels by index, named LABEL_0, LABEL_1 and so on if config.json has only their number."""
    labels = data.get("id2label")
    if labels is None:
        count, check = data.get("num_labels", count), whole(1, MAX_LABELS)
        if not check.test(count):
            raise ConfigError(*check.message("num_labels", count)).within("config.json")
        labels = {i: f"LABEL_{i}" for i in range(count)}
    if not isinstance(labels, Mapping) or not all(isinstance(label, str) for label in labels.values()):
        raise ConfigError(*MESSAGES["id2label"])
    return labels


def _keys(family: Family, config: Config) -> dict[str, Any]:
    """Return the keys of `config.json` for a configuration, with labels by their number."""
    data = {key: value for key, value in config.extra.items() if key not in LABEL_KEYS}
    if "torch_dtype" in data:
        data.setdefault("dtype", data.pop("torch_dtype"))
    for name, key in family.config_keys.items():
        value = getattr(config, name)
        if name == "sequence_dropout" and value is None:
            value = config.head_dropout  # a number in the file
        if key in family.defaults or value != FIELDS[name]:
            data[key] = value
    for key, choices in family.value_map.items():
        matches = (value for value, attrs in choices.items() if all(getattr(config, n) == v for n, v in attrs.items()))
        data[key] = next(matches, data.get(key))
    for name, key in (family.decoder_attribute_map or {}).items():
        data[key] = getattr(config.decoder, name)
    labels: dict[str, Any] = {"id2label": dict(config.id2label), "label2id": config.label2id}
    return data | labels | {"model_type": config.model_type, "problem_type": config.problem_type}


def write_config(family: Family, config: Config, head: str | None = None) -> dict[str, Any]:
    """Convert a configuration to the contents of a `config.json` that `transformers` can read."""
    data = _keys(family, config)
    if head in family.heads or head in BASE_HEADS:
        data["architectures"] = [family.heads[head if head in family.heads else family.base_head].architecture]  # type: ignore
    data["id2label"] = {str(i): label for i, label in config.id2label.items()}
    if data["problem_type"] is None:
        del data["problem_type"]
    return data
