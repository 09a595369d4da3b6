"""`Pipeline`: a task with its model and tokenizer, called as in `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from gatonegro.batching import windows
from gatonegro.checks import one_of, optional, short, whole
from gatonegro.errors import CheckpointError, InputError, OptionError
from gatonegro.i18n import localized
from gatonegro.language import Languages, languages_of
from gatonegro.models import Model
from gatonegro.pipelines.loop import Answer, Loop, OnBatch, Settings, detached
from gatonegro.pipelines.notices import NoticeWarner
from gatonegro.pipelines.progress import ProgressBar
from gatonegro.pipelines.routing import LANGUAGE_CHECK, Route, Router, is_sampled
from gatonegro.tasks import Task
from gatonegro.tasks.prepare import Change
from gatonegro.tokenization import Tokenizer

if TYPE_CHECKING:
    import torch

WINDOW = 2048  # rows that are sorted by length together
FIRST_WINDOW = 256  # the first answers come soon, and then by ever larger windows
GENERATE_WINDOWS = 64, 256  # the same of tasks that generate, which take long
LONG, LONG_TEXT = 500, 20  # rows, or batches of one text, from which a progress bar is worth its line
BATCH_SIZE = optional(whole(1))
PROGRESS = one_of(True, False, None)
Part = tuple[Iterable[Any], Mapping[str, Any]]  # rows, and the options that they share


class Pipeline:
    """A task with its model and tokenizer, called as in `transformers`.

    A text gives what the task answers for one; a list, an array or a pandas Series gives a list; a generator gives
    a generator. Batches are planned by tokens, so `batch_size` is only a further limit.

    Args:
        change: what is done to a text before it is read.
        route: see `Router`.
        maker: a function, and the arguments with which it returns this pipeline again: these are pickled and copied,
            and not what was changed on the pipeline later.
    """

    def __init__(
        self,
        task: Task,
        model: Model,
        tokenizer: Tokenizer,
        batch_size: int | None = None,
        options: Mapping[str, Any] | None = None,
        change: Change | None = None,
        language_check: str = "warn",
        route: Route | None = None,
        maker: tuple[Callable[..., Pipeline], Mapping[str, Any]] | None = None,
    ):
        self.task_record = task
        self.task = task.name
        self.model = model
        self.tokenizer = tokenizer
        self.change = change
        self.batch_size = BATCH_SIZE("batch_size", batch_size)
        self.options = {**task.defaults, **task.validate_options(options or {})}
        self.language_check = LANGUAGE_CHECK("language_check", language_check)
        self.warned: set[str] = set()  # kinds of notices
        self._route, self._maker = route, maker

    def __repr__(self) -> str:
        return f"Pipeline({self.task!r}, {self.model.name_or_path or 'a model without a name'!r}, {self.device})"

    def __reduce__(self) -> Any:
        if self._maker is None:
            raise InputError(
                "this Pipeline was not made by pipeline(), so nothing says how to make it again; use pipeline(…).",
                "este Pipeline no lo hizo pipeline(), así que nada dice cómo rehacerlo; usa pipeline(…).",
            )
        function, arguments = self._maker
        return _call, (function, dict(arguments))

    @property
    def device(self) -> torch.device:
        return self.model.device

    @cached_property
    def _router(self) -> Router:
        return Router(self.loop, self.languages, self._route)

    @cached_property
    def loop(self) -> Loop:
        return Loop(self.task_record, self.model, self.tokenizer, self.change)

    @cached_property
    def languages(self) -> Languages:
        """The languages of the model, by its files on this machine."""
        return languages_of(self.tokenizer, self.model.config.extra, self.tokenizer.name_or_path or None)

    def __call__(
        self,
        inputs: Any,
        *,
        batch_size: int | None = None,
        language_check: str | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> Any:
        """Return the answer to a row, or to each of several. `options` are the task's, for this call alone.

        Args:
            language_check: what is done about texts in a language that the model was not made for: "warn" (once per
                pipeline), "error", "route" (a built-in model that fits answers these, and each answer names its model),
                or "off".
            progress: whether to show a progress bar on stderr; None: on a terminal, for work that takes long.

        Raises:
            InputError: an item is not what the task reads; the message numbers it, from 0.
            LanguageMismatchError: with "error", the first such text.
            OptionError: a keyword that the task does not know.
            KeyboardInterrupt: its `answers` are those of the rows of a list that were answered.
        """
        settings = self._settings(options, batch_size, language_check)
        PROGRESS("progress", progress)
        task, warner = self.task_record, NoticeWarner(self.warned)
        if task.is_single(inputs, settings.options):
            with ProgressBar(self.task, progress, LONG_TEXT) as bar:
                (answer,) = self._values([([inputs], settings)], warner, on_batch=bar.update)
            warner.warn()
            return task.wrap(inputs, answer, options)
        if isinstance(inputs, Iterator):
            return self._values([(inputs, settings)], warner, at_once=True)
        answers: list[Any] = []
        rows: list[Any] = []
        try:
            rows = self._rows(inputs, settings.options)
            with ProgressBar(self.task, progress, LONG) as bar:
                for answer in self._values([(rows, settings)], warner):
                    answers.append(answer)
                    bar.update(len(answers), len(rows))
        except KeyboardInterrupt as stop:
            stop.answers = answers  # type: ignore[attr-defined]
            text = localized(
                f"{len(answers)} of {len(rows)} rows were answered; the exception has them as `answers`.",
                f"se respondieron {len(answers)} de {len(rows)} filas; la excepción las lleva en `answers`.",
            )
            stop.args = (text,)
            raise
        warner.warn()
        return task.wrap(inputs, answers, options)

    def stream(self, parts: Iterable[Iterable[Any]]) -> Iterator[Any]:
        """Yield answers part by part: all rows of a part before the next part is requested, which may block."""
        settings = self._settings({})
        return self._values(((rows, settings) for rows in parts), NoticeWarner(self.warned), at_once=True)

    def run(self, parts: Iterable[Part]) -> Iterator[Answer]:
        """Answer the rows of some parts, one `Answer` per row, in order and in bounded memory.

        No row raises: its error is its answer, whose `error.item` counts rows from 0. All rows of a part are answered
        before the next part is asked for.

        Args:
            parts: pairs of rows, an iterable, and of the options that they share: those of the task, `batch_size` and
                `language_check`.

        Raises:
            OptionError: a part's option is not known.
            InputError: a part is not such a pair; the tokenizer is that of another model.
            CheckpointError: none of the first rows has a finite answer.
        """
        return self._run(map(self._part, parts))

    def _part(self, part: Part) -> tuple[Iterable[Any], Settings]:
        """Return the rows of a part, and what they share."""
        pair = part if isinstance(part, tuple | list) and len(part) == 2 else (None, None)
        rows, options = pair
        if (
            not isinstance(rows, Iterable)
            or isinstance(rows, str | bytes | Mapping)
            or not isinstance(options, Mapping)
        ):
            raise InputError(
                f"a part is a tuple of rows, and a dict of options: run([(texts, {{}})]), not {short(part)}.",
                f"una parte es una tupla de filas y un dict de opciones: run([(textos, {{}})]), no {short(part)}.",
            )
        if not all(isinstance(name, str) for name in options):
            raise OptionError(
                f"names of options are str, and these are not: {short(list(options))}.",
                f"los nombres de las opciones son str, y estos no: {short(list(options))}.",
            )
        _check_shape(rows)
        own = {name: options[name] for name in ("batch_size", "language_check") if name in options}
        return rows, self._settings({name: options[name] for name in options if name not in own}, **own)

    def _settings(
        self, options: Mapping[str, Any], batch_size: int | None = None, language_check: str | None = None
    ) -> Settings:
        return Settings(
            {**self.options, **self.task_record.validate_options(options)},
            self.batch_size if batch_size is None else BATCH_SIZE("batch_size", batch_size),
            self.language_check if language_check is None else LANGUAGE_CHECK("language_check", language_check),
        )

    def _rows(self, inputs: Any, options: Mapping[str, Any]) -> list[Any]:
        """Return the rows of a list, an array or a Series, all checked."""
        kind = type(inputs).__name__
        if not isinstance(inputs, Iterable) or isinstance(inputs, bytes):
            if error := self.loop.check(inputs, options):
                error.item = 0
                raise error
            raise InputError(
                f"{kind} where a text, a list of texts or a generator is wanted.",
                f"{kind} donde hace falta un texto, una lista de textos o un generador.",
            )
        _check_shape(inputs)
        rows = list(inputs)
        for i, row in enumerate(rows):  # before any work is done
            if error := self.loop.check(row, options):
                error.item = i
                raise error
        return rows

    def _values(
        self,
        parts: Iterable[tuple[Iterable[Any], Settings]],
        warner: NoticeWarner,
        on_batch: OnBatch | None = None,
        at_once: bool = False,
    ) -> Iterator[Any]:
        """Yield the values of answers; raise the first error. `at_once`: warn with each answer, not at the end."""
        for answer in self._run(parts, is_sampled, on_batch):
            warner.add(answer.notices)
            if at_once and answer.notices:
                warner.warn()
            if answer.error is not None:
                raise answer.error
            yield answer.value

    def _run(
        self,
        parts: Iterable[tuple[Iterable[Any], Settings]],
        is_checked: Callable[[int], bool] = lambda item: True,
        on_batch: OnBatch | None = None,
    ) -> Iterator[Answer]:
        """Yield answers to parts. `is_checked`: the rows whose language is checked, in mode "warn"."""
        item = 0
        for number, (rows, settings) in enumerate(parts):
            answers = self._part_answers(rows, settings, item, is_checked, on_batch)
            for answer in _with_a_good_row(answers) if number == 0 else answers:
                yield answer
                item += 1

    def _part_answers(
        self,
        rows: Iterable[Any],
        settings: Settings,
        item: int,
        is_checked: Callable[[int], bool],
        on_batch: OnBatch | None,
    ) -> Iterator[Answer]:
        """Yield the answers to a part, whose first row has the number `item`."""
        first, size = (FIRST_WINDOW, WINDOW) if self.task_record.generate is None else GENERATE_WINDOWS
        if isinstance(rows, Iterator):  # whose next row may block
            first = 1
        for window in windows(rows, first, size):
            if settings.language_check == "off":
                answers = self.loop.answer(window, settings, on_batch)
            else:
                checked = [n for n in range(len(window)) if is_checked(item + n)]
                answers = self._router.answer(window, settings, checked, on_batch)
            for answer in answers:
                if answer.error is not None:
                    answer = replace(answer, error=detached(answer.error))
                    answer.error.item = item  # type: ignore[union-attr]
                yield answer
                item += 1


def _call(function: Callable[..., Pipeline], arguments: Mapping[str, Any]) -> Pipeline:
    return function(**arguments)


def _check_shape(rows: Any) -> None:
    """Raise InputError for a table, whose items would be the names of its columns, or an array that is no column."""
    shape = getattr(rows, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:
        kind = type(rows).__name__
        raise InputError(
            f"a {kind} of shape {shape} where a list is wanted; pass a column.",
            f"{kind} de forma {shape} donde hace falta una lista; pasa una columna.",
        )


def _with_a_good_row(answers: Iterator[Answer]) -> Iterator[Answer]:
    """Yield answers; raise the first CheckpointError if none of the first FIRST_WINDOW is good."""
    held: list[Answer] = []
    for answer in islice(answers, FIRST_WINDOW):
        held.append(answer)
        if answer.error is None:
            break
    else:
        errors = (answer.error for answer in held)
        if broken := next((error for error in errors if isinstance(error, CheckpointError)), None):
            raise broken
    yield from held
    yield from answers
