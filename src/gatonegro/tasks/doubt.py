"""Signs that a translation may be wrong: what it lost, changed or copied, and how unsure the model is of it.

Most signs read the two texts. `Calibration` judges the model's probabilities; its numbers stand in the model's
`config.json`, under "doubt". A model without them has the signs of the texts alone.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from textwrap import shorten
from typing import Any

from gatonegro.config import Config
from gatonegro.documents import DATE, MONTHS, changed_numbers
from gatonegro.i18n import Message, catalog, format_number
from gatonegro.language import detect_language, lexicon
from gatonegro.language.detect import WORD
from gatonegro.text_model import TextModel

REASONS = catalog(Path(__file__).with_name("doubt.json"))
LANGUAGES = {"es": Message("Spanish", "español"), "en": Message("English", "inglés")}
MAY_REPEAT = ("had", "that", "her", "nos", "you")  # in a row, rightly
MIN_SIMILARITY = 0.7  # of two spellings of a name
MAX_COMPARISONS = 4000  # of spellings; more would take more than a tenth of a second
MIN_DETECTED_WORDS = 4  # in an answer whose language is judged
MAX_DEVIATIONS = 4.0  # of the logarithm of the length ratio, in standard deviations
NUM_FEATURES = 5
MAX_SHOWN, MAX_QUOTED = 3, 42  # words in a reason; characters of a sentence
SENTENCE_START = re.compile(r"^\W*|[.!?:;…]\W*|[\"“”«(¿¡—-]\s*")


def _bare(text: str) -> str:
    """Return a word in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))


DATA = json.loads(Path(__file__).with_name("doubt_words.json").read_text("utf-8"))
NEGATIONS = {lang: frozenset(DATA["negations"][lang].split()) for lang in LANGUAGES}
NEGATION_LIKE, IDIOMS = (
    {lang: re.compile(text, re.IGNORECASE) for lang, text in DATA[name].items()} for name in ("negation_like", "idioms")
)
NAMES = {name: [_bare(form) for form in forms.split()] for name, forms in DATA["names"].items()}
KNOWN_NAMES = {*NAMES, *(form for forms in NAMES.values() for form in forms)}


@dataclass(frozen=True)
class Calibration:
    """Weights by which the model's probabilities tell if a translation is adequate, as fitted on pairs."""

    weights: tuple[float, ...]  # of 1 and the `pair_features`
    threshold: float  # least probability of an adequate translation that is not doubtful
    length: tuple[float, float]  # mean and standard deviation of ln(English characters / Spanish characters)

    @classmethod
    def of(cls, config: Config) -> Calibration | None:
        """Return the calibration in a model's `config.json`, or None if there is none that can be used."""
        data: Any = config.extra.get("doubt")
        try:
            (mean, std), weights, threshold = data["length"], data["weights"], data["threshold"]
            numbers = [float(x) for x in (*weights, threshold, mean, std)]
        except (TypeError, ValueError, KeyError):
            return None
        sound = len(weights) == NUM_FEATURES + 1 and numbers[-1] > 0 and all(map(math.isfinite, numbers))
        return cls(tuple(numbers[:-3]), numbers[-3], (mean, std)) if sound and isinstance(weights, list) else None

    def deviations(self, source: str, answer: str, src: str) -> float:
        """Return by how many standard deviations an answer is longer or shorter than usual."""
        (mean, std), ratio = self.length, math.log((len(answer) + 2) / (len(source) + 2))
        return (ratio - mean if src == "es" else ratio + mean) / std

    def probability(self, features: Sequence[float]) -> float:
        """Return the probability that a translation with these `pair_features` is adequate."""
        z = sum(w * x for w, x in zip(self.weights, (1.0, *features), strict=True))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, z))))


