"""The one loop over all tasks: rows in, an answer per row out, in order. A row's error is its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gatonegro.batching import plan
from gatonegro.errors import CheckpointError, GatonegroError, InputError, RowError
from gatonegro.models import Model
from gatonegro.tasks import Task
from gatonegro.tasks.prepare import Change, prepared
from gatonegro.tasks.task import Encoded, Notice, RowOutput, notice
from gatonegro.tokenization import Tokenizer

TOKENS = {"cpu": 1024}  # per batch, by the kind of device; more on all others
TOKENS_ELSEWHERE = 32_768
GENERATE_TOKENS = 2048  # read by a batch whose sequences are then generated side by side
OnBatch = Callable[[int, int], None]  # is told of the batches that are done, and of how many there are


@dataclass(frozen=True)
class Answer:
    """The answer to one row: its value or, where it has none, its error; and what a reader of it should know."""

    value: Any = None
    error: GatonegroError | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What rows that are answered together share."""

    options: Mapping[str, Any]  # the task's, all of them
    batch_size: int | None = None
    language_check: str = "off"


@dataclass(frozen=True)
class Loop:
    """A task with its model and tokenizer."""

    task: Task
    model: Model
    tokenizer: Tokenizer
    preprocess: Change | None = None

    def answer(
        self,
        rows: Sequence[Any],
        settings: Settings,
        on_batch: OnBatch | None = None,
        first: bool = False,
    ) -> Iterator[Answer]:
        """Answer some rows, sorted by length and in batches of so many tokens; each is decoded when it is asked for.

        Raises what would fail for every row: InputError for another model's tokenizer, OptionError; CheckpointError if
        `first` and every answer is NaN; and what is no error of ours, out of memory, say.
        """
        options, size = settings.options, settings.batch_size
        errors: dict[int, GatonegroError] = {}
        readable: dict[int, Any] = {}
        for i, row in enumerate(rows):
            try:
                self.task.check(row, options)
                readable[i] = row if self.preprocess is None else prepared(row, self.preprocess)
            except InputError as error:
                errors[i] = error
        encoded = self._encode(readable, errors, options)
        sequences = [n for n, ids in enumerate(encoded.ids) if ids]
        outputs = self._outputs(encoded, sequences, options, size, on_batch)
        if self.task.retry is not None:
            done, good = len(encoded.ids), {n: out for n, out in outputs.items() if not isinstance(out, GatonegroError)}
            encoded = self.task.retry(self.tokenizer, self.model.config, encoded, good, options)
            outputs |= self._outputs(encoded, range(done, len(encoded.ids)), options, size, on_batch)
        windows: dict[int, list[int]] = {i: [] for i in readable}
        numbers = list(readable)
        for n, row in enumerate(encoded.row_of):
            windows[numbers[row]].append(n)
            if isinstance(out := outputs.get(n), GatonegroError):
                errors.setdefault(numbers[row], out)
        broken = next((i for i, error in errors.items() if isinstance(error, CheckpointError)), None)
        if first and broken is not None and len(errors) == len(rows):
            errors[broken].item = broken
            raise errors[broken]
        places = {i: row for row, i in enumerate(numbers)}
        for i in range(len(rows)):
            if i in errors:
                yield Answer(error=errors[i])
            else:
                yield self._decode(encoded, places[i], readable[i], windows[i], outputs, options)

    def _decode(
        self,
        encoded: Encoded,
        row: int,
        value: Any,
        windows: Sequence[int],
        outputs: Mapping[int, Any],
        options: Mapping[str, Any],
    ) -> Answer:
        """The answer of a row from the outputs for its windows."""
        found = [outputs[n] for n in windows]
        notices = list(encoded.notices.get(row, ()))
        if self.task.generate is not None:
            kinds = dict.fromkeys(out[0].unfinished for out in found)
            notices += [notice(kind) for kind in kinds if kind]
        elif len(windows) > 1:
            notices.append(notice("windows", limit=encoded.limit, many=len(windows)))
        note = None if encoded.notes is None else encoded.notes[row]
        output = RowOutput(value, found, [len(encoded.ids[n]) for n in windows], note, notices)
        value = self.task.decode(self.tokenizer, self.model.config, output, options)
        return Answer(value, notices=tuple(notices))

    def _encode(self, rows: dict[int, Any], errors: dict[int, GatonegroError], options: Mapping[str, Any]) -> Encoded:
        """Encode rows. What cannot be read goes to `errors`; if only its encoding shows that, it leaves `rows`."""
        encode = partial(_encode, self.task, self.tokenizer, self.model, options)
        encoded = Encoded((), (), 0)
        while rows:
            try:
                encoded = encode(list(rows.values()))
                break
            except InputError as error:
                if not (found := dict(_unreadable(encode, list(rows.items()), error))):
                    raise
                errors |= found
                for i in found:
                    del rows[i]
        numbers = list(rows)
        errors |= {numbers[row]: error for row, error in encoded.errors.items()}
        errors |= {numbers[row]: _no_token() for n, row in enumerate(encoded.row_of) if not encoded.ids[n]}
        self._check_ids(encoded, numbers)
        return encoded

    def _check_ids(self, encoded: Encoded, numbers: Sequence[int]) -> None:
        """Raise InputError where the tokenizer is that of another model."""
        config = self.model.config
        if any(max(types, default=0) >= config.type_vocab_size for types in encoded.token_types or ()):
            raise InputError(
                "the tokenizer marks more segments than the model has; pass the model's own tokenizer.",
                "el tokenizador marca más segmentos de los que tiene el modelo; pasa el tokenizador del modelo.",
            )
        for n, ids in enumerate(encoded.ids):
            largest, known = max(ids, default=0), config.vocab_size - 1
            if largest > known:
                raise RowError(
                    f"has the token id {largest}, and the model's vocabulary is 0 … {known}: tokenizer and model "
                    "belong to different models; pass the model's own.",
                    f"tiene el token {largest}, y el vocabulario del modelo es 0 … {known}: tokenizador y modelo son "
                    "de modelos distintos; pasa el del modelo.",
                    item=numbers[encoded.row_of[n]],
                )

    def _outputs(
        self,
        encoded: Encoded,
        which: Sequence[int],
        options: Mapping[str, Any],
        batch_size: int | None,
        on_batch: OnBatch | None,
    ) -> dict[int, Any]:
        """What the model answers to some sequences, or the error of a sequence."""
        kind = self.model.device.type
        tokens = TOKENS.get(kind, TOKENS_ELSEWHERE) if self.task.generate is None else GENERATE_TOKENS
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
        assert self.task.ask is not None
        found = self.task.ask(
            self.model,
            ids,
            token_types=None if encoded.token_types is None else [encoded.token_types[n] for n in batch],
            queried=None if encoded.queried is None else [encoded.queried[n] for n in batch],
            pad_to_multiple_of=_multiple(sum(map(len, ids))) if len(encoded.ids) > 1 else 1,
        )
        return [array if np.isfinite(array).all() else self._not_finite() for array in found]

    def _not_finite(self) -> CheckpointError:
        kind = self.model.precision or self.model.dtype
        return CheckpointError(
            f"the model's answer is NaN or infinite: its weights are too large for {kind}. Try dtype='float32', or "
            "take another checkpoint.",
            f"la respuesta del modelo es NaN o infinita: sus pesos son demasiado grandes para {kind}. Prueba "
            "dtype='float32', o usa otro checkpoint.",
        )


def _encode(task: Task, tokenizer: Tokenizer, model: Model, options: Mapping[str, Any], rows: Sequence[Any]) -> Encoded:
    return task.encode(tokenizer, model.config, rows, options)


def _unreadable(
    encode: Callable[[Sequence[Any]], Encoded], rows: Sequence[tuple[int, Any]], error: InputError
) -> Iterator[tuple[int, InputError]]:
    """The rows that an error of their encoding is about: the one that it names, else found by halves."""
    if isinstance(error, RowError) and error.item is not None:
        yield rows[error.item][0], error
    elif len(rows) == 1:
        yield rows[0][0], error
    else:
        half = len(rows) // 2
        for some in (rows[:half], rows[half:]):
            try:
                encode([row for _, row in some])
            except InputError as inner:
                yield from _unreadable(encode, some, inner)


def _no_token() -> RowError:
    return RowError(
        "has no token, so there is nothing to read; the tokenizer adds none of its own.",
        "no tiene ningún token: no hay nada que leer, y el tokenizador no añade ninguno suyo.",
    )


def _multiple(tokens: int) -> int:
    """To a multiple of what a batch is filled up, so that operators that are compiled for a shape see few."""
    return 64 if tokens > 256 else 8
