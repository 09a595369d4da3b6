"""Loading of a tokenizer from a model's files, by the model's family."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Set
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from gatonegro.checks import short_repr, whole
from gatonegro.errors import TokenizerError
from gatonegro.hub import Source
from gatonegro.storage import read_bytes
from gatonegro.tokenization import families, marian, sentencepiece
from gatonegro.tokenization.chat import read_template
from gatonegro.tokenization.families import TOKENIZER_FAMILIES, WITH_TYPE_IDS, WITHOUT_TYPE_IDS
from gatonegro.tokenization.inputs import MESSAGES, file_errors
from gatonegro.tokenization.lengths import NO_LIMIT
from gatonegro.tokenization.tokenizer import Tokenizer

FAMILY_BY_FILE = {  # for an unknown tokenizer class and model type
    "tokenizer.json": "",
    "vocab.txt": "bert",
    "merges.txt": "roberta",
    "spiece.model": "t5",
    "sentencepiece.bpe.model": "xlmroberta",
    "spm.model": "debertav2",
    "source.spm": "marian",
    "*.spm": "marian",
}
# all files that a tokenizer may need
TOKENIZER_FILES = (
    *(file for file in FAMILY_BY_FILE if "*" not in file),
    *("vocab.json", "target.spm", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "chat_template.jinja",
)
EXTRA_IDS = whole(0, 10_000)


def load(
    source: Source,
    settings: dict[str, Any],
    model: Any = None,
    new: Callable[[str], Tokenizer] = lambda family: Tokenizer.__new__(Tokenizer),
) -> Tokenizer:
    """Load a tokenizer from a model's files, with `settings` that override those in the files.

    `model` is the contents of config.json; by default, the file is read. `new(family)` returns the object to set up.
    """
    model = _json(source, "config.json") if model is None else model
    config = {**_json(source, "special_tokens_map.json"), **_json(source, "tokenizer_config.json"), **settings}
    kind = _tokenizer_class(config) or normalize(model.get("model_type"))
    file, path = _find_vocabulary(source, (*(("source.spm",) if kind == "marian" else ()), *FAMILY_BY_FILE))
    if file == "*.spm" and source.file("target.spm") is not None:  # Marian's target side alone
        raise TokenizerError(*MESSAGES["no_source"].format(name=source.name))
    name = _family_name(source, config, model, file)
    tokenizer = new(name)
    marian_files = _load_marian(source, config) if file == "source.spm" else None
    with file_errors(f"{file} of {source.name}", f"{file} de {source.name}"):
        backend = _load_backend(source, file, path, name, config)
        _check_ids(backend, file, int(model.get("vocab_size") or 0))
    with file_errors(f"the special tokens of {source.name}", f"los tokens especiales de {source.name}"):
        _add_missing(backend, config, _json(source, "added_tokens.json"))
        special_tokens, additional = _add_special_tokens(
            backend, name, file != "tokenizer.json", config, settings.keys()
        )
        if file != "tokenizer.json":
            space = bool(config.get("add_prefix_space"))
            families.set_post_processor(backend, TOKENIZER_FAMILIES[name], special_tokens, space)
    backend.encode_special_tokens = bool(config.get("split_special_tokens"))
    if marian_files:
        marian_files.side_tokenizer(marian.SOURCE, backend, special_tokens)
    with file_errors(f"the configuration of {source.name}", f"la configuración de {source.name}"):
        sides = {side: config.get(side) or "right" for side in ("padding_side", "truncation_side")}
        # cleaning up would remove spaces that are in the text: a BPE tokenizer keeps all of them
        clean = bool(config.get("clean_up_tokenization_spaces")) and type(backend.model).__name__ != "BPE"
        Tokenizer.__init__(
            tokenizer,
            backend,
            special_tokens=special_tokens,
            additional=additional,
            model_input_names=list(config.get("model_input_names") or _model_inputs(config, model, name)),
            model_max_length=int(config.get("model_max_length") or NO_LIMIT),
            position_limit=_position_limit(model),
            embeddings=int(model.get("vocab_size") or 0),
            clean_up_tokenization_spaces=clean,
            name_or_path=str(source.name),
            marian=marian_files,
            chat_template=read_template(source, config.get("chat_template")),
            **sides,
        )
    return tokenizer


def _find_vocabulary(source: Source, files: tuple[str, ...]) -> tuple[str, Path]:
    """Return the name and path of the first of the given vocabulary files that a model has."""
    folder = Path(source.folder or source.name)
    for file in files:
        if "*" not in file:
            paths = [path] if (path := source.file(file)) else []
        else:  # only a folder on this machine can be searched
            paths = sorted(folder.glob(file)) if folder.is_dir() else []
        if len(paths) > 1:
            several = ", ".join(p.name for p in paths)
            raise TokenizerError(*MESSAGES["several"].format(name=source.name, file=file, several=several))
        if paths:
            return file, paths[0]
    raise TokenizerError(*MESSAGES["no_tokenizer"].format(name=source.name, wanted=", ".join(FAMILY_BY_FILE)))


def _family_name(source: Source, config: dict[str, Any], model: dict[str, Any], file: str) -> str:
    """Return the name of a tokenizer's model family, or "" for a tokenizer.json of an unknown family."""
    kind = TOKENIZER_FAMILIES[FAMILY_BY_FILE[file]].kind if FAMILY_BY_FILE[file] else None
    for name in (_tokenizer_class(config), normalize(model.get("model_type"))):
        if name in TOKENIZER_FAMILIES and kind in (None, TOKENIZER_FAMILIES[name].kind):
            return name
        if name and kind:
            known = ", ".join(name for name, family in TOKENIZER_FAMILIES.items() if family.kind == kind)
            raise TokenizerError(*MESSAGES["not_enough"].format(name=source.name, file=file, kind=name, known=known))
    if file == "merges.txt" and "<s>" not in _json(source, "vocab.json"):
        return "gpt2"
    return FAMILY_BY_FILE[file]


