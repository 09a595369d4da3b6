"""The languages that a model was made for, and the comparison of a text's language with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from gatonegro.errors import GatonegroError
from gatonegro.hub import Source, locate
from gatonegro.i18n import Message, catalog
from gatonegro.language.detect import language_probabilities
from gatonegro.tokenization import Tokenizer

LANGUAGE_NAMES = catalog(Path(__file__).parent / "names.json")  # by ISO 639 code
# languages that short texts are confused among
RELATED_LANGUAGES = frozenset({"es", "gl", "ca", "ast", "pt", "an", "ext", "oc", "mwl"})
MAX_PLAUSIBLE_RATIO = 3.0  # a language is plausible if the likeliest is at most this many times as likely
MIN_RELATED_RATIO = 10.0  # a language is not confused with a related one that is this many times less likely
MIN_LETTERS = 20  # in a text whose language can be detected
# A tokenizer's fertility (tokens per word) is taken relative to that of XLM-R's, made for a hundred languages. It was
# made for the languages with at most MAX_OWN_RATIO × its least fertility; for none, if that is over MAX_FERTILITY.
MAX_OWN_RATIO, MAX_FERTILITY = 1.35, 2.0
UNKNOWN_WEIGHT = 8  # tokens that an unknown token counts for, since it loses a word
# ISO 639 codes of three letters, which cards use → of two, which detectors return
TWO_LETTER_CODES: dict[str, str] = json.loads((Path(__file__).parent / "codes.json").read_text(encoding="utf-8"))
# The front matter of a model card: only the entry `language` is parsed, since the others may be long, or no YAML.
MAX_CARD_CHARS, MAX_LANGUAGE_CHARS = 1_000_000, 10_000
LANGUAGE_ENTRY = re.compile(r"^language[ \t]*:.*(?:\n(?:[ \t#-].*)?)*", re.MULTILINE)
LANGUAGE_CODE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z\d]{1,16})*|multilingual")
MIN_LOWERCASE_LETTERS = 8  # in words without a capital; with fewer, a text is a list of names
LINK_IN_WORD, MENTION = re.compile(r".://.|.@."), re.compile(r"www\.\S+|[@#]\w+")  # mail addresses are links too
WORD_PATTERN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
# A word is in the model's language if it is MIXED_MIN_RATIO times as likely there, and its tokenizer does not split it.
# A text is mixed if at least MIXED_MIN_WORDS words, and MIXED_MIN_SHARE of its long ones, are.
MIXED_MIN_RATIO, MIXED_MIN_WORDS, MIXED_MIN_SHARE = 3.0, 2, 0.4


@dataclass(frozen=True)
class Languages:
    """The codes of the languages that a model was made for, and the source of this information."""

    codes: tuple[str, ...]  # ISO 639; empty: many, or unknown
    source: str  # of `codes`: "config", "card" or "tokenizer"


@dataclass(frozen=True)
class LanguageMatch:
    """The detected language of a text, and its comparison with the languages of a model."""

    language: str | None
    probability: float  # of `language`
    fits: bool | None  # None: unclear
    mixed: bool = False


def language_names(*codes: str | None) -> Message:
    """Return the English and Spanish names of language codes, joined by commas; an unknown code stays as it is."""
    names = [LANGUAGE_NAMES.get(code or "", Message.same(code or "?")) for code in codes]
    return Message(", ".join(name.en for name in names), ", ".join(name.es for name in names))


def two_letter_code(code: str) -> str:
    """Return the two-letter form of a language code, such as "pt" for "pt-BR" or "por"."""
    first: str = re.split(r"[-_]", code.lower())[0]
    return TWO_LETTER_CODES.get(first, first)


def languages_of(tokenizer: Tokenizer, config: Mapping[str, Any], source: Source | str | None = None) -> Languages:
    """Return the languages of a model, from its config.json, its model card or, failing both, its tokenizer.

    Args:
        tokenizer: the model's.
        config: config.json as a dict, perhaps with a list `languages`.
        source: the model's files, or its name, which is searched for on this machine only.
    """
    listed = config.get("languages")
    if isinstance(listed, list) and listed and all(isinstance(code, str) for code in listed):
        return Languages(tuple(map(two_letter_code, listed)), "config")
    if card := _card(source):
        return Languages(tuple(code for code in card if code != "multilingual"), "card")
    marian = tokenizer.marian.languages if tokenizer.marian else {}
    if len(code := str(marian.get("source_lang", ""))) == 2:
        return Languages((code,), "config")
    fertility = relative_fertility(tokenizer)
    least = next(iter(fertility.values()))
    best = tuple(code for code, value in fertility.items() if value <= MAX_OWN_RATIO * least)
    return Languages(best if least <= MAX_FERTILITY else (), "tokenizer")


def _card(source: Source | str | None) -> list[str]:
    """Return the language codes in the front matter of a model card, or an empty list if it cannot be read."""
    import yaml

    try:
        if isinstance(source, str):
            source = locate(source, local_files_only=True)
        path = source.file("README.md") if source else None
        if path is None:
            return []
        with path.open(encoding="utf-8-sig") as file:
            start = file.read(MAX_CARD_CHARS).lstrip()
        front, end, _ = f"{start}\n".partition("\n---\n")
        entry = LANGUAGE_ENTRY.search(front) if end and front.startswith("---\n") else None
        if entry is None or len(entry[0]) > MAX_LANGUAGE_CHARS:
            return []
        data = yaml.load(entry[0], yaml.BaseLoader)  # to which all scalars are text: `no` is Norwegian
    except (GatonegroError, ValueError, OSError, yaml.YAMLError, RecursionError):
        return []
    codes = data.get("language") if isinstance(data, dict) else None
    codes = codes if isinstance(codes, list) else [codes]
    return [two_letter_code(code) for code in codes if isinstance(code, str) and LANGUAGE_CODE.fullmatch(code)]


@lru_cache(16)
def best_fertility(tokenizer: Tokenizer) -> float:
    """Return a tokenizer's average number of tokens per word in the language where it needs fewest."""
    return min(tokens_per_word(tokenizer, sample["sentences"], UNKNOWN_WEIGHT) for sample in samples().values())


