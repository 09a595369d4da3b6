"""Word alignment between a source text and its translation, computed from cross-attention."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatonegro.generation import Generated
from gatonegro.models import LanguageModel
from gatonegro.tokenization import Tokenizer

WORD_OR_MARK = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
MIN_LINK_SHARE = 0.15  # of a target word's attention that links it to a source word


def add_attention(
    model: LanguageModel, source: Sequence[int], output: Generated, prefix: int, reverse_prefix: Sequence[int] | None
) -> Generated:
    """Return a copy of a translation with the attention of its tokens to the source tokens added.

    `prefix` is the length of the source's prefix. With `reverse_prefix`, the ids of the prefix in the reverse
    direction, the attention is the geometric mean of both directions.
    """
    target = [token for token in output.new_ids if token not in model.generation_config.eos_ids]
    text = source[prefix:-1]
    if not target or not text:
        return replace(output, attention=np.zeros((len(target), len(text)), np.float32))
    attention = model.cross_attention(source, target)[:, prefix:-1]
    attention = attention / np.maximum(attention.sum(1, keepdims=True), 1e-9)
    if reverse_prefix is not None:
        reverse = model.cross_attention([*reverse_prefix, *target, source[-1]], text)[:, len(reverse_prefix) : -1]
        reverse = reverse / np.maximum(reverse.sum(1, keepdims=True), 1e-9)
        attention = np.sqrt(attention * reverse.T)
    return replace(output, attention=attention)


def word_links(
    tokenizer: Tokenizer, source: str, target_ids: Sequence[int], target: str, attention: np.ndarray, skip: bool = True
) -> list[dict[str, Any]]:
    """Return pairs of source and target words linked by attention, with their character spans and scores.

    `attention` is the result of `add_attention`. With `skip`, `target` was decoded without special tokens.
    """
    source_spans = tokenizer(source, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = [len(tokenizer.decode(list(target_ids[: i + 1]), skip_special_tokens=skip)) for i in range(len(target_ids))]
    target_spans = list(zip([0, *ends], ends, strict=False))
    source_words, target_words = (list(WORD_OR_MARK.finditer(text)) for text in (source, target))
    columns = np.zeros((attention.shape[1], len(source_words)), np.float32)  # (source tokens, words)
    rows = np.zeros((len(target_words), len(attention)), np.float32)  # (words, target tokens)
    for j, span in enumerate(source_spans[: attention.shape[1]]):
        if (word := _word_index(source_words, *span)) is not None:
            columns[j, word] = 1
    for i, span in enumerate(target_spans[: len(attention)]):
        if (word := _word_index(target_words, *span)) is not None:
            rows[word, i] = 1
    words = rows @ attention @ columns  # (words, words)
    # link marks only to marks, and words to words
    is_mark = [np.array([not word[0][0].isalnum() for word in side], bool) for side in (target_words, source_words)]
    words = words * (is_mark[0][:, None] == is_mark[1])
    if not words.size:
        return []
    shares = words / np.maximum(words.sum(1, keepdims=True), 1e-9)
    best = (shares == shares.max(1, keepdims=True)) | (words == words.max(0, keepdims=True))
    return [
        {
            "source": source_words[s][0],
            "target": target_words[t][0],
            "source_span": list(source_words[s].span()),
            "target_span": list(target_words[t].span()),
            "score": round(float(shares[t, s]), 4),
        }
        for t, s in np.argwhere(best & (shares >= MIN_LINK_SHARE)).tolist()
    ]


def _word_index(words: Sequence[re.Match[str]], start: int, end: int) -> int | None:
    """Return the index of the first word that overlaps a token's character span, or None if no word does."""
    return next((i for i, word in enumerate(words) if word.start() < end and word.end() > start), None)
