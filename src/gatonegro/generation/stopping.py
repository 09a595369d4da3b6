"""Stopping criteria: functions that end sequences, with the names of `transformers`.

https://huggingface.co/docs/transformers/internal/generation_utils#stoppingcriteria
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatonegro.errors import OptionError
from gatonegro.generation.options import MESSAGES, GenerationOptions

TAIL_TOKENS = 8  # tokens before those that may hold a stop string, whose decoding may depend on them


class StoppingCriteria:
    """Function (ids (b, w), scores) → bools (b,), true for sequences that end; the user's own derive from it."""

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        """Return for each sequence whether it ends."""
        raise NotImplementedError


class RowCriterion(StoppingCriteria):
    """A criterion that looks at one sequence at a time."""

    def ends(self, ids: Sequence[int]) -> bool:
        """Return True if a sequence, prompt included, ends."""
        raise NotImplementedError

    def __call__(self, input_ids: Tensor, scores: Any = None, **kwargs: Any) -> Tensor:
        return torch.tensor([self.ends(ids) for ids in input_ids.tolist()], device=input_ids.device)


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

    def __init__(self, eos_token_id: int | list[int] | Tensor):
        self.eos_token_id = torch.as_tensor(eos_token_id).flatten()
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

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for criterion in self:
            ended |= torch.as_tensor(criterion(input_ids, scores, **kwargs), device=input_ids.device)
        return ended


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
