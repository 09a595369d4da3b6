"""Named entities (PER, LOC, ORG, MISC) in Spanish and English: data, loss and span F1.

The data are AnCora (CC BY 4.0) and UNER's English EWT (CC BY-SA 4.0).

UNER knows no MISC. Where it says `O` of an English word, the word may be MISC, so there `O` means either.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gatonegro.tokenization import Tokenizer

KINDS = ("PER", "LOC", "ORG", "MISC")
TAGS = ("O", *(f"{start}-{kind}" for kind in KINDS for start in "BI"))
LICENCES = {"ancora": "CC BY 4.0", "uner-ewt": "CC BY-SA 4.0"}
FOLDS = 5  # of UNER's English, which has no training set: four for training, one for testing
SKIPPED = -100  # label of tokens that do not begin a word
CLOSING, OPENING = tuple(".,;:?!)]}%»”…"), tuple("([{¿¡«“$")


@dataclass(frozen=True)
class Tagged:
    """Sentence as words, with the tag of each word (an index of `TAGS`) and its language."""

    words: tuple[str, ...]
    tags: tuple[int, ...]
    lang: str


def tag(name: str) -> int:
    """Return the index of a tag; that of `O` for other kinds (NUM, DATE)."""
    return TAGS.index(name) if name in TAGS else 0


def read(path: Path, lang: str) -> list[Tagged]:
    """Read tagged sentences, separated by blank lines; lines are `word tag` (AnCora) or `number word tag …` (UNER)."""
    opener = gzip.open if path.suffix == ".gz" else open
    column = 1 if lang == "en" else 0
    out, words, tags = [], [], []
    with opener(path, "rt", encoding="utf-8") as f:
        for line in (*f, "\n"):
            cells = line.rstrip("\n").split("\t")
            if len(cells) > column + 1 and not (lang == "en" and line.startswith("# ")):
                words.append(cells[column])
                tags.append(tag(cells[column + 1]))
            elif words and not line.strip():
                out.append(Tagged(tuple(words), tuple(tags), lang))
                words, tags = [], []
    return out


def sentences(folder: Path, fold: int = 0) -> tuple[list[Tagged], list[Tagged]]:
    """Return training and dev sentences in both languages; of English, one fold of five is the dev set."""
    english = read(folder / "uner_ewt.en.dev", "en")
    held = english[fold::FOLDS]
    known = [s for i, s in enumerate(english) if i % FOLDS != fold]
    return read(folder / "ancora.es.train.gz", "es") + known, read(folder / "ancora.es.dev", "es") + held


def spaced(words: Sequence[str]) -> tuple[str, list[int]]:
    """Return the detokenized sentence and the start of each word: no space before a full stop or after "¿"."""
    text, starts = "", []
    for i, word in enumerate(words):
        if i and not word.startswith(CLOSING) and not words[i - 1].endswith(OPENING):
            text += " "
        starts.append(len(text))
        text += word
    return text, starts


def encode(tokenizer: Tokenizer, sentence: Tagged, most: int = 128) -> tuple[list[int], list[int]]:
    """Return ids, and per id the tag of the word that it begins, else `SKIPPED`."""
    text, starts = spaced(sentence.words)
    found = tokenizer(text, truncation=True, max_length=most, return_offsets_mapping=True)
    tags, left = [], list(zip(starts, sentence.tags, strict=True))
    for start, end in found["offset_mapping"]:
        name = SKIPPED
        while left and start < end and left[0][0] < end:
            at, of = left.pop(0)
            if start <= at:  # of two words in one piece, the first counts
                name = of if name == SKIPPED else name
        tags.append(name)
    return found["input_ids"], tags


def loss(scores: Tensor, tags: Tensor, english: Tensor) -> Tensor:
    """Return the mean of −log p(tag) over words; for an English `O`, p(O) + p(MISC). (t, tags), (t,), (t,) → scalar."""
    at = tags != SKIPPED
    logs, tags, english = scores[at].float().log_softmax(1), tags[at], english[at]
    chosen = logs.gather(1, tags[:, None])[:, 0]
    either = [TAGS.index(name) for name in ("O", "B-MISC", "I-MISC")]
    chosen = torch.where(english & (tags == 0), logs[:, either].logsumexp(1), chosen)
    return -chosen.mean()


def spans(tags: Iterable[int]) -> set[tuple[int, int, str]]:
    """Return start, end and kind of each entity; an `I` without predecessor begins one."""
    return set(_spans(tags))


def _spans(tags: Iterable[int]) -> Iterator[tuple[int, int, str]]:
    start, kind, i = 0, "", -1
    for i, number in enumerate(tags):
        begin, _, of = TAGS[number].partition("-")
        if kind and (begin != "I" or of != kind):
            yield start, i, kind
            kind = ""
        if of and not kind:
            start, kind = i, of
    if kind:
        yield start, i + 1, kind


def span_f1(gold: Sequence[Iterable[int]], found: Sequence[Iterable[int]], kinds: Sequence[str] = KINDS) -> float:
    """Return the micro F1 of spans over all sentences: ends and kind must be right."""
    right = wanted = given = 0
    for one, other in zip(gold, found, strict=True):
        a, b = ({s for s in spans(tags) if s[2] in kinds} for tags in (one, other))
        right, wanted, given = right + len(a & b), wanted + len(a), given + len(b)
    return 2 * right / max(1, wanted + given)
