"""Beam search that chooses the same tokens as `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.generation.arrays import log_softmax, to_numpy
from gatonegro.generation.extras import Extras
from gatonegro.generation.hypothesis import Generated, Hypothesis, finish, stops_repeating
from gatonegro.generation.logits import LogitsProcessors, check_finite
from gatonegro.generation.options import GenerationOptions
from gatonegro.generation.state import DecodingState
from gatonegro.generation.topk import NEG_INF, draw, largest, mask_out, top_k
from gatonegro.packing import Array

if TYPE_CHECKING:
    from gatonegro.text_model import TextModel

INACTIVE_SCORE = -1e9  # initial score of all beams but the first, which equal it; as in the reference


@dataclass
class BeamSource:
    """An input sequence in beam search, with its best finished output sequences so far, the highest score first."""

    index: int
    finished: list[tuple[float, Hypothesis, bool]]  # score, sequence, whether it has an eos token
    closed: bool = False  # its search is over

    def add(self, done: Sequence[tuple[Hypothesis, bool]], length: int, options: GenerationOptions) -> None:
        """Add finished sequences of `length` new tokens to those of a source, and keep the `num_beams` best."""
        if not done or (options.early_stopping is True and len(self.finished) == options.num_beams):
            return
        self.finished += [(hyp.score / length**options.length_penalty, hyp, has_eos) for hyp, has_eos in done]
        self.finished = sorted(self.finished, key=lambda entry: -entry[0])[: options.num_beams]


class BeamSearch:
    """Beam search over several source sequences at once, each of which ends when none of its beams can improve."""

    def __init__(
        self,
        model: TextModel,
        sources: Sequence[Sequence[int]] | None,
        prompt_ids: Sequence[Sequence[int]],
        max_lengths: Sequence[int],
        options: GenerationOptions,
        extras: Extras,
        processors: LogitsProcessors,
        rng: Any,
    ):
        self.extras, self.whole, self.processors, self.rng = extras, extras.whole, processors, rng
        self.max_lengths, self.options = max_lengths, options
        self.eos_ids, self.num_beams = set(options.eos_ids), options.num_beams
        self.num_candidates = max(2, 1 + len(self.eos_ids)) * self.num_beams  # enough for every beam if others end
        self.hyps = [
            Hypothesis(list(ids), len(ids), i, INACTIVE_SCORE if beam else 0.0)
            for i, ids in enumerate(prompt_ids)
            for beam in range(self.num_beams)
        ]
        self.running = [BeamSource(i, []) for i in range(len(prompt_ids))]
        self.out: list[list[Generated]] = [[] for _ in prompt_ids]
        self.state = DecodingState(model, sources, prompt_ids, self.num_beams, self.whole)

    def run(self) -> list[list[Generated]]:
        """Run the beam search, and return each source's `num_return_sequences` best sequences."""
        candidates = self.state.prefill(self.choose)
        while True:
            running, parents = self.advance(candidates)
            if not running:
                return self.out
            self.state.select(parents, running)
            candidates = self.state.step([hyp.ids[-1] for hyp in self.hyps], self.choose)

    def choose(self, logits: Array, first: int) -> tuple[np.ndarray, ...]:
        """Return the best one-token continuations of each source's beams, given the beams' next-token logits.

        `logits` begin at row `first`. The results are scores, beam indices and tokens, (sources, num_candidates) each.
        """
        options, num_beams = self.options, self.num_beams
        hyps = self.hyps[first : first + len(logits)]
        is_sparse = self.processors.sparse and not options.do_sample and not self.extras.records
        logits = logits if is_sparse else to_numpy(logits)
        self.extras.read(hyps, logits)
        if is_sparse:
            masked_ids = self.processors.masked_ids(hyps)
            if options.renormalize_logits:  # leave masked tokens out of the sum
                mask_out(logits, masked_ids)
            log_probs, tokens, sums = top_k(logits, self.num_candidates, masked_ids)  # (rows, num_candidates)
            log_probs -= sums[:, None]
            for i, token in self.processors.forced_ids(hyps):
                log_probs[i], log_probs[i, 0], tokens[i, 0] = NEG_INF, 0.0, token
        else:
            dense = log_softmax(logits)  # (rows, vocab)
            self.processors.process(dense, hyps)
            log_probs, tokens = log_softmax(dense) if options.renormalize_logits else dense, None
            self.extras.record(log_probs)
        per_beam = log_probs.shape[1]
        before = np.array([hyp.score for hyp in hyps], np.float32)[:, None]
        scores = (log_probs + before).reshape(-1, num_beams * per_beam)  # (sources, beams · per_beam)
        check_finite(scores.max(-1), logits)
        if options.do_sample:
            live = [source.index for source in self.running]
            chosen = draw(scores, self.num_candidates, self.rng, live, len(self.out), least=1e-30)
        else:
            chosen = largest(scores, min(self.num_candidates, scores.shape[1]))
        beams, places = np.divmod(chosen, per_beam)  # (sources, num_candidates) each
        if tokens is not None:
            places = np.take_along_axis(tokens.reshape(len(scores), -1), chosen, 1)
        return np.take_along_axis(scores, chosen, 1), beams, places

    def advance(self, candidates: Sequence[np.ndarray]) -> tuple[list[int], list[int]]:
        """Extend the beams of each source by the chosen tokens, and end the search for sources that cannot improve.

        Return the indices of the sources that go on, and the parent row of each of their new rows.
        """
        options, num_beams = self.options, self.num_beams
        running, parents, extended = [], [], []  # type: tuple[list[int], list[int], list[Hypothesis]]
        rows = [list(zip(*columns, strict=True)) for columns in zip(*(x.tolist() for x in candidates), strict=True)]
        stopped: list[bool] = []
        if self.extras.criteria:
            every = [self._extend(s, *candidate) for s, row in enumerate(rows) for candidate in row]
            stopped = self.extras.stopped(every)
        for s, (source, row) in enumerate(zip(self.running, rows, strict=True)):
            done, open_ = [], []  # type: tuple[list[tuple[Hypothesis, bool]], list[tuple[Hypothesis, int]]]
            max_length = self.max_lengths[source.index]
            for rank, (score, beam, token) in enumerate(row):
                hyp = self._extend(s, score, beam, token)
                ends = token in self.eos_ids or (stopped != [] and stopped[s * len(row) + rank])
                if ends or len(hyp.ids) >= max_length or stops_repeating(hyp, options):
                    done += [(hyp, ends)] if rank < num_beams else []
                else:
                    open_.append((hyp, s * num_beams + beam))
                    if len(open_) == num_beams and not options.do_sample:  # drawn candidates are in no order
                        break
            open_ = sorted(open_, key=lambda entry: -entry[0].score)[:num_beams] if options.do_sample else open_
            length = len(hyp.ids) - hyp.prompt_length
            if not source.closed:
                source.add(done, length, options)
                if len(open_) < num_beams or not _can_improve(source, open_[0][0].score, length, max_length, options):
                    source.closed = True
                    best = source.finished[: options.num_return_sequences]
                    self.out[source.index] = [finish(hyp, score, eos, max_length, options) for score, hyp, eos in best]
            if not source.closed or self.whole:
                running.append(s)
                for score, beam, token in row[: num_beams - len(open_)]:  # of a closed source
                    open_.append((self._extend(s, score + INACTIVE_SCORE, beam, token), s * num_beams + beam))
                parents += [parent for _, parent in open_]
                extended += [hyp for hyp, _ in open_]
        if all(source.closed for source in self.running):
            return [], []
        self.running, self.hyps = [self.running[s] for s in running], extended
        return running, parents

    def _extend(self, s: int, score: float, beam: int, token: int) -> Hypothesis:
        """Return a beam of the running source `s`, extended by a token."""
        row = s * self.num_beams + beam
        parent = self.hyps[row]
        beams = (*parent.beams, row) if self.whole else ()
        least = min(parent.least, score - parent.score)
        return Hypothesis([*parent.ids, token], parent.prompt_length, parent.source, score, least, beams)


def _can_improve(source: BeamSource, best: float, length: int, max_length: int, options: GenerationOptions) -> bool:
    """Return True if an unfinished beam may still become one of the best sequences, by the rule of `transformers`."""
    if len(source.finished) < options.num_beams:
        return True
    if options.early_stopping is True:
        return False
    if options.early_stopping == "never" and options.length_penalty > 0:
        length = max_length - source.finished[0][1].prompt_length
    return best / length**options.length_penalty > source.finished[-1][0]
