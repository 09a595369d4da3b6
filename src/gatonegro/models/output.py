"""`ModelOutput`: the output of a model for a padded batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor


@dataclass
class ModelOutput:
    """A model's output for a padded batch (b, s), indexable by field name or by position among the fields set."""

    loss: Tensor | None = None  # ()
    logits: Tensor | None = None  # (b, labels) or (b, s, labels) or (b, s, vocab)
    last_hidden_state: Tensor | None = None  # (b, s, hidden); zeros for padding
    pooler_output: Tensor | None = None  # (b, hidden)
    encoder_last_hidden_state: Tensor | None = None  # (b, s, hidden), of an encoder–decoder
    hidden_states: tuple[Tensor, ...] | None = None  # layers + 1 of (b, s, hidden)
    attentions: tuple[Tensor, ...] | None = None  # layers of (b, h, s, s)
    # of an encoder–decoder, with targets of w columns
    decoder_hidden_states: tuple[Tensor, ...] | None = None  # layers + 1 of (b, w, hidden)
    decoder_attentions: tuple[Tensor, ...] | None = None  # layers of (b, h, w, w)
    cross_attentions: tuple[Tensor, ...] | None = None  # layers of (b, h, w, s)
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the values of the output fields that are set, in order."""
        return tuple(v for f in fields(self) if (v := getattr(self, f.name)) is not None)

    values = to_tuple

    def keys(self) -> list[str]:
        """Return the names of the output fields that are set."""
        return [f.name for f in fields(self) if getattr(self, f.name) is not None]

    def items(self) -> list[tuple[str, Any]]:
        """Return pairs (name, value) of the output fields that are set."""
        return list(zip(self.keys(), self.to_tuple(), strict=True))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the output field of a given name, or the default if it is not set."""
        return getattr(self, key) if key in self else default

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __getitem__(self, key: int | slice | str) -> Any:
        return getattr(self, key) if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())
