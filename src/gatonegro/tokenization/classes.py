"""`AutoTokenizer`, and the classes of the model families' tokenizers by the names that `transformers` gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend
from tokenizers.pre_tokenizers import ByteLevel

from gatonegro import hub
from gatonegro.checks import one_of
from gatonegro.compat import accepts, unknown
from gatonegro.config import Config
from gatonegro.errors import InputError, TokenizerError
from gatonegro.storage import convert_disk_errors, output_folder, read_bytes
from gatonegro.tokenization.families import TOKENIZER_FAMILIES, WITHOUT_TYPE_IDS
from gatonegro.tokenization.inputs import MESSAGES, as_token
from gatonegro.tokenization.loading import load, normalize
from gatonegro.tokenization.tokenizer import Tokenizer

# the classes' names before "Tokenizer" or "TokenizerFast"; after "=", the family whose class it is too
STEMS = (
    "Bert Electra=Bert MobileBert=Bert ConvBert DistilBert MPNet Roberta Bart=Roberta Longformer=Roberta GPT2 Deberta "
    "DebertaV2 XLMRoberta Camembert T5 MT5=T5 UMT5=T5 LongT5=T5 Marian"
)
# argument of a class → file, by the kind of the family's files
FILES = {
    "wordpiece": {"vocab_file": "vocab.txt"},
    "bytes": {"vocab_file": "vocab.json", "merges_file": "merges.txt"},
    "pieces": {"vocab_file": "spiece.model"},
    "marian": {"source_spm": "source.spm", "target_spm": "target.spm", "vocab_file": "vocab.json"},
}
JSON_FILE = dict.fromkeys(("tokenizer_file", "tokenizer_object"), "tokenizer.json")
OTHER_NAMES = {"vocab": "vocab_file", "merges": "merges_file"}
FAMILY_CHECK = one_of(*TOKENIZER_FAMILIES)
SETTINGS = (  # of `AutoTokenizer.from_pretrained`, by the names of tokenizer_config.json
    *("model_max_length", "model_input_names", "padding_side", "truncation_side", "clean_up_tokenization_spaces"),
    *("do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space", "split_special_tokens"),
    *(*Tokenizer.SPECIAL_TOKEN_NAMES, "additional_special_tokens", "extra_ids", "chat_template"),
)


class PreTrainedTokenizerFast(Tokenizer):
    """A tokenizer made from files or a Rust tokenizer, and the base class of the families' tokenizers.

    Args:
        *files: the names of the vocabulary's files; also by name, as `vocab_file`, `merges_file`, `source_spm` and
            `target_spm`, or `tokenizer_file` for a tokenizer.json. A vocabulary may be a dict, {token: id}.
        **settings: `tokenizer_object` for a Rust tokenizer, and options of `AutoTokenizer.from_pretrained`.

    Raises:
        TokenizerError: files are missing or damaged.
    """

    family = ""

    def __init__(self, *files: Any, **settings: Any) -> None:
        row = TOKENIZER_FAMILIES.get(self.family)
        names = FILES["marian" if self.family == "marian" else row.kind] if row else {}
        settings = {**dict(zip(names, files, strict=False)), **{OTHER_NAMES.get(k, k): v for k, v in settings.items()}}
        config: dict[str, Any] = {"tokenizer_class": self.family}
        if not row:
            config |= {**dict.fromkeys(self.SPECIAL_TOKEN_NAMES), "model_input_names": WITHOUT_TYPE_IDS}
        elif row.kind == "wordpiece" and "vocab_file" in settings:
            config["do_lower_case"] = True
        from tempfile import TemporaryDirectory  # here, for a light start

        with TemporaryDirectory() as folder:
            for name, file in (names | JSON_FILE).items():
                if settings.get(name) is not None:
                    (Path(folder) / file).write_bytes(_contents(settings[name], file))
            (Path(folder) / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
            settings = {name: value for name, value in settings.items() if name not in names | JSON_FILE}
            self.__dict__ = self.from_pretrained(folder, **settings).__dict__
        self.name_or_path = ""

    @classmethod
    @accepts("AutoTokenizer.from_pretrained")
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        config: Config | str | Path | None = None,
        tokenizer_type: str | None = None,
        **options: Any,
    ) -> Tokenizer:
        """Load the tokenizer of a model, given by its hub name, a folder or a built-in model's name.

        The vocabulary is in `tokenizer.json`, `vocab.txt`, `vocab.json` + `merges.txt` or a SentencePiece file;
        settings are in `config.json`, `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`.

        Args:
            pretrained_model_name_or_path: a hub name, a folder, or a built-in model's short name.
            config: the model's configuration, or the name of a model that has it; default: the model's own.
            tokenizer_type: the family of the tokenizer, such as "bert"; default: by the model's files.
            **options: the arguments of `hub.locate`, such as `revision`, and `SETTINGS`, which override the files. A
                special token is added to the vocabulary if it is missing there.

        Raises:
            HubError: there is no such model.
            TokenizerError: its files are missing or damaged, or of another family than the class.
            OptionError: an argument is unknown or not possible.
        """
        where, settings = hub.split_arguments(options)
        if strange := next((name for name in settings if name not in SETTINGS), None):
            raise unknown("AutoTokenizer.from_pretrained", strange, [*SETTINGS, *hub.ARGUMENTS])
        settings = {name: value for name, value in settings.items() if value is not None}
        if tokenizer_type is not None:
            FAMILY_CHECK("tokenizer_type", normalize(tokenizer_type))
            settings["tokenizer_class"] = tokenizer_type
        model: Any = config.extra if isinstance(config, Config) else config
        if isinstance(model, str | Path):
            model = hub.locate(model, **where).json("config.json")
        return load(hub.locate(pretrained_model_name_or_path, **where), settings, model, cls._new)

    @classmethod
    def _new(cls, family: str) -> Tokenizer:
        """Return an empty object for the tokenizer of a family, of this class if it is a family's."""
        found, known = CLASSES_OF_FAMILIES.get(family), TOKENIZER_FAMILIES.get(family)
        if cls.family and known:
            own = TOKENIZER_FAMILIES[cls.family]
            if (own.special, own.single) != (known.special, known.single) or len({own.kind, known.kind, "json"}) > 2:
                use = found.__name__ if found else "AutoTokenizer"
                raise TokenizerError(*MESSAGES["other_family"].format(name=cls.__name__, family=family, use=use))
        kind = cls if cls.family or not found else found
        return kind.__new__(kind)

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write the vocabulary's files alone, without settings and special tokens, and return their paths."""
        folder = output_folder(save_directory, InputError)
        with convert_disk_errors(folder, TokenizerError):
            folder.mkdir(parents=True, exist_ok=True)
            if not self.marian:
                return tuple(self.backend_tokenizer.model.save(str(folder), filename_prefix))
            for name, data in self.marian.files.items():
                (folder / name).write_bytes(data)
            return tuple(str(folder / name) for name in self.marian.files)

    def train_new_from_iterator(
        self, text_iterator: Iterable[Any], vocab_size: int, length: int | None = None,
        new_special_tokens: Sequence[str | AddedToken] | None = None, special_tokens_map: dict[str, str] | None = None,
        **options: Any,
    ) -> Tokenizer:  # fmt: skip
        """Return a tokenizer of the same kind, with a vocabulary of other texts.

        Args:
            text_iterator: texts, or lists of texts.
            vocab_size: the largest number of tokens.
            length: the number of texts, for the progress bar.
            new_special_tokens: more special tokens.
            special_tokens_map: new special tokens, by the old ones.
            **options: arguments of the trainer, such as `min_frequency`.

        Raises:
            InputError: the tokenizer is Marian's.
        """
        if self.marian:
            raise InputError(*MESSAGES["not_trained"])
        new_names = special_tokens_map or {}

        def rename(token: str) -> str:
            return new_names.get(token, token)

        state = json.loads(self.backend_tokenizer.to_str())
        model, processor, added = state["model"], state["post_processor"] or {}, state["added_tokens"]
        state |= {"post_processor": None, "added_tokens": []}  # which have ids
        if unigram := model["type"] == "Unigram":
            if model["unk_id"] is not None:
                options["unk_token"] = rename(model["vocab"][model["unk_id"]][0])
                model |= {"unk_id": 0, "vocab": [[options["unk_token"], 0.0]]}
        else:
            empty: dict[str, Any] = {"vocab": {}, "merges": []}
            model |= {name: empty[name] for name in empty if name in model} | {"unk_token": rename(model["unk_token"])}
        for name in ("continuing_subword_prefix", "end_of_word_suffix") if model["type"] == "BPE" else ():
            options |= {} if model[name] is None or name in options else {name: model[name]}
        if '"ByteLevel"' in json.dumps(state["pre_tokenizer"]):
            options["initial_alphabet"] = ByteLevel.alphabet()
        flags = ("single_word", "lstrip", "rstrip", "normalized")
        special: list[Any] = [
            AddedToken(rename(token["content"]), **{flag: token[flag] for flag in flags})
            for token in added
            if unigram or token["special"]
        ]
        backend = Backend.from_str(json.dumps(state))
        special += new_special_tokens or []
        trainer = type(backend.model.get_trainer())(vocab_size=vocab_size, special_tokens=special, **options)
        backend.train_from_iterator(text_iterator, trainer, length)
        for entry in processor.get("special_tokens", {}).values():
            entry["tokens"] = list(map(rename, entry["tokens"]))
            entry["ids"] = list(map(backend.token_to_id, entry["tokens"]))
        for name in {"cls", "sep"} & processor.keys():
            token = rename(processor[name][0])
            processor[name] = [token, backend.token_to_id(token)]
        backend = Backend.from_str(json.dumps(json.loads(backend.to_str()) | {"post_processor": processor or None}))
        new = type(self).__new__(type(self))
        Tokenizer.__init__(
            new,
            backend,
            special_tokens={name: rename(token) for name, token in self.special_tokens.items()},
            additional=[*map(rename, self.additional_special_tokens), *map(as_token, new_special_tokens or [])],
            name_or_path=self.name_or_path,
            chat_template=self.chat_template,
            **{name: value for name, value in self.settings().items() if name != "split_special_tokens"},
        )
        return new


