"""Marian's tokenizer: SentencePiece files for source and target texts, and a vocab.json with the ids of both.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/tokenization_marian.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers

from gatonegro.tokenization import sentencepiece
from gatonegro.tokenization.families import TOKENIZER_FAMILIES, from_pieces, set_post_processor
from gatonegro.tokenization.inputs import file_errors

SIDES = SOURCE, TARGET = ("source.spm", "target.spm")
FILES = (*SIDES, "vocab.json")
CODE_START = "\U0010ffff>"  # stands for the ">>" of a language code ">>es<<" that is one token
PRIVATE_CHAR = CODE_START[0]  # begins pieces that occur in no text


def tokens_of(row: Any) -> list[str]:
    """Return the tokens that a Marian `SideTokenizer` encoded, spelled as in vocab.json."""
    return [token.replace(CODE_START, ">>") for token in row.tokens]


@dataclass(frozen=True)
class SideTokenizer:
    """A Marian tokenizer for either source or target texts, with a map of its own ids to those in vocab.json."""

    backend: Tokenizer
    unk: int  # the backend's id for unknown pieces
    vocab_id: list[int]  # of each of the backend's ids
    vocab: dict[str, int]

    def vocab_ids(self, row: Any) -> list[int]:
        """Return the vocab.json ids of an encoded text, also for pieces that its SentencePiece file does not have."""
        if self.unk not in (ids := row.ids):
            return [self.vocab_id[i] for i in ids]
        unk, pairs = self.vocab_id[self.unk], zip(ids, row.tokens, strict=True)  # vocab.json may have the piece
        return [self.vocab.get(text, unk) if i == self.unk else self.vocab_id[i] for i, text in pairs]


@dataclass
class Marian:
    """The files of a Marian tokenizer, and its tokenizers for source and target texts, each built at first use."""

    files: dict[str, bytes]
    languages: dict[str, str]  # "source_lang" and "target_lang"
    name: str
    side_tokenizers: dict[str, SideTokenizer] = field(default_factory=dict)

    def side_tokenizer(self, side: str, vocabulary: Tokenizer, special_tokens: dict[str, str]) -> SideTokenizer:
        """Return Marian's tokenizer for source or target texts, which is built at the first call."""
        if side not in self.side_tokenizers:
            with file_errors(f"{side} of {self.name}", f"{side} de {self.name}"):
                self.side_tokenizers[side] = _side_tokenizer(self.files[side], vocabulary, special_tokens)
        return self.side_tokenizers[side]


def vocabulary(vocab: dict[str, int], special: list[str]) -> Tokenizer:
    """Return a Rust tokenizer that converts Marian's tokens to ids and decodes ids, but cannot split texts."""
    tokenizer = Tokenizer(models.WordLevel(vocab))
    tokenizer.decoder = decoders.Sequence(
        [
            *(decoders.Replace(Regex(rf"\A{re.escape(token)}\z"), token + PRIVATE_CHAR) for token in special),
            decoders.Fuse(),
            decoders.Replace(Regex(f"{PRIVATE_CHAR}▁*"), " "),
            decoders.Replace("▁", " "),
            decoders.Replace(Regex(r"\A\s+|\s+\z"), ""),
        ]
    )
    return tokenizer


def _side_tokenizer(data: bytes, vocabulary: Tokenizer, special_tokens: dict[str, str]) -> SideTokenizer:
    spm = sentencepiece.read(data)
    # "<s>" in a text is three characters
    no_text = (sentencepiece.CONTROL, sentencepiece.UNKNOWN, sentencepiece.UNUSED)
    pieces = [
        (PRIVATE_CHAR + text, score, kind if kind == sentencepiece.UNKNOWN else sentencepiece.UNUSED)
        if kind in no_text
        else (text, score, kind)
        for text, score, kind in spm.pieces
    ]
    backend = from_pieces(replace(spm, pieces=pieces), TOKENIZER_FAMILIES["marian"])
    vocab = vocabulary.get_vocab(with_added_tokens=True)
    codes = [text for text in vocab if text[:2] == ">>" and text[-2:] == "<<"]
    known = "|".join(re.escape(code[2:]) for code in codes) or "(?!)"
    backend.normalizer = normalizers.Sequence(  # at the front a code is one token, whether vocab.json has it or not
        [
            normalizers.Replace(PRIVATE_CHAR, "\U0010fffe"),
            normalizers.Replace(Regex(rf"\A>>(?!{known})(?m:.*?)<<"), CODE_START + "<<"),
            normalizers.Replace(Regex(rf"\A>(?=>(?:{known}))"), PRIVATE_CHAR),
            backend.normalizer,
        ]
    )
    backend.add_tokens([AddedToken(code, normalized=True) for code in (*codes, ">><<")])
    for token in vocabulary.get_added_tokens_decoder().values():  # cut out of a text before anything else is done
        flags = {name: getattr(token, name) for name in ("lstrip", "rstrip", "single_word")}
        backend.add_tokens([AddedToken(token.content, normalized=False, **flags)])
    set_post_processor(backend, TOKENIZER_FAMILIES["marian"], special_tokens)
    unk = vocab[special_tokens.get("unk_token", "<unk>")]
    names = {i: text for i, (text, _, _) in enumerate(pieces)}
    names |= {i: token.content for i, token in backend.get_added_tokens_decoder().items()}
    return SideTokenizer(backend, spm.unk_id, [vocab.get(names[i], unk) for i in range(len(names))], vocab)
