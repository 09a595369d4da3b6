"""The option `language_check`, which warns of texts in unsupported languages, rejects them or changes the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gatonegro.checks import is_missing_row, one_of
from gatonegro.errors import GatonegroError, LanguageMismatchError, OptionError
from gatonegro.i18n import Message, shorten
from gatonegro.language import (
    LanguageMatch,
    Languages,
    is_long_enough,
    language_names,
    match_language,
    related_languages,
)
from gatonegro.pipelines.loop import MESSAGES, Answer, Loop, OnBatch, Settings
from gatonegro.tasks.task import Notice, notice

MODES = ("warn", "error", "route", "off")
LANGUAGE_CHECK_MODE = one_of(*MODES)
ALWAYS_CHECKED_ROWS, CHECK_INTERVAL_ROWS = 64, 32  # a call checks its first 64 rows, then every 32nd
MAX_QUOTED_CHARS = 60  # characters of a text in a notice
MAX_CHECKED_CHARS = 300  # characters of a text to detect its language by
Route = Callable[[str], Loop | None]  # from a language to the loop of a model for it


@dataclass(frozen=True)
class Router:
    """Checker of input rows' languages, which can send rows in unsupported languages to a suitable model."""

    loop: Loop
    languages: Languages  # of the loop's model
    route: Route | None = None

    def answer(
        self, rows: Sequence[Any], settings: Settings, checked: Iterable[int], on_batch: OnBatch | None = None
    ) -> Iterator[Answer]:
        """Yield one answer per input row, after a language check: in mode "warn", only of rows in `checked`."""
        mode = settings.language_check
        unfit: dict[int, LanguageMatch] = {}
        for i in checked if mode == "warn" else range(len(rows)):
            if self.loop.check(rows[i], settings.options) is None and not is_missing_row(rows[i]):
                text = text_of_row(rows[i])
                if not is_long_enough(text):  # it would be unclear; detecting a language takes time
                    continue
                matched = match_language(text, self.languages, self.loop.tokenizer)
                if matched.fits is False:
                    unfit[i] = matched
        loops: list[Loop | None] = [self.loop] * len(rows)
        for i, matched in unfit.items():
            if mode == "error":
                loops[i] = None
            elif mode == "route" and self.route is not None and matched.language:
                with suppress(GatonegroError):  # the model cannot be loaded
                    loops[i] = self.route(matched.language) or self.loop
        streams = {
            id(loop): loop.answer([row for row, other in zip(rows, loops, strict=True) if other is loop],
                                  settings, on_batch)
            for loop in {id(loop): loop for loop in loops}.values() if loop is not None
        }  # fmt: skip
        for i, (row, loop) in enumerate(zip(rows, loops, strict=True)):
            if loop is None:
                yield Answer(error=LanguageMismatchError(*self._notice(row, unfit[i]).message))
                continue
            answer = next(streams[id(loop)])
            if mode == "route" and answer.value is not None:
                answer = replace(answer, value=_with_model_name(answer.value, str(loop.model.name_or_path)))
            if i in unfit and loop is self.loop:
                answer = replace(answer, notices=(*answer.notices, self._notice(row, unfit[i])))
            yield answer

    def _notice(self, row: Any, matched: LanguageMatch) -> Notice:
        """Return the notice that an input row is in a language that its model does not support."""
        model, relatives = self.loop.model.name_or_path, related_languages(matched.language, self.languages.codes)
        filled = notice(
            "related_language" if relatives else "language",
            text=shorten(text_of_row(row), MAX_QUOTED_CHARS),
            language=language_names(matched.language),
            model=Message.same(str(model)) if model else Message("the model", "el modelo"),
            known=language_names(*self.languages.codes),
            relatives=language_names(*relatives),
        )
        return replace(filled, kind="language")


def is_sampled(item: int) -> bool:
    """Return True if a pipeline call, which samples long inputs, checks the language of the row at this index."""
    return item < ALWAYS_CHECKED_ROWS or item % CHECK_INTERVAL_ROWS == 0


def text_of_row(row: Any) -> str:
    """Return the start of an input row's text, for language detection, or "" if the row has no text."""
    if isinstance(row, Mapping):
        row = " ".join(value for value in row.values() if isinstance(value, str))
    return row[:MAX_CHECKED_CHARS] if isinstance(row, str) else ""


def _with_model_name(answer: Any, model: str) -> Any:
    """Return a copy of a pipeline's answer with the model's name added to each of its dicts."""
    if isinstance(answer, list):
        return [_with_model_name(part, model) for part in answer]
    if isinstance(answer, dict):
        return {**answer, "model": model}
    raise OptionError(*MESSAGES["no_route"])
