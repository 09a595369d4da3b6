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
METADATA = {"_from_model_config", "transformers_version"}  # in files of `transformers`


class GenerationConfig(JsonConfig):
    """A model's options of text generation; None where the model sets none, so that the default holds.

    The options that this library has are checked when they are set, the others when text is generated.
    """

    def __init__(self, **options: Any):
        vars(self).update(dict.fromkeys(NAMES))
        self.update(allow_custom_entries=True, **options)

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

    @property
    def eos_ids(self) -> list[int]:
        """The ids of the end-of-sequence tokens, as a list."""
        return GenerationOptions(eos_token_id=self.eos_token_id).eos_ids

    def resolve(self) -> GenerationOptions:
        """Return the options of generation, with defaults where none are set.

        Raises:
            OptionError: an option is not supported, or options exclude each other.
        """
        return GenerationOptions().with_options({name: vars(self)[name] for name in NAMES})

    def with_options(self, options: Mapping[str, Any]) -> GenerationOptions:
        """Return the options of a call: those of `options` before the model's, and these before the defaults."""
        return self.resolve().with_options(options)

    def validate(self, strict: bool = False) -> None:
        """Raise OptionError if an option is not supported, or options exclude each other."""
        self.resolve()

    def update(self, defaults_only: bool = False, allow_custom_entries: bool = False, **options: Any) -> dict[str, Any]:
        """Set several options, and return those that are unknown.

        Args:
            defaults_only: set only options that are None.
            allow_custom_entries: also set unknown ones.
            options: the options, by name.

        Raises:
            OptionError: a value is not possible.
        """
        unused = {}
        for name, value in options.items():
            if name not in vars(self) and not allow_custom_entries:
                unused[name] = value
            elif not defaults_only or vars(self).get(name) is None:
                setattr(self, name, value)
        return unused

    def to_dict(self) -> dict[str, Any]:
        """Return all options."""
        return deepcopy(vars(self))

    def to_diff_dict(self) -> dict[str, Any]:
        """Return the options that are set."""
        return {name: value for name, value in self.to_dict().items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], **options: Any) -> GenerationConfig:
        """Build a configuration.

        Args:
            data: the contents of a `generation_config.json`.
            options: options that change it, by name.
        """
        return cls(**{**data, **options})

    @classmethod
    def from_model_config(cls, config: Config | Mapping[str, Any]) -> GenerationConfig:
        """Build a configuration from the options of generation that stand in a model's configuration.

        Args:
            config: the configuration, or the contents of a `config.json`.

        Raises:
            ConfigError: a value is not possible.
        """
        if isinstance(config, Config):
            config = {**getattr(config, "to_dict", dict)(), **config.extra}
        return read_options({name: value for name, value in config.items() if name in NAMES and value is not None})

    @classmethod
    @accepts("GenerationConfig.from_pretrained")
    def from_pretrained(
        cls,
        name: str | Path,
        config_file_name: str | None = None,
        *,
        return_unused_kwargs: bool = False,
        **options: Any,
    ) -> Any:
        """Load a model's options of generation.

        Args:
            name: a folder, a built-in model or a name on the hub.
            config_file_name: the name of its file.
            return_unused_kwargs: return a pair, the configuration and an empty dict.
            options: options that change the file's, by name, and the arguments of `hub.locate`, such as `revision`.

        Raises:
            HubError: the model is not found, or cannot be downloaded.
            ConfigError: it has no such file, or a value in it is not possible.
        """
        where, options = hub.split_arguments(options)
        source = hub.locate(name, **where)
        data = source.json(config_file_name or FILE)
        if data is None:
            raise ConfigError(*MESSAGES["no_file"].format(name=source.name, file=config_file_name or FILE))
        config = read_options(data)
        config.update(allow_custom_entries=True, **options)
        return (config, {}) if return_unused_kwargs else config

    @accepts("GenerationConfig.save_pretrained")
    def save_pretrained(self, folder: str | Path, config_file_name: str | None = None) -> None:
        """Write the options to a folder.

        Args:
            folder: an existing or new folder.
            config_file_name: the name of the file, by default `generation_config.json`.

        Raises:
            OptionError: an option is not supported, or options exclude each other.
            CheckpointError: the folder cannot be written.
        """
        self.validate()
        self._save(folder, config_file_name or FILE)


def read_options(data: Mapping[str, Any]) -> GenerationConfig:
    """Build a configuration from the contents of a file, or raise ConfigError if a value is not possible."""
    try:
        return GenerationConfig.from_dict(data)
    except GatonegroError as error:
        raise ConfigError(*error.args).within(FILE) from None
