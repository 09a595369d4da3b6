"""`ModelOutput` and its subclasses: the outputs of models for padded batches, with the names of `transformers`."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

from torch.utils import _pytree

# all fields, in the order in which every class has them
FIELDS = (
    "loss",  # ()
    "logits",  # (b, labels) or (b, s, labels) or (b, s, vocab)
    "start_logits",  # (b, s), for question answering; the dtype's minimum for padding
    "end_logits",  # (b, s)
    "last_hidden_state",  # (b, s, hidden); zeros for padding
    "pooler_output",  # (b, hidden)
    "past_key_values",  # a DynamicCache
    # of an encoder–decoder, with targets of w columns
    "decoder_hidden_states",  # layers + 1 of (b, w, hidden)
    "decoder_attentions",  # layers of (b, h, w, w)
    "hidden_states",  # layers + 1 of (b, s, hidden)
    "attentions",  # layers of (b, h, s, s)
    "cross_attentions",  # layers of (b, h, w, s)
    "encoder_last_hidden_state",  # (b, s, hidden)
    "encoder_hidden_states",
    "encoder_attentions",
)
# classes → their fields; task heads, or stacks of a base model, → classes
TABLE: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("outputs.json").read_text(encoding="utf-8"))


class ModelOutput(OrderedDict[str, Any]):
    """A model's output for a padded batch: an ordered dict of the fields that are there, also indexable by position.

    A field of the class that is not there is None as an attribute, and no key.
    """

    fields: ClassVar[tuple[str, ...]] = FIELDS

    def __init__(self, *args: Any, **values: Any):
        super().__init__()
        given = dict(*args, **values)
        for name in (*self.fields, *given):
            self[name] = given.get(name)

    def __init_subclass__(cls) -> None:
        """Register a class of outputs with PyTorch, so that its functions on nested values look inside."""
        _pytree.register_pytree_node(
            cls,
            lambda out: (list(out.values()), list(out)),
            lambda values, names: cls(zip(names, values, strict=True)),
            serialized_type_name=f"{cls.__module__}.{cls.__name__}",
        )

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the values of the output fields that are there, in order."""
        return tuple(self.values())

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if value is not None:
            super().__setitem__(key, value)
        elif key in self:
            super().__delitem__(key)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in self.fields:
            return None
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.fields or name in self:
            self[name] = value
        else:
            super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.items())})"


CLASSES: dict[str, type[ModelOutput]] = {
    name: type(name, (ModelOutput,), {"__module__": __name__, "fields": tuple(fields.split())})
    for name, fields in TABLE["classes"].items()
}
globals().update(CLASSES)  # where pickle finds them
