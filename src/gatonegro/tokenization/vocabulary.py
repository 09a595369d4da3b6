"""The vocabulary of a tokenizer: token ids, special and added tokens, and decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend
from tokenizers.pre_tokenizers import ByteLevel

from gatonegro.checks import Check, short_repr
from gatonegro.compat import accepts
from gatonegro.errors import GatonegroWarning, InputError, warn
from gatonegro.i18n import Message
from gatonegro.tokenization.inputs import MESSAGES, as_ids, as_list, as_token

# replacements by `clean_up_tokenization_spaces`, in this order
CLEAN_UP_REPLACEMENTS = {" .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'"}
CLEAN_UP_REPLACEMENTS |= {f" {ending}": ending for ending in ("n't", "'m", "'s", "'ve", "'re")}

TOKEN_DICT = Check(lambda x: isinstance(x, dict), Message("a dict, {name: token}", "un dict, {nombre: token}"))
TOKEN_LIST = Check(lambda x: isinstance(x, list | tuple), Message("a list of tokens", "una lista de tokens"))
BYTE_LEVEL = ByteLevel(add_prefix_space=False, use_regex=False)


def _piece(index: int, backend: Backend, added: dict[int, AddedToken]) -> str | None:
    """Return a token as its decoder expects it, also an added one, which stands in the vocabulary as plain text.

    An added word is one of a byte-level vocabulary in its bytes, and begins with ▁, the space that the tokenizers of
    SentencePiece cut off before it, where ▁ is a space. The decoders of `transformers` do neither.
    """
    if index not in added:
        return backend.id_to_token(index)
    token = added[index]
    if backend.decoder.decode(["a", "\u0120b"]) == "a b":  # byte-level
        return BYTE_LEVEL.pre_tokenize_str(token.content)[0][0]
    is_word = not token.special and backend.decoder.decode(["a", "▁b"]) == "a b"
    return f"▁{token.content}" if is_word and not token.content[:1].isspace() else token.content


class SpecialToken:
    """A descriptor for attributes such as `tokenizer.pad_token` and `tokenizer.pad_token_id`, which may be None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.is_id = name.removesuffix("_id"), name.endswith("_id")

    def __get__(self, tokenizer: Vocabulary, owner: type | None = None) -> Any:
        token = tokenizer.special_tokens.get(self.name)
        return token if token is None or not self.is_id else tokenizer.backend_tokenizer.token_to_id(token)

    def __set__(self, tokenizer: Vocabulary, value: Any) -> None:
        token = tokenizer.convert_ids_to_tokens(value) if self.is_id and value is not None else value
        if value is not None and (token is None or tokenizer.backend_tokenizer.token_to_id(as_token(token)) is None):
            problem = MESSAGES["not_in_vocabulary"]
            raise InputError(*problem.format(name=self.name, value=short_repr(value), size=len(tokenizer)))
        tokenizer.add_special_tokens({self.name: token})


