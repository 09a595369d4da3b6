"""`Tokenizer`, a Rust tokenizer with the interface of `transformers`, which many threads can call at once.

https://huggingface.co/docs/transformers/main_classes/tokenizer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers.models import WordLevel

from gatonegro.checks import FLAG, Check, check_flags, one_of, optional, whole
from gatonegro.compat import accepts, refusal
from gatonegro.errors import InputError
from gatonegro.i18n import Message
from gatonegro.tokenization import lengths
from gatonegro.tokenization.batch import BatchEncoding, columns_of, to_tensors
from gatonegro.tokenization.chat import ChatTokenizer
from gatonegro.tokenization.inputs import (
    MESSAGES,
    as_batch,
    as_ids,
    as_int,
    encode_rows,
    resolve_strategy,
    shorten_pair,
)
from gatonegro.tokenization.lengths import NO_LIMIT, PadPolicy
from gatonegro.tokenization.marian import SOURCE, TARGET, Marian, SideTokenizer, tokens_of
from gatonegro.tokenization.saving import contents, save
from gatonegro.tokenization.vocabulary import TOKEN_DICT, TOKEN_LIST, Vocabulary

# arguments of a call that do not apply to its `text_target`
SOURCE_ONLY_ARGUMENTS = (
    "self",
    "text",
    "text_pair",
    "text_target",
    "text_pair_target",
    "max_target_length",
    "tokenizer_kwargs",
    "_side",
)
FLAG_ARGUMENTS = (
    *("add_special_tokens", "is_split_into_words", "return_token_type_ids", "return_attention_mask", "return_length"),
    *("return_overflowing_tokens", "return_special_tokens_mask", "return_offsets_mapping"),
)
SIDE = one_of("right", "left")
ATTRIBUTE_CHECKS = {
    "model_max_length": whole(1),
    **dict.fromkeys(("padding_side", "truncation_side"), SIDE),
    "model_input_names": Check(
        lambda x: isinstance(x, list) and all(isinstance(name, str) for name in x),
        Message("a list of names", "una lista de nombres"),
    ),
    "clean_up_tokenization_spaces": FLAG,
    "additional_special_tokens": TOKEN_LIST,
    "special_tokens": TOKEN_DICT,
    "position_limit": optional(whole(1)),
}


class Tokenizer(ChatTokenizer, Vocabulary):
    """A tokenizer that converts texts to token ids and back, loaded by `AutoTokenizer.from_pretrained`.

    Many threads may encode and decode at once. `add_tokens`, `add_special_tokens` and setting a special token change
    the tokenizer, so do that before sharing it.
    """

    is_fast = True

    def __init__(
        self,
        backend: Backend,
        *,
        special_tokens: dict[str, str],
        additional: Sequence[str] = (),
        model_input_names: Sequence[str] = ("input_ids", "token_type_ids", "attention_mask"),
        model_max_length: int = NO_LIMIT,
        position_limit: int | None = None,
        embeddings: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        name_or_path: str = "",
        marian: Marian | None = None,
        chat_template: str | dict[str, str] | None = None,
    ) -> None:
        backend.no_truncation()  # a tokenizer.json may set both; here, each call does
        backend.no_padding()
        super().__init__(backend, special_tokens, additional, embeddings, clean_up_tokenization_spaces)
        self.marian, self.chat_template = marian, chat_template
        self.model_input_names = list(model_input_names)
        self.position_limit = position_limit  # tokens, by config.json: no call exceeds it
        self.model_max_length = min(model_max_length, position_limit or NO_LIMIT)
        self.padding_side, self.truncation_side = padding_side, truncation_side
        self.name_or_path = name_or_path
        self._truncation_backends: dict[tuple[Any, ...], Backend] = {}
        self._warned_too_long = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ATTRIBUTE_CHECKS and not ATTRIBUTE_CHECKS[name].test(value):
            raise InputError(*ATTRIBUTE_CHECKS[name].message(name, value))
        super().__setattr__(name, value)

    @accepts("PreTrainedTokenizer.__call__")
    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str | None = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        max_target_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool | None = None,
        return_length: bool = False,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        _side: str = SOURCE,
    ) -> BatchEncoding:
        """Encode a text, a list of texts, or pairs of texts as model inputs, such as token ids.

        Pairs are 2-tuples, or come with `text_pair`. The arguments are those of `transformers`; these need a note:

        - `text_target`: the text that a model learns to generate. With `text`, its ids are the batch's `labels`.
        - `max_length`: in tokens, special ones included; `max_target_length` is that of `text_target`, if it differs.
        - `return_overflowing_tokens`: a long text becomes several rows, which overlap by `stride` tokens.
        - `return_offsets_mapping`: an explicit False is faster, and the batch then has no encodings.
        - `tokenizer_kwargs`: more of these arguments, in a dict.

        Raises:
            InputError: an item is no text; the message names it.

        Warns:
            TruncationWarning: a text is truncated to less than `max_length`, or is too long for the model.
        """
        options = {name: value for name, value in locals().items() if name not in SOURCE_ONLY_ARGUMENTS}
        if tokenizer_kwargs:
            options |= {"max_target_length": max_target_length, **tokenizer_kwargs}
            return self(text, text_pair, text_target, text_pair_target, **options, _side=_side)
        check_flags(**{name: options[name] for name in FLAG_ARGUMENTS})
        if text_target is not None:
            options["max_length"] = max_length if max_target_length is None else max_target_length
            labels = self(text_target, text_pair_target, **options, _side=TARGET)
            if text is None:
                return labels
        inputs, batched, pairs = as_batch(text, text_pair, is_split_into_words)
        pad = resolve_strategy("padding", padding, ("longest", "max_length"))
        if truncation is None and max_length is not None and pad is None:
            truncation = True  # as in transformers, max_length alone truncates
        cut = resolve_strategy("truncation", truncation, ("longest_first", "only_first", "only_second"))
        default, positions = self.model_max_length, self.position_limit
        limit = lengths.resolve_max_length(default, positions, cut, pad, max_length, pad_to_multiple_of)
        marian_side = self._side_tokenizer(_side)
        backend = marian_side.backend if marian_side else self.backend_tokenizer
        if cut and limit:
            special = self.num_special_tokens_to_add(pairs) if add_special_tokens else 0
            lengths.check_max_length(limit, special, as_int("stride", stride, 0))
            if pairs and not is_split_into_words and not return_overflowing_tokens:
                inputs = [shorten_pair(backend, pair, limit, self.truncation_side) for pair in inputs]
            overlap = stride if return_overflowing_tokens else 0
            backend = self._with_truncation(backend, (_side, limit, overlap, cut, self.truncation_side))
        fast = return_offsets_mapping is False
        encode = backend.encode_batch_fast if fast else backend.encode_batch
        rows = encode_rows(encode, inputs, is_split_into_words, add_special_tokens)
        if return_overflowing_tokens:
            windows = [[row, *row.overflowing] for row in rows]
            sample_mapping = [i for i, group in enumerate(windows) for _ in group]
            rows = [row for group in windows for row in group]
        else:
            cut_to = limit if cut else None
            self._warned_too_long = lengths.warn_of_truncation(rows, max_length, cut_to, default, self._warned_too_long)
        if pad:
            length = limit if pad == "max_length" else None
            lengths.pad_rows(self._pad_policy(backend, padding_side), rows, length, pad_to_multiple_of)
        columns = {
            "input_ids": True,
            "token_type_ids": return_token_type_ids,
            "attention_mask": return_attention_mask,
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": bool(return_offsets_mapping),
        }
        names = [name for name, on in columns.items() if (name in self.model_input_names if on is None else on)]
        data = columns_of(rows, names)
        if marian_side:
            data["input_ids"] = [marian_side.vocab_ids(row) for row in rows]
        if return_length:
            data["length"] = [len(row) for row in rows]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = sample_mapping
        elif not batched and return_tensors is None:
            data = {name: values if name == "length" else values[0] for name, values in data.items()}
        data = data if return_tensors is None else to_tensors(data, return_tensors)
        batch = BatchEncoding(data, None if fast else rows)
        if marian_side:
            batch.tokens_of = tokens_of
        if text_target is not None:
            batch["labels"] = labels["input_ids"]
        return batch

    @accepts("PreTrainedTokenizer.pad")
    def pad(
        self,
        encoded_inputs: Any,
        padding: bool | str | None = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
    ) -> BatchEncoding:
        """Pad encoded texts, given as a batch or as a list of single encodings, to the same length.

        Columns that are no model inputs, such as `labels`, stay as they are.

        Raises:
            InputError: this tokenizer has no padding token.
        """
        mask = "attention_mask" in self.model_input_names if return_attention_mask is None else return_attention_mask
        policy = self._pad_policy(self.backend_tokenizer, padding_side)
        columns, kind = lengths.pad_batch(
            policy, encoded_inputs, padding, self.model_max_length, max_length, pad_to_multiple_of, mask
        )
        kind = kind if return_tensors is None else return_tensors
        return BatchEncoding(to_tensors(columns, kind) if kind else columns)

    encode_plus = batch_encode_plus = __call__  # older names

    @accepts("PreTrainedTokenizer.prepare_for_model")
    def prepare_for_model(self, ids: Any, pair_ids: Any = None, **options: Any) -> BatchEncoding:
        """Encode a text, or a pair of texts, that is already token ids without special tokens.

        `options` are the arguments of a call.
        """
        words, pair = (None if part is None else list(map(str, as_ids(part))) for part in (ids, pair_ids))
        vocab = {word: int(word) for word in [*(words or ()), *(pair or ())]}
        view = copy(self)  # whose vocabulary has numbers as its words
        view.backend_tokenizer, view.marian = Backend(WordLevel(vocab | self.get_added_vocab(), "")), None
        view.backend_tokenizer.post_processor = self.backend_tokenizer.post_processor
        return view(words, pair, is_split_into_words=True, **options)

    def build_inputs_with_special_tokens(self, token_ids_0: Any, token_ids_1: Any = None) -> Any:
        """Return the token ids of a text or pair with its special tokens."""
        return self.prepare_for_model(token_ids_0, token_ids_1)["input_ids"]

    def create_token_type_ids_from_sequences(self, token_ids_0: Any, token_ids_1: Any = None) -> Any:
        """Return the token types of a text or pair with its special tokens."""
        return self.prepare_for_model(token_ids_0, token_ids_1, return_token_type_ids=True)["token_type_ids"]

    def get_special_tokens_mask(
        self, token_ids_0: Any, token_ids_1: Any = None, already_has_special_tokens: bool = False
    ) -> Any:
        """Return 1 for each special token and 0 for each other one, of token ids to which special ones are added."""
        if already_has_special_tokens:
            return [int(i in self.all_special_ids) for i in as_ids(token_ids_0)]
        return self.prepare_for_model(token_ids_0, token_ids_1, return_special_tokens_mask=True)["special_tokens_mask"]

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> list[int]:
        """Return the token ids of a text or pair, with special tokens; `options` are the arguments of a call."""
        ids: list[int] = self(text, text_pair, **options)["input_ids"]
        return ids

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False) -> list[str]:
        """Return the tokens, as strings, of a text or a pair of texts."""
        inputs, batched, _ = as_batch(text, pair, False)
        if batched:
            raise InputError(*MESSAGES["one_text"])
        marian_side = self._side_tokenizer(SOURCE)
        backend = marian_side.backend if marian_side else self.backend_tokenizer
        (row,) = encode_rows(backend.encode_batch, inputs, False, add_special_tokens)
        return tokens_of(row) if marian_side else row.tokens

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return the number of special tokens that a call adds to a text, or to a pair of texts."""
        if not FLAG.test(pair):
            raise InputError(*FLAG.message("pair", pair))
        return self.backend_tokenizer.num_special_tokens_to_add(pair)

    @property
    def max_len_single_sentence(self) -> int:
        """The most tokens of a text, without the special tokens that are added to it."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self) -> int:
        """The most tokens of a pair of texts, without the special tokens that are added to it."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    @property
    def init_kwargs(self) -> dict[str, Any]:
        """The settings that `save_pretrained` writes, with the special tokens."""
        return {**self.settings(), **self.special_tokens_map, "name_or_path": self.name_or_path}

    @accepts("PreTrainedTokenizer.save_pretrained")
    def save_pretrained(self, save_directory: str | Path) -> tuple[str, ...]:
        """Write `tokenizer.json` and `tokenizer_config.json`; return their paths.

        For Marian, its original files are written instead of `tokenizer.json`. `transformers` 4 and 5 get the same ids.
        """
        return save(save_directory, self.files())

    def files(self) -> dict[str, bytes]:
        """Return the contents of the files that `save_pretrained` writes, by name."""
        settings, backend = self.settings(), self.backend_tokenizer
        return contents(backend, settings, self.special_tokens_map, self.marian, self.chat_template)

    def settings(self) -> dict[str, Any]:
        """Return the settings to store in tokenizer_config.json, such as `padding_side`, without special tokens."""
        names = ("model_max_length", "model_input_names", "padding_side", "truncation_side")
        split = {"split_special_tokens": True} if self.backend_tokenizer.encode_special_tokens else {}
        return {name: getattr(self, name) for name in (*names, "clean_up_tokenization_spaces")} | split

    def __repr__(self) -> str:
        kind = type(self).__name__
        return (
            f"{kind}({self.name_or_path!r}, {len(self)} tokens, model_max_length={self.model_max_length}, "
            f"special tokens: {', '.join(self.all_special_tokens[:8])})"
        )

    def __getattr__(self, name: str) -> Any:
        languages = getattr(self.__dict__.get("marian"), "languages", {})  # Marian's source_lang and target_lang
        if name in languages:
            return languages[name]
        if (message := refusal(f"PreTrainedTokenizer.{name}")) is not None:
            raise AttributeError(str(message))
        return object.__getattribute__(self, name)  # raises Python's own error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_truncation_backends": {}}  # for pickle and deepcopy; a copy makes them anew

    def _clear_cache(self) -> None:
        self._truncation_backends.clear()
        if self.marian:
            self.marian.side_tokenizers.clear()

    def _side_tokenizer(self, side: str) -> SideTokenizer | None:
        """Return Marian's tokenizer for source or target texts, or None if the model is not a Marian model."""
        return self.marian.side_tokenizer(side, self.backend_tokenizer, self.special_tokens) if self.marian else None

    def _pad_policy(self, backend: Backend, side: str | None) -> PadPolicy:
        """Return the padding token, its id in the Rust tokenizer `backend`, and the side, for a tokenizer call."""
        token, side = self.pad_token, resolve_strategy("padding_side", side or self.padding_side, ("right", "left"))
        return PadPolicy(token, None if token is None else backend.token_to_id(token), str(side))

    def _with_truncation(self, base: Backend, key: tuple[Any, ...]) -> Backend:
        """Return a copy of a Rust tokenizer that truncates with the settings in `key`, from a cache if there.

        Truncation is a state of the Rust tokenizer, which cannot change while another thread encodes: each setting has
        its own copy, around the same model. `key` is (`_side`, length, stride, strategy, truncation side).
        """
        backend = self._truncation_backends.get(key)
        if backend is None:
            backend = Backend(base.model)
            for part in ("normalizer", "pre_tokenizer", "post_processor"):
                if getattr(base, part) is not None:
                    setattr(backend, part, getattr(base, part))
            backend.encode_special_tokens = base.encode_special_tokens
            backend.add_tokens([token for _, token in sorted(base.get_added_tokens_decoder().items())])
            _, length, stride, strategy, side = key
            backend.enable_truncation(length, stride=stride, strategy=strategy, direction=side)
            if len(self._truncation_backends) >= 16:  # a caller that tries every length must not fill the memory
                self._truncation_backends.clear()
            self._truncation_backends[key] = backend
        return backend
