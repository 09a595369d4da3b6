"""Detection of a text's language, the languages of a model, and the comparison of the two."""

from gatonegro.language.detect import COMMON_WORDS, OWN_WORDS, SHARED_WORDS, detect_language, language_probabilities
from gatonegro.language.diagnosis import Diagnosis, built_in_languages, diagnosis_of, is_encoder_decoder
from gatonegro.language.matching import (
    LanguageMatch,
    Languages,
    language_names,
    languages_of,
    match_language,
    related_languages,
)  # fmt: skip
from gatonegro.language.tags import LANGUAGE_TAG, other_language, target_languages

__all__ = [
    "COMMON_WORDS", "LANGUAGE_TAG", "OWN_WORDS", "SHARED_WORDS", "Diagnosis", "LanguageMatch", "Languages",
    "built_in_languages", "detect_language", "diagnosis_of", "is_encoder_decoder", "language_names",
    "language_probabilities", "languages_of", "match_language", "other_language", "related_languages",
    "target_languages",
]  # fmt: skip
