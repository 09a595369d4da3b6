"""`Pipeline`: a model and tokenizer for a task, called with texts as in `transformers`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatonegro.batching import windows
from gatonegro.checks import blank_as_missing, is_missing, one_of, optional, short_repr, whole
from gatonegro.compat import refusal
from gatonegro.errors import CheckpointError, InputError, OptionError
from gatonegro.language import Languages, languages_of
from gatonegro.pipelines.backend import describe_backend, place_of, runs_in_torch
from gatonegro.pipelines.frames import frame
from gatonegro.pipelines.language_check import LANGUAGE_CHECK_MODE, Route, Router, is_sampled
from gatonegro.pipelines.loop import MESSAGES, Answer, Loop, OnBatch, Settings, without_traceback
from gatonegro.pipelines.notices import WARNED_KINDS, NoticeWarner
from gatonegro.pipelines.progress import ProgressBar
from gatonegro.pipelines.rows import check_shape, is_rows, validated_rows
from gatonegro.preprocessing.transform import TextTransform
from gatonegro.tasks import Task
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer
from gatonegro.torch_extra import has_torch, missing_torch

if TYPE_CHECKING:
    import torch

MAX_WINDOW_ROWS = 2048  # a window is the rows that are sorted by length together
CPU_WINDOW_ROWS = 256  # the most on a CPU, where more is no faster, and answers come later
FIRST_WINDOW_ROWS = 256  # the first window is small, so that the first answers come soon
GENERATE_WINDOW_ROWS = 64, 256  # first and largest window of tasks that generate text
NO_INPUT: Any = object()  # called without a positional input
BATCH_SIZE_CHECK = optional(whole(1))
PROGRESS_CHECK = one_of(True, False, None)
Part = tuple[Iterable[Any], Mapping[str, Any]]  # rows, and their options


class Pipeline:
    """Model and tokenizer for one task, called with texts to get answers, as in `transformers`.

    Called with a text, it returns one answer; with a list, an array or a pandas Series, a list; with a generator, a
    generator. Batches are planned by tokens; `batch_size` is a further limit.

    `maker` is a function with its arguments, which recreates the pipeline: a pickle or a copy has no later changes.
    `running` is the model that computes; if it is of numpy, `torch_model` loads the one that `model` puts in its place.
    """

    def __init__(
        self,
        task: Task,
        model: TextModel,
        tokenizer: Tokenizer,
        batch_size: int | None = None,
        options: Mapping[str, Any] | None = None,
        preprocess: TextTransform | None = None,
        language_check: str = "warn",
        route: Route | None = None,
        maker: tuple[Callable[..., Pipeline], Mapping[str, Any]] | None = None,
        torch_model: Callable[[], TextModel] | None = None,
    ):
        self.task_record = task
        self.task = task.name
        self.running = model
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        self.batch_size = BATCH_SIZE_CHECK("batch_size", batch_size)
        self.options = {**task.defaults, **task.validate_options(options or {})}
        self.language_check = LANGUAGE_CHECK_MODE("language_check", language_check)
        self.key = os.urandom(16).hex()  # of the pipeline and its copies
        self._route, self._maker, self._torch_model = route, maker, torch_model

    def __repr__(self) -> str:
        name = self.running.name_or_path or "a model without a name"
        return f"{type(self).__name__}({self.task!r}, {name!r}, {describe_backend(self.running)})"

    def __reduce__(self) -> Any:
        if self._maker is None:
            raise InputError(*MESSAGES["no_maker"])
        function, arguments = self._maker
        return _recreate, (function, dict(arguments), self.key)

    @property
    def model(self) -> Any:
        """The model, of PyTorch if that is installed, which the pipeline then uses; else the numpy model."""
        if (load := self._torch_model) is not None and has_torch():
            model = load()
            if self._torch_model is load:  # no other thread was faster, whose model may have changes
                self.model = model
        return self.running

    @model.setter
    def model(self, model: TextModel) -> None:
        self.running, self._torch_model = model, None
        for name in ("loop", "_router"):
            self.__dict__.pop(name, None)

    @property
    def framework(self) -> str:
        """What `model` computes with: "pt" for PyTorch or, without it, "np" for numpy."""
        return "pt" if runs_in_torch(self.running) or has_torch() else "np"

    @property
    def device(self) -> torch.device | str:
        """The device that runs the model; without PyTorch, its name, "cpu"."""
        return place_of(self.running)[0]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The data type of the model's weights."""
        return place_of(self.running)[1]

    torch_dtype = dtype

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:
        """Write the model, with the options of its `save_pretrained`, and the tokenizer to a folder."""
        if not has_torch():
            raise missing_torch("save_pretrained")
        model: Any = self.running if (load := self._torch_model) is None else load()
        model.save_pretrained(save_directory, **options)
        self.tokenizer.save_pretrained(save_directory)

    def predict(self, X: Any) -> Any:
        """Return the answers to inputs, as a call does; scikit-learn calls this."""
        return self(X)

    transform = predict

    def __getattr__(self, name: str) -> Any:
        if message := refusal(f"Pipeline.{name}"):
            raise AttributeError(str(message))
        return object.__getattribute__(self, name)  # raises Python's own error

    @property
    def warned_kinds(self) -> dict[str, object]:
        """The kinds of notices that were shown, by this pipeline or a copy of it."""
        return WARNED_KINDS.setdefault(self.key, {})

    @cached_property
    def _router(self) -> Router:
        return Router(self.loop, self.languages, self._route)

    @cached_property
    def loop(self) -> Loop:
        return Loop(self.task_record, self.running, self.tokenizer, self.preprocess)

    @cached_property
    def languages(self) -> Languages:
        """The languages that the model supports, according to its local files."""
        return languages_of(self.tokenizer, self.running.config.extra, self.tokenizer.name_or_path or None)

    def __call__(
        self,
        inputs: Any = NO_INPUT,
        *more: Any,
        batch_size: int | None = None,
        language_check: str | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> Any:
        """Return the answer to one input, such as a text, or a list or generator of the answers to several inputs.

        For a dataset, an object with `len` and items by number, the answers are computed as they are iterated over.
        The answer to a missing row (None, NaN, pandas' NA), or to a dict with a missing text, is None.

        Args:
            inputs: a row, such as a text, or a list, array, Series or generator of rows.
            *more: for "question-answering", `inputs` may be a question and this its context; for
                "zero-shot-classification", this is `candidate_labels`.
            batch_size: largest number of sequences per batch, for this call.
            language_check: treatment of texts in a language that the model does not support: "warn" (once per
                pipeline), "error", "route" (use a built-in model for that language, and name the model in each answer)
                or "off".
            progress: show a progress bar on stderr; None: on a terminal only, for work of over two seconds.
            **options: the task's options, for this call, and `question` and `context` instead of `inputs`.

        Raises:
            InputError: the task cannot read a row; the message has the row's index.
            LanguageMismatchError: the first text in an unsupported language, with "error".
            OptionError: an option is unknown, or has an invalid value.
            KeyboardInterrupt: Ctrl-C; its attribute `answers` has the answers so far, if `inputs` is a list.
        """
        task = self.task_record
        inputs, options = task.arguments(more if inputs is NO_INPUT else (inputs, *more), task.translate(options))
        settings = self._settings(options, batch_size, language_check)
        PROGRESS_CHECK("progress", progress)
        if is_missing(inputs):
            return None
        if task.is_single(inputs, settings.options):
            (answer,) = self._answers([inputs], settings, progress)
            return task.wrap(inputs, answer, options)
        kind = type(inputs)
        if not isinstance(inputs, Iterable) and hasattr(kind, "__getitem__") and hasattr(kind, "__len__"):
            from gatonegro.pipelines.pt_utils import DatasetAnswers  # here, for a light start

            return DatasetAnswers(inputs, partial(self._stream, settings=settings))
        if isinstance(inputs, Iterable) and not hasattr(inputs, "__len__"):
            with suppress(TypeError):  # an object may say so only when it is asked for its items
                return self._stream(iter(inputs), settings)
        return task.wrap(inputs, self._answers(self._rows(inputs, settings.options), settings, progress), options)

    def _stream(self, rows: Iterator[Any], settings: Settings) -> Iterator[Any]:
        return self._values([(rows, settings)], NoticeWarner(self.warned_kinds), warn_at_once=True)

    def to_frame(self, inputs: Any, *, progress: bool | None = None, **options: Any) -> Any:
        """Return the answers as a pandas DataFrame with the index of a pandas Series, or a polars DataFrame for polars.

        Columns are the answer's keys, such as "label" and "score"; with several answers per row, a column has lists.
        Labels with `top_k` are a column each, with its scores. Entities and embeddings are one column. Missing and
        blank texts are rows without values; a table of such rows alone has the same columns.

        Args:
            inputs: texts, or other rows of the task: a Series, list, array or generator.
            progress: as in `__call__`.
            **options: as in `__call__`.

        Raises:
            InputError: the task cannot read a row; the message has the row's position.
            MissingExtraError: pandas is not installed.
        """
        settings = self._split_settings(options)
        PROGRESS_CHECK("progress", progress)
        single = is_missing(inputs) or self.task_record.is_single(inputs, settings.options)
        rows = list(map(blank_as_missing, [inputs] if single else validated_rows(inputs)))
        answers = self._answers(self._rows(rows, settings.options), settings, progress)
        task, config = self.task_record, self.running.config
        records = [None if answer is None else task.columns(config, answer) for answer in answers]
        return frame(inputs, records, task.column_names(config, settings.options))

    def _answers(self, rows: Sequence[Any], settings: Settings, progress: bool | None) -> list[Any]:
        """Return the answers to valid rows, with a progress bar; Ctrl-C raises with the answers so far."""
        warner, answers = NoticeWarner(self.warned_kinds), list[Any]()
        try:
            with ProgressBar(self.task_record.name, progress) as bar:
                parts = [(rows, settings)]
                answers.extend(self._values(parts, warner, on_batch=lambda done: bar.update(done, len(rows))))
        except KeyboardInterrupt as stop:
            stop.answers = answers  # type: ignore[attr-defined]
            stop.args = (str(MESSAGES["interrupted"].format(done=len(answers), count=len(rows))),)
            raise
        warner.warn(stacklevel=4)
        return answers

    def stream(self, parts: Iterable[Iterable[Any]]) -> Iterator[Any]:
        """Yield an answer per input row, answering each list of rows before requesting the next, which may block.

        Raises:
            InputError: `parts` or one of them is not a list of rows, or the task cannot read a row.
        """
        settings = self._settings({})
        checked = ((validated_rows(rows), settings) for rows in validated_rows(parts))
        return self._values(checked, NoticeWarner(self.warned_kinds), warn_at_once=True)

    def run(self, parts: Iterable[Part]) -> Iterator[Answer]:
        """Yield one `Answer` per input row, in order and in bounded memory, with errors returned and not raised.

        All rows of a part are answered before the next part is requested. `error.item` counts rows over all parts.

        Args:
            parts: pairs of an iterable of rows and their options: those of the task, `batch_size` and
                `language_check`.

        Raises:
            OptionError: an option is unknown, or has an invalid value.
            InputError: a part is not such a pair, or the tokenizer belongs to another model.
            CheckpointError: none of the first rows has a finite answer.
        """
        return self._run(map(self._validated_part, validated_rows(parts)))

    def _validated_part(self, part: Part) -> tuple[Iterable[Any], Settings]:
        """Check the options of a group of input rows, and return the rows with the checked settings."""
        rows, options = part if isinstance(part, tuple | list) and len(part) == 2 else (None, None)
        if not is_rows(rows) or not isinstance(options, Mapping):
            raise InputError(*MESSAGES["not_a_part"].format(part=short_repr(part)))
        if not all(isinstance(name, str) for name in options):
            raise OptionError(*MESSAGES["option_names"].format(options=short_repr(list(options))))
        check_shape(rows)
        return rows, self._split_settings(options)

    def _split_settings(self, options: Mapping[str, Any]) -> Settings:
        loop = {name: options[name] for name in ("batch_size", "language_check") if name in options}
        return self._settings({name: options[name] for name in options if name not in loop}, **loop)

    def _settings(
        self, options: Mapping[str, Any], batch_size: int | None = None, language_check: str | None = None
    ) -> Settings:
        return Settings(
            {**self.options, **self.task_record.validate_options(options)},
            self.batch_size if batch_size is None else BATCH_SIZE_CHECK("batch_size", batch_size),
            self.language_check if language_check is None else LANGUAGE_CHECK_MODE("language_check", language_check),
        )

    def _rows(self, inputs: Any, options: Mapping[str, Any]) -> list[Any]:
        """Return the input rows of a list, array or Series, or raise the error of the first invalid row."""
        if not is_rows(inputs):
            if error := self.loop.check(inputs, options):
                error.item = 0
                raise error
            raise InputError(*MESSAGES["no_texts"].format(kind=type(inputs).__name__))
        check_shape(inputs)
        rows = list(inputs)
        for i, row in enumerate(rows):  # before the first batch
            if error := self.loop.check(row, options):
                error.item = i
                raise error
        return rows

    def _values(
        self,
        parts: Iterable[tuple[Iterable[Any], Settings]],
        warner: NoticeWarner,
        on_batch: OnBatch | None = None,
        warn_at_once: bool = False,
    ) -> Iterator[Any]:
        """Yield each answer's value or raise its error, and with `warn_at_once` issue its warnings immediately."""
        for answer in self._run(parts, is_sampled, on_batch):
            warner.add(answer.notices)
            if warn_at_once and answer.notices:
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
        """Yield an answer per input row, where `is_checked` selects the rows for the language check in mode "warn"."""
        item = 0
        for number, (rows, settings) in enumerate(parts):
            answers = self._part_answers(rows, settings, item, is_checked, on_batch)
            for answer in _raise_if_none_succeeds(answers) if number == 0 else answers:
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
        """Yield the answers to a list of input rows, numbered from `item`, the number of rows in earlier lists."""
        generates = self.task_record.generate is not None
        first_size, max_size = GENERATE_WINDOW_ROWS if generates else (FIRST_WINDOW_ROWS, MAX_WINDOW_ROWS)
        if self.running.device_type == "cpu":
            max_size = min(max_size, CPU_WINDOW_ROWS)
        if isinstance(rows, Iterator):  # the next row may block
            first_size = 1
        for window in windows(rows, first_size, max_size):
            report = None if on_batch is None else partial(_report, on_batch, item, len(window))
            if settings.language_check == "off":
                answers = self.loop.answer(window, settings, report)
            else:
                checked = [n for n in range(len(window)) if is_checked(item + n)]
                answers = self._router.answer(window, settings, checked, report)
            for answer in answers:
                if answer.error is not None:
                    answer = replace(answer, error=without_traceback(answer.error))
                    answer.error.item = item  # type: ignore[union-attr]
                yield answer
                item += 1


def _report(on_batch: OnBatch, before: int, rows: int, share: float) -> None:
    on_batch(before + share * rows)


def _recreate(function: Callable[..., Pipeline], arguments: Mapping[str, Any], key: str) -> Pipeline:
    copy = function(**arguments)
    copy.key = key
    return copy


def _raise_if_none_succeeds(answers: Iterator[Answer]) -> Iterator[Answer]:
    """Yield answers, or raise the first CheckpointError if the first FIRST_WINDOW_ROWS answers are all errors."""
    first: list[Answer] = []
    for answer in islice(answers, FIRST_WINDOW_ROWS):
        if answer.value is answer.error is None and not first:  # a missing row
            yield answer
            continue
        first.append(answer)
        if answer.value is not None:
            break
    else:
        errors = (answer.error for answer in first)
        if checkpoint_error := next((error for error in errors if isinstance(error, CheckpointError)), None):
            raise checkpoint_error
    yield from first
    yield from answers
