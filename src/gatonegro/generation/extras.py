"""What a call of `generate` adds to its options: functions of the user, and a record of the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gatonegro.errors import OptionError
from gatonegro.generation.hypothesis import Hypothesis
from gatonegro.generation.options import MESSAGES
from gatonegro.generation.stopping import RowCriterion

InPlace = Callable[[Tensor, Sequence[Hypothesis]], None]  # changes logits (b, vocab), as in `logits.py`


@dataclass
class Extras:
    """Functions that are called at every step of generation, and lists in which a step's tensors are recorded.

    Functions of the user get padded batches, as in `transformers`: ids (b, w), prompts and padding included, and scores
    (b, vocab). With one of them, or a record, no row leaves the batch before all are finished.
    """

    prompts: Sequence[Sequence[int]] = ()  # of equal lengths, with padding; default: those of the call, padded
    sources: Sequence[Sequence[int]] = ()  # the inputs as the reference penalizes them, with padding
    processors: Sequence[Callable[[Tensor, Tensor], Tensor]] = ()  # (ids, scores) → scores
    criteria: Sequence[Callable[..., Any]] = ()  # (ids, scores) → (b,), true for sequences that end
    allowed: Callable[[int, Tensor], Sequence[int]] | None = None  # (source, ids (w,)) → ids of tokens that may follow
    streamer: Any = None  # object with `put(ids)` and `end()`
    records: bool = False  # keep the tensors of all steps
    reads: list[Tensor] = field(default_factory=list)  # per step (b, w), the ids that it reads
    scores: list[Tensor] = field(default_factory=list)  # per step (b, vocab), after all processors
    logits: list[Tensor] = field(default_factory=list)  # per step (b, vocab)

    @property
    def whole(self) -> bool:
        """Return True if finished rows must stay in the batch."""
        foreign = any(not isinstance(criterion, RowCriterion) for criterion in self.criteria)
        return bool(self.processors or foreign or self.streamer is not None or self.records)

    def padded(self, hyps: Sequence[Hypothesis]) -> Tensor:
        """Return sequences in progress as a padded batch of ids (b, w)."""
        return torch.tensor([[*self.prompts[hyp.source], *hyp.ids[hyp.prompt_length :]] for hyp in hyps])

    def only(self) -> Callable[[Hypothesis], Sequence[int]] | None:
        """Return the function that returns the only tokens that may follow a sequence, or None."""
        allowed = self.allowed
        return None if allowed is None else lambda hyp: allowed(hyp.source, self.padded([hyp])[0])

    def custom(self) -> list[InPlace]:
        """Return the user's logits processors, as those of `logits.py`."""
        return [self._in_place(processor) for processor in self.processors]

    def _in_place(self, processor: Callable[[Tensor, Tensor], Tensor]) -> InPlace:
        def process(logits: Tensor, hyps: Sequence[Hypothesis]) -> None:
            scores = processor(self.padded(hyps).to(logits.device), logits.clone())
            if not isinstance(scores, Tensor) or scores.shape != logits.shape:
                shown = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
                names = {"kind": type(processor).__name__, "value": shown, "shape": tuple(logits.shape)}
                raise OptionError(*MESSAGES["scores_shape"].format(**names))
            logits.copy_(scores)

        return process

    def read(self, hyps: Sequence[Hypothesis], logits: Tensor) -> None:
        """Record the ids that a step reads, and the logits that it computes."""
        if self.records:
            self.reads.append(self.padded(hyps))
            self.logits.append(logits.clone())

    def record(self, scores: Tensor) -> None:
        """Record the scores of a step."""
        if self.records:
            self.scores.append(scores.clone())

    def stopped(self, hyps: Sequence[Hypothesis]) -> list[bool]:
        """Return for each sequence whether one of the criteria ends it."""
        out = [False] * len(hyps)
        for criterion in self.criteria:
            if isinstance(criterion, RowCriterion):
                rows = ([*self.prompts[hyp.source], *hyp.ids[hyp.prompt_length :]] for hyp in hyps)  # with padding
                ended = list(map(criterion.ends, rows))
            else:
                answer = criterion(self.padded(hyps), tuple(self.scores) or None)
                ended = torch.as_tensor(answer).flatten().tolist()
                if len(ended) not in (1, len(hyps)):
                    names = {"kind": type(criterion).__name__, "value": str(answer)[:80], "rows": len(hyps)}
                    raise OptionError(*MESSAGES["criterion"].format(**names))
            out = [a or bool(b) for a, b in zip(out, ended * (len(hyps) if len(ended) == 1 else 1), strict=True)]
        return out
