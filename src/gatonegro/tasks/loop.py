"""The one loop over all tasks: rows in, answers out, in order, in bounded memory."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from gatonegro.errors import CheckpointError, GatonegroWarning, InputError, OptionError
from gatonegro.models import Model
from gatonegro.packing import pack, plan, windows
from gatonegro.tasks.task import Task, whole
from gatonegro.tokenization import Tokenizer

WINDOW = 2048  # rows that are sorted by length together
FIRST_WINDOW = 64  # a stream answers soon, and then by ever larger windows
TOKENS = 2048  # a batch, on a CPU
GRAIN = 64  # a batch is filled up to a multiple of so many tokens, so that kernels see few shapes
LONG = 500  # rows from which a progress bar is worth its line
LONG_TEXT = 20  # and batches, where one text alone is that long


class Pipeline:
    """A task with its model and tokenizer, called as in `transformers`.

    A text gives what the task answers for one; a list, an array or a pandas Series gives a list; a generator gives
    a generator. Batches are planned by tokens, so `batch_size` is only a further limit.
    """

    def __init__(self, task: Task, model: Model, tokenizer: Tokenizer, batch_size: int | None, options: Mapping):
        self.task_record = task
        self.task = task.name
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = _batch_size(batch_size)
        self.options = {**task.options, **task.known(options)}

    @property
    def device(self) -> torch.device:
        return self.model.device

    def __call__(self, inputs: Any, *, batch_size: int | None = None, **options: Any) -> Any:
        """Answer. `options` are those of the task, here for this call alone.

        Raises:
            InputError: an item is not what the task reads; the message numbers it, from 0.
            OptionError: a keyword that the task does not know.
        """
        merged = {**self.options, **self.task_record.known(options)}
        size = self.batch_size if batch_size is None else _batch_size(batch_size)
        if isinstance(inputs, str | Mapping):
            return self.task_record.wrap(inputs, next(self._answers([[inputs]], merged, size)), options)
        if isinstance(inputs, Iterator):
            return self._answers([inputs], merged, size)
        if isinstance(inputs, Iterable) and not isinstance(inputs, bytes):
            shape = getattr(inputs, "shape", (0,))
            if len(shape) != 1:
                raise InputError(
                    f"a {type(inputs).__name__} of shape {tuple(shape)} where a list is wanted; pass a column."
                )
            rows = list(inputs)
            return list(_progress(self._answers([rows], merged, size), len(rows), self.task, len(rows) >= LONG))
        self.task_record.check(inputs)
        raise InputError(f"{type(inputs).__name__} where a text, a list of texts or a generator is wanted.")

    def stream(self, parts: Iterable[Iterable[Any]]) -> Iterator[Any]:
        """Answer all rows of a part before the next part is asked for, which may keep us waiting: lines that a person
        types, say."""
        return self._answers(parts, self.options, self.batch_size)

    def _answers(self, parts: Iterable[Iterable[Any]], options: Mapping[str, Any], size: int | None) -> Iterator[Any]:
        done = 0
        said: set[str] = set()
        for window in (window for rows in parts for window in windows(rows, FIRST_WINDOW, WINDOW)):
            for i, row in enumerate(window, done):
                self._check(row, i)
            yield from self._window(window, done, options, size, said)
            done += len(window)

    def _check(self, row: Any, number: int) -> None:
        try:
            self.task_record.check(row)
        except InputError as error:
            raise InputError(f"item {number} is {error}") from None

    def _window(
        self, rows: list[Any], first: int, options: Mapping[str, Any], size: int | None, said: set[str]
    ) -> Iterator[Any]:
        task, config = self.task_record, self.model.config
        try:
            encoded = task.encode(self.tokenizer, config, rows, options)
        except InputError as error:
            raise InputError(f"among items {first} to {first + len(rows) - 1}: {error}") from None
        lengths = [len(ids) for ids in encoded.ids]
        segments = encoded.segments or ()
        if any(max(kinds, default=0) >= config.type_vocab_size for kinds in segments):
            raise InputError("the tokenizer marks more segments than the model has; pass the model's own tokenizer.")
        for n, ids in enumerate(encoded.ids):
            item = f"item {first + encoded.owners[n]}"
            if not ids:
                raise InputError(
                    f"{item} has no token, so there is nothing to read; the tokenizer adds none of its own."
                )
            if max(ids) >= config.vocab_size:
                raise InputError(
                    f"{item} has the token id {max(ids)}, and the model's vocabulary is 0 … {config.vocab_size - 1}: "
                    "tokenizer and model belong to different models; pass the model's own."
                )
        parts: list[list[int]] = [[] for _ in rows]
        for n, owner in enumerate(encoded.owners):
            parts[owner].append(n)
        if "long" not in said and len(lengths) > len(rows):
            said.add("long")
            i = next(i for i, part in enumerate(parts) if len(part) > 1)
            warnings.warn(
                f"item {first + i} is longer than the {encoded.limit} tokens that are read at a time: it is read in "
                f"{len(parts[i])} overlapping windows, and their answers are combined. This is said once.",
                GatonegroWarning,
                stacklevel=4,
            )
        answers: dict[int, torch.Tensor] = {}
        if "cut" not in said and encoded.cut:
            said.add("cut")
            warnings.warn(
                f"item {first + encoded.cut[0]} is a pair longer than {encoded.limit} tokens: its longer text is "
                "cut, since half a pair is no pair; truncation=True says that this is meant. This is said once.",
                GatonegroWarning,
                stacklevel=4,
            )
        batches = plan(lengths, TOKENS, size)
        for batch in _progress(batches, len(batches), task.name, len(rows) == 1 and len(batches) >= LONG_TEXT):
            packed = pack(
                [encoded.ids[n] for n in batch],
                config,
                None if encoded.segments is None else [encoded.segments[n] for n in batch],
                multiple=GRAIN if len(lengths) > 1 else 1,
            )
            with torch.inference_mode():
                said_of = task.ask(self.model, packed.to(self.device)).cpu()
            said_of = said_of[: len(batch)]  # the rest is of the pads that fill it up
            if not said_of.isfinite().all():
                wrong = next(n for n, answer in zip(batch, said_of, strict=True) if not answer.isfinite().all())
                raise CheckpointError(
                    f"the model's answer to item {first + encoded.owners[wrong]} is no number: its weights are too "
                    f"large for {self.model.dtype}. Try dtype='float32', or take another checkpoint."
                )
            answers.update(zip(batch, said_of, strict=True))
        for part in parts:
            yield task.decode(
                config, torch.stack([answers[n] for n in part]), torch.tensor([lengths[n] for n in part]), options
            )


def _batch_size(value: Any) -> int | None:
    if value is None or whole(1)(value):
        return value
    raise OptionError(f"batch_size must be a whole number of at least 1, not {value!r}.")


def _progress(items: Iterable[Any], total: int, title: str, long: bool) -> Iterable[Any]:
    if not long or sys.stderr is None or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, title, total, console=Console(stderr=True))
