"""Tags in front of a source, which ask a translation model with several target languages for one of them."""

from __future__ import annotations

from collections.abc import Sequence

from gatonegro.config import Config
from gatonegro.tokenization import Tokenizer

TAG = ">>{}<<"


def targets(tokenizer: Tokenizer, config: Config) -> list[str]:
    """Return the target languages for which a model has a tag."""
    known, there = config.extra.get("languages"), tokenizer.backend_tokenizer.token_to_id
    known = known if isinstance(known, list) else []
    return [lang for lang in known if isinstance(lang, str) and there(TAG.format(lang)) is not None]


def other(known: Sequence[str], lang: str | None) -> str | None:
    """Return the first language other than `lang`, or None."""
    return next((code for code in known if code != lang), None)
