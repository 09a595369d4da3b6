"""The `Auto*` classes, named as in `transformers`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch

from gatonegro import hub
from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.families import family_of
from gatonegro.models.loading import build, load, load_config
from gatonegro.models.model import Model, initialise


class AutoConfig:
    """`AutoConfig.from_pretrained(name)` → `Config`."""

    @staticmethod
    def from_pretrained(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> Config:
        return load_config(hub.locate(name, revision=revision, local_files_only=local_files_only))


class AutoModel:
    """A model without its head: `last_hidden_state`, and `pooler_output` where the checkpoint has BERT's pooler."""

    head: ClassVar[str] = "pooler"

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        allow_pickle: bool = False,
        num_labels: int | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
    ) -> Model:
        """Load a model from a folder, by a built-in's short name or from the hub, in evaluation mode.

        Args:
            name: an existing folder, else the name of a built-in, else a name on the hub.
            revision: branch, tag or commit on the hub.
            local_files_only: never use the network.
            allow_pickle: also read `pytorch_model.bin`, with `torch.load(weights_only=True)`.
            num_labels: start a new head with this number of labels if the checkpoint has none that fits.
            dtype: fp32 by default; "auto" for the checkpoint's. `torch_dtype` is its older name.

        Raises:
            HubError, ConfigError, CheckpointError, MissingHeadError, PickleRefusedError: see their texts.
        """
        return load(
            name,
            cls.head,
            revision=revision,
            local_files_only=local_files_only,
            allow_pickle=allow_pickle,
            num_labels=num_labels,
            dtype=dtype if dtype is not None else torch_dtype,
        )

    @classmethod
    def from_config(cls, config: Config) -> Model:
        """Return a model with random weights, in training mode as in `transformers`."""
        if not isinstance(config, Config):
            kind = type(config).__name__
            raise InputError(
                f"config must be a Config, as AutoConfig.from_pretrained returns, not a {kind}.",
                f"config debe ser un Config, como el que da AutoConfig.from_pretrained, no un {kind}.",
            )
        bare = family_of(config.model_type).base_head
        return initialise(build(config, bare if cls.head == "pooler" else cls.head), config.initializer_range)


class AutoModelForSequenceClassification(AutoModel):
    """An encoder with one score per label for the whole text."""

    head = "sequence-classification"


class AutoModelForTokenClassification(AutoModel):
    """An encoder with one score per label for each token."""

    head = "token-classification"


class AutoModelForMaskedLM(AutoModel):
    """An encoder with one score per vocabulary entry for each token."""

    head = "masked-lm"


class AutoModelForSeq2SeqLM(AutoModel):
    """An encoder and a decoder with one score per vocabulary entry for the next token."""

    head = "seq2seq-lm"


class AutoModelForCausalLM(AutoModel):
    """A decoder with one score per vocabulary entry for the next token."""

    head = "causal-lm"
