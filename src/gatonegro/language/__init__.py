"""Which language a text is in, and whether a model fits it."""

from gatonegro.language.detect import guess, likely
from gatonegro.language.diagnosis import Diagnosis, built_in_languages, diagnose
from gatonegro.language.fit import Languages, Match, languages_of, match, name_of

__all__ = [
    "Diagnosis", "Languages", "Match", "built_in_languages", "diagnose", "guess", "languages_of", "likely", "match",
    "name_of",
]  # fmt: skip
