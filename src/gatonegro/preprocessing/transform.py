"""Text transforms that some models need before tokenization, with offsets mapped back to the original text.

A model trained on tweets whose mentions, links and emoji were replaced reads raw tweets badly, without an error.
Every transform takes time linear in the length of its text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import Any

from gatonegro.checks import short_repr, surrogate_problem
from gatonegro.errors import ConfigError, InputError, OptionError
from gatonegro.preprocessing.emoji import EMOJI, MESSAGES, known_emoji, spell_emoji
from gatonegro.preprocessing.tweets import preprocess_tweet

TextTransform = Callable[[str], str]
TRANSFORMS: dict[str, Callable[..., str]] = {"robertuito": preprocess_tweet, "spell-emoji": spell_emoji}
CONFIG_KEY = "gatonegro_preprocess"  # in config.json
# models of RoBERTuito's authors trained on the same tweets, whose names do not show it
TWEET_MODELS = ("finiteautomata/beto-sentiment-analysis", "finiteautomata/beto-emotion-analysis")
NON_SPACE = re.compile(r"\S+")


class PreprocessedText(str):
    """A transformed text that can map its character offsets back to the original text."""

    original: str
    transform: TextTransform

    def __new__(cls, original: str, transform: TextTransform) -> PreprocessedText:
        new = super().__new__(cls, apply(original, transform))
        new.original, new.transform = str.__str__(original), transform
        return new

    @cached_property
    def _words(self) -> tuple[list[int], list[int], list[tuple[int, int, bool]]]:
        """Return the start and end of each original word in the transformed text, and its span in the original text.

        A word of the original may be several here, or none. If the words, each transformed by itself, are not those of
        the transformed text, the only entry is the whole text. A span is (start, end, is unchanged).
        """
        words = list(NON_SPACE.finditer(self))
        starts: list[int] = []
        ends: list[int] = []
        spans: list[tuple[int, int, bool]] = []
        count = 0
        for match in NON_SPACE.finditer(self.original):
            parts = NON_SPACE.findall(apply(match[0], self.transform))
            if parts != [word[0] for word in words[count : count + len(parts)]]:
                break
            if parts:
                count += len(parts)
                starts.append(words[count - len(parts)].start())
                ends.append(words[count - 1].end())
                spans.append((match.start(), match.end(), parts == [match[0]]))
        else:
            if spans and count == len(words):
                return starts, ends, spans
        return [0], [len(self)], [(0, len(self.original), False)]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of the transformed text to the original, where it is never empty.

        Part of a changed word maps to the whole word. White space maps to that between the same words or, if there
        is none, to the word before it.
        """
        if start >= end:  # a token without characters of its own
            start = min(start, len(self) - 1)
            end = start + 1
        while start < end - 1 and self[start].isspace():
            start += 1
        while end - 1 > start and self[end - 1].isspace():
            end -= 1
        starts, ends, spans = self._words
        first, last = (max(bisect_right(starts, i) - 1, 0) for i in (start, end - 1))
        if not ends[first] > start >= starts[first]:
            before, after = (ends[first], spans[first][1]) if start >= ends[first] else (0, 0)
            following = bisect_right(starts, start)
            limit = spans[following][0] if following < len(spans) else len(self.original)
            if after < limit:
                start = min(after + start - before, limit - 1)
                return start, min(start + 1, limit)
            return spans[first][:2]
        first_start, _, first_same = spans[first]
        last_start, last_end, last_same = spans[last]
        return (
            first_start + start - starts[first] if first_same else first_start,
            min(last_start + end - starts[last], last_end) if last_same else last_end,
        )


def apply(text: str, transform: TextTransform) -> str:
    """Return a text transformed by a function, after checking that the result is a valid text.

    Raises:
        InputError: the transform raises an exception, or returns no text.
    """
    text = str.__str__(text)  # the characters of a subclass, such as an Enum, which str() may name instead
    try:
        new = transform(text)
    except MemoryError:
        raise
    except Exception as error:  # whatever a user's function raises is the row's
        raise InputError(*MESSAGES["failed"].format(text=text, error=error)) from error
    if not isinstance(new, str):
        raise InputError(*MESSAGES["no_str"].format(kind=type(new).__name__, text=text))
    if bad := surrogate_problem(new):
        raise InputError(f"preprocess= returned a text with {bad.en}", f"preprocess= devolvió un texto con {bad.es}")
    return str.__str__(new)


def preprocessing_name(name_or_path: str, config_value: object = None) -> str | None:
    """Return the name of the text transform that a model needs, by its config or its name, or None for no transform.

    Raises:
        ConfigError: the config has an unknown name.
    """
    if config_value is None:
        tweets = "robertuito" in name_or_path.lower() or name_or_path in TWEET_MODELS
        return "robertuito" if tweets else None
    if isinstance(config_value, str) and config_value in TRANSFORMS:
        return config_value
    known = ", ".join(TRANSFORMS)
    problem, value = MESSAGES["unknown_name"], short_repr(config_value)
    raise ConfigError(*problem.format(name=name_or_path, value=value, known=known, key=CONFIG_KEY))


def resolve_transform(
    preprocess: object, name_or_path: str, config: Mapping[str, Any], get_vocab: Callable[[], Iterable[str]]
) -> TextTransform | None:
    """Return the text transform for the option `preprocess=`, where "auto" selects the one that the model needs.

    Raises:
        OptionError: `preprocess` is neither "auto", None, a function nor a name in `TRANSFORMS`.
    """
    if preprocess is None or callable(preprocess):
        return preprocess
    auto = isinstance(preprocess, str) and preprocess == "auto"
    name = preprocessing_name(name_or_path, config.get(CONFIG_KEY)) if auto else preprocess
    if name is None:
        return None
    if not isinstance(name, str) or name not in TRANSFORMS:
        raise OptionError(*MESSAGES["preprocess"].format(known=", ".join(TRANSFORMS), name=name))
    if name == "spell-emoji":
        known = cache(lambda: known_emoji(get_vocab()))
        return lambda text: spell_emoji(text, known() if EMOJI.search(text) else ())
    return TRANSFORMS[name]


def transform_row(row: Any, transform: TextTransform) -> Any:
    """Apply a text transform to an input row: a text, or each text of a dict."""
    if isinstance(row, str):
        return PreprocessedText(row, transform)
    if isinstance(row, Mapping):
        return {k: PreprocessedText(v, transform) if isinstance(v, str) else v for k, v in row.items()}
    return row
