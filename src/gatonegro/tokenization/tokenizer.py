"""The tokenizer: one Rust backend, which no call changes, behind the call forms of `transformers`.

https://huggingface.co/docs/transformers/main_classes/tokenizer
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from gatonegro.checks import short
from gatonegro.errors import GatonegroWarning, InputError
from gatonegro.i18n import Message
from gatonegro.tokenization.batch import BatchEncoding, columns_of, to_tensors
from gatonegro.tokenization.inputs import as_batch, as_ids, as_token, choice, run, shorter, whole
from gatonegro.tokenization.lengths import (
    NO_LIMIT,
    Limits,
    PadPolicy,
    check_room,
    limit_of,
    pad_batch,
    pad_rows,
    warn_of_cuts,
)
from gatonegro.tokenization.marian import SOURCE, TARGET, Marian, Reader, tokens_of
from gatonegro.tokenization.saving import save

# what decode writes closer, in this order
CLEAN = {" .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'"}
CLEAN |= {f" {ending}": ending for ending in ("n't", "'m", "'s", "'ve", "'re")}

APART = ("self", "text", "text_pair", "text_target", "text_pair_target", "max_target_length", "_side")


class _Special:
    """`tokenizer.pad_token`, `tokenizer.pad_token_id`: None, or settable to what the vocabulary has."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.is_id = name.removesuffix("_id"), name.endswith("_id")

    def __get__(self, tokenizer: Tokenizer, owner: type | None = None) -> Any:
        token = tokenizer.named.get(self.name)
        return token if token is None or not self.is_id else tokenizer.backend_tokenizer.token_to_id(token)

    def __set__(self, tokenizer: Tokenizer, value: Any) -> None:
        token = tokenizer.convert_ids_to_tokens(value) if self.is_id and value is not None else value
        if value is not None and (token is None or tokenizer.backend_tokenizer.token_to_id(as_token(token)) is None):
            raise InputError(
                f"{self.name} cannot be {short(value)}: the vocabulary of {len(tokenizer)} tokens does not have it; "
                f"tokenizer.add_special_tokens({{{self.name!r}: …}}) adds a new one",
                f"{self.name} no puede ser {short(value)}: no está en el vocabulario, de {len(tokenizer)} tokens; "
                f"tokenizer.add_special_tokens({{{self.name!r}: …}}) añade uno nuevo",
            )
        tokenizer.add_special_tokens({self.name: token})


