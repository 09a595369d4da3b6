"""Into which language: a tag in front of a source asks a model that knows several for one of them."""

from __future__ import annotations

from collections.abc import Sequence

from gatonegro.config import Config
from gatonegro.tokenization import Tokenizer

TAG = ">>{}<<"


def targets(tokenizer: Tokenizer, config: Config) -> list[str]:
    """Return the languages that a model is asked for by a tag."""
    known, there = config.extra.get("languages"), tokenizer.backend_tokenizer.token_to_id
    known = known if isinstance(known, list) else []
    return [lang for lang in known if isinstance(lang, str) and there(TAG.format(lang)) is not None]


def other(known: Sequence[str], lang: str | None) -> str | None:
    """Return the first language that is not this one."""
    return next((one for one in known if one != lang), None)
