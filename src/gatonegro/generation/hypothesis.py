"""Classes for sequences that are being generated or are finished, and the detection of repetition in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatonegro.generation.options import GenerationOptions

# a sequence is stuck if it ends with at most MAX_PERIOD tokens repeated, three times and over MIN_LOOP_TOKENS tokens,
# or MANY_REPEATS times
MAX_PERIOD, MIN_LOOP_TOKENS, MANY_REPEATS = 12, 24, 8


@dataclass
class Hypothesis:
    """A token sequence that is still being generated, with its score so far."""

    ids: list[int]  # with the prompt
    prompt_length: int
    source: int  # index of its source
    score: float = 0.0  # sum of the new tokens' log-probabilities
    least: float = 0.0  # the lowest of them
    beams: tuple[int, ...] = ()  # per new token, the row of the batch that it continued; in beam search, if recorded


@dataclass(frozen=True)
class Generated:
    """A finished sequence of generated tokens, with its score and the reason why it ended."""

    ids: list[int]  # with the prompt and, where there is one, the eos token
    prompt_length: int
    score: float  # sum of log-probabilities / length ** length_penalty
    has_eos: bool  # False: it reached its maximum length
    repeats: bool = False  # its end repeats itself
    attention: np.ndarray | None = None  # (target tokens, source tokens), if computed
    log_probs: tuple[float, float] = (0.0, 0.0)  # mean and minimum of the new tokens' log-probabilities
    beams: tuple[int, ...] = ()  # as in `Hypothesis`
    features: tuple[float, ...] | None = None  # by which a translation is judged, if computed

    @property
    def new_ids(self) -> list[int]:
        """The generated token ids, without those of the prompt."""
        return self.ids[self.prompt_length :]

    @property
    def unfinished(self) -> str | None:
        """The reason why a generated sequence is incomplete, "loop" or "limit", or None if it is complete."""
        return "loop" if self.repeats else None if self.has_eos else "limit"


def finish(hyp: Hypothesis, score: float, has_eos: bool, max_length: int, options: GenerationOptions) -> Generated:
    """Convert a sequence in progress to a finished one, which counts as cut off if its eos token was forced."""
    forced = options.forced_eos_token_id is not None and len(hyp.ids) >= max_length
    ids = hyp.ids[hyp.prompt_length :]
    while ids and ids[-1] in options.eos_ids:
        ids.pop()
    log_probs = hyp.score / max(1, len(hyp.ids) - hyp.prompt_length), hyp.least
    complete, repeats = has_eos and not forced, is_repeating(ids)
    return Generated(hyp.ids, hyp.prompt_length, score, complete, repeats, log_probs=log_probs, beams=hyp.beams)


def stops_repeating(hyp: Hypothesis, options: GenerationOptions) -> bool:
    """Return True if the option `stop_loops` ends a repetitive sequence now, which it checks at every eighth token."""
    return options.stop_loops and len(hyp.ids) % 8 == 0 and is_repeating(hyp.ids[hyp.prompt_length :])


def is_repeating(ids: Sequence[int]) -> bool:
    """Return True if a sequence ends with the same few tokens repeated several times, as in "mar mar mar"."""
    for period in range(1, min(MAX_PERIOD, len(ids) // 3) + 1):
        size = max(3 * period, min(MIN_LOOP_TOKENS, MANY_REPEATS * period))
        tail = ids[-size:]
        if len(tail) == size and tail[period:] == tail[:-period]:
            return True
    return False
