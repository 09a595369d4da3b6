"""`AutoTokenizer`: which files a model has, which family they are of, and a `Tokenizer` made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from gatonegro.errors import InputError, TokenizerError
from gatonegro.tokenization import families, sentencepiece
from gatonegro.tokenization.families import FAMILIES, NO_TYPES, TYPES, Family
from gatonegro.tokenization.tokenizer import NO_LIMIT, Tokenizer

# file → family, where neither the tokenizer's class nor the model's type says it
BY_FILE = {
    "tokenizer.json": "",
    "vocab.txt": "bert",
    "merges.txt": "roberta",
    "spiece.model": "t5",
    "sentencepiece.bpe.model": "xlmroberta",
    "spm.model": "debertav2",
    "*.spm": "marian",
}
NO_POSITIONS = ("t5", "mt5", "umt5", "longt5")  # relative positions: their length has no limit
PADDED_POSITIONS = ("roberta", "xlmroberta", "camembert", "mpnet", "longformer")  # they count from pad_token_id + 1


class AutoTokenizer:
    """Makes a `Tokenizer`; has no instances of its own."""

    @staticmethod
    def from_pretrained(
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        use_fast: bool = True,
        model_max_length: int | None = None,
        padding_side: str | None = None,
        truncation_side: str | None = None,
        do_lower_case: bool | None = None,
        add_prefix_space: bool | None = None,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> Tokenizer:
        """The tokenizer of a hub name, a folder or a built-in model.

        Reads `tokenizer.json`, or else `vocab.txt`, `vocab.json` + `merges.txt`, or a SentencePiece file; and
        `config.json`, `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` where they exist.
        The other arguments win over those files. `use_fast` is accepted: there is only the fast kind.

        Raises HubError where there is no such model, TokenizerError where its files are missing or damaged.
        """
        from gatonegro import hub

        source = hub.locate(
            pretrained_model_name_or_path, revision=revision, local_files_only=local_files_only
        )
        asked = {
            "model_max_length": model_max_length,
            "padding_side": padding_side,
            "truncation_side": truncation_side,
            "do_lower_case": do_lower_case,
            "add_prefix_space": add_prefix_space,
            "clean_up_tokenization_spaces": clean_up_tokenization_spaces,
        }
        return load(source, {name: value for name, value in asked.items() if value is not None})


def load(source: Any, asked: dict[str, Any]) -> Tokenizer:
    """The tokenizer of a `hub.Source`."""
    model = _json(source, "config.json")
    config = {**_json(source, "special_tokens_map.json"), **_json(source, "tokenizer_config.json"), **asked}
    file, path = _vocabulary(source)
    name = _family(config, model, file)
    family = FAMILIES.get(name)
    ...
