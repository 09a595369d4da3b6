"""What a call of `generate` adds to its options: functions of the user, and a record of the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gatonegro.errors import OptionError
from gatonegro.generation.arrays import as_tensor, is_tensor, to_bools, to_numpy
from gatonegro.generation.hypothesis import Hypothesis
from gatonegro.generation.logits import LogitsProcessor
from gatonegro.generation.options import MESSAGES
from gatonegro.generation.stopping import RowCriterion
from gatonegro.packing import Array


@dataclass
class Extras:
    """Functions that are called at every step of generation, and lists in which a step's arrays are recorded.

    Functions of the user get padded batches, as in `transformers`: ids (b, w), prompts and padding included, and scores
    (b, vocab). These are tensors where PyTorch is installed, or else arrays. With one of them, or a record, no row
    leaves the batch before all are finished.
    """

    prompts: Sequence[Sequence[int]] = ()  # of equal lengths, with padding; default: those of the call, padded
    sources: Sequence[Sequence[int]] = ()  # the inputs as the reference penalizes them, with padding
    processors: Sequence[Callable[[Array, Array], Array]] = ()  # (ids, scores) → scores
    criteria: Sequence[Callable[..., Any]] = ()  # (ids, scores) → (b,), true for sequences that end
    allowed: Callable[[int, Array], Sequence[int]] | None = None  # (source, ids (w,)) → ids of tokens that may follow
    streamer: Any = None  # object with `put(ids)` and `end()`
    records: bool = False  # keep the arrays of all steps
    reads: list[np.ndarray] = field(default_factory=list)  # per step (b, w), the ids that it reads
    scores: list[np.ndarray] = field(default_factory=list)  # per step (b, vocab), after all processors
    logits: list[np.ndarray] = field(default_factory=list)  # per step (b, vocab)
    device: Any = "cpu"  # of the scores that processors get

    @property
    def whole(self) -> bool:
        """Return True if finished rows must stay in the batch."""
        foreign = any(not isinstance(criterion, RowCriterion) for criterion in self.criteria)
        return bool(self.processors or foreign or self.streamer is not None or self.records)

    def padded(self, hyps: Sequence[Hypothesis]) -> np.ndarray:
        """Return sequences in progress as a padded batch of ids (b, w)."""
        return np.array([[*self.prompts[hyp.source], *hyp.ids[hyp.prompt_length :]] for hyp in hyps], np.int64)

    def only(self) -> Callable[[Hypothesis], Sequence[int]] | None:
        """Return the function that returns the only tokens that may follow a sequence, or None."""
        allowed = self.allowed
        return None if allowed is None else lambda hyp: allowed(hyp.source, as_tensor(self.padded([hyp])[0]))

    def custom(self) -> list[LogitsProcessor]:
        """Return the user's logits processors, as those of `logits.py`."""
        return [self._in_place(processor) for processor in self.processors]

    def _in_place(self, processor: Callable[[Array, Array], Array]) -> LogitsProcessor:
        def process(logits: np.ndarray, hyps: Sequence[Hypothesis]) -> None:
            scores = processor(as_tensor(self.padded(hyps), self.device), as_tensor(logits.copy(), self.device))
            is_array = is_tensor(scores) or isinstance(scores, np.ndarray)
            if not is_array or tuple(scores.shape) != logits.shape:
                shown = tuple(scores.shape) if is_array else type(scores).__name__
                names = {"kind": type(processor).__name__, "value": shown, "shape": logits.shape}
                raise OptionError(*MESSAGES["scores_shape"].format(**names))
            logits[:] = to_numpy(scores)

        return process

    def read(self, hyps: Sequence[Hypothesis], logits: np.ndarray) -> None:
        """Record the ids that a step reads, and the logits that it computes."""
        if self.records:
            self.reads.append(self.padded(hyps))
            self.logits.append(logits.copy())

    def record(self, scores: np.ndarray) -> None:
        """Record the scores of a step."""
        if self.records:
            self.scores.append(scores.copy())

    def stopped(self, hyps: Sequence[Hypothesis]) -> list[bool]:
        """Return for each sequence whether one of the criteria ends it."""
        out = [False] * len(hyps)
        for criterion in self.criteria:
            if isinstance(criterion, RowCriterion):
                rows = ([*self.prompts[hyp.source], *hyp.ids[hyp.prompt_length :]] for hyp in hyps)  # with padding
                ended = list(map(criterion.ends, rows))
            else:
                answer = criterion(as_tensor(self.padded(hyps)), tuple(map(as_tensor, self.scores)) or None)
                ended = to_bools(answer).tolist()
                if len(ended) not in (1, len(hyps)):
                    names = {"kind": type(criterion).__name__, "value": str(answer)[:80], "rows": len(hyps)}
                    raise OptionError(*MESSAGES["criterion"].format(**names))
            out = [a or bool(b) for a, b in zip(out, ended * (len(hyps) if len(ended) == 1 else 1), strict=True)]
        return out
