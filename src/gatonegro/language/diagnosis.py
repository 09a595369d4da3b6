"""A diagnosis of how well a model fits a text, by the text's language and the tokenizer's splitting of its words."""

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
from gatonegro.i18n import Message, catalog, format_number, user_language
from gatonegro.language import matching
from gatonegro.language.detect import MESSAGES
from gatonegro.language.matching import Languages, language_names, languages_of, match_language
from gatonegro.tokenization import Tokenizer
from gatonegro.tokenization.loading import load

MAX_CHARS = 10_000  # of a text, from its beginning
MAX_SHOWN_WORDS = 8  # in each line of a report
REPORT_LABELS = catalog(Path(__file__).parent / "diagnosis.json")


@dataclass(frozen=True)
class Diagnosis:
    """A report on how well a model and its tokenizer fit a text's language, made without running the model."""

    text: str
    model: str
    language: str | None  # ISO 639
    confidence: float  # probability of that language, from 0 to 1
    model_languages: tuple[str, ...]  # empty: many, or unknown
    known_by: str  # source of `model_languages`: "config", "card" or "tokenizer"
    tokens_per_word: float
    best_fertility: float  # tokens per word of its tokenizer, in the language that needs fewest
    fragmented: tuple[tuple[str, tuple[str, ...]], ...]  # words split into many pieces, and the pieces
    unknown: tuple[str, ...]  # words or characters without a token
    mixed: bool  # in two languages, one of them the model's
    fits: bool | None  # None: unclear
    advice_message: Message  # the advice in both languages; empty unless `fits` is False

    @property
    def advice(self) -> str:
        """The advice on better models for the text's language, in the user's language, or "" if none is needed."""
        return str(self.advice_message)

    def to_dict(self, lang: str | None = None) -> dict[str, Any]:
        """Return the diagnosis as a dict, with the advice in `lang` ("es" or "en"), by default the user's language."""
        fields = {name: value for name, value in asdict(self).items() if name != "advice_message"}
        return {**fields, "advice": self.advice_message.in_(lang or user_language())}

    def to_json(self) -> str:
        """Return the fields of the diagnosis as a JSON string, with the advice in the user's language."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def rows(self) -> list[tuple[Message, Message]]:
        """Return the main figures of the diagnosis as (name, value) pairs, each in English and Spanish."""
        source = REPORT_LABELS[self.known_by]
        names = language_names(*self.model_languages)
        if not self.model_languages:
            names = REPORT_LABELS["not known" if self.known_by == "tokenizer" else "many languages"]
        text_language = language_names(self.language)
        if self.language:
            probability = format_number(self.confidence, 2)
            text_language = Message(*(f"{name} (p = {p})" for name, p in zip(text_language, probability, strict=True)))
        en, es = (f"{self.model}: {names.in_(lang)} ({source.in_(lang)})" for lang in ("en", "es"))
        tokens, best = (format_number(n, 2) for n in (self.tokens_per_word, self.best_fertility))
        return [
            (REPORT_LABELS["language"], text_language),
            (REPORT_LABELS["model"], Message(en, es)),
            (REPORT_LABELS["tokens"], REPORT_LABELS["fertility"].format(tokens=tokens, best=best)),
        ]  # fmt: skip

    def __str__(self) -> str:
        """Return the diagnosis as a readable report in the user's language."""
        rows = [(str(name), str(value)) for name, value in self.rows()]
        if self.fragmented:
            more = " …" if len(self.fragmented) > MAX_SHOWN_WORDS else ""
            pieces = "  ".join("·".join(pieces) for _, pieces in self.fragmented[:MAX_SHOWN_WORDS])
            rows.append((str(REPORT_LABELS["fragmented"]), pieces + more))
        if self.unknown:
            rows.append((str(REPORT_LABELS["unknown"]), "  ".join(self.unknown[:MAX_SHOWN_WORDS])))
        rows.append((str(REPORT_LABELS["fits"]), str(REPORT_LABELS[str(self.fits)])))
        width = max(len(name) for name, _ in rows)
        lines = [self.text if len(self.text) < 100 else self.text[:99] + "…"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, f"  → {self.advice}"] if self.advice else lines)


