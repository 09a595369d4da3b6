"""The sizes of a model, and the values in which families differ.

Field names are the keys of BERT's `config.json`, as in `transformers`; `families/` maps other families' keys to them.
This module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gatonegro.checks import Check, number, one_of, optional, short, whole
from gatonegro.errors import ConfigError
from gatonegro.i18n import Message, catalog, format_int

COUNT = 2**31 - 1  # largest size of any kind
MOST_LABELS = 1_000_000  # largest number of labels
RANGES: dict[str, Check] = {
    **dict.fromkeys((
        "vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings",
        "relative_distance",
    ), whole(1, COUNT)),
    "num_hidden_layers": Check(
        whole(1, 9_999).test,
        Message("a positive whole number below 10,000", "un número entero positivo menor que 10\N{NO-BREAK SPACE}000"),
    ),
    "type_vocab_size": whole(0, COUNT),
    "head_width": optional(whole(1, 2**20)),
    "relative_buckets": whole(0, 2**20),
    "pad_token_id": optional(whole(0, COUNT)),
    **dict.fromkeys(("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob"), number(0, 1)),
    "classifier_dropout": optional(number(0, 1)),
    "initializer_range": number(0, 1_000_000),
    "problem_type": optional(one_of("regression", "single_label_classification", "multi_label_classification")),
}  # fmt: skip
CONTRADICTIONS = catalog(Path(__file__).with_name("contradictions.json"))  # values in range that exclude each other


@dataclass(frozen=True)
class Config:
    """The values from which layers, embeddings and heads are built.

    One `Config` serves a whole model. `layer(i)` is the same `Config` with the values of layer `i`, for families
    whose layers differ (alternating windows, for example).
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 0  # 0: no segment embeddings
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    norm_place: str = "post"  # "post": norm(x + f(x)), as in the paper; "pre": x + f(norm(x))
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None  # None: hidden_dropout_prob
    initializer_range: float = 0.02
    pad_token_id: int | None = 0
    position_rule: str = (
        "column"  # "column": 0, 1, 2 …; "count": from pad + 1, over the tokens of a row that are no pads
    )
    first_position: int = 0  # where "column" begins; BART's is 2
    positions: str = "learned"  # or "sinusoid", the paper's waves; or "none", with `relative_buckets`
    relative_buckets: int = 0  # buckets of distances, with a learned score per head (T5's bias)
    relative_distance: int = 128  # from this distance on, all are in one bucket
    embedding_scale: bool = False  # multiply token embeddings by √hidden_size, as in the paper
    embedding_norm: bool = True
    norm: str = "layer"  # or "rms", https://arxiv.org/abs/1910.07467
    final_norm: bool = False  # a norm after the last layer, for norm_place "pre"
    bias: bool = True  # of the layers' linear maps
    gated: bool = False  # feed-forward with act(x·W) ⊗ x·V, https://arxiv.org/abs/2002.05202
    head_width: int | None = None  # None: hidden_size / num_attention_heads
    attention_scale: float | None = None  # factor of the scores; None: 1/√head_width
    decoder: Config | None = None  # values of the decoder, for an encoder–decoder
    cross_attention: bool = False  # whether the decoder attends to an encoder's output
    decoder_only: bool = False
    tied: bool = True  # whether the language-model head uses the token embeddings
    head_scale: bool = False  # multiply its input by 1/√hidden_size
    head_bias: bool = False
    head_act: str = "tanh"  # between the two linear layers of the sequence classification head
    id2label: Mapping[int, str] = field(default_factory=lambda: {0: "LABEL_0", 1: "LABEL_1"})
    problem_type: str | None = None
    per_layer: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # the whole config.json, with keys that are not used here

    def __post_init__(self) -> None:
        for name, check in RANGES.items():
            if not check.test(value := getattr(self, name)):
                raise ConfigError(*check.message(name, value)).within("config.json")
        buckets, count = self.relative_buckets, len(self.id2label or ())
        wrong = {
            "pad_token_id": self.pad_token_id is not None and self.pad_token_id >= self.vocab_size,
            # half of the buckets hold one distance each
            "relative_buckets": buckets and (buckets < 4 or self.relative_distance <= buckets // 2),
            "max_position_embeddings": self.max_tokens < 1,
            "hidden_size": self.head_width is None and self.hidden_size % self.num_attention_heads,
            "id2label": not count or sorted(self.id2label) != list(range(count)),
            "per_layer": self.per_layer and len(self.per_layer) != self.num_hidden_layers,
        }
        for key in wrong:
            if wrong[key]:
                raise ConfigError(*CONTRADICTIONS[key].format(c=self)).within("config.json")

    def layer(self, i: int) -> Config:
        """Return the values of layer `i`, counted from 0."""
        return replace(self, per_layer=(), **self.per_layer[i]) if self.per_layer else self

    @property
    def num_labels(self) -> int:
        return len(self.id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: i for i, label in self.id2label.items()}

    @property
    def scored_by(self) -> str:
        """The function that makes a classifier's scores of its logits: "softmax", "sigmoid" or "none"."""
        several = self.problem_type == "multi_label_classification" or self.num_labels == 1
        return "none" if self.problem_type == "regression" else "sigmoid" if several else "softmax"

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        return self.head_width or self.hidden_size // self.num_attention_heads

    @property
    def position_offset(self) -> int:
        """The position of a row's first token. RoBERTa-like models leave those up to the pad's id unused."""
        return (self.pad_token_id or 0) + 1 if self.position_rule == "count" else self.first_position

    @property
    def max_tokens(self) -> int:
        """The longest sequence, in tokens, special ones included."""
        return self.max_position_embeddings - self.position_offset

    def with_labels(self, labels: int | Mapping[int, str] | list[str]) -> Config:
        """Return the same model with other labels: a number of them, a list of names, or `{0: name, …}`."""
        if isinstance(labels, int) and not isinstance(labels, bool) and 0 < labels <= MOST_LABELS:
            labels = [f"LABEL_{i}" for i in range(labels)]
        if not isinstance(labels, Mapping | list | tuple):
            given, most = short(labels), format_int(MOST_LABELS)
            raise ConfigError(
                f"labels must be a number from 1 to {most.en}, or a list of names, not {given}.",
                f"labels debe ser un número de 1 a {most.es}, o una lista de nombres, no {given}.",
            )
        if not isinstance(labels, Mapping):
            labels = dict(enumerate(labels))
        if not all(isinstance(label, str) for label in labels.values()):
            raise ConfigError("every label's name must be a str.", "el nombre de cada etiqueta debe ser un str.")
        return replace(self, id2label=dict(labels))
