"""The one loop over all tasks: rows in, answers out, in order, in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from gatonegro.batching import plan, windows
from gatonegro.errors import CheckpointError, InputError, OptionError, RowError
from gatonegro.language import Languages, languages_of, match
from gatonegro.models import Model
from gatonegro.packing import pack
from gatonegro.pipelines.language_check import LanguageCheck, check_of, text_of_row
from gatonegro.pipelines.notices import tell_read, tell_written
from gatonegro.tasks.prepare import Change, prepared
from gatonegro.tasks.task import Encoded, Said, Task, whole
from gatonegro.tokenization import Tokenizer

WINDOW = 2048  # rows that are sorted by length together
FIRST_WINDOW = 256  # the first answers come soon, and then by ever larger windows
TOKENS = {"cpu": 1024}  # a batch, by the kind of device; more on all others
TOKENS_ELSEWHERE = 32_768
WRITTEN = 2048  # read by a batch whose sequences are then written side by side
Route = Callable[[str], "Pipeline | None"]
LONG = 500  # rows from which a progress bar is worth its line
LONG_TEXT = 20  # and batches, where one text alone is that long


class Pipeline:
    """A task with its model and tokenizer, called as in `transformers`.

    A text gives what the task answers for one; a list, an array or a pandas Series gives a list; a generator gives
    a generator. Batches are planned by tokens, so `batch_size` is only a further limit.
    """

    def __init__(
        self,
        task: Task,
        model: Model,
        tokenizer: Tokenizer,
        batch_size: int | None,
        options: Mapping[str, Any],
        change: Change | None = None,
        language_check: str = "warn",
        route: Route | None = None,
    ):
        self.task_record = task
        self.task = task.name
        self.model = model
        self.tokenizer = tokenizer
        self.change = change  # what is done to a text before it is read
        self.batch_size = _batch_size(batch_size)
        self.options = {**task.options, **task.known(options)}
        self.language_check = check_of(language_check)
        self.route = route  # a language → a pipeline that fits it, or None

    def __repr__(self) -> str:
        return f"Pipeline({self.task!r}, {self.model.name_or_path or 'a model without a name'!r}, {self.device})"

    @property
    def device(self) -> torch.device:
        return self.model.device

    @cached_property
    def languages(self) -> Languages:
        """What the model was made for, as far as its files on this machine say."""
        return languages_of(self.tokenizer, self.model.config.extra, self.tokenizer.name_or_path or None)

    def __call__(
        self, inputs: Any, *, batch_size: int | None = None, language_check: str | None = None, **options: Any
    ) -> Any:
        """Answer. `options` are those of the task, here for this call alone.

        Args:
            language_check: what is done about texts in a language that the model was not made for: "warn" (once a
                call), "error", "route" (a built-in model that fits answers these, and each answer names its model), or
                "off".

        Raises:
            InputError: an item is not what the task reads; the message numbers it, from 0.
            LanguageMismatchError: with "error", the first such text.
            OptionError: a keyword that the task does not know.
        """
        merged = {**self.options, **self.task_record.known(options)}
        size = self.batch_size if batch_size is None else _batch_size(batch_size)
        task = self.task_record
        check = self._check_languages(language_check)
        if task.single(inputs, merged):
            (answer,) = self._answers([[inputs]], merged, size, check)
            return task.wrap(inputs, answer, options)
        if isinstance(inputs, Iterator):
            return self._answers([inputs], merged, size, check, first=1)  # its next row may keep us waiting
        if isinstance(inputs, Iterable) and not isinstance(inputs, bytes):
            shape = getattr(inputs, "shape", (0,))
            if len(shape) != 1:
                kind = type(inputs).__name__
                raise InputError(
                    f"a {kind} of shape {tuple(shape)} where a list is wanted; pass a column.",
                    f"{kind} de forma {tuple(shape)} donde hace falta una lista; pasa una columna.",
                )
            rows = list(inputs)
            answers = _progress(self._answers([rows], merged, size, check), len(rows), self.task, len(rows) >= LONG)
            return task.wrap(inputs, list(answers), options)
        task.check(inputs, merged)
        kind = type(inputs).__name__
        raise InputError(
            f"{kind} where a text, a list of texts or a generator is wanted.",
            f"{kind} donde hace falta un texto, una lista de textos o un generador.",
        )

    def stream(self, parts: Iterable[Iterable[Any]]) -> Iterator[Any]:
        """Answer all rows of a part before the next part is asked for, which may keep us waiting: lines that a person
        types, say."""
        return self._answers(parts, self.options, self.batch_size, self._check_languages(None))

    def _check_languages(self, mode: str | None) -> LanguageCheck:
        mode = self.language_check if mode is None else check_of(mode)
        languages = self.languages if mode != "off" else Languages((), "config")
        return LanguageCheck(languages, self.tokenizer, str(self.model.name_or_path or ""), mode)

    def _answers(
        self,
        parts: Iterable[Iterable[Any]],
        options: Mapping[str, Any],
        size: int | None,
        check: LanguageCheck,
        first: int = FIRST_WINDOW,
    ) -> Iterator[Any]:
        done = 0
        told: set[str] = set()
        for rows in parts:
            for window in windows(rows, first, WINDOW):
                for i, row in enumerate(window, done):
                    self._check(row, i, options)
                check.look(window, done)
                numbers = range(done, done + len(window))
                if check.mode == "route":
                    yield from self._routed(window, numbers, options, size, told, check)
                else:
                    yield from self._window(window, numbers, options, size, told)
                done += len(window)
                if first == 1:  # a generator, whose end may be far
                    check.tell()
            check.tell()

    def _routed(
        self, rows: list[Any], numbers: Sequence[int], options: Mapping[str, Any], size: int | None, told: set[str],
        check: LanguageCheck,
    ) -> Iterator[Any]:  # fmt: skip
        """Each row by a model that fits its language, in the given order; each answer names its model."""
        whose = [self._fitting(row, number, check) for row, number in zip(rows, numbers, strict=True)]
        answers = {}
        for one in dict.fromkeys(whose):
            own = [i for i, who in enumerate(whose) if who is one]
            answers[one] = one._window([rows[i] for i in own], [numbers[i] for i in own], options, size, told)
        for one in whose:
            yield _named(next(answers[one]), str(one.model.name_or_path))

    def _fitting(self, row: Any, number: int, check: LanguageCheck) -> Pipeline:
        """The pipeline that fits a row's language; where there is none, this one, and that is said."""
        found = match(text_of_row(row), self.languages, self.tokenizer)
        other = self.route(found.language) if self.route and found.fits is False and found.language else None
        if other is None:
            check.count(number, row, found)
        return other or self

    def _check(self, row: Any, number: int, options: Mapping[str, Any]) -> None:
        try:
            self.task_record.check(row, options)
        except InputError as error:
            en, es = error.args
            raise InputError(f"item {number} is {en}", f"el elemento {number} es {es}") from None

    def _window(
        self, rows: list[Any], numbers: Sequence[int], options: Mapping[str, Any], size: int | None, told: set[str]
    ) -> Iterator[Any]:
        if self.change is not None:
            rows = [prepared(row, self.change) for row in rows]
        encoded = self._encoded(rows, numbers, options)
        if self.task_record.write is None:
            tell_read(encoded, _parts(encoded, rows), numbers, told)
        answers = self._batches(encoded, 0, numbers, options, size, len(rows) == 1)
        if self.task_record.again is not None:
            encoded = self.task_record.again(self.tokenizer, self.model.config, encoded, answers, options)
            answers |= self._batches(encoded, len(answers), numbers, options, size, False)
        if self.task_record.write is not None:
            tell_written(encoded, answers, numbers, told)
        parts, lengths = _parts(encoded, rows), [len(ids) for ids in encoded.ids]
        notes = encoded.notes or [None] * len(rows)
        for row, part, note in zip(rows, parts, notes, strict=True):
            said = Said(row, [answers[n] for n in part], [lengths[n] for n in part], note)
            yield self.task_record.decode(self.tokenizer, self.model.config, said, options)

    def _batches(
        self,
        encoded: Encoded,
        done: int,
        numbers: Sequence[int],
        options: Mapping[str, Any],
        size: int | None,
        alone: bool,
    ) -> dict[int, Any]:
        """What the model says of the sequences from `done` on."""
        kind, task = self.device.type, self.task_record
        tokens = TOKENS.get(kind, TOKENS_ELSEWHERE) if task.write is None else WRITTEN
        batches = plan([len(ids) for ids in encoded.ids[done:]], tokens, size)
        answers: dict[int, Any] = {}
        for few in _progress(batches, len(batches), self.task, alone and len(batches) >= LONG_TEXT):
            batch = [done + n for n in few]
            if task.write is None:
                answers.update(zip(batch, self._asked(encoded, batch, numbers), strict=True))
            else:
                said = task.write(self.model, self.tokenizer, [encoded.ids[n] for n in batch], options)
                answers.update(zip(batch, said, strict=True))
        return answers

    def _encoded(self, rows: list[Any], numbers: Sequence[int], options: Mapping[str, Any]) -> Encoded:
        """Rows as sequences, all of which this model can read."""
        config = self.model.config
        try:
            encoded = self.task_record.encode(self.tokenizer, config, rows, options)
        except RowError as error:
            item, (en, es) = numbers[error.item or 0], error.args
            raise InputError(f"item {item} {en}", f"el elemento {item} {es}") from None
        except InputError as error:
            first, last = numbers[0], numbers[-1]
            raise InputError(
                f"among items {first} to {last}: {error}", f"entre los elementos {first} y {last}: {error}"
            ) from None
        if any(max(kinds, default=0) >= config.type_vocab_size for kinds in encoded.segments or ()):
            raise InputError(
                "the tokenizer marks more segments than the model has; pass the model's own tokenizer.",
                "el tokenizador marca más segmentos de los que tiene el modelo; pasa el tokenizador del modelo.",
            )
        for n, ids in enumerate(encoded.ids):
            item, largest, known = numbers[encoded.owners[n]], max(ids, default=0), config.vocab_size - 1
            if not ids:
                raise InputError(
                    f"item {item} has no token, so there is nothing to read; the tokenizer adds none of its own.",
                    f"el elemento {item} no tiene ningún token: no hay nada que leer, y el tokenizador no añade "
                    "ninguno suyo.",
                )
            if largest > known:
                raise InputError(
                    f"item {item} has the token id {largest}, and the model's vocabulary is 0 … {known}: "
                    "tokenizer and model belong to different models; pass the model's own.",
                    f"el elemento {item} tiene el token {largest}, y el vocabulario del modelo es 0 … {known}: "
                    "tokenizador y modelo son de modelos distintos; pasa el del modelo.",
                )
        return encoded

    def _asked(self, encoded: Encoded, batch: Sequence[int], numbers: Sequence[int]) -> Sequence[torch.Tensor]:
        """What the model says of some sequences: an answer each."""
        packed = pack(
            [encoded.ids[n] for n in batch],
            self.model.config,
            None if encoded.segments is None else [encoded.segments[n] for n in batch],
            multiple=_grain(sum(len(encoded.ids[n]) for n in batch)) if len(encoded.ids) > 1 else 1,
        )
        at = None
        if encoded.asked is not None:  # rows of the packed tokens
            starts = packed.firsts.tolist()
            places = [start + i for start, n in zip(starts, batch, strict=False) for i in encoded.asked[n]]
            at = torch.tensor(places, dtype=torch.long, device=self.device)
        with torch.inference_mode():
            assert self.task_record.ask is not None
            output = self.task_record.ask(self.model, packed.to(self.device), at).cpu()
        if encoded.asked is None:
            answers: Sequence[torch.Tensor] = output[: len(batch)].unbind()  # the rest is of the pads that fill it up
        else:
            answers = output.split([len(encoded.asked[n]) for n in batch])
        for n, answer in zip(batch, answers, strict=True) if not output.isfinite().all() else ():
            if not answer.isfinite().all():
                item, kind = numbers[encoded.owners[n]], self.model.precision or self.model.dtype
                raise CheckpointError(
                    f"the model's answer to item {item} is no number: its weights are too large for {kind}. Try "
                    "dtype='float32', or take another checkpoint.",
                    f"la respuesta del modelo al elemento {item} no es un número: sus pesos son demasiado grandes "
                    f"para {kind}. Prueba dtype='float32', o usa otro checkpoint.",
                )
        return answers


