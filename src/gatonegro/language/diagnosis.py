"""`diagnose`: does a model fit the language of a text, and by what evidence?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, overload

from gatonegro.errors import GatonegroError, InputError
from gatonegro.hub import built_in_models, locate
from gatonegro.language.fit import WORD, Languages, languages_of, match, names_of, tokens_per_word, usual
from gatonegro.tokenization import Tokenizer
from gatonegro.tokenization.loading import load
from gatonegro.wording import Pair, both

DEFAULT = "sentiment-es-en"
LONGEST = 10_000  # characters whose words are looked at
SHOWN = 8  # torn words in a report


@dataclass(frozen=True)
class Diagnosis:
    """What can be said of a text and a model without asking the model."""

    text: str
    model: str
    language: str | None  # ISO 639
    confidence: float  # how likely that language is, from 0 to 1
    model_languages: tuple[str, ...]  # none: it is for many, or nothing says
    known_by: str  # "config", "card" or "tokenizer"
    tokens_per_word: float
    usual: float  # tokens a word that its tokenizer needs in the language that it is best at
    torn: tuple[tuple[str, tuple[str, ...]], ...]  # words in many pieces, and the pieces
    unknown: tuple[str, ...]  # what the tokenizer has no piece for
    mixed: bool  # of two languages, one of them the model's
    fits: bool | None  # None: it cannot be told
    advices: Pair  # what to do, in English and Spanish; empty where it fits

    @property
    def advice(self) -> str:
        """What to do, in the user's language."""
        return both(*self.advices)

    def to_dict(self) -> dict[str, Any]:
        return {**{name: value for name, value in asdict(self).items() if name != "advices"}, "advice": self.advice}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def rows(self) -> list[tuple[Pair, Pair]]:
        """What is known, each with its name, in English and Spanish."""
        written, theirs = names_of(self.language), [names_of(code) for code in self.model_languages]
        known = tuple(", ".join(names) for names in zip(*theirs, strict=True)) or ("many languages", "muchos idiomas")
        by = {
            "config": ("by its config", "según su config"),
            "card": ("by its card", "según su ficha"),
            "tokenizer": ("by what its tokenizer cuts least", "según lo que su tokenizador corta menos"),
        }[self.known_by]
        sure = f", {self.confidence:.2f}" if self.language else ""
        return [
            (("language", "idioma"), (written[0] + sure, written[1] + sure)),
            (("model", "modelo"), (f"{self.model}: {known[0]} ({by[0]})", f"{self.model}: {known[1]} ({by[1]})")),
            (("tokens", "tokens"), (
                f"{self.tokens_per_word:.2f} a word; in its best language {self.usual:.2f}",
                f"{self.tokens_per_word:.2f} por palabra; en su mejor idioma, {self.usual:.2f}",
            )),
        ]  # fmt: skip

    def __str__(self) -> str:
        """A report to read, in the user's language."""
        rows = [(both(*name), both(*value)) for name, value in self.rows()]
        if self.torn:
            more = " …" if len(self.torn) > SHOWN else ""
            rows.append((both("torn", "rotas"), "  ".join("·".join(pieces) for _, pieces in self.torn[:SHOWN]) + more))
        if self.unknown:
            rows.append((both("unknown", "desconocido"), "  ".join(self.unknown[:SHOWN])))
        said = {True: both("yes", "sí"), False: "no", None: both("cannot be told", "no se puede decir")}
        rows.append((both("fits", "encaja"), said[self.fits]))
        width = max(len(name) for name, _ in rows)
        lines = [self.text if len(self.text) < 100 else self.text[:99] + "…"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, f"  → {self.advice}"] if self.advice else lines)


def is_pipeline(model: Any) -> bool:
    """Whether it is a pipeline, which stands in a room above this one."""
    return hasattr(model, "tokenizer") and hasattr(model, "model")


@overload
def diagnose(text_or_texts: str, model: Any = None) -> Diagnosis: ...
@overload
def diagnose(text_or_texts: list[str], model: Any = None) -> list[Diagnosis]: ...
def diagnose(text_or_texts: str | list[str], model: Any = None) -> Diagnosis | list[Diagnosis]:
    """Whether a model fits the language of a text. Reads tokenizer, config and card, and no weights.

    Args:
        text_or_texts: a text, or a list of them, which gives a list.
        model: a folder, a built-in's short name, a name on the hub, or a pipeline; by default the built-in sentiment
            model.

    Raises:
        InputError: what is no text.
        HubError, TokenizerError, ConfigError: the model cannot be read.

    >>> diagnose("El profesor es bueno, todo será sencillo", model="demo-en").fits
    False
    """
    texts: list[str] = [text_or_texts] if isinstance(text_or_texts, str) else list(text_or_texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise InputError(
                both(
                    f"item {i} is {kind} where a text is wanted; pass a str.",
                    f"el elemento {i} es {kind} donde hace falta un texto; pasa un str.",
                )
            )
    if is_pipeline(model):
        tokenizer, name = model.tokenizer, model.model.name_or_path or "?"
        languages = model.languages
    else:
        name = DEFAULT if model is None else str(model)
        tokenizer, languages = read_model(name)
    found = [_diagnosis(text, name, tokenizer, languages) for text in texts]
    return found[0] if isinstance(text_or_texts, str) else found


@lru_cache(16)
def read_model(name: str) -> tuple[Tokenizer, Languages]:
    """A model's tokenizer, and what it was made for."""
    source = locate(name)
    path = source.file("config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        config = {}  # its tokenizer may be had all the same
    tokenizer = load(source, {})
    return tokenizer, languages_of(tokenizer, config if isinstance(config, dict) else {}, source)


def _diagnosis(text: str, name: str, tokenizer: Tokenizer, languages: Languages) -> Diagnosis:
    found = match(text, languages, tokenizer)
    words = list(dict.fromkeys(WORD.findall(text[:LONGEST])))
    pieces = {word: tokenizer.tokenize(word) for word in words}
    plain = {word: tuple(piece.strip("▁Ġ#") or piece for piece in some) for word, some in pieces.items()}
    torn = tuple((w, p) for w, p in plain.items() if len(p) > 2 or (len(p) == 2 and len(w) < 6))
    unk = tokenizer.unk_token_id
    unknown = tuple(w for w, some in pieces.items() if unk is not None and unk in tokenizer.convert_tokens_to_ids(some))
    return Diagnosis(
        text, name, found.language, round(found.share, 4), languages.codes, languages.how,
        round(tokens_per_word(tokenizer, [text[:LONGEST]]), 3), round(usual(tokenizer), 3), torn, unknown, found.mixed,
        found.fits, _advices(found.language, found.fits, languages),
    )  # fmt: skip


def _advices(language: str | None, fits: bool | None, languages: Languages) -> Pair:
    """What to do, in English and Spanish."""
    if fits is not False:
        return "", ""
    others = ", ".join(name for name in built_in_models() if language in built_in_languages(name))
    more = f": {others}" if others else ""
    en, es = names_of(language)
    theirs, suyos = (", ".join(names) for names in zip(*map(names_of, languages.codes), strict=True))
    return (
        f"this model was made for {theirs}, and its answer to {en} is not to be trusted; take one that knows {en}"
        f"{more}.",
        f"este modelo se hizo para {suyos}, y su respuesta al {es} no es de fiar; usa uno que sepa {es}{more}.",
    )


def built_in_languages(name: str) -> tuple[str, ...]:
    """What a built-in model was made for; nothing, where it cannot be read."""
    try:
        return read_model(name)[1].codes
    except GatonegroError:
        return ()
