"""The language of a text, the languages of a model, and whether they match."""

from gatonegro.language.detect import guess, likely
from gatonegro.language.diagnosis import Diagnosis, built_in_languages, diagnosis_of, is_encoder_decoder
from gatonegro.language.matching import Languages, Match, languages_of, match, name_of, names_of
from gatonegro.language.tags import TAG, other, targets

__all__ = [
    "TAG", "Diagnosis", "Languages", "Match", "built_in_languages", "diagnosis_of", "guess",
    "is_encoder_decoder", "languages_of", "likely", "match", "name_of", "names_of", "other", "targets",
]  # fmt: skip