def _tokenizer_class(config: dict[str, Any]) -> str:
    """Return the tokenizer class that a configuration names, shortened: "bert" for "BertTokenizerFast"."""
    name = normalize(config.get("tokenizer_class")).removesuffix("fast").removesuffix("tokenizer")
    return "" if name in ("pretrained", "tokenizersbackend") else name


def _load_marian(source: Source, config: dict[str, Any]) -> marian.Marian:
    if config.get("separate_vocabs"):
        raise TokenizerError(*MESSAGES["separate_vocabs"].format(name=source.name))
    paths = {name: path for name in marian.MARIAN_FILES if (path := source.file(name))}
    if missing := ", ".join(name for name in marian.MARIAN_FILES if name not in paths):
        raise TokenizerError(*MESSAGES["lacks"].format(name=source.name, missing=missing))
    languages = {name: config[name] for name in ("source_lang", "target_lang") if config.get(name)}
    for name, code in languages.items():
        if not isinstance(code, str):
            raise TokenizerError(*MESSAGES["language_code"].format(name=source.name, key=name, value=code))
    return marian.Marian(
        {name: read_bytes(path, TokenizerError) for name, path in paths.items()}, languages, str(source.name)
    )


def _load_backend(source: Source, file: str, path: Path, name: str, config: dict[str, Any]) -> Backend:
    lower, accents, space = (config.get(name) for name in ("do_lower_case", "strip_accents", "add_prefix_space"))
    if file == "tokenizer.json":
        data = read_bytes(path, TokenizerError)
        backend = Backend.from_buffer(data)
        _check_added_ids(backend, data)
        normalizer = backend.normalizer
        if type(normalizer).__name__ == "BertNormalizer":
            chinese = config.get("tokenize_chinese_chars")
            flags = {"lowercase": lower, "strip_accents": accents, "handle_chinese_chars": chinese}
            for flag, value in flags.items():
                if value is not None:
                    setattr(normalizer, flag, bool(value))
            backend.normalizer = normalizer
        for part in ("pre_tokenizer", "post_processor"):
            step = getattr(backend, part)
            if space is not None and type(step).__name__ in ("ByteLevel", "RobertaProcessing"):
                step.add_prefix_space = bool(space)
                setattr(backend, part, step)
        return backend
    if file == "vocab.txt":
        lines = _lines(path)
        vocab = {token: i for i, token in enumerate(lines)}
        # the first of two equal lines keeps its id, by a name that no word has; a new token would get an id twice
        vocab |= {f"{token} {i}": i for i, token in enumerate(lines) if vocab[token] != i}
        unk = _token(config.get("unk_token") or TOKENIZER_FAMILIES[name].special_tokens["unk_token"]).content
        chinese = bool(config.get("tokenize_chinese_chars", True))
        return families.wordpiece(vocab, unk, lower, accents, chinese)
    if file == "merges.txt":
        ranks: Any = [tuple(line.split(" ")) for line in _lines(path) if line and line[:8] != "#version"]
        return families.byte_level(_json(source, "vocab.json"), ranks, bool(space))
    if file == "source.spm":
        defaults = TOKENIZER_FAMILIES[name].special_tokens
        special = [_token(config.get(key) or token).content for key, token in defaults.items()]
        return marian.vocabulary(_json(source, "vocab.json"), special)
    spm = sentencepiece.read(read_bytes(path, TokenizerError))
    return families.from_pieces(spm, TOKENIZER_FAMILIES[name], bool(lower), _extra_ids(config))