def _named(answer: Any, model: str) -> Any:
    """An answer that says which model gave it."""
    if isinstance(answer, list):
        return [_named(one, model) for one in answer]
    if isinstance(answer, dict):
        return {**answer, "model": model}
    raise OptionError(
        'language_check="route" is for tasks whose answers can name their model; this one gives numbers. Use '
        '"warn" or "error".',
        'language_check="route" es para tareas cuyas respuestas pueden nombrar su modelo; esta da números. Usa '
        '"warn" o "error".',
    )


def _parts(encoded: Encoded, rows: Sequence[Any]) -> list[list[int]]:
    """The sequences of each row."""
    parts: list[list[int]] = [[] for _ in rows]
    for n, owner in enumerate(encoded.owners):
        parts[owner].append(n)
    return parts


def _batch_size(value: Any) -> int | None:
    if value is None or whole(1)(value):
        return value
    raise OptionError(
        f"batch_size must be a whole number of at least 1, not {value!r}.",
        f"batch_size debe ser un número entero, 1 o más, no {value!r}.",
    )


def _grain(tokens: int) -> int:
    """A batch is filled up to a multiple of so many tokens, so that operators that are compiled for a shape see few."""
    return 64 if tokens > 256 else 8


def _progress(items: Iterable[Any], total: int, title: str, long: bool) -> Iterable[Any]:
    if not long or sys.stderr is None or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, title, total, console=Console(stderr=True))
