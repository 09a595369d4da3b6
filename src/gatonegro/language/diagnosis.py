"""`diagnose`: does a model fit the language of a text, and by what evidence?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

from gatonegro.errors import GatonegroError, InputError
from gatonegro.hub import Source, built_in_models, locate
from gatonegro.i18n import Pair, localized
from gatonegro.language.fit import WORD, Languages, languages_of, match, names_of, tokens_per_word, usual
from gatonegro.tokenization import Tokenizer
from gatonegro.tokenization.loading import load

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
        return localized(*self.advices)

    def to_dict(self) -> dict[str, Any]:
        return {**{name: value for name, value in asdict(self).items() if name != "advices"}, "advice": self.advice}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def rows(self) -> list[tuple[Pair, Pair]]:
        """What is known, each with its name, in English and Spanish."""
        written, theirs = names_of(self.language), [names_of(code) for code in self.model_languages]
        known = tuple(", ".join(names) for names in zip(*theirs, strict=True)) or (
            ("not known", "no se sabe") if self.known_by == "tokenizer" else ("many languages", "muchos idiomas")
        )
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
        rows = [(localized(*name), localized(*value)) for name, value in self.rows()]
        if self.torn:
            more = " …" if len(self.torn) > SHOWN else ""
            rows.append(
                (localized("torn", "rotas"), "  ".join("·".join(pieces) for _, pieces in self.torn[:SHOWN]) + more)
            )
        if self.unknown:
            rows.append((localized("unknown", "desconocido"), "  ".join(self.unknown[:SHOWN])))
        said = {True: localized("yes", "sí"), False: "no", None: localized("cannot be told", "no se puede decir")}
        rows.append((localized("fits", "encaja"), said[self.fits]))
        width = max(len(name) for name, _ in rows)
        lines = [self.text if len(self.text) < 100 else self.text[:99] + "…"]
        lines += [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, f"  → {self.advice}"] if self.advice else lines)


@overload
def diagnose(
    text_or_texts: str, model: Any = None, *, revision: str | None = None, local_files_only: bool = False
) -> Diagnosis: ...
@overload
def diagnose(
    text_or_texts: list[str], model: Any = None, *, revision: str | None = None, local_files_only: bool = False
) -> list[Diagnosis]: ...
def diagnose(
    text_or_texts: str | list[str], model: Any = None, *, revision: str | None = None, local_files_only: bool = False
) -> Diagnosis | list[Diagnosis]:
    """Whether a model fits the language of a text. Reads tokenizer, config and card, and no weights.

    Args:
        text_or_texts: a text, or a list of them, which gives a list.
        model: a folder, a built-in's short name, a name on the hub, or a pipeline; by default the built-in sentiment
            model.
        revision, local_files_only: as in `from_pretrained`, for a name on the hub.

    Raises:
        InputError: what is no text.
        HubError, TokenizerError, ConfigError: the model cannot be read.

    >>> diagnose("El profesor es bueno, todo será sencillo", model="demo-en").fits
    False
    """
    if not isinstance(text_or_texts, str | list | tuple):
        kind = type(text_or_texts).__name__
        raise InputError(f"{kind} where a text or a list is wanted.", f"{kind} donde hace falta un texto o una lista.")
    texts: list[str] = [text_or_texts] if isinstance(text_or_texts, str) else list(text_or_texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise InputError(
                f"item {i} is {kind} where a text is wanted; pass a str.",
                f"el elemento {i} es {kind} donde hace falta un texto; pasa un str.",
            )
    if not hasattr(model, "tokenizer") and not isinstance(model, str | Path | None):
        kind = type(model).__name__
        raise InputError(
            f"model must be a name, a folder or a pipeline, not {kind}.",
            f"model debe ser un nombre, una carpeta o un pipeline, no {kind}.",
        )
    if hasattr(model, "tokenizer"):  # a pipeline, which stands in a room above this one
        tokenizer, name = model.tokenizer, model.model.name_or_path or "?"
        languages, writes = model.languages, model.model.config.decoder is not None
    else:
        name = DEFAULT if model is None else str(model)
        if name == "toy":
            raise InputError(
                "the toy model knows three words and no language; name another model.",
                "el modelo de juguete sabe tres palabras y ningún idioma; nombra otro modelo.",
            )
        tokenizer, languages = read_model(name, revision, local_files_only)
        writes = _writes(name, revision, local_files_only)
    found = [diagnosis_of(text, name, tokenizer, languages, writes) for text in texts]
    return found[0] if isinstance(text_or_texts, str) else found


@lru_cache(16)
def read_model(name: str, revision: str | None = None, local_files_only: bool = False) -> tuple[Tokenizer, Languages]:
    """A model's tokenizer, and what it was made for."""
    source = locate(name, revision=revision, local_files_only=local_files_only)
    tokenizer = load(source, {})
    return tokenizer, languages_of(tokenizer, _config(source), source)


