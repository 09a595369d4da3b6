"""`AutoTokenizer`: which files a model has, which family they are of, and a `Tokenizer` made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from gatonegro.errors import TokenizerError
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
FILES = {  # what a family of each kind is made of
    "wordpiece": ("vocab.txt",),
    "bytes": ("merges.txt",),
    "pieces": ("spiece.model", "sentencepiece.bpe.model", "spm.model", "*.spm"),
}
WITHOUT_TYPES = ("distilbert", "mpnet", "longformer", "gpt2", "t5", "mt5", "bart", "marian", "modernbert")
PADDED_POSITIONS = (
    "roberta",
    "xlmroberta",
    "camembert",
    "mpnet",
    "longformer",
)  # they count from pad_token_id + 1


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
    """The tokenizer of a `hub.Source`; `asked` are the user's own settings, which win over the files'."""
    model = _json(source, "config.json")
    config = {**_json(source, "special_tokens_map.json"), **_json(source, "tokenizer_config.json"), **asked}
    file, path = _vocabulary(source)
    name = _family(source, config, model, file)
    try:
        backend = _rust(lambda: _backend(source, file, path, name, config))
        family = FAMILIES.get(name) or _guess(backend)
        named, additional = _special(backend, family, name, file, config, _json(source, "added_tokens.json"))
        if file != "tokenizer.json" and family:
            _rust(lambda: families.finish(backend, family, named, bool(config.get("add_prefix_space"))))
    except TokenizerError as error:
        raise TokenizerError(f"{file} of {source.name}: {error}") from None
    positions = _positions(model)
    length = _setting(config, "model_max_length", (int, float)) or NO_LIMIT
    sides = {side: _setting(config, side, str) or "right" for side in ("padding_side", "truncation_side")}
    if not set(sides.values()) <= {"right", "left"}:
        raise TokenizerError(f"{source.name}: {sides}: each side must be 'right' or 'left'")
    clean = config.get("clean_up_tokenization_spaces", False) and "BPE" not in type(backend.model).__name__
    return Tokenizer(
        backend,
        named=named,
        additional=additional,
        model_input_names=_setting(config, "model_input_names", list) or _inputs(config, model, name),
        model_max_length=int(length),
        position_limit=positions,
        embeddings=_setting(model, "vocab_size", int),
        clean_up_tokenization_spaces=bool(
            clean
        ),  # it takes out spaces that a BPE tokenizer knows to be there
        name_or_path=str(source.name),
        **sides,
    )


def _vocabulary(source: Any) -> tuple[str, Path]:
    for file in BY_FILE:
        folder = Path(source.name)
        found = sorted(folder.glob(file)) if "*" in file and folder.is_dir() else None
        if found and len(found) > 1:
            raise TokenizerError(
                f"{source.name} has several: {', '.join(path.name for path in found)}; keep one"
            )
        path = found[0] if found else source.file(file) if "*" not in file else None
        if path is not None:
            return file, Path(path)
    raise TokenizerError(f"{source.name} has no tokenizer: none of {', '.join(BY_FILE)} is there")


def _family(source: Any, config: dict[str, Any], model: dict[str, Any], file: str) -> str:
    """The row of FAMILIES to use, or "" for a tokenizer.json of which nothing else is known."""
    said = _squeeze(config.get("tokenizer_class")).removesuffix("fast").removesuffix("tokenizer")
    said = "" if said in ("pretrained", "tokenizersbackend") else said
    for name in (said, _squeeze(model.get("model_type"))):
        if name in FAMILIES and (file == "tokenizer.json" or file in FILES[FAMILIES[name].kind]):
            return name
        if name and file != "tokenizer.json":
            raise TokenizerError(
                f"{source.name} has {file} and no tokenizer.json, and its tokenizer is of the kind {name!r}, which "
                f"cannot be made from that file here (only {', '.join(FAMILIES)}, each from its own): load and save "
                "it once with transformers, which writes a tokenizer.json"
            )
    return BY_FILE[file]


def _backend(source: Any, file: str, path: Path, name: str, config: dict[str, Any]) -> Backend:
    lower = config.get("do_lower_case")
    if file == "tokenizer.json":
        backend = Backend.from_file(str(path))
        normalizer = backend.normalizer
        if lower is not None and type(normalizer).__name__ == "BertNormalizer":
            normalizer.lowercase = bool(lower)
            backend.normalizer = normalizer
        return backend
    if file == "vocab.txt":
        vocab = {token: i for i, token in enumerate(_lines(path))}
        chinese = config.get("tokenize_chinese_chars", True)
        unk = _token(config.get("unk_token") or FAMILIES[name].named["unk_token"]).content
        return families.wordpiece(vocab, unk, lower, config.get("strip_accents"), chinese)
    if file == "merges.txt":
        vocab = _json(source, "vocab.json")
        ranks = [tuple(line.split(" ")) for line in _lines(path) if line and not line.startswith("#version")]
        if (
            not vocab
            or not all(isinstance(i, int) for i in vocab.values())
            or {len(rank) for rank in ranks} - {2}
        ):
            raise TokenizerError(
                "it needs a vocab.json of tokens and ids, and two tokens on each of its own lines"
            )
        return families.byte_level(vocab, ranks, bool(config.get("add_prefix_space")))  # type: ignore[arg-type]
    spm = sentencepiece.read(path.read_bytes())
    return families.from_pieces(spm, name, bool(lower), int(config.get("extra_ids", 100)))


def _guess(backend: Backend) -> Family | None:
    """The first family all of whose special tokens a nameless tokenizer.json has."""
    vocab = backend.get_vocab()
    rows = (FAMILIES[name] for name in ("bert", "roberta", "t5", "gpt2"))
    return next((row for row in rows if vocab.keys() >= set(row.named.values())), None)


def _special(
    backend: Backend,
    family: Family | None,
    name: str,
    file: str,
    config: dict[str, Any],
    added: dict[str, Any],
) -> tuple[dict[str, str], list[str]]:
    """The named and the additional special tokens; those that the backend does not have yet are added to it."""
    decoder = _setting(config, "added_tokens_decoder", dict) or {}
    later = {int(i): _token(token) for i, token in decoder.items()} | {
        i: _token(text) for text, i in added.items()
    }
    for i, token in sorted(later.items()):
        if backend.token_to_id(token.content) is None:
            backend.add_tokens([token])
            if backend.token_to_id(token.content) != i:
                raise TokenizerError(
                    f"the added token {token.content!r} should have the id {i}, and after the others it gets "
                    f"{backend.token_to_id(token.content)}: files of different tokenizers?"
                )
    raw = file != "tokenizer.json"
    tokens: dict[str, AddedToken] = {}
    for entry in Tokenizer.NAMES:
        default = family.named.get(entry) if family else None
        if entry in config:
            if config[entry] is not None:
                tokens[entry] = _token(config[entry])
        elif default and (raw or backend.token_to_id(default) is not None):
            # a mask stands for a word together with the space before it
            space = entry == "mask_token" and (default == "<mask>" or name == "deberta")
            tokens[entry] = AddedToken(default, lstrip=space, special=True, normalized=False)
    extra = config.get("additional_special_tokens", config.get("extra_special_tokens")) or []
    if raw and name in ("t5", "mt5") and not extra:
        extra = [f"<extra_id_{i}>" for i in range(int(config.get("extra_ids", 100)))]
    more = [_token(value) for value in (extra.values() if isinstance(extra, dict) else extra)]
    if raw and family:
        needed = {
            tokens[entry].content for entry in ("cls_token", "sep_token", "unk_token") if entry in tokens
        }
        missing = sorted(token for token in needed if backend.token_to_id(token) is None)
        if missing:
            raise TokenizerError(
                f"the vocabulary lacks {', '.join(missing)}: it is not one of the kind {name!r}"
            )
    known = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    backend.add_special_tokens([token for token in (*tokens.values(), *more) if token.content not in known])
    return {entry: token.content for entry, token in tokens.items()}, [token.content for token in more]


def _inputs(config: dict[str, Any], model: dict[str, Any], name: str) -> tuple[str, ...]:
    """Which inputs a call gives. A tokenizer.json of no class of its own gives token_type_ids too, as
    transformers 4 does, unless the model takes none."""
    if _squeeze(model.get("model_type")) in WITHOUT_TYPES:
        return NO_TYPES
    generic = not name or _squeeze(config.get("tokenizer_class")) == "pretrainedtokenizerfast"
    return TYPES if generic else FAMILIES[name].inputs


def _positions(model: dict[str, Any]) -> int | None:
    """How many tokens the model has positions for; None where there is no such limit, or it is not known."""
    kind, count = (
        _squeeze(model.get("model_type")),
        model.get("max_position_embeddings", model.get("n_positions")),
    )
    if kind in NO_POSITIONS or isinstance(count, bool) or not isinstance(count, int):
        return None
    if kind in PADDED_POSITIONS:
        count -= (1 if model.get("pad_token_id") is None else int(model["pad_token_id"])) + 1
    return count if count > 0 else None


def _json(source: Any, name: str) -> dict[str, Any]:
    path = source.file(name)
    if path is None:
        return {}
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{name} of {source.name} cannot be read as JSON: {error}") from None
    if not isinstance(read, dict):
        raise TokenizerError(f"{name} of {source.name} must be a JSON object, not a {type(read).__name__}")
    return read


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split(
            "\n"
        )  # not splitlines: a token may be a line separator
    except ValueError as error:
        raise TokenizerError(f"{path.name} is not UTF-8 text: {error}") from None
    return lines[:-1] if lines[-1] == "" else lines


def _setting(config: dict[str, Any], name: str, kind: Any) -> Any:
    value = config.get(name)
    if value is not None and not isinstance(value, kind):
        raise TokenizerError(f"{name} is {value!r} in the configuration: it should be of another type")
    return value


def _token(value: Any) -> AddedToken:
    """An added token as the files write it: a string, or an object with `content` and flags."""
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        flags = {
            name: bool(value.get(name))
            for name in ("lstrip", "rstrip", "single_word", "normalized", "special")
        }
        return AddedToken(value["content"], **flags)
    if not isinstance(value, str):
        raise TokenizerError(f"{value!r} should be a token: a string, or an object with 'content'")
    return AddedToken(value, normalized=False)


def _squeeze(name: Any) -> str:
    return str(name or "").lower().replace("-", "").replace("_", "")


def _rust(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (TokenizerError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        raise TokenizerError(f"it is damaged: {error}") from None
