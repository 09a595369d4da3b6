"""Stopping criteria: functions that end sequences, with the names of `transformers`.

https://huggingface.co/docs/transformers/internal/generation_utils#stoppingcriteria
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from gatonegro.errors import OptionError
from gatonegro.generation.arrays import as_tensor, is_tensor, to_bools
from gatonegro.generation.options import MESSAGES, GenerationOptions
from gatonegro.packing import Array

TAIL_TOKENS = 8  # tokens before those that may hold a stop string, whose decoding may depend on them


class StoppingCriteria:
    """Function (ids (b, w), scores) → bools (b,), true for sequences that end; the user's own derive from it."""

    def __call__(self, input_ids: Array, scores: Any, **kwargs: Any) -> Any:
        """Return for each sequence whether it ends."""
        raise NotImplementedError


class RowCriterion(StoppingCriteria):
    """A criterion that looks at one sequence at a time."""

    def ends(self, ids: Sequence[int]) -> bool:
        """Return True if a sequence, prompt included, ends."""
        raise NotImplementedError

    def __call__(self, input_ids: Array, scores: Any = None, **kwargs: Any) -> Array:
        return _like(np.array([self.ends(ids) for ids in input_ids.tolist()], bool), input_ids)


def _like(ended: np.ndarray, input_ids: Array) -> Array:
    """Return bools as the ids are: an array, or a tensor on their device."""
    return as_tensor(ended, input_ids.device) if is_tensor(input_ids) else ended


class MaxLengthCriteria(RowCriterion):
    """End sequences of `max_length` tokens, prompt included."""

    def __init__(self, max_length: int, max_position_embeddings: int | None = None):
        self.max_length, self.max_position_embeddings = max_length, max_position_embeddings

    def ends(self, ids: Sequence[int]) -> bool:
        return len(ids) >= self.max_length


class MaxTimeCriteria(RowCriterion):
    """End all sequences after `max_time` seconds."""

    def __init__(self, max_time: float, initial_timestamp: float | None = None):
        self.max_time = max_time
        self.initial_timestamp = time.time() if initial_timestamp is None else initial_timestamp

    def ends(self, ids: Sequence[int]) -> bool:
        return time.time() - self.initial_timestamp > self.max_time


class EosTokenCriteria(RowCriterion):
    """End sequences whose last token is one of the given ids."""

    def __init__(self, eos_token_id: int | list[int] | Array):
        ids = eos_token_id.tolist() if hasattr(eos_token_id, "tolist") else eos_token_id
        self.eos_token_id = as_tensor(np.array(ids, np.int64).reshape(-1))
        self._ids = set(self.eos_token_id.tolist())

    def ends(self, ids: Sequence[int]) -> bool:
        return ids[-1] in self._ids


class StopStringCriteria(RowCriterion):
    """End sequences whose last token completes one of the given strings, also in its middle."""

    def __init__(self, tokenizer: Any, stop_strings: str | Sequence[str]):
        self.tokenizer = tokenizer
        self.stop_strings = (stop_strings,) if isinstance(stop_strings, str) else tuple(stop_strings)

    def ends(self, ids: Sequence[int]) -> bool:
        """Return True if the text of a sequence has a stop string that the text without its last token lacks."""
        longest = max(len(string.encode()) for string in self.stop_strings)  # a token may be one byte
        tail = list(ids[-longest - TAIL_TOKENS :])
        before, text = (self.tokenizer.decode(some, clean_up_tokenization_spaces=False) for some in (tail[:-1], tail))
        return any(text.count(string) > before.count(string) for string in self.stop_strings)


class StoppingCriteriaList(list[Any]):
    """A list of stopping criteria, of which one is enough to end a sequence."""

    def __call__(self, input_ids: Array, scores: Any, **kwargs: Any) -> Array:
        ended = np.zeros(len(input_ids), bool)
        for criterion in self:
            ended |= to_bools(criterion(input_ids, scores, **kwargs))
        return _like(ended, input_ids)


def criteria_of(options: GenerationOptions, tokenizer: Any) -> list[Any]:
    """Return the stopping criteria of the options that need one.

    Raises:
        OptionError: stop strings need a tokenizer, and there is none.
    """
    out: list[Any] = [] if options.max_time is None else [MaxTimeCriteria(options.max_time)]
    if options.stop_strings is not None:
        if tokenizer is None:
            raise OptionError(*MESSAGES["tokenizer"])
        out.append(StopStringCriteria(tokenizer, options.stop_strings))
    return out
