"""`Config`: a model's sizes, and the options in which model families such as BERT and T5 differ.

Field names are keys of `config.json` in `transformers`, those of BERT where there are several; `families/` maps other
families' keys to them. This module does not import torch.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gatonegro import storage
from gatonegro.checks import Check, number, one_of, optional, short_repr, whole
from gatonegro.compat import accepts
from gatonegro.errors import ConfigError
from gatonegro.i18n import Message, catalog

MAX_SIZE = 2**31 - 1  # of numbers that size no weight
MAX_COMPUTED = 2**26  # numbers of a table that is not in the weight file
MAX_LABELS = 1_000_000
ACTIVATIONS = "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"
FIELD_CHECKS: dict[str, Check] = {
    "vocab_size": whole(1, 2**28),
    "hidden_size": whole(1, 2**20),
    "num_attention_heads": whole(1, 2**16),
    "intermediate_size": optional(whole(1, 2**24)),
    **dict.fromkeys(("max_position_embeddings", "relative_attention_max_distance"), whole(1, MAX_SIZE)),
    "num_hidden_layers": Check(
        whole(1, 9_999).test,
        Message("a positive whole number below 10,000", "un número entero positivo menor que 10\N{NO-BREAK SPACE}000"),
    ),
    "type_vocab_size": whole(0, 2**16),
    "d_kv": optional(whole(1, 2**20)),
    "relative_attention_num_buckets": whole(0, 2**20),
    "pad_token_id": optional(whole(0, MAX_SIZE)),
    **dict.fromkeys(("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob"), number(0, 1)),
    "span_dropout": number(0, 1),
    **dict.fromkeys(("classifier_dropout", "sequence_dropout"), optional(number(0, 1))),
    "initializer_range": number(0, 1_000_000),
    "problem_type": optional(one_of("regression", "single_label_classification", "multi_label_classification")),
}  # fmt: skip
MESSAGES = catalog(Path(__file__).with_name("config_messages.json"))  # for values that exclude each other
C = TypeVar("C", bound="Config")


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise ConfigError if the value of a field of `Config` has a wrong type or size."""
    for name, check in FIELD_CHECKS.items():
        if not check.test(values[name]):
            raise ConfigError(*check.message(name, values[name])).within("config.json")