@cache
def samples() -> dict[str, dict[str, Any]]:
    """Return sample sentences by language, with the tokens per word of XLM-R, https://arxiv.org/abs/1911.02116."""
    read: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "samples.json").read_text(encoding="utf-8"))
    return read


def relative_fertility(tokenizer: Tokenizer) -> dict[str, float]:
    """Return a tokenizer's tokens per word by language, as a multiple of XLM-R's, in ascending order."""
    multiples = {
        code: tokens_per_word(tokenizer, sample["sentences"], UNKNOWN_WEIGHT) / sample["tokens_per_word"]
        for code, sample in samples().items()
    }
    return dict(sorted(multiples.items(), key=lambda item: item[1]))


def tokens_per_word(tokenizer: Tokenizer, texts: list[str], unknown: int = 1) -> float:
    """Return the average number of tokens per word in texts, with each unknown token counted `unknown` times."""
    ids = (i for text in texts for i in tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)))
    tokens = sum(unknown if i == tokenizer.unk_token_id else 1 for i in ids)
    return tokens / max(1, sum(len(WORD_PATTERN.findall(text)) for text in texts))


def match_language(text: str, languages: Languages, tokenizer: Tokenizer | None = None) -> LanguageMatch:
    """Detect a text's language and compare it with the languages of a model.

    `fits` is False if none of the text's plausible languages is one of them. It is None if the text is too short, in a
    language related to one of them (Galician, say), or mixed with one of them, by the tokenizer's evidence.
    """
    text = remove_links(text)
    probabilities = language_probabilities(text)
    best = next(iter(probabilities), None)
    if best is None or not languages.codes or (languages.source == "tokenizer" and best not in samples()):
        return LanguageMatch(best, probabilities.get(best or "", 0.0), None)
    p = probabilities[best]
    codes = set(languages.codes)
    if best in codes:
        return LanguageMatch(best, p, True if p >= 0.5 or is_long_enough(text) else None)
    plausible = {code for code, other in probabilities.items() if other * MAX_PLAUSIBLE_RATIO >= p}
    plausible |= {
        code for code in related_languages(best, codes) if p < MIN_RELATED_RATIO * probabilities.get(code, 0.0)
    }
    if plausible & codes or not is_long_enough(text):
        return LanguageMatch(best, p, None)
    if tokenizer is not None and not related_languages(best, codes) and _is_mixed(text, best, codes, tokenizer):
        return LanguageMatch(best, p, None, True)
    return LanguageMatch(best, p, False)


def related_languages(code: str | None, codes: Iterable[str]) -> list[str]:
    """Return those of a model's languages that a text's language is related to, such as Spanish for Galician."""
    return [other for other in codes if {code, other} <= RELATED_LANGUAGES]


def remove_links(text: str) -> str:
    """Return a text without links, mail addresses, mentions and hashtags, and with single spaces."""
    return MENTION.sub(" ", " ".join(word for word in text.split() if not LINK_IN_WORD.search(word)))


def is_long_enough(text: str) -> bool:
    """Return True if a text has enough letters, outside names, numbers, links and emoji, to detect its language."""
    words = WORD_PATTERN.findall(remove_links(text))
    no_names = text.isupper() or sum(len(word) for word in words if not word.istitle()) >= MIN_LOWERCASE_LETTERS
    return (no_names and sum(map(len, words)) >= MIN_LETTERS) or any(ord(c) > 0x2E80 and c.isalpha() for c in text)


def _is_mixed(text: str, best: str, codes: set[str], tokenizer: Tokenizer) -> bool:
    """Return True if a text mixes its main language with one of `codes`, as "fue super smooth" mixes in English."""
    words = [word for word in WORD_PATTERN.findall(text[:1000]) if len(word) > 3 and word.islower()]
    count = 0
    for word in words:
        probabilities = language_probabilities(word)
        likelier = max(probabilities.get(code, 0.0) for code in codes) > MIXED_MIN_RATIO * probabilities.get(best, 0.0)
        count += likelier and len(tokenizer.tokenize(word)) <= len(re.split(r"[-'’]", word)) * 2 - 1
    return count >= MIXED_MIN_WORDS and count >= MIXED_MIN_SHARE * len(words)