def diagnosis_of(
    text: str, name: str, tokenizer: Tokenizer, languages: Languages, encoder_decoder: bool = False
) -> Diagnosis:
    """Return the `Diagnosis` of a text for a model; its advice names built-in models that fit the text's language."""
    start = text[:MAX_CHARS]
    tokens = matching.tokens_per_word(tokenizer, [start])  # which also checks the text
    matched = match_language(text, languages, tokenizer)
    encoded = tokenizer.backend_tokenizer.encode(start, add_special_tokens=False)
    unk = tokenizer.unk_token_id
    unknown = tuple(
        dict.fromkeys(start[a:b].strip() for i, (a, b) in zip(encoded.ids, encoded.offsets, strict=True) if i == unk)
    )
    fragmented = {word: pieces for word, pieces in _pieces(start, encoded.offsets) if _is_fragmented(word, pieces)}
    advice = _advice_for(matched.language, languages, encoder_decoder) if matched.fits is False else Message.same("")
    return Diagnosis(
        text, name, matched.language, round(matched.probability, 4), languages.codes, languages.source,
        round(tokens, 3), round(matching.best_fertility(tokenizer), 3), tuple(fragmented.items()), unknown,
        matched.mixed, matched.fits, advice,
    )  # fmt: skip


def _pieces(text: str, offsets: Sequence[tuple[int, int]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each word of a text and the pieces that its tokens cover; tokens of the same characters count as one."""
    spans = iter(sorted(set(offsets)))
    a, b = next(spans, (len(text), len(text)))
    for word in matching.WORD_PATTERN.finditer(text):
        start, end = word.span()
        pieces: list[str] = []
        while a < end:
            if b > start and (piece := text[max(a, start) : min(b, end)]):
                pieces.append(piece)
            if b > end:  # the token continues in the next word
                break
            a, b = next(spans, (len(text), len(text)))
        yield word[0], tuple(pieces)


def _is_fragmented(word: str, pieces: Sequence[str]) -> bool:
    return len(pieces) > 2 or (len(pieces) == 2 and len(word) < 6)


def _advice_for(code: str | None, languages: Languages, encoder_decoder: bool) -> Message:
    """Return advice for a text whose language the model was not made for, naming built-in models that fit."""
    speaking = [name for name in built_in_models() if code in built_in_languages(name)]
    others = [name for name in speaking if encoder_decoder == load_tokenizer_and_languages(name)[2]]
    more = ": " + ", ".join(others) if others else ""
    relatives = matching.related_languages(code, languages.codes)
    message = MESSAGES["related_advice" if relatives and not others else "advice"]
    return message.format(
        relatives=language_names(*relatives),
        own=language_names(code),
        names=language_names(*languages.codes),
        more=more,
    )


@lru_cache(16)
def load_tokenizer_and_languages(
    name: str, revision: str | None = None, local_files_only: bool = False
) -> tuple[Tokenizer, Languages, bool]:
    """Load a model's tokenizer and languages; return both, and True if the model is an encoder–decoder."""
    source = locate(name, revision=revision, local_files_only=local_files_only)
    tokenizer, config = load(source, {}), dict[str, Any]()
    with suppress(ConfigError):  # the tokenizer may be readable without it
        config = source.json("config.json") or {}
    return tokenizer, languages_of(tokenizer, config, source), is_encoder_decoder(config)


def is_encoder_decoder(config: Config | Mapping[str, Any]) -> bool:
    """Return True if a model is an encoder–decoder, by its `Config` or the contents of its config.json."""
    return config.decoder is not None if isinstance(config, Config) else bool(config.get("is_encoder_decoder"))


def built_in_languages(name: str) -> tuple[str, ...]:
    """Return the codes of a built-in model's languages, or an empty tuple if it cannot be loaded."""
    with suppress(GatonegroError):
        return load_tokenizer_and_languages(name)[1].codes
    return ()
