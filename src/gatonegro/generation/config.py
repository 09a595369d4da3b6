"""`GenerationConfig`: a model's options of text generation as `transformers` names them, which can be changed.

https://huggingface.co/docs/transformers/main_classes/text_generation#transformers.GenerationConfig
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatonegro import hub
from gatonegro.compat import accepts
from gatonegro.config import Config, JsonConfig
from gatonegro.errors import ConfigError, GatonegroError
from gatonegro.generation.options import MESSAGES, OPTION_CHECKS, UNSUPPORTED_OPTIONS, GenerationOptions

FILE = "generation_config.json"
NAMES = (*OPTION_CHECKS, *UNSUPPORTED_OPTIONS)
OWN = ("seed", "stop_loops", "forced_decoder_ids")  # not in `transformers` 5
METADATA = {"_from_model_config", "transformers_version"}  # in files of `transformers`


class GenerationConfig(JsonConfig):
    """A model's options of text generation; None where the model sets none, so that the default holds.

    The options that this library has are checked when they are set, the others when text is generated.
    """

    def __init__(self, **options: Any):
        vars(self).update(dict.fromkeys(NAMES))
        for name, value in options.items():
            setattr(self, name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None:
        if value is not None and name in OPTION_CHECKS:
            OPTION_CHECKS[name](name, value)
        vars(self)[name] = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenerationConfig) and all(
            vars(self).get(name) == vars(other).get(name) for name in {*self, *other} - METADATA
        )

    __hash__ = None  # type: ignore[assignment]

    def resolve(self) -> GenerationOptions:
        """Return the options of generation, with defaults where none are set.

        Raises:
            OptionError: an option is not supported, or options exclude each other.
        """
        return GenerationOptions().with_options({name: vars(self)[name] for name in NAMES})

    @accepts("GenerationConfig.validate")
    def validate(self, strict: bool = False) -> None:
        """Raise OptionError if an option is not supported, or options exclude each other."""
        self.resolve()

    @accepts("GenerationConfig.update")
    def update(self, **options: Any) -> dict[str, Any]:
        """Set several options, and return those that are unknown, or raise OptionError if a value is not possible."""
        for name in options.keys() & vars(self).keys():
            setattr(self, name, options.pop(name))
        return options

    def to_dict(self) -> dict[str, Any]:
        """Return all options, but those that only this library has if they are not set."""
        return deepcopy({name: value for name, value in vars(self).items() if value is not None or name not in OWN})

    def to_diff_dict(self) -> dict[str, Any]:
        """Return the options that are set."""
        return {name: value for name, value in self.to_dict().items() if value is not None}

    @classmethod
    def from_dict(cls, config_dict: Mapping[str, Any], **options: Any) -> GenerationConfig:
        """Build a configuration.

        Args:
            config_dict: the contents of a `generation_config.json`.
            options: options that change it, by name.

        Raises:
            ConfigError: a value is not possible.
        """
        try:
            return cls(**{**config_dict, **options})
        except GatonegroError as error:
            raise ConfigError(*error.args).within(FILE) from None

    @classmethod
    def from_model_config(cls, model_config: Config | Mapping[str, Any]) -> GenerationConfig:
        """Build a configuration from the options of generation that stand in a model's configuration.

        Args:
            model_config: the configuration, or the contents of a `config.json`.

        Raises:
            ConfigError: a value is not possible.
        """
        if isinstance(model_config, Config):
            model_config = {**getattr(model_config, "to_dict", dict)(), **model_config.extra}
        return cls.from_dict({k: value for k, value in model_config.items() if k in NAMES and value is not None})

    @classmethod
    def of_files(cls, model_config: Config, data: Mapping[str, Any] | None) -> GenerationConfig:
        """Return the options in a model's files: those in `generation_config.json`, or else in its configuration.

        Args:
            model_config: the configuration, whose token ids count where `data` has none.
            data: the contents of `generation_config.json`, or None.
        """
        own = cls.from_model_config(model_config)  # raises if a value is not possible
        if data is None:  # older models have its keys in config.json
            return own
        ids = {name: value for name, value in model_config.extra.items() if name.endswith("_token_id")}
        return cls.from_dict({**ids, **data})

    @classmethod
    @accepts("GenerationConfig.from_pretrained")
    def from_pretrained(cls, name: str | Path, config_file_name: str = FILE, **options: Any) -> GenerationConfig:
        """Load a model's options of generation.

        Args:
            name: a folder, a built-in model or a name on the hub.
            config_file_name: the name of its file.
            options: options that change the file's, by name, and the arguments of `hub.locate`, such as `revision`.

        Raises:
            HubError: the model is not found, or cannot be downloaded.
            ConfigError: it has no such file, or a value in it is not possible.
        """
        where, options = hub.split_arguments(options)
        source = hub.locate(name, **where)
        data = source.json(config_file_name)
        if data is None:
            raise ConfigError(*MESSAGES["no_file"].format(name=source.name, file=config_file_name))
        return cls.from_dict(data, **options)

    @accepts("GenerationConfig.save_pretrained")
    def save_pretrained(self, folder: str | Path, config_file_name: str = FILE) -> None:
        """Write the options to a folder.

        Args:
            folder: an existing or new folder.
            config_file_name: the name of the file.

        Raises:
            OptionError: an option is not supported, or options exclude each other.
            CheckpointError: the folder cannot be written.
        """
        self.validate()
        self._save(folder, config_file_name)
