"""The loop that pipelines of all tasks share: it yields an answer or an error for each input row, in order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gatonegro.batching import plan
from gatonegro.checks import NO_TOKEN, ids_problem, is_missing, is_missing_row, not_finite_error
from gatonegro.errors import CheckpointError, GatonegroError, InputError, RowError, TokenizerError
from gatonegro.i18n import catalog
from gatonegro.preprocessing.transform import TextTransform, transform_row
from gatonegro.tasks import Task
from gatonegro.tasks.task import Encoded, Notice, RowOutput, notice
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer

MESSAGES = catalog(Path(__file__).with_name("messages.json"))  # of the whole package
BATCH_TOKENS = {"cpu": 1024}  # largest number of tokens per batch, by type of device
DEFAULT_BATCH_TOKENS = 32_768  # the same on other devices
GENERATE_BATCH_TOKENS = 2048  # source tokens per batch of tasks that generate text
E = TypeVar("E", bound=GatonegroError)
ROW_ERRORS = (InputError, TokenizerError)  # errors of encoding that a single row may cause
OnBatch = Callable[[float], None]  # callback after each batch, with the share of the work that is done


@dataclass(frozen=True)
class Answer:
    """Answer to one input row: its value or an error, and notices such as that the text was truncated.

    A missing row (None, NaN, pandas' NA) has neither value nor error.
    """

    value: Any = None
    error: GatonegroError | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Task options, batch size and language check that apply to a list of input rows."""

    options: Mapping[str, Any]  # all options of the task
    batch_size: int | None = None
    language_check: str = "off"


def without_traceback(error: E) -> E:
    """Return a copy of an error without tracebacks, which would keep many input rows in memory."""
    new = copy.copy(error)
    new.__cause__ = error.__cause__ and error.__cause__.with_traceback(None)
    return new


@dataclass(frozen=True)
class Loop:
    """Computation of a task's answers to input rows, with a model and its tokenizer."""

    task: Task
    model: TextModel
    tokenizer: Tokenizer
    preprocess: TextTransform | None = None

    def answer(self, rows: Sequence[Any], settings: Settings, on_batch: OnBatch | None = None) -> Iterator[Answer]:
        """Yield one answer per input row, in order, after running the model on batches planned by length.

        Only errors that every row would cause are raised, such as OptionError or running out of memory.
        """
        options, size = settings.options, settings.batch_size
        readable, errors = self._readable(rows, options)
        encoded, row_indices, unreadable = self._encode(readable, options)
        errors |= unreadable
        outputs = self._outputs(encoded, range(len(encoded.ids)), options, size, on_batch)
        done = -1
        while self.task.retry is not None and done < len(encoded.ids):
            done, good = len(encoded.ids), {n: out for n, out in outputs.items() if not isinstance(out, GatonegroError)}
            encoded = self.task.retry(self.tokenizer, self.model.config, encoded, good, options)
            outputs |= self._outputs(encoded, range(done, len(encoded.ids)), options, size, None)
        windows: list[list[int]] = [[] for _ in row_indices]
        for n, row in enumerate(encoded.row_of):
            windows[row].append(n)
            if isinstance(out := outputs.get(n), GatonegroError):
                errors.setdefault(row_indices[row], out)
        encoded_rows = {i: row for row, i in enumerate(row_indices)}
        for i in range(len(rows)):
            if i in errors or i not in readable:
                yield Answer(error=errors.get(i))
            else:
                row = encoded_rows[i]
                yield self._decode(encoded, row, readable[i], windows[row], outputs, options)

    def _readable(
        self, rows: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[dict[int, Any], dict[int, GatonegroError]]:
        """Return the preprocessed input rows that the task can read, and the errors of others, by index.

        A missing row is in neither.
        """
        readable: dict[int, Any] = {}
        errors: dict[int, GatonegroError] = {}
        for i, row in enumerate(rows):
            try:
                if error := self.check(row, options):
                    errors[i] = error
                elif not is_missing_row(row):
                    readable[i] = row if self.preprocess is None else transform_row(row, self.preprocess)
            except InputError as error:
                errors[i] = without_traceback(error)
        return readable, errors

    def check(self, row: Any, options: Mapping[str, Any]) -> GatonegroError | None:
        """Return the error of an input row that the task cannot read, or None for a readable or a missing row."""
        try:
            if is_missing(row):
                return None
            if is_missing_row(row):  # the other texts are checked
                row = {name: "" if is_missing(value) else value for name, value in row.items()}
            self.task.check(row, options)
        except InputError as error:
            return without_traceback(error)
        except MemoryError:
            raise
        except Exception as error:
            return RowError(*MESSAGES["raises"].format(kind=type(error).__name__))
        return None

    def _decode(
        self,
        encoded: Encoded,
        row: int,
        value: Any,
        windows: Sequence[int],
        outputs: Mapping[int, Any],
        options: Mapping[str, Any],
    ) -> Answer:
        """Convert the model's outputs for one input row to the answer that the user gets."""
        row_outputs = [outputs[n] for n in windows]
        notices = list(encoded.notices.get(row, ()))
        if self.task.generate is not None:
            kinds = dict.fromkeys(out[0].unfinished for out in row_outputs)
            notices += [notice(kind) for kind in kinds if kind]
        elif len(windows) > 1 and encoded.windows:
            notices.append(notice("windows", limit=encoded.max_length, many=len(windows)))
        note = None if encoded.row_data is None else encoded.row_data[row]
        output = RowOutput(value, row_outputs, [len(encoded.ids[n]) for n in windows], note, notices)
        value = self.task.decode(self.tokenizer, self.model.config, output, options)
        return Answer(value, notices=tuple(notices))

    def _encode(
        self, rows: Mapping[int, Any], options: Mapping[str, Any]
    ) -> tuple[Encoded, list[int], dict[int, GatonegroError]]:
        """Encode input rows as token ids, and return these, the rows' indices, and the errors of other rows.

        If encoding fails, the row that the error names is left out and the others are encoded again; rows that fail
        after that are found by bisection.
        """
        errors: dict[int, GatonegroError] = {}
        row_indices = list(rows)

        def encode(part: Sequence[Any]) -> Encoded:
            encoded = self.task.encode(self.tokenizer, self.model.config, part, options)
            with_types = encoded.token_types and self.model.config.type_vocab_size > 1
            return encoded if with_types else replace(encoded, token_types=None)

        encoded, named = Encoded((), (), 0), True
        while row_indices:
            try:
                encoded = encode([rows[i] for i in row_indices])
                break
            except ROW_ERRORS as error:
                failing = dict(_failing_rows(encode, [(i, rows[i]) for i in row_indices], error, named))
                same = len(row_indices) > 1 and len({(type(e), e.args) for e in failing.values()}) == 1
                if not failing or (same and len(failing) == len(row_indices) and not isinstance(error, RowError)):
                    raise
                errors |= {i: without_traceback(error) for i, error in failing.items()}
                row_indices, named = [i for i in row_indices if i not in failing], False
        errors |= {row_indices[row]: error for row, error in encoded.errors.items()}
        errors |= {row_indices[row]: RowError(*NO_TOKEN) for n, row in enumerate(encoded.row_of) if not encoded.ids[n]}
        self._check_ids(encoded)
        return encoded, row_indices, errors

    def _check_ids(self, encoded: Encoded) -> None:
        """Raise InputError if token ids show that the tokenizer belongs to another model."""
        config = self.model.config
        if any(max(types, default=0) >= config.type_vocab_size for types in encoded.token_types or ()):
            raise InputError(*MESSAGES["many_segments"])
        for ids in encoded.ids:
            if ids and (problem := ids_problem(ids, config.vocab_size)):
                raise InputError(f"a text {problem.en}", f"un texto {problem.es}")

    def _outputs(
        self,
        encoded: Encoded,
        sequences: Sequence[int],
        options: Mapping[str, Any],
        batch_size: int | None,
        on_batch: OnBatch | None,
    ) -> dict[int, Any]:
        """Run the model on batches of sequences, and return each sequence's output or error by its index."""
        tokens = BATCH_TOKENS.get(self.model.device_type, DEFAULT_BATCH_TOKENS)
        tokens = tokens if self.task.generate is None else GENERATE_BATCH_TOKENS
        groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}  # sequences by their own options
        for n in sequences:
            if encoded.ids[n]:
                groups.setdefault(tuple(encoded.options.get(n, {}).items()), []).append(n)
        batches = [
            ([group[i] for i in indices], {**options, **dict(changes)})
            for changes, group in groups.items()
            for indices in plan([len(encoded.ids[n]) for n in group], tokens, batch_size)
        ]
        outputs: dict[int, Any] = {}
        for done, (batch, batch_options) in enumerate(batches, 1):
            outputs |= zip(batch, self._ask(encoded, batch, batch_options), strict=True)
            if on_batch is not None:
                on_batch(done / len(batches))
        return outputs

    def _ask(self, encoded: Encoded, batch: Sequence[int], options: Mapping[str, Any]) -> Sequence[Any]:
        ids = [encoded.ids[n] for n in batch]
        if self.task.generate is not None:
            try:
                return self.task.generate(self.model, self.tokenizer, ids, options)
            except CheckpointError as error:  # NaN in an unknown sequence of the batch
                return [error] if len(batch) == 1 else [self._ask(encoded, [n], options)[0] for n in batch]
        assert self.task.predict is not None
        multiple = 64 if sum(map(len, ids)) > 256 else 8  # so that operators compile for few shapes
        predict = self.task.predict
        arrays = (getattr(self.model, predict) if isinstance(predict, str) else partial(predict, self.model))(
            ids,
            token_types=None if encoded.token_types is None else [encoded.token_types[n] for n in batch],
            queried=None if encoded.queried is None else [encoded.queried[n] for n in batch],
            pad_to_multiple_of=multiple if len(encoded.ids) > 1 else 1,
        )
        dtype = self.model.precision or getattr(self.model, "dtype", "")
        return [array if np.isfinite(array).all() else not_finite_error(dtype) for array in arrays]


def _failing_rows(
    encode: Callable[[Sequence[Any]], Encoded], rows: Sequence[tuple[int, Any]], error: GatonegroError, named: bool
) -> Iterator[tuple[int, GatonegroError]]:
    """Yield the input rows that cause an encoding error: the one that the error names, or those found by bisection."""
    if named and isinstance(error, RowError) and error.item is not None:
        yield rows[error.item][0], error
    elif len(rows) == 1:
        yield rows[0][0], error
    else:
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            try:
                encode([row for _, row in part])
            except ROW_ERRORS as inner:
                yield from _failing_rows(encode, part, inner, named=False)