def _extra_ids(config: dict[str, Any]) -> int:
    """Return the number of T5's tokens <extra_id_0> and so on."""
    count = config.get("extra_ids", 100)
    if not EXTRA_IDS.test(count):
        raise TokenizerError(*EXTRA_IDS.message("extra_ids", count))
    return int(count)


def _check_added_ids(backend: Backend, data: bytes) -> None:
    """Raise TokenizerError if a tokenizer.json names other ids for added tokens than the Rust tokenizer gave them."""
    text = data.decode()
    start = re.search(r'"added_tokens"\s*:\s*(?=\[)', text)
    for token in json.JSONDecoder().raw_decode(text, start.end())[0] if start else ():
        if (new := backend.token_to_id(token["content"])) != token["id"]:
            raise TokenizerError(*MESSAGES["other_id"].format(token=token["content"], id=token["id"], new=new))


def _check_ids(backend: Backend, file: str, embeddings: int) -> None:
    """Raise TokenizerError unless a vocabulary's ids are 0, 1, 2 and so on, each of one token and one embedding."""
    if None in map(backend.id_to_token, range(backend.get_vocab_size(with_added_tokens=True))):  # n tokens, fewer ids
        vocab = backend.get_vocab(with_added_tokens=False)
        if len(set(vocab.values())) < len(vocab):
            pairs = pairwise(sorted((i, token) for token, i in vocab.items()))
            id, first, second = next((i, a, b) for (i, a), (j, b) in pairs if i == j)
            raise TokenizerError(*MESSAGES["same_id"].format(id=id, first=first, second=second))
        all_ids = set(backend.get_vocab(with_added_tokens=True).values())
        if gaps := set(range(len(all_ids))) - all_ids:
            raise TokenizerError(*MESSAGES["gap"].format(id=min(gaps), last=max(all_ids)))
    if embeddings and (count := backend.get_vocab_size(with_added_tokens=False)) > embeddings:
        raise TokenizerError(*MESSAGES["beyond"].format(count=count, rows=embeddings))
    model = backend.model
    unk = getattr(model, "unk_token", None)
    if (
        file == "tokenizer.json"
        and type(model).__name__ in ("WordPiece", "WordLevel")
        and (unk is None or model.token_to_id(unk) is None)
    ):
        raise TokenizerError(*MESSAGES["no_unk"].format(token=unk))


def _add_missing(backend: Backend, config: dict[str, Any], added: dict[str, Any]) -> None:
    """Add tokens that the tokenizer's configuration lists but its vocabulary lacks, in the order of their ids."""
    tokens = {int(i): _token(token) for i, token in (config.get("added_tokens_decoder") or {}).items()}
    tokens |= {int(i): _token(text) for text, i in added.items()}
    for i, token in sorted(tokens.items()):
        if backend.token_to_id(token.content) is None:
            backend.add_tokens([token])
        if (new := backend.token_to_id(token.content)) not in (i, None):
            raise TokenizerError(*MESSAGES["other_id"].format(token=token.content, id=i, new=new))


