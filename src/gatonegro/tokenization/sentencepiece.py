"""Parser of SentencePiece model files that needs neither the package `sentencepiece` nor `protobuf`.

https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gatonegro.errors import TokenizerError, message_of
from gatonegro.tokenization.inputs import MESSAGES

UNIGRAM, BPE = 1, 2  # TrainerSpec.model_type
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # SentencePiece.type


@dataclass(frozen=True)
class SentencePiece:
    """The contents of a SentencePiece model file: its pieces in the order of their ids, and its normalization."""

    pieces: list[tuple[str, float, int]]  # (text, score, type), by id
    model_type: int
    byte_fallback: bool
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool

    @property
    def unk_id(self) -> int:
        """The id of the piece that stands for unknown characters."""
        return next((i for i, (_, _, kind) in enumerate(self.pieces) if kind == UNKNOWN), 0)


def read(data: bytes) -> SentencePiece:
    """Parse the bytes of a SentencePiece file (`.model` or `.spm`), or raise TokenizerError if they are invalid."""
    try:
        fields = list(_fields(data))
        pieces = [_piece(value) for field, value in fields if field == 1]
        trainer, normalizer = (dict(_fields(dict(fields).get(field, b""))) for field in (2, 3))
        model = SentencePiece(
            pieces=pieces,
            model_type=trainer.get(3, UNIGRAM),
            byte_fallback=bool(trainer.get(35, False)),
            charsmap=bytes(normalizer.get(2, b"")),
            add_dummy_prefix=bool(normalizer.get(3, True)),
            remove_extra_whitespaces=bool(normalizer.get(4, True)),
        )
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise TokenizerError(*MESSAGES["no_spm"].format(why=message_of(error))) from None
    if not pieces or model.model_type not in (UNIGRAM, BPE):
        raise TokenizerError(*MESSAGES["spm_type"].format(model_type=model.model_type, count=len(pieces)))
    return model


def merges(model: SentencePiece) -> list[tuple[str, str]]:
    """Return the merges of a SentencePiece BPE model as pairs of pieces, best first.

    The file has only scores: each way to make a piece of two others is a merge with the piece's score.
    """
    ids = {text: i for i, (text, _, kind) in enumerate(model.pieces) if kind in (NORMAL, UNUSED)}
    ranked = [
        (-score, len(text[:cut]), text[:cut], text[cut:])
        for text, score, kind in model.pieces
        if kind in (NORMAL, UNUSED)
        for cut in range(1, len(text))
        if text[:cut] in ids and text[cut:] in ids
    ]
    return [(left, right) for _, _, left, right in sorted(ranked)]


def _piece(data: bytes) -> tuple[str, float, int]:
    fields = dict(_fields(data))
    (score,) = struct.unpack("<f", fields.get(2, bytes(4)))
    return fields[1].decode(), score, fields.get(3, NORMAL)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield each field of a protobuf message as (number, value), https://protobuf.dev/programming-guides/encoding."""
    offset = 0
    while offset < len(data):
        tag, offset = _varint(data, offset)
        wire = tag & 7
        if wire == 0:
            value, offset = _varint(data, offset)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, offset = _varint(data, offset)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise TokenizerError(f"wire type {wire}", f"tipo de campo {wire}")
        if offset + size > len(data):
            raise TokenizerError(*MESSAGES["spm_field"].format(size=size, offset=offset, count=len(data)))
        yield tag >> 3, data[offset : offset + size]
        offset += size


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return value, offset
        if shift > 63:
            raise TokenizerError("a number of more than 64 bits", "un número de más de 64 bits")
