"""Marian's tokenizer: one SentencePiece file per language cuts texts, and vocab.json has the ids for both.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/tokenization_marian.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers

from gatonegro.tokenization import sentencepiece
from gatonegro.tokenization.families import FAMILIES, finish, from_pieces
from gatonegro.tokenization.inputs import damage

SIDES = SOURCE, TARGET = ("source.spm", "target.spm")
FILES = (*SIDES, "vocab.json")
CODE = "\U0010ffff>"  # for the ">>" of ">>es<<" where it is one token
HIDDEN = CODE[0]  # begins a piece that occurs in no text


def tokens_of(row: Any) -> list[str]:
    """Return the tokens of a row that a `Reader` made, as they are in vocab.json."""
    return [token.replace(CODE, ">>") for token in row.tokens]


@dataclass(frozen=True)
class Reader:
    """The tokenizer of one side's texts. Its backend's ids are not those of vocab.json, which `ids` returns."""

    backend: Tokenizer
    unk: int
    table: list[int]
    vocab: dict[str, int]

    def ids(self, row: Any) -> list[int]:
        """Return a row's ids in vocab.json, which may have a piece of the other side's that this file does not."""
        if self.unk not in (ids := row.ids):
            return [self.table[i] for i in ids]
        unk, pairs = self.table[self.unk], zip(ids, row.tokens, strict=True)
        return [self.vocab.get(text, unk) if i == self.unk else self.table[i] for i, text in pairs]


@dataclass
class Marian:
    """The files by name, as they are saved again, and the readers made of them, each when it is first needed."""

    files: dict[str, bytes]
    languages: dict[str, str]  # "source_lang" and "target_lang"
    name: str
    readers: dict[str, Reader] = field(default_factory=dict)

    def reader(self, side: str, vocabulary: Tokenizer, named: dict[str, str]) -> Reader:
        if side not in self.readers:
            with damage(f"{side} of {self.name}", f"{side} de {self.name}"):
                self.readers[side] = _reader(self.files[side], vocabulary, named)
        return self.readers[side]


def vocabulary(vocab: dict[str, int], special: list[str]) -> Tokenizer:
    """Return a tokenizer with ids and pieces, whose decoder puts special tokens between spaces."""
    tokenizer = Tokenizer(models.WordLevel(vocab))
    tokenizer.decoder = decoders.Sequence(
        [
            *(decoders.Replace(Regex(rf"\A{re.escape(token)}\z"), token + HIDDEN) for token in special),
            decoders.Fuse(),
            decoders.Replace(Regex(f"{HIDDEN}▁*"), " "),
            decoders.Replace("▁", " "),
            decoders.Replace(Regex(r"\A\s+|\s+\z"), ""),
        ]
    )
    return tokenizer


def _reader(data: bytes, vocabulary: Tokenizer, named: dict[str, str]) -> Reader:
    spm = sentencepiece.read(data)
    # "<s>" in a text is three characters
    no_text = (sentencepiece.CONTROL, sentencepiece.UNKNOWN, sentencepiece.UNUSED)
    pieces = [
        (HIDDEN + text, score, kind if kind == sentencepiece.UNKNOWN else sentencepiece.UNUSED)
        if kind in no_text
        else (text, score, kind)
        for text, score, kind in spm.pieces
    ]
    backend = from_pieces(replace(spm, pieces=pieces), FAMILIES["marian"])
    vocab = vocabulary.get_vocab(with_added_tokens=True)
    codes = [text for text in vocab if text[:2] == ">>" and text[-2:] == "<<"]
    known = "|".join(re.escape(code[2:]) for code in codes) or "(?!)"
    backend.normalizer = normalizers.Sequence(  # at the front a code is one token, whether vocab.json has it or not
        [
            normalizers.Replace(HIDDEN, "\U0010fffe"),
            normalizers.Replace(Regex(rf"\A>>(?!{known})(?m:.*?)<<"), CODE + "<<"),
            normalizers.Replace(Regex(rf"\A>(?=>(?:{known}))"), HIDDEN),
            backend.normalizer,
        ]
    )
    backend.add_tokens([AddedToken(code, normalized=True) for code in (*codes, ">><<")])
    for token in vocabulary.get_added_tokens_decoder().values():  # cut out of a text before anything else is done
        flags = {name: getattr(token, name) for name in ("lstrip", "rstrip", "single_word")}
        backend.add_tokens([AddedToken(token.content, normalized=False, **flags)])
    finish(backend, FAMILIES["marian"], named)
    unk = vocab[named.get("unk_token", "<unk>")]
    names = {i: text for i, (text, _, _) in enumerate(pieces)}
    names |= {i: token.content for i, token in backend.get_added_tokens_decoder().items()}
    return Reader(backend, spm.unk_id, [vocab.get(names[i], unk) for i in range(len(names))], vocab)
