"""Word alignment: links between the words of a translation and of its source, by cross-attention."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatonegro.generation import Generated
from gatonegro.models import LanguageModel
from gatonegro.tokenization import Tokenizer

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
MIN_SHARE = 0.15  # of its attention that a word pays to another for a link


def with_attention(
    model: LanguageModel, source: Sequence[int], output: Generated, front: int, back: Sequence[int] | None
) -> Generated:
    """Return a translation with the attention of its tokens to those of its source.

    Args:
        front: tokens of the source that come before its text.
        back: what comes before a source in the reverse direction, where the model knows it; both directions then count.
    """
    target = [token for token in output.new_ids if token not in model.generation_config.eos_ids]
    text = source[front:-1]
    if not target or not text:
        return replace(output, attention=np.zeros((len(target), len(text)), np.float32))
    there = model.cross_attention(source, target)[:, front:-1]
    there = there / np.maximum(there.sum(1, keepdims=True), 1e-9)
    if back is not None:
        here = model.cross_attention([*back, *target, source[-1]], text)[:, len(back) : -1]
        here = here / np.maximum(here.sum(1, keepdims=True), 1e-9)
        there = np.sqrt(there * here.T)  # where both agree
    return replace(output, attention=there)


def word_links(
    tokenizer: Tokenizer, source: str, target_ids: Sequence[int], target: str, attention: np.ndarray, skip: bool = True
) -> list[dict[str, Any]]:
    """Return pairs of words, with their places in both texts and the share of attention that links them.

    Args:
        attention: as of `with_attention`. (target tokens, source tokens)
        skip: whether `target` was decoded without special tokens.
    """
    read = tokenizer(source, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = [len(tokenizer.decode(list(target_ids[: i + 1]), skip_special_tokens=skip)) for i in range(len(target_ids))]
    written = list(zip([0, *ends], ends, strict=False))
    theirs, ours = list(WORD.finditer(source)), list(WORD.finditer(target))
    columns = np.zeros((attention.shape[1], len(theirs)), np.float32)  # (source tokens, words)
    rows = np.zeros((len(ours), len(attention)), np.float32)  # (words, target tokens)
    for j, place in enumerate(read[: attention.shape[1]]):
        if (word := _word(theirs, *place)) is not None:
            columns[j, word] = 1
    for i, place in enumerate(written[: len(attention)]):
        if (word := _word(ours, *place)) is not None:
            rows[word, i] = 1
    words = rows @ attention @ columns  # (words, words)
    # a comma comes from no word, nor a word from a comma
    marks = [np.array([not word[0][0].isalnum() for word in some], dtype=bool) for some in (ours, theirs)]
    words = words * (marks[0][:, None] == marks[1])
    if not words.size:
        return []
    shares = words / np.maximum(words.sum(1, keepdims=True), 1e-9)
    best = (shares == shares.max(1, keepdims=True)) | (words == words.max(0, keepdims=True))
    return [
        {
            "source": theirs[s][0],
            "target": ours[t][0],
            "source_span": list(theirs[s].span()),
            "target_span": list(ours[t].span()),
            "score": round(float(shares[t, s]), 4),
        }
        for t, s in np.argwhere(best & (shares >= MIN_SHARE)).tolist()
    ]


def _word(words: Sequence[re.Match[str]], start: int, end: int) -> int | None:
    """Return the index of the word that overlaps a token, or None."""
    return next((i for i, word in enumerate(words) if word.start() < end and word.end() > start), None)
