"""`BatchEncoding`, the result of a tokenizer call: token ids, attention mask and so on, as lists or tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from gatonegro.checks import short_repr
from gatonegro.errors import InputError, MissingExtraError
from gatonegro.i18n import localized
from gatonegro.tokenization.inputs import MESSAGES, as_int, as_list
from gatonegro.torch_extra import requires_torch


class CharSpan(NamedTuple):
    """The characters from `start` up to `end` of a text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """The tokens from `start` up to `end` of an input row."""

    start: int
    end: int


class BatchEncoding(dict[str, Any]):
    """A tokenizer's result: a dict of model inputs such as `input_ids`, whose values are also attributes.

    For a list of texts, each value has one row per text (with `return_overflowing_tokens=True` one per window, and
    `overflow_to_sample_mapping` is the text of each row); for one text without `return_tensors`, each value is a flat
    list. `encodings` holds the Rust `Encoding` of each row, from which the methods about tokens, words and characters
    compute. They are called as `(index)` for the first row or as `(row, index)`, and with 1 as a last argument for the
    second text of a pair.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encoding: Any = None,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        super().__init__(data or {})
        self.encodings = encoding if encoding is None or isinstance(encoding, Sequence) else [encoding]
        self.tokens_of: Callable[..., list[str]] = attrgetter("tokens")
        self.n_sequences = self.encodings[0].n_sequences if n_sequences is None and self.encodings else n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            names = ", ".join(self) or localized("nothing", "nada")
            raise AttributeError(str(MESSAGES["no_column"].format(name=name, names=names))) from None

    def __getitem__(self, key: Any) -> Any:
        """Return a model input by its name, such as `input_ids`, or the Rust `Encoding` of a row by its index.

        A slice returns the encodings of several rows or, of a batch that has none, a dict of these rows.
        """
        if isinstance(key, slice):
            return {name: self[name][key] for name in self} if self.encodings is None else self.encodings[key]
        return self._row(key) if isinstance(key, int) else super().__getitem__(key)

    @property
    def data(self) -> dict[str, Any]:
        """The batch itself, as a dict."""
        return self

    @property
    def is_fast(self) -> bool:
        """True if the batch has the encodings that the methods about tokens, words and characters need."""
        return self.encodings is not None

    def to(self, device: Any, *, non_blocking: bool = False) -> BatchEncoding:
        """Move all tensors of the batch to a device, in place, and return the batch.

        Args:
            device: a device of PyTorch, or its name.
            non_blocking: do not wait for the copy.
        """
        tensors = {name: value for name, value in self.items() if hasattr(value, "to")}
        self.update({name: tensor.to(device, non_blocking=non_blocking) for name, tensor in tensors.items()})
        return self

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> BatchEncoding:
        """Convert the values to tensors, in place, and return the batch.

        Args:
            tensor_type: "pt", "np" or "tf"; None leaves the values as they are.
            prepend_batch_axis: the values are those of a single text, and get a first axis of length 1.
        """
        if tensor_type is not None:
            data = {name: [value] for name, value in self.items()} if prepend_batch_axis else dict(self)
            self.update(to_tensors(data, tensor_type))
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

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> Any:
        """Return 0 for a token of the text, 1 for one of its pair, or None for a special token.

        Args:
            batch_or_token_index: the index of the row or, of the token in the first row.
            token_index: the index of the token in that row.
        """
        return self._find("token_to_sequence", batch_or_token_index, token_index)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> Any:
        """Return the index of a token's word, or None for a special token.

        Args:
            batch_or_token_index: the index of the row or, of the token in the first row.
            token_index: the index of the token in that row.
        """
        return self._find("token_to_word", batch_or_token_index, token_index)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """Return the characters of a token, or None for a special token.

        Args:
            batch_or_token_index: the index of the row or, of the token in the first row.
            token_index: the index of the token in that row.
        """
        span = self._find("token_to_chars", batch_or_token_index, token_index)
        return span and CharSpan(*span)

    def char_to_token(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> Any:
        """Return the index of the token that contains a character, or None for a space that is in no token.

        Args:
            batch_or_char_index: the index of the row or, of the character in the first row.
            char_index: the index of the character in that row.
            sequence_index: 0 for the text, 1 for its pair.
        """
        return self._find("char_to_token", batch_or_char_index, char_index, sequence_index)

    def char_to_word(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> Any:
        """Return the index of the word that contains a character, or None.

        Args:
            batch_or_char_index: the index of the row or, of the character in the first row.
            char_index: the index of the character in that row.
            sequence_index: 0 for the text, 1 for its pair.
        """
        return self._find("char_to_word", batch_or_char_index, char_index, sequence_index)

    def word_to_tokens(self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0) -> Any:
        """Return the tokens of a word, or None if it has none.

        Args:
            batch_or_word_index: the index of the row or, of the word in the first row.
            word_index: the index of the word in that row.
            sequence_index: 0 for the text, 1 for its pair.
        """
        span = self._find("word_to_tokens", batch_or_word_index, word_index, sequence_index)
        return span and TokenSpan(*span)

    def word_to_chars(self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0) -> Any:
        """Return the characters of a word, or None if it has none.

        Args:
            batch_or_word_index: the index of the row or, of the word in the first row.
            word_index: the index of the word in that row.
            sequence_index: 0 for the text, 1 for its pair.
        """
        span = self._find("word_to_chars", batch_or_word_index, word_index, sequence_index)
        return span and CharSpan(*span)

    def _find(self, method: str, row: int, index: int | None, *sequence: int) -> Any:
        """Return the result of a Rust encoding's method for a token, a word or a character, given by its index."""
        row, index = (0, row) if index is None else (row, index)
        encoding, kind = self._row(row), method.partition("_")[0]
        if kind != "char" and isinstance(index, int) and index < 0:  # a token, from the end
            index += len(encoding)
        return getattr(encoding, method)(as_int(kind, index, 0), *sequence)

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
        with requires_torch("return_tensors='pt'"):
            import torch

        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    if kind == "tf":
        try:
            import tensorflow
        except ImportError:
            raise MissingExtraError(*MESSAGES["no_tensorflow"]) from None
        return {name: tensorflow.constant(array) for name, array in arrays.items()}
    return arrays
