"""Rules that change the scores of the next token before one is chosen, in the reference's order.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/logits_process.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatonegro.generation.options import GenerationConfig
from gatonegro.generation.topk import ban

NEVER = float("-inf")


@dataclass
class Row:
    """A sequence that is being generated."""

    ids: list[int]  # with the prompt
    begun: int  # length of the prompt
    source: int  # index of its source
    score: float = 0.0  # sum of the new tokens' log-probabilities


Rule = Callable[[Tensor, Sequence[Row]], None]  # changes scores (rows, vocab) in place
Ban = Callable[[Row], Sequence[int]]  # returns the tokens that must not follow
Where = Callable[[Row], bool]


@dataclass(frozen=True)
class Rules:
    """The rules of some options, in the reference's order."""

    penalties: Sequence[Rule]
    bans: Sequence[Ban]
    forces: Sequence[tuple[int, Where]]  # a token, and where nothing else may follow
    warpers: Sequence[Rule]

    @property
    def few(self) -> bool:
        """True if the rules change only a few scores per row."""
        return not self.penalties and not self.warpers

    def banned(self, rows: Sequence[Row]) -> list[list[int]]:
        return [[token for ban in self.bans for token in ban(row)] for row in rows] if self.bans else []

    def forced(self, rows: Sequence[Row]) -> list[tuple[int, int]]:
        """Return the rows with a forced next token, and that token."""
        return [(i, token) for token, where in self.forces for i, row in enumerate(rows) if where(row)]

    def change(self, scores: Tensor, rows: Sequence[Row]) -> None:
        """Apply the rules to scores (rows, vocab), in place."""
        for rule in self.penalties:
            rule(scores, rows)
        ban(scores, self.banned(rows))
        for i, token in self.forced(rows):
            scores[i] = NEVER
            scores[i, token] = 0.0
        for rule in self.warpers:
            rule(scores, rows)


def rules(options: GenerationConfig, sources: Sequence[Sequence[int]], limits: Sequence[int]) -> Rules:
    """Return the rules of the options, for the ids of each of `sources` and the largest length per source."""
    ends, least = options.ends, options.min_new_tokens or 0
    bans: list[Ban] = []
    forces: list[tuple[int, Where]] = []
    if options.no_repeat_ngram_size:
        bans.append(_no_repeat(options.no_repeat_ngram_size))
    if options.encoder_no_repeat_ngram_size:
        bans.append(_no_repeat(options.encoder_no_repeat_ngram_size, sources))
    if options.bad_words_ids:
        bans.append(_no_words([list(word) for word in options.bad_words_ids if list(word) not in [[e] for e in ends]]))
    if (options.min_length or least) and ends:
        bans.append(lambda row: ends if len(row.ids) < options.min_length or len(row.ids) - row.begun < least else ())
    if options.suppress_tokens:
        bans.append(lambda row: options.suppress_tokens or ())
    if options.begin_suppress_tokens:
        extra, never = int(options.forced_bos_token_id is not None), options.begin_suppress_tokens
        bans.append(lambda row: never if len(row.ids) == row.begun + extra * (row.begun == 1) else ())
    if options.forced_bos_token_id is not None:
        forces.append((options.forced_bos_token_id, lambda row: len(row.ids) == 1))
    if options.forced_eos_token_id is not None:
        forces.append((options.forced_eos_token_id, lambda row: len(row.ids) == limits[row.source] - 1))
    penalties = [_penalise(options.repetition_penalty)] if options.repetition_penalty != 1.0 else []
    return Rules(penalties, bans, forces, warpers(options) if options.do_sample else [])


def warpers(options: GenerationConfig) -> list[Rule]:
    """Return the rules of sampling: temperature, the `top_k` most likely, and the tokens that make up `top_p` of the
    probability (https://arxiv.org/abs/1904.09751). With beams, two tokens remain at least: one may be the end."""
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
    """Return a rule that lowers the scores of a row's tokens, https://arxiv.org/abs/1909.05858."""

    def rule(scores: Tensor, rows: Sequence[Row]) -> None:
        for row, values in zip(rows, scores, strict=True):
            ids = torch.tensor(sorted(set(row.ids)))
            old = values[ids]
            values[ids] = torch.where(old < 0, old * penalty, old / penalty)

    return rule


def _no_repeat(size: int, sources: Sequence[Sequence[int]] | None = None) -> Ban:
    """Return a ban on `size` tokens in a row that come twice or, with `sources`, are copied from the source."""

    def after(ids: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
        out: dict[tuple[int, ...], list[int]] = {}
        for i in range(len(ids) - size + 1):
            out.setdefault(tuple(ids[i : i + size - 1]), []).append(ids[i + size - 1])
        return out

    read = None if sources is None else [after(ids) for ids in sources]

    def ban(row: Row) -> Sequence[int]:
        last = tuple(row.ids[len(row.ids) - size + 1 :])
        if len(last) < size - 1:
            return ()
        return (after(row.ids) if read is None else read[row.source]).get(last, ())

    return ban


def _no_words(words: list[list[int]]) -> Ban:
    single = [word[0] for word in words if len(word) == 1]
    longer = [word for word in words if len(word) > 1]

    def ban(row: Row) -> Sequence[int]:
        return [*single, *(word[-1] for word in longer if row.ids[1 - len(word) :] == word[:-1])]

    return ban
