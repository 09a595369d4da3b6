"""Logits processors: functions that change the next token's logits before a token is chosen, as in `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/logits_process.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatonegro.errors import CheckpointError, OptionError
from gatonegro.generation.hypothesis import Hypothesis
from gatonegro.generation.options import MESSAGES, GenerationConfig
from gatonegro.generation.topk import mask_out

NEG_INF = float("-inf")

LogitsProcessor = Callable[[Tensor, Sequence[Hypothesis]], None]  # changes logits (rows, vocab) in place
TokenMask = Callable[[Hypothesis], Sequence[int]]  # returns the ids that must not follow
Condition = Callable[[Hypothesis], bool]


@dataclass(frozen=True)
class LogitsProcessors:
    """The logits processors for given generation options, in the order in which `transformers` applies them."""

    penalties: Sequence[LogitsProcessor]
    masks: Sequence[TokenMask]
    forced_tokens: Sequence[tuple[int, Condition]]  # a token, and the condition under which no other may follow
    warpers: Sequence[LogitsProcessor]

    @property
    def sparse(self) -> bool:
        """Return True if the logits processors change only a few logits of each sequence."""
        return not self.penalties and not self.warpers

    def masked_ids(self, hyps: Sequence[Hypothesis]) -> list[list[int]]:
        """Return the token ids that must not come next, for each sequence."""
        return [[token for mask in self.masks for token in mask(hyp)] for hyp in hyps] if self.masks else []

    def forced_ids(self, hyps: Sequence[Hypothesis]) -> list[tuple[int, int]]:
        """Return pairs (row, token id) for the sequences whose next token is forced."""
        return [(i, token) for token, forced in self.forced_tokens for i, hyp in enumerate(hyps) if forced(hyp)]

    def process(self, logits: Tensor, hyps: Sequence[Hypothesis]) -> None:
        """Apply all logits processors, in place, to the next-token logits (rows, vocab)."""
        for penalize in self.penalties:
            penalize(logits, hyps)
        mask_out(logits, self.masked_ids(hyps))
        for i, token in self.forced_ids(hyps):
            logits[i] = NEG_INF
            logits[i, token] = 0.0
        for warp in self.warpers:
            warp(logits, hyps)


def logits_processors(
    options: GenerationConfig, sources: Sequence[Sequence[int]], max_lengths: Sequence[int]
) -> LogitsProcessors:
    """Return the logits processors for generation options and the token ids and maximum length of each source."""
    eos_ids, min_new = options.eos_ids, options.min_new_tokens or 0
    masks: list[TokenMask] = []
    forced: list[tuple[int, Condition]] = []
    if options.no_repeat_ngram_size:
        masks.append(_no_repeat_ngram(options.no_repeat_ngram_size))
    if options.encoder_no_repeat_ngram_size:
        masks.append(_no_repeat_ngram(options.encoder_no_repeat_ngram_size, sources))
    if options.bad_words_ids:
        masks.append(_no_bad_words([list(w) for w in options.bad_words_ids if list(w) not in [[e] for e in eos_ids]]))
    if (options.min_length or min_new) and eos_ids:
        low = options.min_length
        masks.append(lambda h: eos_ids if len(h.ids) < max(low, h.prompt_length + min_new) else ())
    if options.suppress_tokens:
        masks.append(lambda hyp: options.suppress_tokens or ())
    if options.begin_suppress_tokens:
        extra, ids = int(options.forced_bos_token_id is not None), options.begin_suppress_tokens
        masks.append(lambda hyp: ids if len(hyp.ids) == hyp.prompt_length + extra * (hyp.prompt_length == 1) else ())
    if options.forced_bos_token_id is not None:
        forced.append((options.forced_bos_token_id, lambda hyp: len(hyp.ids) == 1))
    if options.forced_eos_token_id is not None:
        forced.append((options.forced_eos_token_id, lambda hyp: len(hyp.ids) == max_lengths[hyp.source] - 1))
    penalties = [_repetition_penalty(options.repetition_penalty)] if options.repetition_penalty != 1.0 else []
    return LogitsProcessors(penalties, masks, forced, warpers(options) if options.do_sample else [])


def warpers(options: GenerationConfig) -> list[LogitsProcessor]:
    """Return the logits processors of sampling: temperature, top-k and top-p, https://arxiv.org/abs/1904.09751.

    With beams, at least two tokens remain per row, since one may be an eos token.
    """
    min_tokens = 1 if options.num_beams == 1 else len(options.eos_ids) + 1
    out: list[LogitsProcessor] = []

    def temperature(logits: Tensor, hyps: Sequence[Hypothesis]) -> None:
        logits /= options.temperature

    def top_k(logits: Tensor, hyps: Sequence[Hypothesis]) -> None:
        k = min(max(options.top_k, min_tokens), logits.shape[-1])
        logits.masked_fill_(logits < logits.topk(k).values[:, -1:], NEG_INF)

    def top_p(logits: Tensor, hyps: Sequence[Hypothesis]) -> None:
        ascending, order = logits.sort(descending=False)
        removed = ascending.softmax(-1).cumsum(-1) <= 1 - options.top_p
        removed[:, -min_tokens:] = False
        logits.masked_fill_(removed.scatter(1, order, removed), NEG_INF)

    if options.temperature != 1.0:
        out.append(temperature)
    if options.top_k:
        out.append(top_k)
    if options.top_p < 1.0:
        out.append(top_p)
    return out


def check_finite(best: Tensor, logits: Tensor) -> None:
    """Raise an error if a row's best score is not finite, due to NaN logits or options that mask every token."""
    if best.isfinite().all():
        return
    if logits.isnan().any():
        raise CheckpointError(*MESSAGES["nan"])
    raise OptionError(*MESSAGES["all_masked"])


def _repetition_penalty(penalty: float) -> LogitsProcessor:
    """Return a processor that lowers the logits of tokens already in a sequence, https://arxiv.org/abs/1909.05858."""

    def penalize(logits: Tensor, hyps: Sequence[Hypothesis]) -> None:
        for hyp, row in zip(hyps, logits, strict=True):
            ids = torch.tensor(sorted(set(hyp.ids)))
            old = row[ids]
            row[ids] = torch.where(old < 0, old * penalty, old / penalty)

    return penalize


def _no_repeat_ngram(size: int, sources: Sequence[Sequence[int]] | None = None) -> TokenMask:
    """Return a function that lists the next tokens that would repeat an n-gram of a sequence or of its source."""

    def continuations(ids: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
        out: dict[tuple[int, ...], list[int]] = {}
        for i in range(len(ids) - size + 1):
            out.setdefault(tuple(ids[i : i + size - 1]), []).append(ids[i + size - 1])
        return out

    of_sources = None if sources is None else [continuations(ids) for ids in sources]

    def mask(hyp: Hypothesis) -> Sequence[int]:
        last = tuple(hyp.ids[len(hyp.ids) - size + 1 :])
        if len(last) < size - 1:
            return ()
        return (continuations(hyp.ids) if of_sources is None else of_sources[hyp.source]).get(last, ())

    return mask


def _no_bad_words(words: list[list[int]]) -> TokenMask:
    single = [word[0] for word in words if len(word) == 1]
    longer = [word for word in words if len(word) > 1]

    def mask(hyp: Hypothesis) -> Sequence[int]:
        return [*single, *(word[-1] for word in longer if hyp.ids[1 - len(word) :] == word[:-1])]

    return mask
