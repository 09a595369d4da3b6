"""Texts in a language that the model was not made for: notices, errors, and routing to another model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gatonegro.checks import Check, one_of
from gatonegro.errors import GatonegroError, LanguageMismatchError, OptionError
from gatonegro.i18n import Message
from gatonegro.language import LanguageMatch, Languages, language_names, match_language
from gatonegro.pipelines.loop import Answer, Loop, OnBatch, Settings
from gatonegro.tasks.task import Notice, notice

MODES = ("warn", "error", "route", "off")
LANGUAGE_CHECK = Check(
    one_of(*MODES).test, Message(f"one of {', '.join(map(repr, MODES))}", f"uno de {', '.join(map(repr, MODES))}")
)
ALL, EACH = 64, 32  # a call checks its first ALL rows, then every EACH-th
MAX_CHARS = 300  # of a text that are looked at
Route = Callable[[str], Loop | None]


@dataclass(frozen=True)
class Router:
    """Answers each row by a model that fits its language, if that is asked for.

    Args:
        route: from a language to the loop of a model that fits it, or None.
    """

    loop: Loop
    languages: Languages
    route: Route | None = None

    def answer(
        self,
        rows: Sequence[Any],
        settings: Settings,
        checked: Iterable[int],
        on_batch: OnBatch | None = None,
    ) -> Iterator[Answer]:
        """Yield answers as `Loop.answer` does. `checked`: the rows whose language is checked in mode "warn"."""
        mode = settings.language_check
        unfit: dict[int, LanguageMatch] = {}
        for i in checked if mode == "warn" else range(len(rows)):
            if self.loop.check(rows[i], settings.options) is None:
                found = match_language(text_of_row(rows[i]), self.languages, self.loop.tokenizer)
                if found.fits is False:
                    unfit[i] = found
        loops: list[Loop | None] = [self.loop] * len(rows)
        for i, found in unfit.items():
            if mode == "error":
                loops[i] = None
            elif mode == "route" and self.route is not None and found.language:
                with suppress(GatonegroError):  # a model that cannot be loaded is none
                    loops[i] = self.route(found.language) or self.loop
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
            if mode == "route" and answer.error is None:
                answer = replace(answer, value=_named(answer.value, str(loop.model.name_or_path)))
            if i in unfit and loop is self.loop:
                answer = replace(answer, notices=(*answer.notices, self._notice(row, unfit[i])))
            yield answer

    def _notice(self, row: Any, found: LanguageMatch) -> Notice:
        return mismatch(row, found, self.languages, str(self.loop.model.name_or_path or ""))


def is_sampled(item: int) -> bool:
    """Return True if a call checks the language of this row."""
    return item < ALL or item % EACH == 0


def text_of_row(row: Any) -> str:
    """Return the text of a row, to tell its language by; "" where there is none."""
    if isinstance(row, Mapping):
        row = " ".join(value for value in row.values() if isinstance(value, str))
    return row[:MAX_CHARS] if isinstance(row, str) else ""


def mismatch(row: Any, found: LanguageMatch, languages: Languages, model: str) -> Notice:
    """Return the notice of a row that is not in a language of its model."""
    text = text_of_row(row)
    text = text if len(text) <= 60 else text[:59] + "…"
    language = Message(*language_names(found.language))
    known = Message(*(", ".join(names) for names in zip(*map(language_names, languages.codes), strict=True)))
    name = Message.same(model) if model else Message("the model", "el modelo")
    return notice("language", text=text, language=language, model=name, known=known)


def _named(answer: Any, model: str) -> Any:
    """Return an answer that names its model."""
    if isinstance(answer, list):
        return [_named(part, model) for part in answer]
    if isinstance(answer, dict):
        return {**answer, "model": model}
    raise OptionError(
        'language_check="route" is for tasks whose answers can name their model; this one returns numbers. Use '
        '"warn" or "error".',
        'language_check="route" es para tareas cuyas respuestas pueden nombrar su modelo; esta da números. Usa '
        '"warn" o "error".',
    )
