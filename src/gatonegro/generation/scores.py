"""What is done to the scores of the next token before one is chosen: a function a rule, in the reference's order.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/logits_process.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatonegro.generation.options import GenerationConfig

NEVER = float("-inf")


@dataclass
class Row:
    """A sequence that is being written."""

    ids: list[int]  # with its beginning
    begun: int  # tokens of the beginning
    source: int  # which of the call's inputs it belongs to
    score: float = 0.0  # sum of the log-probabilities of what was written


Rule = Callable[[Tensor, Sequence[Row]], None]  # changes scores (rows, vocab) in place


def rules(options: GenerationConfig, sources: Sequence[Sequence[int]], limits: Sequence[int]) -> list[Rule]:
    """Those that the options ask for.

    `sources` are the ids that each of the call's inputs has, `limits` how long what is written for it may become.
    """
    ends = options.ends
    out: list[Rule] = []
    if options.repetition_penalty != 1.0:
        out.append(_penalise(options.repetition_penalty))
    if options.no_repeat_ngram_size:
        out.append(_no_repeat(options.no_repeat_ngram_size))
    if options.encoder_no_repeat_ngram_size:
        out.append(_no_repeat(options.encoder_no_repeat_ngram_size, sources))
    if options.bad_words_ids:
        out.append(_no_words([list(word) for word in options.bad_words_ids if list(word) not in [[e] for e in ends]]))
    if options.min_length and ends:
        out.append(_forbid(ends, lambda row: len(row.ids) < options.min_length))
    if options.min_new_tokens and ends:
        least = options.min_new_tokens
        out.append(_forbid(ends, lambda row: len(row.ids) - row.begun < least))
    if options.forced_bos_token_id is not None:
        out.append(_force(options.forced_bos_token_id, lambda row: len(row.ids) == 1))
    if options.forced_eos_token_id is not None:
        out.append(_force(options.forced_eos_token_id, lambda row: len(row.ids) == limits[row.source] - 1))
    if options.suppress_tokens:
        out.append(_forbid(options.suppress_tokens, lambda row: True))
    if options.begin_suppress_tokens:
        extra = int(options.forced_bos_token_id is not None)
        out.append(
            _forbid(options.begin_suppress_tokens, lambda row: len(row.ids) == row.begun + extra * (row.begun == 1))
        )
    return out


def warpers(options: GenerationConfig) -> list[Rule]:
    """Those of sampling: temperature, the `top_k` most likely, and those that make up `top_p` of the probability
    (https://arxiv.org/abs/1904.09751). With beams, two stay at least: one may be the end."""
    least = 1 if options.num_beams == 1 else len(options.ends) + 1
    out: list[Rule] = []

    def cool(scores: Tensor, rows: Sequence[Row]) -> None:
        scores /= options.temperature

    def most_likely(scores: Tensor, rows: Sequence[Row]) -> None:
        k = min(max(options.top_k, least), scores.shape[-1])
        scores.masked_fill_(scores < scores.topk(k).values[:, -1:], NEVER)

    def nucleus(scores: Tensor, rows: Sequence[Row]) -> None:
        ordered, order = scores.sort(descending=False)
        gone = ordered.softmax(-1).cumsum(-1) <= 1 - options.top_p
        gone[:, -least:] = False
        scores.masked_fill_(gone.scatter(1, order, gone), NEVER)

    if options.temperature != 1.0:
        out.append(cool)
    if options.top_k:
        out.append(most_likely)
    if options.top_p < 1.0:
        out.append(nucleus)
    return out


def _penalise(penalty: float) -> Rule:
    """Tokens that are there lose, https://arxiv.org/abs/1909.05858."""

    def rule(scores: Tensor, rows: Sequence[Row]) -> None:
        for row, own in zip(rows, scores, strict=True):
            there = torch.tensor(sorted(set(row.ids)))
            old = own[there]
            own[there] = torch.where(old < 0, old * penalty, old / penalty)

    return rule


def _no_repeat(size: int, sources: Sequence[Sequence[int]] | None = None) -> Rule:
    """No `size` tokens in a row may come twice; or, of those of the source, be copied."""

    def after(ids: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
        found: dict[tuple[int, ...], list[int]] = {}
        for i in range(len(ids) - size + 1):
            found.setdefault(tuple(ids[i : i + size - 1]), []).append(ids[i + size - 1])
        return found

    read = None if sources is None else [after(ids) for ids in sources]

    def rule(scores: Tensor, rows: Sequence[Row]) -> None:
        for row, own in zip(rows, scores, strict=True):
            seen = after(row.ids) if read is None else read[row.source]
            last = tuple(row.ids[len(row.ids) - size + 1 :])
            own[seen.get(last, []) if len(last) == size - 1 else []] = NEVER

    return rule


def _no_words(words: list[list[int]]) -> Rule:
    single = [word[0] for word in words if len(word) == 1]
    longer = [word for word in words if len(word) > 1]

    def rule(scores: Tensor, rows: Sequence[Row]) -> None:
        scores[:, single] = NEVER
        for word in longer:
            for row, own in zip(rows, scores, strict=True):
                if row.ids[1 - len(word) :] == word[:-1]:
                    own[word[-1]] = NEVER

    return rule


def _forbid(ids: Sequence[int], where: Callable[[Row], bool]) -> Rule:
    def rule(scores: Tensor, rows: Sequence[Row]) -> None:
        found = [i for i, row in enumerate(rows) if where(row)]
        if found:
            scores[torch.tensor(found)[:, None], torch.tensor(list(ids))] = NEVER

    return rule


def _force(token: int, where: Callable[[Row], bool]) -> Rule:
    def rule(scores: Tensor, rows: Sequence[Row]) -> None:
        found = [i for i, row in enumerate(rows) if where(row)]
        scores[found] = NEVER
        scores[found, token] = 0.0

    return rule
