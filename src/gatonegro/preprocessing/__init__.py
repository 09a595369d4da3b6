"""Preprocessing that some models need before tokenization: normalizing tweets, and replacing emoji by names."""

from gatonegro.preprocessing.emoji import EMOJI, known_emoji, spell_emoji
from gatonegro.preprocessing.transform import CONFIG_KEY, TRANSFORMS, preprocessing_name
from gatonegro.preprocessing.tweets import preprocess_tweet

__all__ = [
    "CONFIG_KEY", "EMOJI", "TRANSFORMS", "known_emoji", "preprocess_tweet", "preprocessing_name", "spell_emoji",
]  # fmt: skip