class AutoTokenizer:
    """Namespace for `from_pretrained`, which loads a tokenizer by name or from a folder."""

    from_pretrained = PreTrainedTokenizerFast.from_pretrained


class PreTrainedTokenizer(PreTrainedTokenizerFast):
    """The base class of the tokenizers that are written in Python in `transformers`, of which Marian's is here."""


def _contents(value: Any, file: str) -> bytes:
    """Return the contents of a tokenizer's file, given by its path or as what it contains."""
    if isinstance(value, dict) and file != "vocab.txt":
        return json.dumps(value).encode()
    if isinstance(value, dict):
        value = sorted(value, key=value.__getitem__)
    if isinstance(value, list):  # of tokens, or of merges
        return "".join(f"{line if isinstance(line, str) else ' '.join(line)}\n" for line in value).encode()
    return value.to_str().encode() if isinstance(value, Backend) else read_bytes(Path(value), TokenizerError)


CLASSES: dict[str, type[Tokenizer]] = {"PreTrainedTokenizerBase": Tokenizer}
CLASSES |= {kind.__name__: kind for kind in (PreTrainedTokenizerFast, PreTrainedTokenizer)}
CLASSES_OF_FAMILIES: dict[str, type[Tokenizer]] = {}
for stem, _, same in (entry.partition("=") for entry in STEMS.split()):
    base = PreTrainedTokenizer if stem == "Marian" else PreTrainedTokenizerFast
    fields = {"family": stem.lower(), "__module__": "gatonegro.tokenization", "__doc__": f"{stem}'s tokenizer."}
    made = CLASSES[f"{same}Tokenizer"] if same else type(f"{stem}Tokenizer", (base,), fields)
    CLASSES[f"{stem}Tokenizer"] = CLASSES[f"{stem}TokenizerFast"] = CLASSES_OF_FAMILIES[stem.lower()] = made
