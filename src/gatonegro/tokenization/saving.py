"""A tokenizer's files, written so that `transformers` 4 and 5 read back the same ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatonegro.errors import InputError, TokenizerError
from gatonegro.storage import folder_of, write_bytes

if TYPE_CHECKING:
    from gatonegro.tokenization.tokenizer import Tokenizer


def save(tokenizer: Tokenizer, save_directory: str | Path) -> tuple[str, ...]:
    """Each file is written beside its place and then put there, so that a reader never meets half of one.

    Raises TokenizerError where they cannot be written.
    """
    folder = folder_of(save_directory, InputError)
    added = {token.content: token for token in tokenizer.backend_tokenizer.get_added_tokens_decoder().values()}
    special: dict[str, Any] = {name: _plain(token, added) for name, token in tokenizer.named.items()}
    if tokenizer.additional_special_tokens:
        special["additional_special_tokens"] = [_plain(token, added) for token in tokenizer.additional_special_tokens]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # of it, both take tokenizer.json as it is
        "model_max_length": tokenizer.model_max_length,
        "model_input_names": tokenizer.model_input_names,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "clean_up_tokenization_spaces": tokenizer.clean_up_tokenization_spaces,
        **special,
    }
    if type(before := tokenizer.backend_tokenizer.pre_tokenizer).__name__ == "ByteLevel":
        config["add_prefix_space"] = before.add_prefix_space  # transformers 4 takes it to be False
    if tokenizer.marian:  # of a folder with this class, both take the files that it came from
        decoder = {
            str(i): {"content": token.content, "special": token.special, **_flags(token)}
            for i, token in sorted(tokenizer.backend_tokenizer.get_added_tokens_decoder().items())
        }
        config |= {"tokenizer_class": "MarianTokenizer", **tokenizer.marian.languages, "added_tokens_decoder": decoder}
        files = dict(tokenizer.marian.files)
    else:
        files = {"tokenizer.json": _bytes(tokenizer.backend_tokenizer.to_str(pretty=True))}
    files["tokenizer_config.json"] = _bytes(json.dumps(config, indent=2, ensure_ascii=False))
    files["special_tokens_map.json"] = _bytes(json.dumps(_untyped(special), indent=2, ensure_ascii=False))
    for name, data in files.items():
        write_bytes(folder / name, data, TokenizerError)
    return tuple(str(folder / name) for name in files)


def _plain(token: str, added: dict[str, Any]) -> Any:
    """A plain string, unless the token has flags that a reader would not guess from one."""
    known = added.get(token)
    flags = _flags(known)
    return {"__type": "AddedToken", "content": token, "special": True, **flags} if any(flags.values()) else token


def _flags(token: Any) -> dict[str, bool]:
    return {name: getattr(token, name, False) for name in ("lstrip", "rstrip", "single_word", "normalized")}


def _bytes(text: str) -> bytes:
    return f"{text}\n".encode()


def _untyped(special: dict[str, Any]) -> dict[str, Any]:
    """Without what `transformers` writes into tokenizer_config.json alone, and warns of elsewhere."""
    return {
        name: {k: v for k, v in token.items() if k not in ("__type", "special")} if isinstance(token, dict) else token
        for name, token in special.items()
    }
