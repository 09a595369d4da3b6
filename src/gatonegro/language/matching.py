"""The languages of a model, and whether a text is in one of them."""

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

NAMES = catalog(Path(__file__).parent / "names.json")  # by ISO 639 code
# languages that a short text does not tell apart
RELATIVES = frozenset({"es", "gl", "ca", "ast", "pt", "an", "ext", "oc", "mwl"})
PLAUSIBLE = 3.0  # a language is possible if it is at most this many times less likely than the likeliest
SURE = 0.9  # probability from which a language is not taken for a relative
LETTERS = 20  # fewest letters of a text that can be judged
# A tokenizer's fertility (tokens per word) is taken relative to that of XLM-R's, made for a hundred languages. It is
# made for the languages in which it needs at most OWN × what it needs in its best one; for none, if that is over POOR.
OWN, POOR = 1.35, 2.0
UNKNOWN = 8  # weight of an unknown token, since it loses a word
# ISO 639 codes of three letters, which cards use → of two, which detectors return
SHORT: dict[str, str] = json.loads((Path(__file__).parent / "codes.json").read_text(encoding="utf-8"))
NAMELESS = 8  # fewest letters in words without a capital; below that, a text is a list of names
NO_WORDS = re.compile(r"\S+://\S+|www\.\S+|\S+@\S+|[@#]\w+")  # links, addresses, mentions
WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
# A word counts for the model's language if it is TIMES more likely there and stays whole. A text is mixed if at least
# WORDS words, and a SHARE of all, count.
TIMES, WORDS, SHARE = 3.0, 2, 0.4


@dataclass(frozen=True)
class Languages:
    """The languages that a model was made for."""

    codes: tuple[str, ...]  # ISO 639; empty: it is for many, or they are not known
    how: str  # their source: "config", "card" or "tokenizer"


@dataclass(frozen=True)
class Match:
    """A text's language, and whether it is one of a model's."""

    language: str | None
    share: float  # its probability
    fits: bool | None  # None: not known
    mixed: bool = False


def names_of(*codes: str | None) -> Message:
    """Return the names of languages, separated by commas; for a code without a name, the code."""
    names = [NAMES.get(code or "", Message.same(code or "?")) for code in codes]
    return Message(", ".join(name.en for name in names), ", ".join(name.es for name in names))


def name_of(code: str | None) -> str:
    """Return a language's name, in the user's language."""
    return str(names_of(code))


def short(code: str) -> str:
    """Return the code of two letters: "pt" for "pt-BR" and "por"."""
    first: str = re.split(r"[-_]", code.lower())[0]
    return SHORT.get(first, first)


def languages_of(tokenizer: Tokenizer, config: Mapping[str, Any], source: Source | str | None = None) -> Languages:
    """Return the languages of a model: those of its config.json (`languages`), its card, or its tokenizer.

    Args:
        config: config.json as a dict.
        source: its files; a name is searched for on this machine only.
    """
    listed = config.get("languages")
    if isinstance(listed, list) and listed and all(isinstance(code, str) for code in listed):
        return Languages(tuple(map(short, listed)), "config")
    if card := _card(source):
        return Languages(tuple(code for code in card if code != "multilingual"), "card")
    marian = tokenizer.marian.languages if tokenizer.marian else {}
    if len(code := str(marian.get("source_lang", ""))) == 2:
        return Languages((code,), "config")
    needs = relative_fertility(tokenizer)
    least = next(iter(needs.values()))
    best = tuple(code for code, times in needs.items() if times <= OWN * least)
    return Languages(best if least <= POOR else (), "tokenizer")


def _card(source: Source | str | None) -> list[str]:
    """Return the languages in the front matter of a model's card; none without a card, or if it lists none."""
    import yaml
    from huggingface_hub import ModelCard

    try:
        if isinstance(source, str):
            source = locate(source, local_files_only=True)
        path = source.file("README.md") if source else None
        codes = ModelCard.load(path).data.get("language") if path else None
    except (GatonegroError, ValueError, OSError, yaml.YAMLError):  # the card cannot be read
        return []
    codes = [codes] if isinstance(codes, str) else codes
    return [short(code) for code in codes if isinstance(code, str)] if isinstance(codes, list) else []


@lru_cache(16)
def best_fertility(tokenizer: Tokenizer) -> float:
    """Return a tokenizer's tokens per word in its best language."""
    return min(tokens_per_word(tokenizer, sample["sentences"], UNKNOWN) for sample in samples().values())


@cache
def samples() -> dict[str, dict[str, Any]]:
    """Return a few sentences per language, translations of one another, and XLM-R's tokens per word for them
    (https://arxiv.org/abs/1911.02116)."""
    read: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "samples.json").read_text(encoding="utf-8"))
    return read


def relative_fertility(tokenizer: Tokenizer) -> dict[str, float]:
    """Return a tokenizer's tokens per word in each language as a multiple of XLM-R's, the best language first."""
    multiples = {
        code: tokens_per_word(tokenizer, sample["sentences"], UNKNOWN) / sample["tokens_per_word"]
        for code, sample in samples().items()
    }
    return dict(sorted(multiples.items(), key=lambda item: item[1]))


def tokens_per_word(tokenizer: Tokenizer, texts: list[str], unknown: int = 1) -> float:
    """Return the tokens per word of some texts; an unknown token counts `unknown` times."""
    ids = (i for text in texts for i in tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)))
    tokens = sum(unknown if i == tokenizer.unk_token_id else 1 for i in ids)
    return tokens / max(1, sum(len(WORD.findall(text)) for text in texts))


def match(text: str, languages: Languages, tokenizer: Tokenizer | None = None) -> Match:
    """Return a text's language, and whether it is one of a model's.

    `fits` is False if no language that the text may be in is one of them. It is None if the text is too short, in a
    relative of one of them (Galician, say), or mixed, by the tokenizer's evidence, with one of them.
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
    """Return whether a text can be judged: it needs enough letters outside names, numbers, links and emoji."""
    words = WORD.findall(NO_WORDS.sub(" ", text))
    nameless = text.isupper() or sum(len(word) for word in words if not word.istitle()) >= NAMELESS
    return (nameless and sum(map(len, words)) >= LETTERS) or any(ord(c) > 0x2E80 and c.isalpha() for c in text)


def _mixed(text: str, best: str, own: set[str], tokenizer: Tokenizer) -> bool:
    """Return whether many words of a text are of a model's languages, though the text is not: "fue super smooth"."""
    words = [word for word in WORD.findall(text[:1000]) if len(word) > 3 and word.islower()]
    theirs = 0
    for word in words:
        found = likely(word)
        likelier = max(found.get(code, 0.0) for code in own) > TIMES * found.get(best, 0.0)
        theirs += likelier and len(tokenizer.tokenize(word)) <= len(re.split(r"[-'’]", word)) * 2 - 1
    return theirs >= WORDS and theirs >= SHARE * len(words)
