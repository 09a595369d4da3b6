"""The sizes of a model and the few values in which one family differs from another.

Field names are the keys of BERT's `config.json`, as in `transformers`; `families/` says how other families
spell them. Nothing here knows torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gatonegro.checks import Check, number, optional, short, whole
from gatonegro.errors import ConfigError
from gatonegro.i18n import Message
from gatonegro.i18n import number as thousands

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")

COUNT = 2**31 - 1  # the most of anything
MOST_LABELS = 1_000_000
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
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What a layer, an embedding and a head must know to be built.

    One `Config` serves a whole model; `layer(i)` is the same `Config` with the values of layer `i`, so a family
    whose layers differ (alternating windows, say) needs no other class.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 0  # 0: the family has no segment embeddings
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    norm_place: str = "post"  # "post": norm(x + f(x)), the paper's; "pre": x + f(norm(x))
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None  # None: hidden_dropout_prob
    initializer_range: float = 0.02
    pad_token_id: int | None = 0
    position_rule: str = "column"  # "column": 0, 1, 2 …; "count": pad + 1 onwards, over the non-pads of a row
    first_position: int = 0  # where "column" begins: BART leaves two places before
    positions: str = "learned"  # "learned"; "sinusoid", the paper's waves; "none": `relative_buckets` serve instead
    relative_buckets: int = 0  # of distances, each with a score a head that is added: T5's bias
    relative_distance: int = 128  # beyond which all distances are in one bucket
    embedding_scale: bool = False  # token embeddings times √hidden_size, as in the paper
    embedding_norm: bool = True
    norm: str = "layer"  # "layer"; "rms", of https://arxiv.org/abs/1910.07467
    final_norm: bool = False  # behind the last layer, where norms stand "pre"
    bias: bool = True  # whether linear maps of the layers have one
    gated: bool = False  # act(x·W) ⊗ x·V in the feed-forward, https://arxiv.org/abs/2002.05202
    head_width: int | None = None  # None: hidden_size / num_attention_heads
    attention_scale: float | None = None  # of the scores; None: 1/√head_width
    decoder: Config | None = None  # of an encoder–decoder: the decoder's own values
    cross_attention: bool = False  # a decoder that looks at an encoder's result
    decoder_only: bool = False
    tied: bool = True  # scores of words by the token embeddings
    head_scale: bool = False  # hidden states times 1/√hidden_size before them
    head_bias: bool = False
    head_act: str = "tanh"  # between the two linear layers of the sequence classification head
    id2label: Mapping[int, str] = field(default_factory=lambda: {0: "LABEL_0", 1: "LABEL_1"})
    problem_type: str | None = None
    per_layer: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # keys of config.json that we carry and do not read

    def __post_init__(self) -> None:
        for name, check in RANGES.items():
            if not check.test(value := getattr(self, name)):
                raise ConfigError(*check.refusal(name, value)).within("config.json")
        for problem in self._contradictions():
            raise ConfigError(*problem).within("config.json")

    def _contradictions(self) -> Iterator[Message]:
        """What is wrong with values that are each possible."""
        if self.pad_token_id is not None and self.pad_token_id >= self.vocab_size:
            yield Message(
                f"pad_token_id is {self.pad_token_id}, but the vocabulary is 0 … {self.vocab_size - 1}.",
                f"pad_token_id es {self.pad_token_id}, pero el vocabulario es 0 … {self.vocab_size - 1}.",
            )
        buckets, distance = self.relative_buckets, self.relative_distance
        if buckets and (buckets < 4 or distance <= buckets // 2):  # each of the near in one
            yield Message(
                f"{buckets} buckets of distances up to {distance}: there must be 4 buckets or more, and fewer than two "
                "for each distance.",
                f"{buckets} grupos de distancias hasta {distance}: debe haber 4 grupos o más, y menos de dos por "
                "distancia.",
            )
        if self.max_tokens < 1:
            yield Message(
                f"max_position_embeddings {self.max_position_embeddings} leaves no place for a token; the first "
                f"{self.position_offset} are kept for pads.",
                f"max_position_embeddings {self.max_position_embeddings} no deja sitio para ningún token; las primeras "
                f"{self.position_offset} posiciones se reservan para el relleno.",
            )
        if self.head_width is None and self.hidden_size % self.num_attention_heads:
            yield Message(
                f"hidden_size {self.hidden_size} does not divide into {self.num_attention_heads} attention heads of "
                "equal width.",
                f"hidden_size {self.hidden_size} no se reparte entre {self.num_attention_heads} cabezas de atención de "
                "igual ancho.",
            )
        if self.problem_type not in (None, *PROBLEM_TYPES):
            given, known = short(self.problem_type), ", ".join(PROBLEM_TYPES)
            yield Message(
                f"problem_type {given} is none of {known}.", f"problem_type {given} no es ninguno de {known}."
            )
        if not self.id2label or sorted(self.id2label) != list(range(len(self.id2label))):
            yield Message(
                "id2label must number its labels 0, 1, 2 … without a gap.",
                "id2label debe numerar sus etiquetas 0, 1, 2 … sin saltos.",
            )
        if self.per_layer and len(self.per_layer) != self.num_hidden_layers:
            yield Message(
                f"values for {len(self.per_layer)} layers, but there are {self.num_hidden_layers}.",
                f"hay valores para {len(self.per_layer)} capas, pero son {self.num_hidden_layers}.",
            )

    def layer(self, i: int) -> Config:
        """The values of layer `i`, counted from 0."""
        return replace(self, per_layer=(), **self.per_layer[i]) if self.per_layer else self

    @property
    def num_labels(self) -> int:
        return len(self.id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: i for i, label in self.id2label.items()}

    @property
    def scored_by(self) -> str:
        """What makes a classifier's scores of its logits: "softmax", "sigmoid" or "none"."""
        several = self.problem_type == "multi_label_classification" or self.num_labels == 1
        return "none" if self.problem_type == "regression" else "sigmoid" if several else "softmax"

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        return self.head_width or self.hidden_size // self.num_attention_heads

    @property
    def position_offset(self) -> int:
        """The position of a row's first token: RoBERTa-like models keep the places up to the pad's for no one."""
        return (self.pad_token_id or 0) + 1 if self.position_rule == "count" else self.first_position

    @property
    def max_tokens(self) -> int:
        """How many tokens one sequence may have, the special ones included."""
        return self.max_position_embeddings - self.position_offset

    def with_labels(self, labels: int | Mapping[int, str] | list[str]) -> Config:
        """The same model with other labels: a number of them, a list of names, or `{0: name, …}`."""
        if isinstance(labels, int) and not isinstance(labels, bool) and 0 < labels <= MOST_LABELS:
            labels = [f"LABEL_{i}" for i in range(labels)]
        if not isinstance(labels, Mapping | list | tuple):
            given, most = short(labels), thousands(MOST_LABELS)
            raise ConfigError(
                f"labels must be a number from 1 to {most.en}, or a list of names, not {given}.",
                f"labels debe ser un número de 1 a {most.es}, o una lista de nombres, no {given}.",
            )
        if not isinstance(labels, Mapping):
            labels = dict(enumerate(labels))
        if not all(isinstance(label, str) for label in labels.values()):
            raise ConfigError("every label's name must be a str.", "el nombre de cada etiqueta debe ser un str.")
        return replace(self, id2label=dict(labels))