def diagnosis_of(text: str, name: str, tokenizer: Tokenizer, languages: Languages, writes: bool = False) -> Diagnosis:
    """What can be said of a text, a tokenizer, and what its model, called `name`, was made for.

    Args:
        writes: whether the model writes text, as those do that are then advised.
    """
    start = text[:LONGEST]
    tokens = tokens_per_word(tokenizer, [start])  # which also checks the text
    found = match(text, languages, tokenizer)
    encoded = tokenizer.backend_tokenizer.encode(start, add_special_tokens=False)
    unk = tokenizer.unk_token_id
    unknown = tuple(
        dict.fromkeys(start[a:b].strip() for i, (a, b) in zip(encoded.ids, encoded.offsets, strict=True) if i == unk)
    )
    torn = {word: pieces for word, pieces in _pieces(start, encoded.offsets) if _is_torn(word, pieces)}
    return Diagnosis(
        text, name, found.language, round(found.share, 4), languages.codes, languages.how,
        round(tokens, 3), round(usual(tokenizer), 3), tuple(torn.items()), unknown,
        found.mixed, found.fits, _advices(found.language, found.fits, languages, writes),
    )  # fmt: skip


def _pieces(text: str, offsets: Sequence[tuple[int, int]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each word of a text with the pieces that its tokens are of it; of a letter in several tokens, once."""
    places = iter(sorted(set(offsets)))
    a, b = next(places, (len(text), len(text)))
    for found in WORD.finditer(text):
        start, end = found.span()
        pieces: list[str] = []
        while a < end:
            if b > start and (piece := text[max(a, start) : min(b, end)]):
                pieces.append(piece)
            if b > end:  # goes on in the next word
                break
            a, b = next(places, (len(text), len(text)))
        yield found[0], tuple(pieces)


def _is_torn(word: str, pieces: Sequence[str]) -> bool:
    return len(pieces) > 2 or (len(pieces) == 2 and len(word) < 6)


def _advices(language: str | None, fits: bool | None, languages: Languages, writes: bool) -> Pair:
    """What to do, in English and Spanish."""
    if fits is not False:
        return "", ""
    others = ", ".join(
        name for name in built_in_models() if language in built_in_languages(name) and writes == _writes(name)
    )
    more = f": {others}" if others else ""
    en, es = names_of(language)
    theirs, suyos = (", ".join(names) for names in zip(*map(names_of, languages.codes), strict=True))
    return (
        f"this model was made for {theirs}, and its answer to {en} is not to be trusted; take one that knows {en}"
        f"{more}.",
        f"este modelo se hizo para {suyos}, y su respuesta al {es} no es de fiar; usa uno que sepa {es}{more}.",
    )


@lru_cache(16)
def _writes(name: str, revision: str | None = None, local_files_only: bool = False) -> bool:
    """Whether a model is an encoder–decoder, as its config.json says."""
    source = locate(name, revision=revision, local_files_only=local_files_only)
    return bool(_config(source).get("is_encoder_decoder"))


def _config(source: Source) -> dict[str, Any]:
    path = source.file("config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        config = {}  # its tokenizer may be had all the same
    return config if isinstance(config, dict) else {}


def built_in_languages(name: str) -> tuple[str, ...]:
    """What a built-in model was made for; nothing, where it cannot be read."""
    try:
        return read_model(name)[1].codes
    except GatonegroError:
        return ()