class Tokenizer:
    """Turns text into ids and back. Made by `AutoTokenizer.from_pretrained`.

    Encoding and decoding may run in many threads at once: no call leaves a state behind. `add_tokens`,
    `add_special_tokens` and setting a special token change the tokenizer, so do that before sharing it.
    """

    is_fast = True
    NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
    bos_token, eos_token, unk_token, sep_token = _Special(), _Special(), _Special(), _Special()
    bos_token_id, eos_token_id, unk_token_id, sep_token_id = _Special(), _Special(), _Special(), _Special()
    pad_token, cls_token, mask_token = _Special(), _Special(), _Special()
    pad_token_id, cls_token_id, mask_token_id = _Special(), _Special(), _Special()

    def __init__(
        self,
        backend: Backend,
        *,
        named: dict[str, str],
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
    ) -> None:
        backend.no_truncation()  # a tokenizer.json may bring both; here they belong to the call
        backend.no_padding()
        self.backend_tokenizer = backend  # Marian's has ids and names only: its readers cut the texts
        self.marian = marian
        self.named = named  # "pad_token" → "<pad>", for those of NAMES that it has
        self.additional_special_tokens = list(additional)
        self.model_input_names = list(model_input_names)
        self.position_limit = position_limit  # what the positions in config.json allow: no call goes past it
        self.model_max_length = min(model_max_length, position_limit or NO_LIMIT)
        self.padding_side, self.truncation_side = padding_side, truncation_side
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.name_or_path = name_or_path
        self._embeddings = embeddings or len(self)  # rows that the model has for ids
        self._truncating: dict[tuple, Backend] = {}
        self.said_too_long = False

    # ------------------------------------------------------------------ text → ids

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
        _side: str = SOURCE,
    ) -> BatchEncoding:
        """Encode a text, a list of texts, or pairs (`text_pair`, or a list of 2-tuples).

        `text_target` is what a model is to learn to write: beside `text`, its ids are the batch's `labels`. Marian
        has pieces of its own for it. `max_target_length` cuts it, where that is not `max_length`.

        `padding`: False, True or "longest", "max_length". `truncation`: False, True or "longest_first",
        "only_first", "only_second"; `max_length` counts special tokens. With `return_overflowing_tokens=True`
        a long text becomes several rows, each repeating the last `stride` tokens of the one before it.
        `return_offsets_mapping=False`, said explicitly, is faster: only ids are computed, and the batch
        then keeps no encodings.

        Raises InputError for what is not text, naming the item. Warns (TruncationWarning) where a text is cut
        shorter than `max_length` asks, or is too long for the model and not cut.
        """
        if text_target is not None:
            options = {name: value for name, value in locals().items() if name not in APART}
            options["max_length"] = max_length if max_target_length is None else max_target_length
            labels = self(text_target, text_pair_target, **options, _side=TARGET)
            if text is None:
                return labels
        inputs, batched, pairs = as_batch(text, text_pair, is_split_into_words)
        pad = choice("padding", padding, ("longest", "max_length"))
        if truncation is None and max_length is not None and pad is None:
            truncation = True  # as in transformers, max_length alone cuts
        cut = choice("truncation", truncation, ("longest_first", "only_first", "only_second"))
        limit = limit_of(self._limits, cut, pad, max_length, pad_to_multiple_of)
        reader = self._reader(_side)
        backend = reader.backend if reader else self.backend_tokenizer
        if cut and limit:
            special = self.num_special_tokens_to_add(pairs) if add_special_tokens else 0
            check_room(limit, special, whole("stride", stride, 0))
            if pairs and not is_split_into_words and not return_overflowing_tokens:
                inputs = [shorter(backend, pair, limit, self.truncation_side) for pair in inputs]
            backend = self._with_truncation(
                backend, (_side, limit, stride if return_overflowing_tokens else 0, cut, self.truncation_side)
            )
        fast = return_offsets_mapping is False
        encode = backend.encode_batch_fast if fast else backend.encode_batch
        rows = run(encode, inputs, is_split_into_words, add_special_tokens)
        owners = list(range(len(rows)))
        if return_overflowing_tokens:
            windows = [[row, *row.overflowing] for row in rows]
            owners = [i for i, group in enumerate(windows) for _ in group]
            rows = [row for group in windows for row in group]
        else:
            told = limit if cut else None
            self.said_too_long = warn_of_cuts(rows, max_length, told, self.model_max_length, self.said_too_long)
        if pad:
            length = limit if pad == "max_length" else None
            pad_rows(self._pad_policy(backend, padding_side), rows, length, pad_to_multiple_of)
        asked = {
            "input_ids": True,
            "token_type_ids": return_token_type_ids,
            "attention_mask": return_attention_mask,
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": bool(return_offsets_mapping),
        }
        wanted = [name for name, yes in asked.items() if (name in self.model_input_names if yes is None else yes)]
        data = columns_of(rows, wanted)
        if reader:
            data["input_ids"] = [reader.ids(row) for row in rows]
        if return_length:
            data["length"] = [len(row) for row in rows]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = owners
        elif not batched and return_tensors is None:
            data = {name: values[0] for name, values in data.items()}
        data = to_tensors(data, return_tensors) if return_tensors else data
        batch = BatchEncoding(data, None if fast else rows, *([tokens_of] if reader else []))
        if text_target is not None:
            batch["labels"] = labels["input_ids"]
        return batch

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
        """Pad what calls gave, a batch or a list of them, one a row: for the collator of a data loader.

        `labels`, and whatever else is no input of a model, stay as they are. Raises InputError where this tokenizer
        has no padding token.
        """
        asked = "attention_mask" in self.model_input_names if return_attention_mask is None else return_attention_mask
        policy = self._pad_policy(self.backend_tokenizer, padding_side)
        columns, kind = pad_batch(policy, self._limits, encoded_inputs, padding, max_length, pad_to_multiple_of, asked)
        kind = return_tensors or kind
        return BatchEncoding(to_tensors(columns, kind) if kind else columns)

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> list[int]:
        """The ids of one text (or pair), special tokens included; `options` are those of a call."""
        return self(text, text_pair, **options)["input_ids"]

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False) -> list[str]:
        """The tokens of one text (or pair), without special tokens unless asked."""
        inputs, batched, _ = as_batch(text, pair, False)
        if batched:
            raise InputError(
                "tokenize takes one text; for a list, call the tokenizer and ask batch.tokens(i)",
                "tokenize recibe un solo texto; para una lista, llama al tokenizador y pide batch.tokens(i)",
            )
        reader = self._reader(SOURCE)
        backend = reader.backend if reader else self.backend_tokenizer
        (row,) = run(backend.encode_batch, inputs, False, add_special_tokens)
        return tokens_of(row) if reader else row.tokens

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens a call adds to one text, or to a pair."""
        return self.backend_tokenizer.num_special_tokens_to_add(pair)

    # ------------------------------------------------------------------ ids → text

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> Any:
        """The text of ids (an int, a list, an array or a tensor); a list of texts for rows of ids.

        `spaces_between_special_tokens` is accepted; as with all fast tokenizers, the decoder decides.
        """
        ids = as_ids(token_ids)
        if ids and isinstance(ids[0], list):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in ids]
        text = self.backend_tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        clean = clean_up_tokenization_spaces
        if self.clean_up_tokenization_spaces if clean is None else clean:
            for loose, close in CLEAN.items():
                text = text.replace(loose, close)
        return text

    def batch_decode(self, sequences: Any, skip_special_tokens: bool = False, **options: Any) -> list[str]:
        """`decode` of each row."""
        texts = self.decode(sequences, skip_special_tokens, **options) if len(sequences) else []
        return [texts] if isinstance(texts, str) else texts

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a token, or the ids of a list; `unk_token_id` for what the vocabulary does not have."""
        if isinstance(tokens, (list, tuple)):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        index = self.backend_tokenizer.token_to_id(as_token(tokens))
        return self.unk_token_id if index is None else index

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The token of an id, or the tokens of a list; None for an id that the vocabulary does not have."""
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        tokens = [self.backend_tokenizer.id_to_token(index) for index in as_ids(ids) if index not in skipped]
        return tokens[0] if isinstance(ids, int) and tokens else tokens

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text that tokens make together."""
        decoder = self.backend_tokenizer.decoder
        return decoder.decode([as_token(token) for token in tokens]) if decoder else " ".join(tokens)

    # ------------------------------------------------------------------ the vocabulary

    def __len__(self) -> int:
        """How many tokens there are, added ones included."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, without the added ones."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=False)

    @property
    def all_special_tokens(self) -> list[str]:
        """The named and the additional special tokens, each once."""
        return list(dict.fromkeys([*self.named.values(), *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """Their ids."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        """`{"pad_token": "<pad>", …}`."""
        more = self.additional_special_tokens
        return {**self.named, **({"additional_special_tokens": list(more)} if more else {})}

    def get_vocab(self) -> dict[str, int]:
        """Token → id, added tokens included."""
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Add tokens (str, AddedToken, or a list of them), which are never split; returns how many are new."""
        tokens = list(new_tokens) if isinstance(new_tokens, (list, tuple)) else [new_tokens]
        for i, token in enumerate(tokens):
            if not as_token(token, Message(f"token {i}", f"el token {i}")):
                raise InputError(
                    f"token {i} is empty: an added token needs at least one character",
                    f"el token {i} está vacío: un token añadido necesita al menos un carácter",
                )
        before, backend = len(self), self.backend_tokenizer
        (backend.add_special_tokens if special_tokens else backend.add_tokens)(tokens)
        self._truncating.clear()
        if self.marian:
            self.marian.readers.clear()
        if before < len(self) > self._embeddings:
            warning = GatonegroWarning(
                f"the tokenizer now has {len(self)} tokens and the model {self._embeddings} embeddings: call "
                "model.resize_token_embeddings(len(tokenizer)), and train the new ones",
                f"el tokenizador tiene ahora {len(self)} tokens y el modelo {self._embeddings} embeddings: llama a "
                "model.resize_token_embeddings(len(tokenizer)), y entrena los nuevos",
            )
            warnings.warn(warning, stacklevel=2)
        return len(self) - before

    def add_special_tokens(self, special_tokens_dict: dict[str, Any]) -> int:
        """`{"pad_token": "[PAD]", "additional_special_tokens": […]}`: name them, adding those that are new.

        Returns how many were new. They are never split, and `skip_special_tokens` leaves them out.
        """
        if not isinstance(special_tokens_dict, dict):
            kind = type(special_tokens_dict).__name__
            raise InputError(
                f"special tokens come as a dict by name, not as a {kind}",
                f"los tokens especiales se pasan en un dict por nombre, no en un {kind}",
            )
        fresh: list[str | AddedToken] = []
        named, more = dict(self.named), list(self.additional_special_tokens)
        for name, value in special_tokens_dict.items():
            if name in ("additional_special_tokens", "extra_special_tokens"):
                if not isinstance(value, (list, tuple)):
                    kind = type(value).__name__
                    raise InputError(
                        f"{name} must be a list of tokens, not a {kind}",
                        f"{name} debe ser una lista de tokens, no un {kind}",
                    )
                more += [as_token(token, Message.same(f"{name}[{i}]")) for i, token in enumerate(value)]
                fresh += value
            elif name not in self.NAMES:
                known = ", ".join(self.NAMES)
                raise InputError(
                    f"{name!r} names no special token: use {known}",
                    f"{name!r} no nombra ningún token especial: usa {known}",
                )
            elif value is None:
                named.pop(name, None)
            else:
                named[name] = as_token(value, Message.same(name))
                fresh.append(value)
        added = self.add_tokens(fresh, special_tokens=True)  # which refuses what is empty, before anything has changed
        self.named, self.additional_special_tokens = named, list(dict.fromkeys(more))
        return added

    def save_pretrained(self, save_directory: str | Path) -> tuple[str, ...]:
        """Write `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`; returns their paths.

        Marian has, in the place of `tokenizer.json`, the files that it came from. `transformers` 4 and 5 read them
        back with the same ids.
        """
        return save(save_directory, self.backend_tokenizer, self.settings(), self.special_tokens_map, self.marian)

    def settings(self) -> dict[str, Any]:
        """What tokenizer_config.json says of it, beside its special tokens."""
        names = ("model_max_length", "model_input_names", "padding_side", "truncation_side")
        return {name: getattr(self, name) for name in (*names, "clean_up_tokenization_spaces")}

    def __repr__(self) -> str:
        return (
            f"Tokenizer({self.name_or_path!r}, {len(self)} tokens, model_max_length={self.model_max_length}, "
            f"special tokens: {', '.join(self.all_special_tokens[:8])})"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_truncating": {}}  # for pickle and deepcopy: they are made again when needed

    # ------------------------------------------------------------------ inside

    def _reader(self, side: str) -> Reader | None:
        """What cuts texts of that side, where that is not the backend itself."""
        return self.marian.reader(side, self.backend_tokenizer, self.named) if self.marian else None

    @property
    def _limits(self) -> Limits:
        return Limits(self.model_max_length, self.position_limit)

    def _pad_policy(self, backend: Backend, side: str | None) -> PadPolicy:
        """How a call pads; `backend` says the id of the token, which is a reader's own for Marian."""
        token, side = self.pad_token, choice("padding_side", side or self.padding_side, ("right", "left"))
        return PadPolicy(token, token and backend.token_to_id(token), str(side))

    def _with_truncation(self, base: Backend, key: tuple[Any, ...]) -> Backend:
        """`base` that cuts. Cutting is a state of the Rust tokenizer, and changing it while another thread
        encodes is an error there; so each way of cutting has its own tokenizer, around the same model."""
        backend = self._truncating.get(key)
        if backend is None:
            backend = Backend(base.model)
            for part in ("normalizer", "pre_tokenizer", "post_processor"):
                if getattr(base, part) is not None:
                    setattr(backend, part, getattr(base, part))
            backend.add_tokens([token for _, token in sorted(base.get_added_tokens_decoder().items())])
            _, length, stride, strategy, side = key
            backend.enable_truncation(length, stride=stride, strategy=strategy, direction=side)
            if len(self._truncating) >= 16:  # a caller that tries every length must not fill the memory
                self._truncating.clear()
            self._truncating[key] = backend
        return backend
