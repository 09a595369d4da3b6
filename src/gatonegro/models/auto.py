"""`AutoConfig`, `AutoModel` and its subclasses, which load a model by name, as in `transformers`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch

from gatonegro import hub
from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.families import family_of
from gatonegro.models.loading import build, load, load_config
from gatonegro.models.model import MESSAGES, Model, init_weights


class AutoConfig:
    """Namespace for `from_pretrained`, which loads a model's configuration by name or from a folder."""

    @staticmethod
    def from_pretrained(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> Config:
        """Load a model's configuration.

        Args:
            name: a folder, a built-in model or a name on the hub.
            revision: branch, tag or commit on the hub.
            local_files_only: never use the network.
        """
        return load_config(hub.locate(name, revision=revision, local_files_only=local_files_only))


class AutoModel:
    """Loads a model without a task head, which returns `last_hidden_state` and, with BERT's pooler, `pooler_output`."""

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
        """Load a model in evaluation mode from a folder, by a built-in's short name or from the Hugging Face Hub.

        Args:
            name: an existing folder, else the name of a built-in, else a name on the hub.
            revision: branch, tag or commit on the hub.
            local_files_only: never use the network.
            allow_pickle: also read `pytorch_model.bin`, with `torch.load(weights_only=True)`.
            num_labels: create a random head with this number of labels if the checkpoint has none that fits.
            dtype: fp32 by default; "auto" for the checkpoint's. A pipeline of a name computes in int8 or bf16 instead
                where that is faster, and its scores differ by about 0.001.
            torch_dtype: the older name of `dtype`.

        Raises:
            HubError: the model is not found, or cannot be downloaded.
            ConfigError: its config.json is missing, damaged or of an unknown family.
            CheckpointError: its weights are missing, damaged, or do not fit the configuration.
            PickleRefusedError: its weights are pickled, and `allow_pickle` is False.
            MissingHeadError: it has no such head.
            OptionError, InputError: `num_labels` or `dtype` is not possible.
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
        """Build a model with random weights from a configuration, in training mode as in `transformers`.

        Args:
            config: sizes and variants of the model.

        Raises:
            InputError: `config` is not a `Config`.
        """
        if not isinstance(config, Config):
            raise InputError(*MESSAGES["not_config"].format(kind=type(config).__name__))
        bare = family_of(config.model_type).base_head
        return init_weights(build(config, bare if cls.head == "pooler" else cls.head), config.initializer_range)


class AutoModelForSequenceClassification(AutoModel):
    """Loads an encoder for text classification, which returns one logit per label for each text."""

    head = "sequence-classification"


class AutoModelForTokenClassification(AutoModel):
    """Loads an encoder for token classification, which returns one logit per label for each token."""

    head = "token-classification"


class AutoModelForMaskedLM(AutoModel):
    """Loads an encoder for masked-token prediction, which returns logits over the vocabulary for each token."""

    head = "masked-lm"


class AutoModelForSeq2SeqLM(AutoModel):
    """Loads an encoder–decoder, such as a translation model, which returns next-token logits over the vocabulary."""

    head = "seq2seq-lm"


class AutoModelForCausalLM(AutoModel):
    """Loads a decoder-only language model such as GPT-2, which returns next-token logits over the vocabulary."""

    head = "causal-lm"