def _add_special_tokens(
    backend: Backend, name: str, raw: bool, config: dict[str, Any], new: Set[str]
) -> tuple[dict[str, str], list[str]]:
    """Add special tokens to a Rust tokenizer; return the named ones, such as "pad_token", and the additional ones.

    They are the configuration's, else the family's; without a family, those of the first whose tokens all exist. Those
    in `new` are the user's, and need not be in the vocabulary.
    """

    def known(token: str) -> bool:
        return backend.token_to_id(token) is not None

    rows = map(TOKENIZER_FAMILIES.__getitem__, [name] if name else ["bert", "roberta", "t5"])
    family = next((row for row in rows if raw or all(map(known, row.special_tokens.values()))), None)
    tokens: dict[str, AddedToken] = {}
    for entry in Tokenizer.SPECIAL_TOKEN_NAMES:
        default = family.special_tokens.get(entry) if family else None
        if entry in config:
            token = None if config[entry] is None else _token(config[entry])
            tokens |= {entry: token} if token and token.content else {}
        elif default:  # a mask stands for a word together with the space before it
            space = entry == "mask_token" and (default == "<mask>" or name == "deberta")
            tokens[entry] = AddedToken(default, lstrip=space, normalized=False)
        missing = entry in tokens and entry not in new and not known(tokens[entry].content)
        if raw and missing and entry in ("cls_token", "sep_token", "unk_token"):
            raise TokenizerError(*MESSAGES["not_of_kind"].format(token=tokens[entry].content, kind=name))
    extra = config.get("additional_special_tokens") or config.get("extra_special_tokens") or []
    if raw and TOKENIZER_FAMILIES[name].has_extra_ids and not extra:
        extra = [f"<extra_id_{i}>" for i in range(_extra_ids(config))]
    additional = [_token(value) for value in (extra.values() if isinstance(extra, dict) else extra)]
    existing = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    backend.add_special_tokens([token for token in (*tokens.values(), *additional) if token.content not in existing])
    return {entry: token.content for entry, token in tokens.items()}, [token.content for token in additional]


def _model_inputs(config: dict[str, Any], model: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return the names of the model inputs that a tokenizer call returns, such as `input_ids`.

    They include token_type_ids for a tokenizer.json of a generic class, as in transformers 4, unless the model accepts
    none.
    """
    family = TOKENIZER_FAMILIES.get(normalize(model.get("model_type")))
    if family and not family.accepts_type_ids:
        return WITHOUT_TYPE_IDS
    generic = not name or normalize(config.get("tokenizer_class")) == "pretrainedtokenizerfast"
    return WITH_TYPE_IDS if generic else TOKENIZER_FAMILIES[name].inputs


def _position_limit(model: dict[str, Any]) -> int | None:
    """Return the maximum number of tokens that a model has positions for, or None if unlimited or unknown."""
    family = TOKENIZER_FAMILIES.get(normalize(model.get("model_type")))
    rule = family.position_rule if family else "all"
    count = int(model.get("max_position_embeddings") or model.get("n_positions") or 0)
    if rule == "padded":
        count -= 1 + (1 if model.get("pad_token_id") is None else int(model["pad_token_id"]))
    return count if count > 0 and rule != "relative" else None


def _json(source: Source, name: str) -> dict[str, Any]:
    with file_errors(f"{name} of {source.name}", f"{name} de {source.name}"):
        return source.json(name) or {}


def _lines(path: Path) -> list[str]:
    text = read_bytes(path, TokenizerError).decode().replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")  # not splitlines: a token may be a line separator
    return lines[:-1] if lines[-1] == "" else lines


def _token(value: Any) -> AddedToken:
    """Return an AddedToken for a token stored in a file as a string or as an object with `content` and flags."""
    if isinstance(value, AddedToken):
        return value
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        flags = {flag: bool(value.get(flag)) for flag in ("lstrip", "rstrip", "single_word", "normalized")}
        return AddedToken(value["content"], special=bool(value.get("special")), **flags)
    if not isinstance(value, str):
        raise TokenizerError(*MESSAGES["no_token"].format(value=short_repr(value)))
    return AddedToken(value, normalized=False)


def normalize(name: Any) -> str:
    """Return the name of a tokenizer class or model type in lower case, without dashes and underscores."""
    return str(name or "").lower().replace("-", "").replace("_", "")
