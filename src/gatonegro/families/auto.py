"""`AutoConfig`, which loads or builds a configuration by name, as in `transformers`."""

from __future__ import annotations

from typing import Any

from gatonegro.families import PreTrainedConfig, config_class, family_of


class AutoConfig:
    """Namespace of functions that load or build a configuration of the right family, such as `BertConfig`."""

    from_pretrained = staticmethod(PreTrainedConfig.from_pretrained)

    @staticmethod
    def for_model(model_type: str, **values: Any) -> PreTrainedConfig:
        """Build a configuration of a family.

        Args:
            model_type: the family's name, such as "bert".
            values: values of attributes, by name.

        Raises:
            ConfigError: the family or a value is not possible.
        """
        return config_class(family_of(model_type))(**values)
