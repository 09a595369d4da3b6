"""The one loop over all tasks: rows in, an answer per row out, in order. A row's error is its answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from gatonegro.batching import plan
from gatonegro.checks import NO_TOKEN, ids_problem, not_finite
from gatonegro.errors import CheckpointError, GatonegroError, InputError, RowError, TokenizerError
from gatonegro.models import Model
from gatonegro.tasks import Task
from gatonegro.tasks.prepare import Change, prepared
from gatonegro.tasks.task import Encoded, Notice, RowOutput, notice
from gatonegro.tokenization import Tokenizer

TOKENS = {"cpu": 1024}  # per batch, by the kind of device; more on all others
TOKENS_ELSEWHERE = 32_768
GENERATE_TOKENS = 2048  # read by a batch whose sequences are then generated side by side
E = TypeVar("E", bound=GatonegroError)
ROW_ERRORS = (InputError, TokenizerError)  # errors of encoding that may be about one row
OnBatch = Callable[[int, int], None]  # is told of the batches that are done, and of how many there are


@dataclass(frozen=True)
class Answer:
    """The answer to one row: its value or its error, and its notices."""

    value: Any = None
    error: GatonegroError | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Settings of rows that are answered together."""

    options: Mapping[str, Any]  # the task's, all of them
    batch_size: int | None = None
    language_check: str = "off"


def detached(error: E) -> E:
    """Return a copy of a row's error without tracebacks, which would keep all rows of its window in memory."""
    new = copy.copy(error)
    new.__cause__ = error.__cause__ and error.__cause__.with_traceback(None)
    return new