def pair_features(
    model: TextModel,
    sources: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    prefixes: Sequence[tuple[int, Sequence[int]]],
    log_probs: Sequence[tuple[float, float]] | None = None,
) -> list[tuple[float, ...]]:
    """Return what a `Calibration` weighs of answers to sources: log-probabilities, and those of the reverse direction.

    It takes one pass of the encoder and the decoder from answers to sources, and one more without `log_probs`.

    Args:
        model: a model that translates in both directions.
        sources: token ids with the prefix and the eos token.
        answers: token ids without the eos token.
        prefixes: per source, the length of its prefix, and the prefix of the reverse direction.
        log_probs: mean and minimum of the log-probabilities of each answer's tokens, if the model generated it.
    """
    pairs = list(zip(sources, answers, prefixes, strict=True))
    if log_probs is None:
        forward = model.token_log_probs(sources, [[*answer, source[-1]] for source, answer, _ in pairs])
        log_probs = [(float(array.mean()), float(array.min())) for array in forward]
    limit = model.config.max_tokens - 1
    reverse = [[*[*prefix, *answer][:limit], source[-1]] for source, answer, (_, prefix) in pairs]
    backward = model.token_log_probs(reverse, [source[start:] for source, _, (start, _) in pairs])
    return [
        (*forward, float(array.mean()), float(array.min()), math.log(len(array)))
        for forward, array in zip(log_probs, backward, strict=True)
    ]


def sentence_doubts(
    source: str,
    answer: str,
    languages: tuple[str | None, str | None],
    calibration: Calibration | None = None,
    values: Sequence[float] | None = None,
    is_loop: bool = False,
) -> dict[str, Message]:
    """Return the signs that a sentence's answer is wrong: kind → reason.

    Args:
        source: a sentence.
        answer: its translation, whoever wrote it.
        languages: those of the source and of the answer, if known.
        calibration: that of the model, for the signs `length` and `unsure`.
        values: the `pair_features` of the pair, for the sign `unsure`.
        is_loop: the model generated the answer and ended in a loop.
    """
    src, tgt = languages
    lost: dict[str, list[str]] = {
        "loop": repeated_words(source, answer),
        "number": [*chain(*changed_numbers(source, answer, src, tgt))],
    }
    if src in LANGUAGES and tgt in LANGUAGES and src != tgt:
        lost["copied"] = copied_words(source, answer, src, tgt)
        lost["negation"] = changed_negations(source, answer, src, tgt)
        lost["name"] = changed_names(source, answer, src, tgt)
        long = len(_words(answer)) >= MIN_DETECTED_WORDS
        if long and detect_language(answer) == src and detect_language(source) != tgt:
            lost["language"] = [tgt]
    shown = {kind: ", ".join(dict.fromkeys(words[:MAX_SHOWN])) for kind, words in lost.items() if words}
    found = {kind: REASONS[kind].format(words=words, language=LANGUAGES.get(words)) for kind, words in shown.items()}
    if is_loop:
        found.setdefault("loop", REASONS["loop"].format(words="…"))
    if calibration is None:
        return found
    far = calibration.deviations(source, answer, str(src)) if src in LANGUAGES else 0.0
    if abs(far) > MAX_DEVIATIONS:
        than = Message("longer", "largo") if far > 0 else Message("shorter", "corto")
        found["length"] = REASONS["length"].format(than=than)
    if values is not None and (probability := calibration.probability(values)) < calibration.threshold:
        found["unsure"] = REASONS["unsure"].format(probability=format_number(probability, 2))
    return found


def document_doubts(sentences: Sequence[tuple[str, Mapping[str, Message]]]) -> dict[str, Message]:
    """Return the doubts of a document's answer from its sentences and their doubts: the first reason of each kind.

    A reason names its sentence, if there are several.
    """
    reasons: dict[str, Message] = {}
    for source, doubts in sentences:
        place = f"«{shorten(source, MAX_QUOTED, placeholder='…')}»: " if len(sentences) > 1 else ""
        for kind, reason in doubts.items():
            reasons.setdefault(kind, Message(place + reason.en, place + reason.es))
    return reasons


