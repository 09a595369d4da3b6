"""What the loop says of rows that were not read whole, or for which something odd was written, once a call."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from gatonegro.errors import GatonegroWarning
from gatonegro.i18n import Pair, localized
from gatonegro.tasks.task import Encoded

WRITTEN: dict[str, Pair] = {
    "read": (
        "item {item} is longer than the {limit} tokens that the model reads: its end is not read. Split it, or pass "
        "truncation=True, which says that this is meant. This is said once.",
        "el elemento {item} pasa de los {limit} tokens que lee el modelo: su final no se lee. Divídelo, o pasa "
        "truncation=True, que dice que así se quiere. Este aviso sale una sola vez.",
    ),
    "loop": (
        "what was written for item {item} goes round in circles; it is not to be trusted. This is said once.",
        "lo que se escribió para el elemento {item} da vueltas en círculo; no es de fiar. Este aviso sale una sola "
        "vez.",
    ),
    "limit": (
        "what was written for item {item} came to its limit before its end; pass a larger max_new_tokens=. This is "
        "said once.",
        "lo que se escribió para el elemento {item} llegó a su límite antes de acabar; pasa un max_new_tokens= "
        "mayor. Este aviso sale una sola vez.",
    ),
    "strange": (
        "item {item}, or a sentence of it, is written in letters that the model does not know, and is left as it is. "
        "This is said once.",
        "el elemento {item}, o una frase suya, está en letras que el modelo no conoce, y se deja como está. Este aviso "
        "sale una sola vez.",
    ),
    "same": (
        "item {item}, or a sentence of it, seems to be in the wanted language ({language}) already, and is left as it "
        "is; if it is not, say which it is in (src_lang=, --from). This is said once.",
        "el elemento {item}, o una frase suya, parece estar ya en el idioma pedido ({language}), y se deja como está; "
        "si no lo está, di en cuál está (src_lang=, --from). Este aviso sale una sola vez.",
    ),
}


def tell_written(encoded: Encoded, answers: Mapping[int, Any], numbers: Sequence[int], told: set[str]) -> None:
    """Warn of what did not end well."""
    found: dict[tuple[str, str], int] = {("read", ""): encoded.cut[0]} if encoded.cut else {}
    for n, some in answers.items():
        if kind := some[0].unfinished:
            found[kind, ""] = min(encoded.owners[n], found.get((kind, ""), encoded.owners[n]))
    for i, note in enumerate(encoded.notes or ()):
        if getattr(note, "same", ""):
            found.setdefault(("same", note.same), i)
        if getattr(note, "strange", False):
            found.setdefault(("strange", ""), i)
    for (kind, language), row in found.items():
        if kind + language not in told:
            told.add(kind + language)
            said = localized(*WRITTEN[kind]).format(item=numbers[row], limit=encoded.limit, language=language)
            warnings.warn(said, GatonegroWarning, stacklevel=5)


def tell_read(encoded: Encoded, parts: list[list[int]], numbers: Sequence[int], told: set[str]) -> None:
    """Warn of what was done to long rows, each once a call."""
    limit = encoded.limit
    if "long" not in told and len(encoded.ids) > len(parts):
        told.add("long")
        item, many = next((n, len(part)) for n, part in zip(numbers, parts, strict=True) if len(part) > 1)
        warnings.warn(
            localized(
                f"item {item} is longer than the {limit} tokens that are read at a time: it is read in {many} "
                "overlapping windows, and their answers are combined. This is said once.",
                f"el elemento {item} pasa de los {limit} tokens que se leen de una vez: se lee en {many} ventanas que "
                "se solapan, y se combinan sus respuestas. Este aviso sale una sola vez.",
            ),
            GatonegroWarning,
            stacklevel=5,
        )
    if "cut" not in told and encoded.cut:
        told.add("cut")
        item = numbers[encoded.cut[0]]
        warnings.warn(
            localized(
                f"item {item} is a pair longer than {limit} tokens: its longer text is cut, since half a pair is no "
                "pair; truncation=True says that this is meant. This is said once.",
                f"el elemento {item} es un par de más de {limit} tokens: se corta su texto más largo, pues medio par "
                "no es un par; truncation=True dice que así se quiere. Este aviso sale una sola vez.",
            ),
            GatonegroWarning,
            stacklevel=5,
        )
