"""The diagnosis of a text and a model: whether the model fits the text's language, with the evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gatonegro.config import Config
from gatonegro.errors import ConfigError, GatonegroError
from gatonegro.hub import built_in_models, locate
from gatonegro.i18n import Message, catalog, user_language
from gatonegro.language import matching
from gatonegro.language.matching import Languages, languages_of, match, names_of
from gatonegro.tokenization import Tokenizer
from gatonegro.tokenization.loading import load

LONGEST = 10_000  # characters of a text to read
SHOWN = 8  # fragmented words in a report
WORDS = catalog(Path(__file__).parent / "diagnosis.json")


@dataclass(frozen=True)
class Diagnosis:
    """The language of a text, and how well a model and its tokenizer fit it. The model is not run."""

    text: str
    model: str
    language: str | None  # ISO 639
    confidence: float  # probability of that language, from 0 to 1
    model_languages: tuple[str, ...]  # empty: it is for many, or they are not known
    known_by: str  # source of `model_languages`: "config", "card" or "tokenizer"
    tokens_per_word: float
    best_fertility: float  # tokens per word of its tokenizer, in the language that needs fewest
    fragmented: tuple[tuple[str, tuple[str, ...]], ...]  # words split into many pieces, and the pieces
    unknown: tuple[str, ...]  # words or characters that the tokenizer has no piece for
    mixed: bool  # of two languages, one of them the model's
    fits: bool | None  # None: not known
    advices: Message  # advice; empty unless `fits` is False

    @property
    def advice(self) -> str:
        """The advice, in the user's language."""
        return str(self.advices)

    def to_dict(self, lang: str | None = None) -> dict[str, Any]:
        """Return all fields; the advice is in `lang`, "es" or "en", by default in the user's language."""
        known = {name: value for name, value in asdict(self).items() if name != "advices"}
        return {**known, "advice": self.advices.in_(lang or user_language())}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def rows(self) -> list[tuple[Message, Message]]:
        """Return the main figures, each with its name."""
        by = WORDS[self.known_by]
        theirs = names_of(*self.model_languages)
        if not self.model_languages:
            theirs = WORDS["not known" if self.known_by == "tokenizer" else "many languages"]
        own, sure = names_of(self.language), f", {self.confidence:.2f}" if self.language else ""
        return [
            (WORDS["language"], Message(own.en + sure, own.es + sure)),
            (WORDS["model"], Message(f"{self.model}: {theirs.en} ({by.en})", f"{self.model}: {theirs.es} ({by.es})")),
            (WORDS["tokens"], Message(
                f"{self.tokens_per_word:.2f} a word; in its best language {self.best_fertility:.2f}",
                f"{self.tokens_per_word:.2f} por palabra; en su mejor idioma, {self.best_fertility:.2f}",
            )),
        ]  # fmt: skip

    def __str__(self) -> str:
        """Return a report to read, in the user's language."""
        rows = [(str(name), str(value)) for name, value in self.rows()]
        if self.fragmented:
            more = " …" if len(self.fragmented) > SHOWN else ""
            pieces = "  ".join("·".join(pieces) for _, pieces in self.fragmented[:SHOWN])
            rows.append((str(WORDS["fragmented"]), pieces + more))
        if self.unknown:
            rows.append((str(WORDS["unknown"]), "  ".join(self.unknown[:SHOWN])))
        rows.append((str(WORDS["fits"]), str(WORDS[str(self.fits)])))
        width = max(len(name) for name, _ in rows)
        lines = [self.text if len(self.text) < 100 else self.text[:99] + "…"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, f"  → {self.advice}"] if self.advice else lines)


def diagnosis_of(text: str, name: str, tokenizer: Tokenizer, languages: Languages, writes: bool = False) -> Diagnosis:
    """Return the diagnosis of a text and a model.

    Args:
        name: the model's name, to show.
        writes: whether the model is an encoder–decoder. The advice names built-in models of the same kind.
    """
    start = text[:LONGEST]
    tokens = matching.tokens_per_word(tokenizer, [start])  # which also checks the text
    found = match(text, languages, tokenizer)
    encoded = tokenizer.backend_tokenizer.encode(start, add_special_tokens=False)
    unk = tokenizer.unk_token_id
    unknown = tuple(
        dict.fromkeys(start[a:b].strip() for i, (a, b) in zip(encoded.ids, encoded.offsets, strict=True) if i == unk)
    )
    fragmented = {word: pieces for word, pieces in _pieces(start, encoded.offsets) if _is_fragmented(word, pieces)}
    advice = _advice(found.language, languages, writes) if found.fits is False else Message.same("")
    return Diagnosis(
        text, name, found.language, round(found.share, 4), languages.codes, languages.how,
        round(tokens, 3), round(matching.best_fertility(tokenizer), 3), tuple(fragmented.items()), unknown,
        found.mixed, found.fits, advice,
    )  # fmt: skip


def _pieces(text: str, offsets: Sequence[tuple[int, int]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each word of a text with the pieces that its tokens cut it into; a letter in several tokens comes once."""
    places = iter(sorted(set(offsets)))
    a, b = next(places, (len(text), len(text)))
    for found in matching.WORD.finditer(text):
        start, end = found.span()
        pieces: list[str] = []
        while a < end:
            if b > start and (piece := text[max(a, start) : min(b, end)]):
                pieces.append(piece)
            if b > end:  # the token continues in the next word
                break
            a, b = next(places, (len(text), len(text)))
        yield found[0], tuple(pieces)


def _is_fragmented(word: str, pieces: Sequence[str]) -> bool:
    return len(pieces) > 2 or (len(pieces) == 2 and len(word) < 6)


def _advice(code: str | None, languages: Languages, writes: bool) -> Message:
    """Return the advice for a text in a language that is none of the model's."""
    others = [name for name in built_in_models() if code in built_in_languages(name) and writes == read_model(name)[2]]
    more = ": " + ", ".join(others) if others else ""
    own, theirs = names_of(code), names_of(*languages.codes)
    return Message(
        f"this model was made for {theirs.en}, and its answer to {own.en} is not to be trusted; take one that knows "
        f"{own.en}{more}.",
        f"este modelo se hizo para {theirs.es}, y su respuesta al {own.es} no es de fiar; usa uno que sepa "
        f"{own.es}{more}.",
    )


@lru_cache(16)
def read_model(
    name: str, revision: str | None = None, local_files_only: bool = False
) -> tuple[Tokenizer, Languages, bool]:
    """Return a model's tokenizer, its languages, and whether it is an encoder–decoder."""
    source = locate(name, revision=revision, local_files_only=local_files_only)
    tokenizer, config = load(source, {}), dict[str, Any]()
    with suppress(ConfigError):  # the tokenizer may be readable without it
        config = source.json("config.json") or {}
    return tokenizer, languages_of(tokenizer, config, source), is_encoder_decoder(config)


def is_encoder_decoder(config: Config | Mapping[str, Any]) -> bool:
    """Return whether a model is an encoder–decoder, by its `Config` or its config.json."""
    return config.decoder is not None if isinstance(config, Config) else bool(config.get("is_encoder_decoder"))


def built_in_languages(name: str) -> tuple[str, ...]:
    """Return the languages of a built-in model; none if it cannot be read."""
    with suppress(GatonegroError):
        return read_model(name)[1].codes
    return ()