class Vocabulary:
    """The base class of `Tokenizer` for its vocabulary: token ids, special and added tokens, and decoding."""

    SPECIAL_TOKEN_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
    SPECIAL_TOKENS_ATTRIBUTES = SPECIAL_TOKEN_NAMES
    pad_token_type_id, backend = 0, "tokenizers"
    bos_token, eos_token, unk_token, sep_token = SpecialToken(), SpecialToken(), SpecialToken(), SpecialToken()
    pad_token, cls_token, mask_token = SpecialToken(), SpecialToken(), SpecialToken()
    bos_token_id, eos_token_id, unk_token_id = SpecialToken(), SpecialToken(), SpecialToken()
    sep_token_id, pad_token_id = SpecialToken(), SpecialToken()
    cls_token_id, mask_token_id = SpecialToken(), SpecialToken()

    def __init__(
        self,
        backend: Backend,
        special_tokens: dict[str, str],
        others: Sequence[str],
        embeddings: int | None,
        clean: bool,
    ) -> None:
        self.backend_tokenizer = backend  # Marian's has only ids and tokens: see `SideTokenizer`
        self.special_tokens = special_tokens  # "pad_token" → "<pad>", for some of the names
        self.additional_special_tokens = list(others)
        self.clean_up_tokenization_spaces = clean
        self._embeddings = embeddings or len(self)  # rows of the model's embedding matrix

    def _clear_cache(self) -> None:
        """Drop cached copies of the Rust tokenizer that were made before its vocabulary changed."""

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> Any:
        """Decode token ids (an int, a list, an array or a tensor) to a text, or a batch of them to a list of texts.

        `spaces_between_special_tokens` has no effect: as with all fast tokenizers, the decoder decides.
        """
        ids = as_ids(token_ids)
        if ids and isinstance(ids[0], list):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in ids]
        backend, unique = self.backend_tokenizer, set(ids)
        added = {i: token for i, token in backend.get_added_tokens_decoder().items() if i in unique}
        if any(not (token.special and token.content.isascii()) for token in added.values()) and backend.decoder:
            pieces = [
                _piece(i, backend, added) for i in ids if not (skip_special_tokens and i in added and added[i].special)
            ]
            text = backend.decoder.decode([piece for piece in pieces if piece])
        else:
            text = backend.decode(ids, skip_special_tokens=skip_special_tokens)
        clean = clean_up_tokenization_spaces
        if self.clean_up_tokenization_spaces if clean is None else clean:
            for loose, close in CLEAN_UP_REPLACEMENTS.items():
                text = text.replace(loose, close)
        return text

    def batch_decode(self, sequences: Any, skip_special_tokens: bool = False, **options: Any) -> list[str]:
        """Decode each sequence of token ids in a batch, and return the list of texts."""
        texts = self.decode(sequences, skip_special_tokens, **options) if as_ids(sequences) else []
        return [texts] if isinstance(texts, str) else texts

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Return the id of a token, or a list of ids for a list; unknown tokens get the id `unk_token_id`."""
        if isinstance(tokens, (list, tuple)):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        index = self.backend_tokenizer.token_to_id(as_token(tokens))
        return self.unk_token_id if index is None else index

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the token of an id, or a list of tokens for a list; an id not in the vocabulary gives None."""
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        tokens = [self.backend_tokenizer.id_to_token(index) for index in as_ids(ids) if index not in skipped]
        return tokens[0] if isinstance(ids, int) and tokens else tokens

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Decode a list of tokens, given as strings, to a text."""
        if (items := as_list(tokens)) is None:
            raise InputError(*TOKEN_LIST.message("tokens", tokens))
        decoder = self.backend_tokenizer.decoder
        return decoder.decode([as_token(token) for token in items]) if decoder else " ".join(items)

    def __len__(self) -> int:
        """Return the number of tokens in the vocabulary, including added tokens."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """The number of tokens in the vocabulary, without added tokens."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=False)

    @property
    def all_special_tokens(self) -> list[str]:
        """The special tokens of the tokenizer, including additional ones, without duplicates."""
        return list(dict.fromkeys([*self.special_tokens.values(), *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """The token ids of all special tokens of the tokenizer."""
        ids: list[int] = self.convert_tokens_to_ids(self.all_special_tokens)
        return ids

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        """The special tokens by name, such as {"pad_token": "<pad>"}, with any additional ones in a list."""
        additional = self.additional_special_tokens
        return {**self.special_tokens, **({"additional_special_tokens": list(additional)} if additional else {})}

    def _set_extra(self, tokens: list[str] | None) -> None:
        self.additional_special_tokens = [] if tokens is None else tokens

    extra_special_tokens = property(lambda self: self.additional_special_tokens, _set_extra)
    extra_special_tokens_ids = property(
        lambda self: self.convert_tokens_to_ids(self.additional_special_tokens),
        lambda self, ids: self._set_extra(self.convert_ids_to_tokens(ids)),
    )
    additional_special_tokens_ids = extra_special_tokens_ids

    def get_vocab(self) -> dict[str, int]:
        """Return the vocabulary as {token: id}, including added tokens."""
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    def get_added_vocab(self) -> dict[str, int]:
        """Return the added tokens, special ones included, as {token: id}, in the order of their ids."""
        return {token.content: i for i, token in sorted(self.added_tokens_decoder.items())}

    vocab, added_tokens_encoder = property(get_vocab), property(get_added_vocab)
    added_tokens_decoder = property(lambda self: self.backend_tokenizer.get_added_tokens_decoder())
    decoder = property(lambda self: self.backend_tokenizer.decoder)

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Add tokens that are never split, as str or AddedToken, to the vocabulary; return the number of new ones."""
        tokens = list(new_tokens) if isinstance(new_tokens, (list, tuple)) else [new_tokens]
        for i, token in enumerate(tokens):
            if not as_token(token, Message(f"token {i}", f"el token {i}")):
                raise InputError(*MESSAGES["empty_token"].format(i=i))
        before, backend = len(self), self.backend_tokenizer
        (backend.add_special_tokens if special_tokens else backend.add_tokens)(tokens)
        self._clear_cache()
        if before < len(self) > self._embeddings:
            notice = MESSAGES["few_embeddings"].format(tokens=len(self), rows=self._embeddings)
            warn(GatonegroWarning(*notice), stacklevel=2)
        return len(self) - before

    @accepts("PreTrainedTokenizer.add_special_tokens")
    def add_special_tokens(self, special_tokens_dict: dict[str, Any], replace_extra_special_tokens: bool = True) -> int:
        """Set special tokens by name, such as {"pad_token": "[PAD]"}, and add those missing in the vocabulary.

        Special tokens are never split, and `skip_special_tokens` omits them. "additional_special_tokens" takes a list,
        which replaces the earlier ones or, with `replace_extra_special_tokens=False`, is added to them.

        Returns:
            The number of new tokens.
        """
        if not TOKEN_DICT.test(special_tokens_dict):
            raise InputError(*TOKEN_DICT.message("special_tokens_dict", special_tokens_dict))
        new: list[str | AddedToken] = []
        special_tokens, additional = dict(self.special_tokens), list(self.additional_special_tokens)
        for name, value in special_tokens_dict.items():
            if name in ("additional_special_tokens", "extra_special_tokens"):
                if not TOKEN_LIST.test(value):
                    raise InputError(*TOKEN_LIST.message(name, value))
                additional = [] if replace_extra_special_tokens and value else additional
                additional += [as_token(token, Message.same(f"{name}[{i}]")) for i, token in enumerate(value)]
                new += value
            elif name not in self.SPECIAL_TOKEN_NAMES:
                known = ", ".join(self.SPECIAL_TOKEN_NAMES)
                raise InputError(*MESSAGES["no_special_name"].format(name=name, known=known))
            elif value is None:
                special_tokens.pop(name, None)
            else:
                special_tokens[name] = as_token(value, Message.same(name))
                new.append(value)
        added = self.add_tokens(new, special_tokens=True)  # raises for an empty one, before anything changes
        self.special_tokens, self.additional_special_tokens = special_tokens, list(dict.fromkeys(additional))
        return added