def check_activation(name: object) -> None:
    """Raise ConfigError if there is no activation function of a given name."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        problem = MESSAGES["activation"].format(name=short_repr(name), known=", ".join(ACTIVATIONS))
        raise ConfigError(*problem).within("config.json")


class JsonConfig:
    """Methods of a configuration that is written as JSON, as in `transformers`."""

    if TYPE_CHECKING:

        def to_dict(self) -> dict[str, Any]: ...

        def to_diff_dict(self) -> dict[str, Any]: ...

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"

    @accepts("PreTrainedConfig.to_json_string")
    def to_json_string(self, use_diff: bool = True) -> str:
        """Return the values as JSON: those of `to_diff_dict`, or all of them."""
        values = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @accepts("PreTrainedConfig.to_json_string")
    def to_json_file(self, json_file_path: str | Path, use_diff: bool = True) -> None:
        """Write `to_json_string` to a file.

        Args:
            json_file_path: of the file.
            use_diff: see `to_json_string`.
        """
        storage.write_text(json_file_path, self.to_json_string(use_diff))

    def _save(self, folder: str | Path, file: str) -> None:
        folder = storage.output_folder(folder)
        with storage.lock_folder(folder), storage.replace_files(folder) as staging:
            staging.write(file, self.to_diff_dict())


@dataclass(frozen=True)
class Config:
    """A model's configuration: its sizes, and the options by which its layers, embeddings and heads are built.

    One `Config` serves a whole model. `layer(i)` is the same `Config` with the values of layer `i`, for families
    whose layers differ (alternating windows, for example).
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int | None  # None: 4 · hidden_size
    max_position_embeddings: int
    type_vocab_size: int = 0  # 0: no token type embeddings
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    pre_norm: bool = False  # x + f(norm(x)) instead of the paper's norm(x + f(x))
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None  # None: hidden_dropout_prob
    sequence_dropout: float | None = None  # of the head for sequences; None: as the other classifier's
    span_dropout: float = 0.0  # of the head for question answering
    initializer_range: float = 0.02
    pad_token_id: int | None = 0
    position_rule: str = "column"  # 0, 1, 2 …; or "count": from pad + 1 on, without counting pads
    first_position: int = 0  # of "column"; BART's is 2, before which there are unused positions
    position_embedding: str = (
        "learned"  # or "sinusoid", as in the paper; or "none", with `relative_attention_num_buckets`
    )
    relative_attention_num_buckets: int = 0  # buckets of distances, each with a bias per head (T5)
    relative_attention_max_distance: int = 128  # larger distances share one bucket
    scale_embedding: bool = False  # multiply token embeddings by √hidden_size, as in the paper
    embedding_norm: bool = True
    norm: str = "layer"  # or "rms", https://arxiv.org/abs/1910.07467
    final_norm: bool = False  # a norm after the last layer, for `pre_norm`
    bias: bool = True  # of the layers' linear maps
    is_gated_act: bool = False  # feed-forward with act(x·W) ⊗ x·V, https://arxiv.org/abs/2002.05202
    d_kv: int | None = None  # width of an attention head; None: hidden_size / num_attention_heads
    attention_scale: float | None = None  # factor of the scores; None: 1/√head_dim
    decoder: Config | None = None  # configuration of the decoder, for an encoder–decoder
    add_cross_attention: bool = False  # the decoder attends to an encoder's output
    decoder_only: bool = False
    reads_source_twice: bool = False  # the decoder's input is by default the encoder's, shifted right (BART)
    tie_word_embeddings: bool = True  # the language-model head uses the token embeddings
    scale_decoder_outputs: bool = False  # multiply the language-model head's input by 1/√hidden_size
    lm_head_bias: bool = False
    classifier_act: str = "tanh"  # activation in the sequence classification head
    id2label: Mapping[int, str] = field(default_factory=lambda: {0: "LABEL_0", 1: "LABEL_1"})
    problem_type: str | None = None
    per_layer: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # the whole config.json, unused keys too

    def __post_init__(self) -> None:
        check_fields(vars(self))
        self.check()

    def check(self) -> None:
        """Raise ConfigError if values exclude each other, such as a width that does not divide among the heads."""
        buckets, count = self.relative_attention_num_buckets, len(self.id2label or ())
        wrong = {
            "pad_token_id": self.pad_token_id is not None and self.pad_token_id >= self.vocab_size,
            # half of the buckets hold one distance each
            "relative_attention_num_buckets": buckets and not 2 <= buckets // 2 < self.relative_attention_max_distance,
            "max_position_embeddings": self.max_tokens < 1,
            "sinusoid": self.position_embedding == "sinusoid" and self.num_positions * self.hidden_size > MAX_COMPUTED,
            "hidden_size": self.d_kv is None and self.hidden_size % self.num_attention_heads,
            "id2label": not count or sorted(self.id2label) != list(range(count)),
            "per_layer": self.per_layer and len(self.per_layer) != self.num_hidden_layers,
        }
        for key in wrong:
            if wrong[key]:
                raise ConfigError(*MESSAGES[key].format(c=self)).within("config.json")
        if self.decoder is not None:
            self.decoder.check()

    def replace(self: C, **values: Any) -> C:
        """Return a copy of the configuration with other values of fields, after checking all values."""
        changed = copy.copy(self)
        vars(changed).update(values)
        changed.__post_init__()
        return changed

    def layer(self, i: int) -> Config:
        """Return the model's configuration with the values of layer `i`, counted from 0."""
        return self.replace(per_layer=(), **self.per_layer[i]) if self.per_layer else self

    @property
    def num_labels(self) -> int:
        """The number of labels of a classifier."""
        return len(self.id2label)

    @property
    def label2id(self) -> dict[str, int]:
        """The index of each label in a classifier's logits, by the label's name."""
        return {label: i for i, label in self.id2label.items()}

    @property
    def head_dropout(self) -> float:
        """The dropout of a classifier of tokens."""
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout

    @property
    def score_function(self) -> str:
        """The name of the function from a classifier's logits to scores: "softmax", "sigmoid" or "none"."""
        several = self.problem_type == "multi_label_classification" or self.num_labels == 1
        return "none" if self.problem_type == "regression" else "sigmoid" if several else "softmax"

    @property
    def head_dim(self) -> int:
        """The width of one attention head."""
        return self.d_kv or self.hidden_size // self.num_attention_heads

    @property
    def position_offset(self) -> int:
        """The position id of a sequence's first token, which is above 0 in models such as RoBERTa and BART."""
        return (self.pad_token_id or 0) + 1 if self.position_rule == "count" else self.first_position

    @property
    def num_positions(self) -> int:
        """The number of position embeddings."""
        return self.max_position_embeddings + self.first_position

    @property
    def max_tokens(self) -> int:
        """The maximum length of a sequence in tokens, special tokens included."""
        return self.num_positions - self.position_offset

    @property
    def feed_forward_size(self) -> int:
        """The width between the two maps of a feed-forward network."""
        return self.intermediate_size or 4 * self.hidden_size
