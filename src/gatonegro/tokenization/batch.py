"""What a tokenizer call returns: lists or tensors by name, and the way back from tokens to characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from gatonegro.checks import short
from gatonegro.errors import InputError, MissingExtraError
from gatonegro.i18n import localized
from gatonegro.tokenization.inputs import as_list


class BatchEncoding(dict):
    """A dict of model inputs (`input_ids`, `attention_mask`, …) that also answers to attributes.

    For a list of texts each value has a row a text (a row a window with `return_overflowing_tokens=True`,
    where `overflow_to_sample_mapping` says which text each row is of); for one text without `return_tensors`,
    the values are that text's own lists. `encodings` holds the Rust `Encoding` of each row, from which
    `tokens`, `word_ids`, `sequence_ids`, `char_to_token` and `token_to_chars` answer.
    """

    def __init__(
        self, data: dict[str, Any], encodings: Sequence[Any] | None = None, tokens_of: Callable = attrgetter("tokens")
    ) -> None:
        super().__init__(data)
        self.encodings, self.tokens_of = encodings, tokens_of

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            there = ", ".join(self) or localized("nothing", "nada")
            raise AttributeError(
                localized(f"this batch has no {name!r}; it has {there}", f"este lote no tiene {name!r}; tiene {there}")
            ) from None

    def __getitem__(self, key: Any) -> Any:
        """A value by its name, or the Rust `Encoding` of a row by its number."""
        return self._row(key) if isinstance(key, int) else super().__getitem__(key)

    def to(self, device: Any) -> BatchEncoding:
        """Move every tensor to `device`; returns this same batch, as `transformers` does."""
        self.update({name: value.to(device) for name, value in self.items() if hasattr(value, "to")})
        return self

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of a row, special tokens and padding included."""
        return self.tokens_of(self._row(batch_index))

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token of the row, the number of the word that it belongs to; None for special tokens."""
        return self._row(batch_index).word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token of the row, 0 for the text, 1 for its pair, None for special tokens."""
        return self._row(batch_index).sequence_ids

    def char_to_token(self, row_or_char: int, char: int | None = None, sequence: int = 0) -> int | None:
        """The token of a character: `(char)` for one text, `(row, char)` for a batch; None if none has it."""
        row, char = (0, row_or_char) if char is None else (row_or_char, char)
        return self._row(row).char_to_token(char, sequence)

    def token_to_chars(self, row_or_token: int, token: int | None = None) -> tuple[int, int] | None:
        """`(start, end)` in the text of a token: `(token)` for one text, `(row, token)` for a batch."""
        row, token = (0, row_or_token) if token is None else (row_or_token, token)
        found = self._row(row).token_to_chars(token)
        return found and tuple(found)

    def _row(self, index: int) -> Any:
        if self.encodings is None:
            raise InputError(
                "this batch keeps no encodings: call the tokenizer without return_offsets_mapping=False",
                "este lote no guarda encodings: llama al tokenizador sin return_offsets_mapping=False",
            )
        if not -len(self.encodings) <= index < len(self.encodings):
            raise InputError(
                f"this batch has {len(self.encodings)} rows; there is no row {index}",
                f"este lote tiene {len(self.encodings)} filas; no hay fila {index}",
            )
        return self.encodings[index]


def columns_of(rows: Sequence[Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """What the Rust side's rows have under these names."""
    fields = {"input_ids": "ids", "token_type_ids": "type_ids", "offset_mapping": "offsets"}
    return {name: [getattr(row, fields.get(name, name)) for row in rows] for name in names}


def as_columns(rows: Any) -> tuple[dict[str, Any], str | None]:
    """Rows by name, from a dict of them or from a list of dicts; and the kind of tensors that they were, if any."""
    items = as_list(rows)
    names = items[0] if items else rows
    known = isinstance(names, Mapping) and "input_ids" in names
    if not known or not all(isinstance(row, Mapping) and row.keys() == names.keys() for row in items or ()):
        raise InputError(
            "pad takes what a call of the tokenizer gave, or a list of such: a dict that has 'input_ids', or dicts "
            "of the same names",
            "pad recibe lo que dio una llamada al tokenizador, o una lista de ello: un dict que tenga 'input_ids', "
            "o varios con los mismos nombres",
        )
    columns = {name: [row[name] for row in items] for name in names} if items else dict(rows)
    first = next(iter(columns["input_ids"]), None) if isinstance(columns["input_ids"], list) else columns["input_ids"]
    kind = {"torch": "pt", "numpy": "np"}.get(type(first).__module__.partition(".")[0])
    return {name: _plain(values) for name, values in columns.items()}, kind


def _plain(values: Any) -> Any:
    values = values.tolist() if hasattr(values, "tolist") else values
    return list(map(_plain, values)) if isinstance(values, (list, tuple)) else values


def to_tensors(data: dict[str, Any], kind: str) -> dict[str, Any]:
    """Rows of numbers → int64 tensors `(rows, length)`; `kind` is "pt", "np" or "tf".

    Raises InputError where the rows differ in length, MissingExtraError where TensorFlow is not installed.
    """
    import numpy as np

    kind = str(getattr(kind, "value", kind))  # transformers' TensorType too
    if kind not in ("pt", "np", "tf"):
        raise InputError(
            f'return_tensors={short(kind)} is not known: use "pt", "np", "tf", or None for plain lists',
            f'no se conoce return_tensors={short(kind)}: usa "pt", "np", "tf", o None para listas corrientes',
        )
    arrays = {}
    for name, rows in data.items():
        lengths = {len(row) for row in rows if isinstance(row, list)}
        if len(lengths) > 1:
            raise InputError(
                f"the rows of {name!r} have {min(lengths)} to {max(lengths)} tokens, which make no tensor: "
                "pass padding=True (and truncation=True where texts may be too long)",
                f"las filas de {name!r} tienen de {min(lengths)} a {max(lengths)} tokens, y así no forman un "
                "tensor: pasa padding=True (y truncation=True si algún texto puede ser demasiado largo)",
            )
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
            raise MissingExtraError(
                'return_tensors="tf" needs TensorFlow, which is not installed: `pip install tensorflow`, '
                'or ask for "pt" or "np"',
                'return_tensors="tf" necesita TensorFlow, que no está instalado: `pip install tensorflow`, '
                'o pide "pt" o "np"',
            ) from None
        return {name: tensorflow.constant(array) for name, array in arrays.items()}
    return arrays
