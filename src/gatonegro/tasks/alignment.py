"""Which word of a translation comes from which word of the source, as cross-attention has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gatonegro.generation import Written
from gatonegro.models import LanguageModel
from gatonegro.nn.watch import watch
from gatonegro.packing import Layout, pack
from gatonegro.tokenization import Tokenizer

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
LEAST = 0.15  # of its attention that a word pays to another for a link


def attention(model: LanguageModel, source: Sequence[int], target: Sequence[int]) -> Tensor:
    """What each token of a translation looks at, the mean of a layer's heads. (target, source)

    A token's row is that in which it is written. Of the layers, the last but one: https://arxiv.org/abs/1909.02074.
    """
    read, written = pack([source], model.config), pack([[model.start_token, *target]], model.config.decoder)  # type: ignore[arg-type]
    layers = len(model.decoder.layers)
    name = f"decoder.layers.{max(0, layers - 2)}.cross_attention.attend"
    with torch.inference_mode(), watch(model) as seen:
        memory = model.encode(read.to(model.device))
        model.decode(written.to(model.device), memory, Layout(written.lengths, read.lengths))
    return seen[name][0][0].probs.mean(0)[:-1].float().cpu()  # type: ignore[union-attr]


def with_attention(
    model: LanguageModel, source: Sequence[int], one: Written, front: int, back: Sequence[int] | None
) -> Written:
    """A translation that knows what its tokens looked at.

    Args:
        front: how many tokens of the source are no text: they come first.
        back: what stands in front of a source for the way back, where the model knows it; both ways then count.
    """
    target = [token for token in one.new if token not in model.generation_config.ends]
    text = source[front:-1]
    if not target or not text:
        return replace(one, attention=torch.zeros(len(target), len(text)))
    there = attention(model, source, target)[:, front:-1]
    there = there / there.sum(1, keepdim=True).clamp(min=1e-9)
    if back is not None:
        here = attention(model, [*back, *target, source[-1]], text)[:, len(back) : -1]
        here = here / here.sum(1, keepdim=True).clamp(min=1e-9)
        there = (there * here.T).sqrt()  # what both agree on
    return replace(one, attention=there)


def links(
    tokenizer: Tokenizer, source: str, target_ids: Sequence[int], target: str, seen: Tensor, skip: bool = True
) -> list[dict[str, Any]]:
    """Pairs of words, with their places in both texts and how sure they are.

    Args:
        seen: what `with_attention` found. (target tokens, source tokens)
        skip: whether `target` was decoded without special tokens.
    """
    read = tokenizer(source, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = [len(tokenizer.decode(list(target_ids[: i + 1]), skip_special_tokens=skip)) for i in range(len(target_ids))]
    wrote = list(zip([0, *ends], ends, strict=False))
    theirs, ours = list(WORD.finditer(source)), list(WORD.finditer(target))
    columns = torch.zeros(seen.shape[1], len(theirs))  # (source tokens, words)
    rows = torch.zeros(len(ours), len(seen))  # (words, target tokens)
    for j, place in enumerate(read[: seen.shape[1]]):
        if (word := _word(theirs, *place)) is not None:
            columns[j, word] = 1
    for i, place in enumerate(wrote[: len(seen)]):
        if (word := _word(ours, *place)) is not None:
            rows[word, i] = 1
    words = rows @ seen @ columns  # (words, words)
    # a comma comes from no word, nor a word from a comma
    signs = [torch.tensor([not one[0][0].isalnum() for one in some], dtype=torch.bool) for some in (ours, theirs)]
    words *= signs[0][:, None] == signs[1]
    if not words.numel():
        return []
    shares = words / words.sum(1, keepdim=True).clamp(min=1e-9)
    best = (shares == shares.amax(1, keepdim=True)) | (words == words.amax(0, keepdim=True))
    found = best & (shares >= LEAST)
    return [
        {
            "source": theirs[s][0],
            "target": ours[t][0],
            "source_span": list(theirs[s].span()),
            "target_span": list(ours[t].span()),
            "score": round(float(shares[t, s]), 4),
        }
        for t, s in found.nonzero().tolist()
    ]


def _word(words: Sequence[re.Match[str]], start: int, end: int) -> int | None:
    """The word that a token's place lies in."""
    return next((i for i, word in enumerate(words) if word.start() < end and word.end() > start), None)
