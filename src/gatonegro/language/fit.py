"""Which languages a model is for, and whether a text is in one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from gatonegro.errors import GatonegroError
from gatonegro.hub import Source, locate
from gatonegro.i18n import Pair, localized
from gatonegro.language.detect import likely
from gatonegro.tokenization import Tokenizer

NAMES: dict[str, Pair] = {
    "ar": ("Arabic", "árabe"), "ast": ("Asturian", "asturiano"), "ca": ("Catalan", "catalán"),
    "de": ("German", "alemán"), "en": ("English", "inglés"), "eo": ("Esperanto", "esperanto"),
    "es": ("Spanish", "español"), "eu": ("Basque", "euskera"), "fr": ("French", "francés"),
    "gl": ("Galician", "gallego"), "it": ("Italian", "italiano"), "ja": ("Japanese", "japonés"),
    "nl": ("Dutch", "neerlandés"), "pl": ("Polish", "polaco"), "pt": ("Portuguese", "portugués"),
    "ro": ("Romanian", "rumano"), "ru": ("Russian", "ruso"), "tr": ("Turkish", "turco"), "zh": ("Chinese", "chino"),
}  # fmt: skip
# easily taken for one another, where little is said
RELATIVES = frozenset({"es", "gl", "ca", "ast", "pt", "an", "ext", "oc", "mwl"})
PLAUSIBLE = 3.0  # a language may be meant that is at most so many times less likely than the likeliest
SURE = 0.9  # so likely a language is not taken for a relative
LETTERS = 20  # fewer do not say enough
# A tokenizer's tokens a word are measured against those of XLM-R's, made for a hundred languages. Up to so many times
# what it needs in its best language, a language is its own.
OWN = 1.35
POOR = 2.0  # as such a multiple of XLM-R's, the best language of a tokenizer that is for none of these
UNKNOWN = 8  # tokens that an unknown one counts as, since a word is lost
# codes of three letters that cards use, and of two that detectors give
SHORT = {
    "spa": "es", "eng": "en", "por": "pt", "fra": "fr", "fre": "fr", "deu": "de", "ger": "de", "ita": "it", "cat": "ca",
    "glg": "gl", "eus": "eu", "baq": "eu", "nld": "nl", "dut": "nl", "rus": "ru", "zho": "zh", "chi": "zh", "jpn": "ja",
    "ara": "ar", "tur": "tr", "pol": "pl", "ron": "ro", "rum": "ro",
}  # fmt: skip
NAMELESS = 8  # letters in words without a capital; fewer, and a text is a list of names
NO_WORDS = re.compile(r"\S+://\S+|www\.\S+|\S+@\S+|[@#]\w+")  # links, addresses, mentions
WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
# A word is of a model's language that is so many times likelier there, and that its tokenizer does not cut. A text is
# mixed from so many such words on, if they are that share of those that say something.
TIMES, WORDS, SHARE = 3.0, 2, 0.4


@dataclass(frozen=True)
class Languages:
    """What a model is for."""

    codes: tuple[str, ...]  # ISO 639; none where it is for many, or nothing says
    how: str  # "config", "card", "tokenizer": by what is known


@dataclass(frozen=True)
class Match:
    """What a text's language has to do with a model's."""

    language: str | None
    share: float  # how likely that language is
    fits: bool | None  # None: it cannot be told
    mixed: bool = False


def names_of(code: str | None) -> Pair:
    """A language's name in English and Spanish; its code where there is none here."""
    return NAMES.get(code or "", (code or "?", code or "?"))


def name_of(code: str | None) -> str:
    """A language's name, in the user's own."""
    return localized(*names_of(code))


def short(code: str) -> str:
    """ "pt-BR" and "por" as "pt"."""
    first = re.split(r"[-_]", code.lower())[0]
    return SHORT.get(first, first)


def languages_of(tokenizer: Tokenizer, config: Mapping[str, Any], source: Source | str | None = None) -> Languages:
    """What a model is for: as its config.json says (`languages`), its card, or what its tokenizer is made for.

    Args:
        config: config.json as a dict.
        source: where its files are; a name is looked for on this machine only.
    """
    said = config.get("languages")
    if isinstance(said, list) and said and all(isinstance(code, str) for code in said):
        return Languages(tuple(map(short, said)), "config")
    own = tokenizer.marian.languages if tokenizer.marian else {}
    card = _card(source)
    if codes := tuple(code for code in card if code != "multilingual"):
        return Languages(codes, "card")
    if card:
        return Languages((), "card")
    if len(code := str(own.get("source_lang", ""))) == 2:
        return Languages((code,), "config")
    needs = measured(tokenizer)
    least = next(iter(needs.values()))
    best = tuple(code for code, times in needs.items() if times <= OWN * least)
    return Languages(best if least <= POOR else (), "tokenizer")