def copied_words(source: str, answer: str, src: str, tgt: str) -> list[str]:
    """Return the words of `src` alone that an answer repeats from its source, if they are half of it or more.

    Of an answer that is its source, they are all words but names and those of both languages.
    """
    theirs, mine = _words(source.lower()), _words(answer)
    if [w.lower() for w in mine] == theirs and detect_language(source) != tgt:
        known = lexicon().common[src] | lexicon().common[tgt]
        return [w for w in mine if w.lower() in known or (w.islower() and len(w) > 2 and w not in lexicon().shared)]
    repeated = lexicon().own[src].intersection(theirs)
    copied = [w for w in mine if w.lower() in repeated]
    return copied if 2 * len(copied) >= len(mine) else []


def repeated_words(source: str, answer: str) -> list[str]:
    """Return the words that an answer has twice in a row, or in a loop of several words, if the source has none."""

    def repeats(text: str) -> list[str]:
        words = _words(text.lower())
        twice = [w for w, after in pairwise(words) if w == after and w not in MAY_REPEAT]
        for n in range(2, 7):
            groups = [words[i : i + n] for i in range(len(words) - n + 1)]
            twice += [" ".join(a) for a, b, c in zip(groups, groups[n:], groups[2 * n :], strict=False) if a == b == c]
        return twice

    return [] if repeats(source) else repeats(answer)


def changed_negations(source: str, answer: str, src: str, tgt: str) -> list[str]:
    """Return the negations of one side, if the other has nothing like one."""
    here, there = _negations(source, src), _negations(answer, tgt)
    if bool(here) == bool(there):
        return []
    lang, text = (tgt, answer) if here else (src, source)
    return [] if any(NEGATION_LIKE[lang].fullmatch(w) for w in _words(text)) else here or there


def _negations(text: str, lang: str) -> list[str]:
    known, words = NEGATIONS[lang], _words(IDIOMS[lang].sub(" ", text))
    return [w for w in words if w.lower() in known or (lang == "en" and w.lower().endswith("n't"))]


def changed_names(source: str, answer: str, src: str, tgt: str) -> list[str]:
    """Return the names of one side that the other lacks; none of a side with too many to compare their spellings.

    Months are no names beside a date in digits.
    """
    sides = {src: source, tgt: answer}
    words = {lang: {_bare(re.sub("'s$", "", word)) for word in _words(text)} for lang, text in sides.items()}
    known = MONTHS if DATE.search(source) or DATE.search(answer) else ()
    lost: list[str] = []
    for lang, others in (("en", words["es"]), ("es", words["en"])):
        names = {name: _bare(name) for name in _names(sides[lang], lang) if name.lower() not in known}
        names = {name: bare for name, bare in names.items() if bare not in others}
        for name, bare in names.items() if len(names) * len(others) <= MAX_COMPARISONS else ():
            pairs = ((bare, other) if lang == "en" else (other, bare) for other in others)
            lost += [] if any(_same_name(*pair) for pair in pairs) else [name]
    return lost


def _names(text: str, lang: str) -> list[str]:
    """Return the names in a text: words with a capital that are known names, or are neither first nor common words."""
    starts = {match.end() for match in SENTENCE_START.finditer(text)}
    out = []
    for match in WORD.finditer(text):
        name = re.sub("['’]s$", "", match[0])
        is_name = name[0].isupper() and not name.isupper() and name.isalpha()  # DNA is ADN
        if is_name and name.lower() not in lexicon().common[lang]:
            out += [name] if match.start() not in starts or _bare(name) in KNOWN_NAMES else []
    return out


def _same_name(en: str, es: str) -> bool:
    """Return True if an English and a Spanish bare word may be one name: by the table, else by their spelling."""
    forms = NAMES.get(en) or NAMES.get(en.removesuffix("s"), [])
    if en == es or any(es.startswith(form) for form in forms):
        return True
    short = min(len(en), len(es))
    if short >= 3 and (en.startswith(es) or es.startswith(en)):
        return True
    from difflib import SequenceMatcher  # here, for a light start

    return not forms and short >= 4 and SequenceMatcher(None, en, es).ratio() >= MIN_SIMILARITY


def _words(text: str) -> list[str]:
    return [word.replace("’", "'") for word in WORD.findall(text)]
