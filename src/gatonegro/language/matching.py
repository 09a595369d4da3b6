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
from gatonegro.i18n import Message, catalog
from gatonegro.language.detect import likely
from gatonegro.tokenization import Tokenizer

NAMES = catalog(Path(__file__).parent / "names.json")  # by ISO 639
# easily taken for one another, where little is said
RELATIVES = frozenset({"es", "gl", "ca", "ast", "pt", "an", "ext", "oc", "mwl"})
PLAUSIBLE = 3.0  # a language may be meant if it is at most this many times less likely than the likeliest
SURE = 0.9  # probability from which a language is not taken for a relative
LETTERS = 20  # letters that a text needs to say enough
# A tokenizer's fertility (tokens per word) is taken relative to that of XLM-R's, made for a hundred languages. It is
# made for the languages in which it needs at most OWN × what it needs in its best one; for none, if that is over POOR.
OWN, POOR = 1.35, 2.0
UNKNOWN = 8  # tokens that an unknown one counts as, since a word is lost
# codes of three letters, which cards use, to those of two, which detectors give
SHORT = {
    "spa": "es", "eng": "en", "por": "pt", "fra": "fr", "fre": "fr", "deu": "de", "ger": "de", "ita": "it", "cat": "ca",
    "glg": "gl", "eus": "eu", "baq": "eu", "nld": "nl", "dut": "nl", "rus": "ru", "zho": "zh", "chi": "zh", "jpn": "ja",
    "ara": "ar", "tur": "tr", "pol": "pl", "ron": "ro", "rum": "ro",
}  # fmt: skip
NAMELESS = 8  # letters in words without a capital; fewer, and a text is a list of names
NO_WORDS = re.compile(r"\S+://\S+|www\.\S+|\S+@\S+|[@#]\w+")  # links, addresses, mentions
WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
# A word counts for the model's language if it is TIMES more likely there and stays whole. A text is mixed if at least
# WORDS words, and a SHARE of all, count.
TIMES, WORDS, SHARE = 3.0, 2, 0.4


@dataclass(frozen=True)
class Languages:
    """What a model is for."""

    codes: tuple[str, ...]  # ISO 639; none where it is for many, or nothing says
    how: str  # "config", "card" or "tokenizer": what says so


@dataclass(frozen=True)
class Match:
    """A text's language, and whether it is one of a model's."""

    language: str | None
    share: float  # its probability
    fits: bool | None  # None: it cannot be told
    mixed: bool = False


def names_of(*codes: str | None) -> Message:
    """Return the names of languages, with commas between them; a code where there is no name here."""
    names = [NAMES.get(code or "", Message.same(code or "?")) for code in codes]
    return Message(", ".join(name.en for name in names), ", ".join(name.es for name in names))


def name_of(code: str | None) -> str:
    """Return a language's name, in the user's own."""
    return str(names_of(code))


def short(code: str) -> str:
    """ "pt-BR" and "por" as "pt"."""
    first = re.split(r"[-_]", code.lower())[0]
    return SHORT.get(first, first)


def languages_of(tokenizer: Tokenizer, config: Mapping[str, Any], source: Source | str | None = None) -> Languages:
    """Return what a model is for: as its config.json says (`languages`), its card, or what its tokenizer is made for.

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
    needs = relative_fertility(tokenizer)
    least = next(iter(needs.values()))
    best = tuple(code for code, times in needs.items() if times <= OWN * least)
    return Languages(best if least <= POOR else (), "tokenizer")


def _card(source: Source | str | None) -> list[str]:
    """Return the languages in the front matter of a model's card; none where there is no card, or it names none."""
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
def best_fertility(tokenizer: Tokenizer) -> float:
    """Return a tokenizer's tokens per word in the language that it is best at."""
    return min(tokens_per_word(tokenizer, sample["sentences"], UNKNOWN) for sample in samples().values())


@cache
def samples() -> dict[str, dict[str, Any]]:
    """Return a few sentences per language, which say the same in each, and how many tokens per word XLM-R's tokenizer
    makes of them (https://arxiv.org/abs/1911.02116)."""
    return json.loads((Path(__file__).parent / "samples.json").read_text(encoding="utf-8"))


def relative_fertility(tokenizer: Tokenizer) -> dict[str, float]:
    """Return a tokenizer's tokens per word in each language as a multiple of XLM-R's, the best language first."""
    found = {
        code: tokens_per_word(tokenizer, sample["sentences"], UNKNOWN) / sample["tokens_per_word"]
        for code, sample in samples().items()
    }
    return dict(sorted(found.items(), key=lambda one: one[1]))


def tokens_per_word(tokenizer: Tokenizer, texts: list[str], unknown: int = 1) -> float:
    """Return the tokens per word of some texts, an unknown token being counted `unknown` times."""
    ids = (i for text in texts for i in tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)))
    tokens = sum(unknown if i == tokenizer.unk_token_id else 1 for i in ids)
    return tokens / max(1, sum(len(WORD.findall(text)) for text in texts))


def match(text: str, languages: Languages, tokenizer: Tokenizer | None = None) -> Match:
    """Tell whether a text is in one of a model's languages.

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
    """Tell whether a text says enough: names, numbers, links and emoji do not."""
    words = WORD.findall(NO_WORDS.sub(" ", text))
    nameless = text.isupper() or sum(len(word) for word in words if not word.istitle()) >= NAMELESS
    return (nameless and sum(map(len, words)) >= LETTERS) or any(ord(c) > 0x2E80 and c.isalpha() for c in text)


def _mixed(text: str, best: str, own: set[str], tokenizer: Tokenizer) -> bool:
    """Tell whether many of a text's words are of a model's languages, though the text is not: "fue super smooth"."""
    words = [word for word in WORD.findall(text[:1000]) if len(word) > 3 and word.islower()]
    theirs = 0
    for word in words:
        found = likely(word)
        likelier = max(found.get(code, 0.0) for code in own) > TIMES * found.get(best, 0.0)
        theirs += likelier and len(tokenizer.tokenize(word)) <= len(re.split(r"[-'’]", word)) * 2 - 1
    return theirs >= WORDS and theirs >= SHARE * len(words)
