"""`AutoModel` and its subclasses, which load a model by name, as in `transformers`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar

import torch

from gatonegro.compat import accepts
from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.families import family_of
from gatonegro.generation import GenerationConfig
from gatonegro.models.loading import build, load, resolve_dtype
from gatonegro.models.model import MESSAGES, Model


class AutoModel:
    """Loads a model without a task head, which returns `last_hidden_state` and, with BERT's pooler, `pooler_output`."""

    head: ClassVar[str] = "pooler"
    model_type: ClassVar[str | None] = None  # of a class of one family

    def __init__(self) -> None:
        raise InputError(*MESSAGES["not_built"].format(name=type(self).__name__))

    @classmethod
    @accepts("AutoModel.from_pretrained")
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        config: Config | str | Path | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        subfolder: str | None = None,
        force_download: bool = False,
        allow_pickle: bool = False,
        variant: str | None = None,
        dtype: torch.dtype | str | None = None,
        device_map: Any = None,
        generation_config: GenerationConfig | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        **changes: Any,
    ) -> Any:
        """Load a model in evaluation mode from a folder, by a built-in's short name or from the Hugging Face Hub.

        Args:
            name: an existing folder, else the name of a built-in, else a name on the hub.
            config: the configuration, or the name of a model that has it; default: the model's own.
            revision: branch, tag or commit on the hub.
            local_files_only: never use the network.
            cache_dir: folder of downloaded files; default: the one that all programs share.
            token: the user's token, sent to the hub alone; None or True: the stored one; False: none.
            subfolder: the folder of the model's files, within the model's folder or the hub's repository.
            force_download: download files again that the cache has.
            allow_pickle: also read `pytorch_model.bin`, with `torch.load(weights_only=True)`.
            variant: read weight files of this name, such as `model.fp16.safetensors` for "fp16".
            dtype: fp32 by default; "auto" for the checkpoint's. A pipeline of a name computes in int8 or bf16 instead
                where that is faster, and its scores differ by up to 0.01.
            device_map: the device of the model: a name, a number, "auto" or `{"": device}`; default: the CPU.
            generation_config: the options of `generate`; default: those of the model's files.
            ignore_mismatched_sizes: replace weights of another shape than the configuration's by random ones.
            output_loading_info: return the model and a dict of the names of weights that it lacks or does not use.
            **changes: other values of config.json's keys, such as `hidden_dropout_prob=0.2`. With `num_labels`,
                `id2label`, `label2id` or `config`, a head that the checkpoint lacks is random.

        Raises:
            HubError: the model is not found, or cannot be downloaded.
            ConfigError: its config.json is missing, damaged or of an unknown family.
            CheckpointError: its weights are missing, damaged, or do not fit the configuration.
            PickleRefusedError: its weights are pickled, and `allow_pickle` is False.
            MissingHeadError: it has no such head.
            OptionError, InputError: an argument is unknown or not possible.
        """
        options: dict[str, Any] = dict(locals())
        for own in ("cls", "changes", "output_loading_info"):
            del options[own]
        info: dict[str, Any] = {}
        model = load(
            head=cls.head, info=info if output_loading_info else None, model_type=cls.model_type, **options, **changes
        )
        return (model, info) if output_loading_info else model

    @classmethod
    @accepts("AutoModel.from_config")
    def from_config(cls, config: Config, *, dtype: torch.dtype | str | None = None) -> Model:
        """Build a model with random weights from a configuration, in training mode as in `transformers`.

        Args:
            config: sizes and variants of the model.
            dtype: fp32 by default.

        Raises:
            InputError: `config` is not a `Config`, or `dtype` is not possible.
            ConfigError: values of `config` exclude each other.
        """
        if not isinstance(config, Config):
            raise InputError(*MESSAGES["not_config"].format(kind=type(config).__name__))
        head = family_of(config.model_type).base_head if cls.head == "pooler" else cls.head
        return build(copy.deepcopy(config), head).to(resolve_dtype(dtype, torch.float32))


class AutoModelForSequenceClassification(AutoModel):
    """Loads an encoder for text classification, which returns one logit per label for each text."""

    head = "sequence-classification"


class AutoModelForTokenClassification(AutoModel):
    """Loads an encoder for token classification, which returns one logit per label for each token."""

    head = "token-classification"


class AutoModelForQuestionAnswering(AutoModel):
    """Loads an encoder that finds answers in a text, which returns `start_logits` and `end_logits` for each token."""

    head = "question-answering"


class AutoModelForMaskedLM(AutoModel):
    """Loads an encoder for masked-token prediction, which returns logits over the vocabulary for each token."""

    head = "masked-lm"


class AutoModelForSeq2SeqLM(AutoModel):
    """Loads an encoder–decoder, such as a translation model, which returns next-token logits over the vocabulary."""

    head = "seq2seq-lm"


class AutoModelForCausalLM(AutoModel):
    """Loads a decoder-only language model such as GPT-2, which returns next-token logits over the vocabulary."""

    head = "causal-lm"
