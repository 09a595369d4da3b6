"""Target language tags such as `>>es<<`, which select the output language of multilingual translation models."""

from __future__ import annotations

from collections.abc import Sequence

from gatonegro.config import Config
from gatonegro.tokenization import Tokenizer

LANGUAGE_TAG = ">>{}<<"


def target_languages(tokenizer: Tokenizer, config: Config) -> list[str]:
    """Return the codes of the target languages that a translation model has a tag for, such as `>>es<<`."""
    codes, token_to_id = config.extra.get("languages"), tokenizer.backend_tokenizer.token_to_id
    codes = codes if isinstance(codes, list) else []
    return [code for code in codes if isinstance(code, str) and token_to_id(LANGUAGE_TAG.format(code)) is not None]


def other_language(codes: Sequence[str], lang: str | None) -> str | None:
    """Return the first of several language codes that differs from `lang`, or None."""
    return next((code for code in codes if code != lang), None)
