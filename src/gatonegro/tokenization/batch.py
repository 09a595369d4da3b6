"""`BatchEncoding`, the result of a tokenizer call: token ids, attention mask and so on, as lists or tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from gatonegro.checks import short_repr
from gatonegro.errors import InputError, MissingExtraError
from gatonegro.i18n import localized
from gatonegro.tokenization.inputs import MESSAGES, as_int, as_list


class BatchEncoding(dict[str, Any]):
    """A tokenizer's result: a dict of model inputs such as `input_ids`, whose values are also attributes.

    For a list of texts, each value has one row per text (with `return_overflowing_tokens=True` one per window, and
    `overflow_to_sample_mapping` is the text of each row); for one text without `return_tensors`, each value is a flat
    list. `encodings` holds the Rust `Encoding` of each row, from which `tokens`, `word_ids`, `sequence_ids`,
    `char_to_token` and `token_to_chars` are computed.
    """

    def __init__(
        self,
        data: dict[str, Any],
        encodings: Sequence[Any] | None = None,
        tokens_of: Callable[..., list[str]] = attrgetter("tokens"),
    ) -> None:
        super().__init__(data)
        self.encodings, self.tokens_of = encodings, tokens_of

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            names = ", ".join(self) or localized("nothing", "nada")
            raise AttributeError(str(MESSAGES["no_column"].format(name=name, names=names))) from None

    def __getitem__(self, key: Any) -> Any:
        """Return a model input by its name, such as `input_ids`, or the Rust `Encoding` of a row by its index."""
        return self._row(key) if isinstance(key, int) else super().__getitem__(key)

    def to(self, device: Any) -> BatchEncoding:
        """Move all tensors of the batch to `device`, in place, and return the batch."""
        self.update({name: value.to(device) for name, value in self.items() if hasattr(value, "to")})
        return self

    def tokens(self, batch_index: int = 0) -> list[str]:
        """Return the tokens of an input row, including special tokens and padding."""
        return self.tokens_of(self._row(batch_index))

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return, for each token of an input row, the index of its word in the text, or None for special tokens."""
        words: list[int | None] = self._row(batch_index).word_ids
        return words

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return, for each token of an input row, 0 for the text, 1 for its pair, or None for special tokens."""
        sequences: list[int | None] = self._row(batch_index).sequence_ids
        return sequences

    def char_to_token(self, row_or_char: int, char: int | None = None, sequence: int = 0) -> int | None:
        """Return the index of the token that contains a character, called as `(char)` or `(row, char)`, or None."""
        row, char = (0, row_or_char) if char is None else (row_or_char, char)
        token: int | None = self._row(row).char_to_token(as_int("char", char, 0), sequence)
        return token

    def token_to_chars(self, row_or_token: int, token: int | None = None) -> tuple[int, int] | None:
        """Return the character offsets `(start, end)` of a token, called as `(token)` or `(row, token)`."""
        row, token = (0, row_or_token) if token is None else (row_or_token, token)
        span = self._row(row).token_to_chars(as_int("token", token, 0))
        return span and tuple(span)

    def _row(self, index: int) -> Any:
        if self.encodings is None:
            raise InputError(*MESSAGES["no_encodings"])
        if not isinstance(index, int) or not -len(self.encodings) <= index < len(self.encodings):
            raise InputError(*MESSAGES["no_row"].format(rows=len(self.encodings), index=short_repr(index)))
        return self.encodings[index]


def columns_of(rows: Sequence[Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Collect the columns `names`, such as `input_ids`, from the Rust tokenizer's encodings of a batch."""
    fields = {"input_ids": "ids", "token_type_ids": "type_ids", "offset_mapping": "offsets"}
    return {name: [getattr(row, fields.get(name, name)) for row in rows] for name in names}


def as_columns(rows: Any) -> tuple[dict[str, Any], str | None]:
    """Convert the tensors of a batch to lists, and return the kind of tensors: "pt", "np" or None."""
    items = as_list(rows)
    names = items[0] if items else rows
    known = isinstance(names, Mapping) and "input_ids" in names
    if not known or not all(isinstance(row, Mapping) and row.keys() == names.keys() for row in items or ()):
        raise InputError(*MESSAGES["not_a_batch"])
    columns = {name: [row[name] for row in items] for name in names} if items else dict(rows)
    first = next(iter(columns["input_ids"]), None) if isinstance(columns["input_ids"], list) else columns["input_ids"]
    kind = {"torch": "pt", "numpy": "np"}.get(type(first).__module__.partition(".")[0])
    return {name: _to_lists(values) for name, values in columns.items()}, kind


def _to_lists(values: Any) -> Any:
    values = values.tolist() if hasattr(values, "tolist") else values
    return list(map(_to_lists, values)) if isinstance(values, (list, tuple)) else values


def to_tensors(data: dict[str, Any], kind: str) -> dict[str, Any]:
    """Convert lists of numbers to tensors (rows, length) of PyTorch ("pt"), NumPy ("np") or TensorFlow ("tf").

    Raises:
        InputError: the rows differ in length.
        MissingExtraError: TensorFlow is not installed.
    """
    import numpy as np

    kind = str(getattr(kind, "value", kind))  # transformers' TensorType too
    if kind not in ("pt", "np", "tf"):
        raise InputError(*MESSAGES["tensor_kind"].format(kind=short_repr(kind)))
    arrays = {}
    for name, rows in data.items():
        lengths = {len(row) for row in rows if isinstance(row, list)}
        if len(lengths) > 1:
            raise InputError(*MESSAGES["no_tensor"].format(name=name, shortest=min(lengths), longest=max(lengths)))
        array = np.asarray(rows)
        array = array.astype(np.float32 if array.size and array.dtype.kind == "f" else np.int64)
        arrays[name] = array if rows else array.reshape(0, 0)
    if kind == "pt":
        import torch

        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    if kind == "tf":
        try:
            import tensorflow
        except ImportError:
            raise MissingExtraError(*MESSAGES["no_tensorflow"]) from None
        return {name: tensorflow.constant(array) for name, array in arrays.items()}
    return arrays
