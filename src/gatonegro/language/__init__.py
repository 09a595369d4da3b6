"""Detection of a text's language, the languages of a model, and the comparison of the two."""

from gatonegro.language.detect import detect_language, language_probabilities, lexicon
from gatonegro.language.matching import (
    LanguageMatch,
    Languages,
    is_long_enough,
    language_names,
    languages_of,
    match_language,
    related_languages,
)  # fmt: skip
from gatonegro.language.tags import LANGUAGE_TAG, other_language, target_languages

__all__ = [
    "LANGUAGE_TAG", "LanguageMatch", "Languages", "detect_language", "is_long_enough", "language_names",
    "language_probabilities", "languages_of", "lexicon", "match_language", "other_language", "related_languages",
    "target_languages",
]  # fmt: skip