def _card(source: Source | str | None) -> list[str]:
    """The languages in the front matter of a model's card; none where there is no card, or no word of them."""
    import yaml
    from huggingface_hub import ModelCard

    try:
        if isinstance(source, str):
            source = locate(source, local_files_only=True)
        path = source.file("README.md") if source else None
        said = ModelCard.load(path).data.get("language") if path else None
    except (GatonegroError, ValueError, OSError, yaml.YAMLError):  # a card that cannot be read says nothing
        return []
    said = [said] if isinstance(said, str) else said
    return [short(code) for code in said if isinstance(code, str)] if isinstance(said, list) else []


@lru_cache(16)
def usual(tokenizer: Tokenizer) -> float:
    """Tokens a word that a tokenizer needs in the language that it is best at."""
    return min(tokens_per_word(tokenizer, sample["sentences"], UNKNOWN) for sample in samples().values())


@cache
def samples() -> dict[str, dict[str, Any]]:
    """Of some languages, a few sentences that say the same, and how many tokens a word XLM-R's tokenizer makes of
    them (https://arxiv.org/abs/1911.02116)."""
    return json.loads((Path(__file__).parent / "samples.json").read_text(encoding="utf-8"))


def measured(tokenizer: Tokenizer) -> dict[str, float]:
    """What a tokenizer needs in each language against what XLM-R's needs, the best first."""
    found = {}
    for code, sample in samples().items():
        found[code] = tokens_per_word(tokenizer, sample["sentences"], UNKNOWN) / sample["tokens_per_word"]
    return {code: found[code] for code in sorted(found, key=found.__getitem__)}


def tokens_per_word(tokenizer: Tokenizer, texts: list[str], unknown: int = 1) -> float:
    """`unknown`: as how many tokens an unknown one counts."""
    ids = (i for text in texts for i in tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)))
    tokens = sum(unknown if i == tokenizer.unk_token_id else 1 for i in ids)
    return tokens / max(1, sum(len(WORD.findall(text)) for text in texts))


def match(text: str, languages: Languages, tokenizer: Tokenizer | None = None) -> Match:
    """Whether a text is in one of a model's languages.

    False where no language that it may be in is one of them; None where too little is said, where a relative of one is
    (Galician, say), or where two languages are mixed and the model knows one, as far as its tokenizer shows that.
    """
    text = NO_WORDS.sub(" ", text)
    found = likely(text)
    best = next(iter(found), None)
    if best is None or not languages.codes or (languages.how == "tokenizer" and best not in samples()):
        return Match(best, found.get(best or "", 0.0), None)
    share = found[best]
    own = set(languages.codes)
    if best in own:
        return Match(best, share, True if share >= 0.5 or enough(text) else None)
    may_be = {code for code, p in found.items() if p * PLAUSIBLE >= share}
    if best in RELATIVES and share < SURE:
        may_be |= RELATIVES
    if may_be & own or not enough(text):
        return Match(best, share, None)
    if tokenizer is not None and _mixed(text, best, own, tokenizer):
        return Match(best, share, None, True)
    return Match(best, share, False)


def enough(text: str) -> bool:
    """Whether a text says enough: names, numbers, links and emoji do not."""
    words = WORD.findall(NO_WORDS.sub(" ", text))
    nameless = text.isupper() or sum(len(word) for word in words if not word.istitle()) >= NAMELESS
    return (nameless and sum(map(len, words)) >= LETTERS) or any(ord(c) > 0x2E80 and c.isalpha() for c in text)


def _mixed(text: str, best: str, own: set[str], tokenizer: Tokenizer) -> bool:
    """Whether many of a text's words are of a model's languages, though the text is not: "fue super smooth"."""
    words = [word for word in WORD.findall(text[:1000]) if len(word) > 3 and word.islower()]
    theirs = 0
    for word in words:
        found = likely(word)
        likelier = max(found.get(code, 0.0) for code in own) > TIMES * found.get(best, 0.0)
        theirs += likelier and len(tokenizer.tokenize(word)) <= len(re.split(r"[-'’]", word)) * 2 - 1
    return theirs >= WORDS and theirs >= SHARE * len(words)