@dataclass(frozen=True)
class Loop:
    """The loop of a task with its model and tokenizer."""

    task: Task
    model: Model
    tokenizer: Tokenizer
    preprocess: Change | None = None

    def answer(self, rows: Sequence[Any], settings: Settings, on_batch: OnBatch | None = None) -> Iterator[Answer]:
        """Yield the answers to some rows, in their order; batches are planned by length, and rows decoded one by one.

        Raises what would fail for every row: InputError for another model's tokenizer, OptionError; and what is no
        error of ours, out of memory, say.
        """
        options, size = settings.options, settings.batch_size
        readable, errors = self._readable(rows, options)
        encoded, numbers, unreadable = self._encode(readable, options)
        errors |= unreadable
        outputs = self._outputs(encoded, range(len(encoded.ids)), options, size, on_batch)
        if self.task.retry is not None:
            done, good = len(encoded.ids), {n: out for n, out in outputs.items() if not isinstance(out, GatonegroError)}
            encoded = self.task.retry(self.tokenizer, self.model.config, encoded, good, options)
            outputs |= self._outputs(encoded, range(done, len(encoded.ids)), options, size, on_batch)
        windows: list[list[int]] = [[] for _ in numbers]
        for n, row in enumerate(encoded.row_of):
            windows[row].append(n)
            if isinstance(out := outputs.get(n), GatonegroError):
                errors.setdefault(numbers[row], out)
        encoded_rows = {i: row for row, i in enumerate(numbers)}
        for i in range(len(rows)):
            if i in errors:
                yield Answer(error=errors[i])
            else:
                row = encoded_rows[i]
                yield self._decode(encoded, row, readable[i], windows[row], outputs, options)

    def _readable(
        self, rows: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[dict[int, Any], dict[int, GatonegroError]]:
        """Return the rows that the task can read, preprocessed, and the errors of the others."""
        readable: dict[int, Any] = {}
        errors: dict[int, GatonegroError] = {}
        for i, row in enumerate(rows):
            try:
                if error := self.check(row, options):
                    errors[i] = error
                else:
                    readable[i] = row if self.preprocess is None else prepared(row, self.preprocess)
            except InputError as error:
                errors[i] = detached(error)
        return readable, errors

    def check(self, row: Any, options: Mapping[str, Any]) -> GatonegroError | None:
        """Return the error of a row that the task cannot read, whatever methods of the row raise."""
        try:
            self.task.check(row, options)
        except InputError as error:
            return detached(error)
        except MemoryError:
            raise
        except Exception as error:
            kind = type(error).__name__
            return RowError(f"cannot be read: it raises {kind}.", f"no se puede leer: lanza {kind}.")
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
        """Return the answer of a row from the outputs for its windows."""
        found = [outputs[n] for n in windows]
        notices = list(encoded.notices.get(row, ()))
        if self.task.generate is not None:
            kinds = dict.fromkeys(out[0].unfinished for out in found)
            notices += [notice(kind) for kind in kinds if kind]
        elif len(windows) > 1:
            notices.append(notice("windows", limit=encoded.max_length, many=len(windows)))
        note = None if encoded.row_data is None else encoded.row_data[row]
        output = RowOutput(value, found, [len(encoded.ids[n]) for n in windows], note, notices)
        value = self.task.decode(self.tokenizer, self.model.config, output, options)
        return Answer(value, notices=tuple(notices))

    def _encode(
        self, rows: Mapping[int, Any], options: Mapping[str, Any]
    ) -> tuple[Encoded, list[int], dict[int, GatonegroError]]:
        """Return sequences of rows, the numbers of the rows that were encoded, and the errors of the others.

        A row whose error names it is left out, and the others are encoded again; further ones are found by bisection.
        """
        errors: dict[int, GatonegroError] = {}
        numbers = list(rows)
        encode = partial(_encode, self.task, self.tokenizer, self.model, options)
        encoded, named = Encoded((), (), 0), True
        while numbers:
            try:
                encoded = encode([rows[i] for i in numbers])
                break
            except ROW_ERRORS as error:
                found = dict(_unreadable(encode, [(i, rows[i]) for i in numbers], error, named))
                every = len(numbers) > 1 and len({(type(e), e.args) for e in found.values()}) == 1
                if not found or (every and len(found) == len(numbers) and not isinstance(error, RowError)):
                    raise
                errors |= {i: detached(error) for i, error in found.items()}
                numbers, named = [i for i in numbers if i not in found], False
        errors |= {numbers[row]: error for row, error in encoded.errors.items()}
        errors |= {numbers[row]: RowError(*NO_TOKEN) for n, row in enumerate(encoded.row_of) if not encoded.ids[n]}
        self._check_ids(encoded)
        return encoded, numbers, errors

    def _check_ids(self, encoded: Encoded) -> None:
        """Raise InputError if the tokenizer is another model's."""
        config = self.model.config
        if any(max(types, default=0) >= config.type_vocab_size for types in encoded.token_types or ()):
            raise InputError(
                "the tokenizer marks more segments than the model has; pass the model's own tokenizer.",
                "el tokenizador marca más segmentos de los que tiene el modelo; pasa el tokenizador del modelo.",
            )
        for ids in encoded.ids:
            if ids and (problem := ids_problem(ids, config.vocab_size)):
                raise InputError(f"a text {problem.en}", f"un texto {problem.es}")

    def _outputs(
        self,
        encoded: Encoded,
        which: Sequence[int],
        options: Mapping[str, Any],
        batch_size: int | None,
        on_batch: OnBatch | None,
    ) -> dict[int, Any]:
        """Return the model's output, or the error, per sequence."""
        kind = self.model.device.type
        tokens = TOKENS.get(kind, TOKENS_ELSEWHERE) if self.task.generate is None else GENERATE_TOKENS
        which = [n for n in which if encoded.ids[n]]
        batches = plan([len(encoded.ids[n]) for n in which], tokens, batch_size)
        outputs: dict[int, Any] = {}
        for done, places in enumerate(batches, 1):
            batch = [which[i] for i in places]
            outputs |= zip(batch, self._ask(encoded, batch, options), strict=True)
            if on_batch is not None:
                on_batch(done, len(batches))
        return outputs

    def _ask(self, encoded: Encoded, batch: Sequence[int], options: Mapping[str, Any]) -> Sequence[Any]:
        ids = [encoded.ids[n] for n in batch]
        if self.task.generate is not None:
            try:
                return self.task.generate(self.model, self.tokenizer, ids, options)
            except CheckpointError as error:  # NaN; of which sequence it does not say
                return [error] if len(batch) == 1 else [self._ask(encoded, [n], options)[0] for n in batch]
        assert self.task.predict is not None
        found = self.task.predict(
            self.model,
            ids,
            token_types=None if encoded.token_types is None else [encoded.token_types[n] for n in batch],
            queried=None if encoded.queried is None else [encoded.queried[n] for n in batch],
            pad_to_multiple_of=_multiple(sum(map(len, ids))) if len(encoded.ids) > 1 else 1,
        )
        kind = self.model.precision or self.model.dtype
        return [array if np.isfinite(array).all() else not_finite(kind) for array in found]


def _encode(task: Task, tokenizer: Tokenizer, model: Model, options: Mapping[str, Any], rows: Sequence[Any]) -> Encoded:
    return task.encode(tokenizer, model.config, rows, options)


def _unreadable(
    encode: Callable[[Sequence[Any]], Encoded], rows: Sequence[tuple[int, Any]], error: GatonegroError, named: bool
) -> Iterator[tuple[int, GatonegroError]]:
    """Yield the rows that an error of encoding is about: with `named`, the one that it names, else by bisection."""
    if named and isinstance(error, RowError) and error.item is not None:
        yield rows[error.item][0], error
    elif len(rows) == 1:
        yield rows[0][0], error
    else:
        half = len(rows) // 2
        for some in (rows[:half], rows[half:]):
            try:
                encode([row for _, row in some])
            except ROW_ERRORS as inner:
                yield from _unreadable(encode, some, inner, named=False)


def _multiple(tokens: int) -> int:
    """Return the multiple to which a batch of so many tokens is padded, so that operators compile few shapes."""
    return 64 if tokens > 256 else 8
