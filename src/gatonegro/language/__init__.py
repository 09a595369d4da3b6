"""Which language a text is in, and whether a model fits it."""

from gatonegro.language.detect import guess, likely
from gatonegro.language.diagnosis import Diagnosis, built_in_languages, diagnosis_of
from gatonegro.language.matching import Languages, Match, languages_of, match, name_of, names_of
from gatonegro.language.tags import TAG, other, targets

__all__ = [
    "TAG", "Diagnosis", "Languages", "Match", "built_in_languages", "diagnosis_of", "guess", "languages_of", "likely",
    "match", "name_of", "names_of", "other", "targets",
]  # fmt: skip
