"""Saving of tokenizers in files from which `transformers` 4 and 5 get the same token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from gatonegro.errors import InputError, TokenizerError
from gatonegro.storage import as_json, lock_folder, output_folder, replace_files
from gatonegro.tokenization.marian import Marian


def contents(
    backend: Tokenizer,
    settings: dict[str, Any],
    special_tokens: dict[str, Any],
    marian: Marian | None = None,
    chat_template: str | dict[str, str] | None = None,
) -> dict[str, bytes]:
    """Return the contents of a tokenizer's files, by name.

    Args:
        backend: the Rust tokenizer.
        settings: values of tokenizer_config.json, without the special tokens.
        special_tokens: by name.
        marian: files to write instead of tokenizer.json.
        chat_template: a template, written to chat_template.jinja, or several by name.
    """
    tokens = backend.get_added_tokens_decoder()
    added = {token.content: token for token in tokens.values()}
    special = _special_tokens(special_tokens, added)
    # transformers 4 and 5 make a PreTrainedTokenizerFast from tokenizer.json alone
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **settings, **special}
    if type(before := backend.pre_tokenizer).__name__ == "ByteLevel":
        config["add_prefix_space"] = before.add_prefix_space  # the default of transformers 4 is False
    if marian:  # transformers 4 and 5 make a MarianTokenizer from the files that it came from
        decoder = {
            str(i): {"content": token.content, "special": token.special, **_flags(token)}
            for i, token in sorted(tokens.items())
        }
        config |= {"tokenizer_class": "MarianTokenizer", **marian.languages, "added_tokens_decoder": decoder}
        files = dict(marian.files)
    else:
        files = {"tokenizer.json": f"{backend.to_str(pretty=True)}\n".encode()}
    if isinstance(chat_template, dict):
        config["chat_template"] = [{"name": name, "template": text} for name, text in chat_template.items()]
    elif chat_template is not None:
        files["chat_template.jinja"] = chat_template.encode()
    files["tokenizer_config.json"] = as_json(config).encode()
    return files


def save(save_directory: str | Path, files: dict[str, bytes]) -> tuple[str, ...]:
    """Write files to a folder, and return their paths; raise InputError for a bad name, or TokenizerError."""
    folder = output_folder(save_directory, InputError)
    with lock_folder(folder, TokenizerError), replace_files(folder, TokenizerError) as staging:
        for name, data in files.items():
            staging.write(name, data)
    return tuple(str(folder / name) for name in files)


def _special_tokens(names: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    """Return special tokens by name as `transformers` stores them: as text, or with their flags."""

    def stored(token: str) -> Any:
        flags = _flags(added.get(token))
        return {"content": token, "__type": "AddedToken", "special": True, **flags} if any(flags.values()) else token

    return {name: list(map(stored, of)) if isinstance(of, list) else stored(of) for name, of in names.items()}


def _flags(token: Any) -> dict[str, bool]:
    return {name: getattr(token, name, False) for name in ("lstrip", "rstrip", "single_word", "normalized")}
