"""Logits processors: functions that change the next token's logits before a token is chosen, as in `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/logits_process.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatonegro.errors import CheckpointError, OptionError
from gatonegro.generation.arrays import log_softmax, to_numpy
from gatonegro.generation.hypothesis import Hypothesis
from gatonegro.generation.options import MESSAGES, GenerationOptions
from gatonegro.generation.topk import NEG_INF, mask_out
from gatonegro.operators.plain import softmax
from gatonegro.packing import Array

LogitsProcessor = Callable[[np.ndarray, Sequence[Hypothesis]], None]  # changes logits (rows, vocab) in place
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

    def process(self, logits: Array, hyps: Sequence[Hypothesis]) -> None:
        """Apply all logits processors, in place, to the next-token logits (rows, vocab).

        They may be a tensor if the processors are `sparse`.
        """
        for penalize in self.penalties:
            penalize(logits, hyps)
        mask_out(logits, self.masked_ids(hyps))
        for i, token in self.forced_ids(hyps):
            logits[i] = NEG_INF
            logits[i, token] = 0.0
        for warp in self.warpers:
            warp(logits, hyps)


def logits_processors(
    options: GenerationOptions,
    sources: Sequence[Sequence[int]],
    max_lengths: Sequence[int],
    allowed: Callable[[Hypothesis], Sequence[int]] | None = None,
    custom: Sequence[LogitsProcessor] = (),
    min_tokens: int | None = None,
) -> LogitsProcessors:
    """Return the logits processors for generation options.

    Args:
        options: the options.
        sources: the token ids of each source.
        max_lengths: the maximum length of its sequences.
        allowed: returns the only tokens that may come next.
        custom: the user's own, which come before those of sampling.
        min_tokens: the number of tokens that those of sampling leave at least, even if nothing is sampled.
    """
    eos_ids, min_new = options.eos_ids, options.min_new_tokens or 0
    low = 0 if options.min_new_tokens is not None else options.min_length  # the former counts, as in the reference
    masks: list[TokenMask] = []
    forced: list[tuple[int, Condition]] = []
    if options.no_repeat_ngram_size:
        masks.append(_no_repeat_ngram(options.no_repeat_ngram_size))
    if options.encoder_no_repeat_ngram_size:
        masks.append(_no_repeat_ngram(options.encoder_no_repeat_ngram_size, sources))
    if options.bad_words_ids:
        masks.append(_no_bad_words([list(w) for w in options.bad_words_ids if list(w) not in [[e] for e in eos_ids]]))
    if (low or min_new) and eos_ids:
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
    penalties = [*_penalties(options, sources), *([] if allowed is None else [_only(allowed)])]
    late = [_remove_invalid] if options.remove_invalid_values else []
    least = min_tokens or (1 if options.num_beams == 1 else len(eos_ids) + 1)  # a beam needs a token that is no eos
    drawn = warpers(options, least) if options.do_sample or min_tokens is not None else []
    return LogitsProcessors(penalties, masks, forced, [*late, *custom, *drawn])


def _penalties(options: GenerationOptions, sources: Sequence[Sequence[int]]) -> list[LogitsProcessor]:
    out: list[LogitsProcessor] = []
    if options.sequence_bias:
        out.append(_sequence_bias(options.biases))
    if (penalty := options.encoder_repetition_penalty) != 1.0:  # above 1, it favours the source's tokens
        out.append(_repetition_penalty(1 / penalty, sources))
    if options.repetition_penalty != 1.0:
        out.append(_repetition_penalty(options.repetition_penalty))
    if options.exponential_decay_length_penalty is not None:
        out.append(_favour_end(options.eos_ids, *options.exponential_decay_length_penalty))
    return out


def warpers(options: GenerationOptions, min_tokens: int = 1) -> list[LogitsProcessor]:
    """Return the logits processors of sampling, each of which leaves at least `min_tokens` tokens per row.

    Temperature, top-k and top-p (https://arxiv.org/abs/1904.09751), min-p (https://arxiv.org/abs/2407.01082) and
    typical sampling (https://arxiv.org/abs/2202.00666).
    """

    def temperature(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        logits /= options.temperature

    def top_k(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        k = min(max(options.top_k, min_tokens), logits.shape[-1])
        logits[logits < kth_largest(logits, k)] = NEG_INF

    def top_p(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        order = logits.argsort(-1, kind="stable")  # ascending
        removed = cumulative(softmax(np.take_along_axis(logits, order, -1))) <= 1 - options.top_p
        removed[:, -min_tokens:] = False
        remove(logits, order, removed)

    def typical(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        log_probs = log_softmax(logits)
        probs = np.exp(log_probs)
        distance = np.abs(-log_probs + np.nansum(log_probs * probs, -1, keepdims=True))  # to the entropy
        order = distance.argsort(-1, kind="stable")
        distance = np.take_along_axis(distance, order, -1)
        last = (cumulative(np.take_along_axis(probs, order, -1)) < options.typical_p).sum(-1, keepdims=True)
        removed = distance > np.take_along_axis(distance, last.clip(max=distance.shape[1] - 1), -1)
        removed[:, :min_tokens] = False
        remove(logits, order, removed)

    def min_p(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        probs, k = softmax(logits), min(min_tokens, logits.shape[-1])
        removed = probs < (options.min_p or 0.0) * probs.max(-1, keepdims=True)
        logits[removed & (logits < kth_largest(logits, k))] = NEG_INF

    table: list[tuple[Any, LogitsProcessor]] = [
        (options.temperature != 1.0, temperature),
        (options.top_k, top_k),
        (options.top_p < 1.0, top_p),
        (options.min_p, min_p),
        (options.typical_p < 1.0, typical),
    ]
    return [warp for on, warp in table if on]


def kth_largest(logits: np.ndarray, k: int) -> np.ndarray:
    """Return the k-th largest logit (rows, 1) of each row."""
    return np.partition(logits, -k, axis=-1)[:, -k, None]


def cumulative(probs: np.ndarray) -> np.ndarray:
    """Return the cumulative sums (rows, vocab) of each row's probabilities, computed in fp64 as PyTorch's are."""
    return probs.cumsum(-1, dtype=np.float64).astype(probs.dtype)


def remove(logits: np.ndarray, order: np.ndarray, removed: np.ndarray) -> None:
    """Set logits to -inf, in place, where `removed` (rows, vocab) is true for them in a given order of each row."""
    rows, places = removed.nonzero()
    logits[rows, order[rows, places]] = NEG_INF


def check_finite(best: np.ndarray, logits: Array) -> None:
    """Raise an error if a row's best score is not finite, due to NaN logits or options that mask every token."""
    if np.isfinite(best).all():
        return
    if np.isnan(to_numpy(logits)).any():
        raise CheckpointError(*MESSAGES["nan"])
    raise OptionError(*MESSAGES["all_masked"])


def _repetition_penalty(penalty: float, sources: Sequence[Sequence[int]] | None = None) -> LogitsProcessor:
    """Return a processor that lowers the logits of tokens of a sequence or its source, https://arxiv.org/abs/1909.05858."""

    def penalize(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        for hyp, row in zip(hyps, logits, strict=True):
            ids = sorted(set(hyp.ids if sources is None else sources[hyp.source]))
            old = row[ids]
            row[ids] = np.where(old < 0, old * penalty, old / penalty)

    return penalize


def _sequence_bias(biases: Sequence[tuple[list[int], float]]) -> LogitsProcessor:
    """Return a processor that adds numbers to the logits of tokens that end a given sequence of tokens."""

    def add(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        for hyp, row in zip(hyps, logits, strict=True):
            for ids, bias in biases:
                if len(ids) == 1 or hyp.ids[1 - len(ids) :] == ids[:-1]:
                    row[ids[-1]] += bias

    return add


def _favour_end(eos_ids: Sequence[int], start: float, factor: float) -> LogitsProcessor:
    """Return a processor that raises the eos token's logit exponentially after `start` new tokens."""

    def add(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        for hyp, row in zip(hyps, logits, strict=True):
            if (steps := len(hyp.ids) - hyp.prompt_length - start) > 0:
                row[eos_ids] += np.abs(row[eos_ids]) * (factor**steps - 1)

    return add


def _only(allowed: Callable[[Hypothesis], Sequence[int]]) -> LogitsProcessor:
    """Return a processor that masks all tokens but those that a function returns for a sequence."""

    def mask(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
        for hyp, row in zip(hyps, logits, strict=True):
            following: Any = allowed(hyp)
            ids = np.asarray(following.tolist() if hasattr(following, "tolist") else following, np.int64)
            kept = row[ids]
            row[:] = NEG_INF
            row[ids] = kept

    return mask


def _remove_invalid(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
    """Replace NaN by 0, and infinite logits by the largest finite ones."""
    np.nan_to_num(logits, copy=False)


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
