"""Beam search that chooses the same tokens as `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatonegro.generation.hypothesis import Generated, Hypothesis, finish, stops_repeating
from gatonegro.generation.logits import NEG_INF, check_finite, logits_processors
from gatonegro.generation.options import GenerationConfig
from gatonegro.generation.state import DecodingState, GenerativeModel
from gatonegro.generation.topk import mask_out, top_k

INACTIVE_SCORE = -1e9  # initial score of all beams but the first, which equal it; as in the reference


@dataclass
class BeamSource:
    """An input sequence in beam search, with its best finished output sequences so far, the highest score first."""

    index: int
    finished: list[tuple[float, Hypothesis, bool]]  # score, sequence, whether it has an eos token

    def add(self, done: Sequence[tuple[Hypothesis, bool]], length: int, options: GenerationConfig) -> None:
        """Add finished sequences of `length` new tokens to those of a source, and keep the `num_beams` best."""
        if not done or (options.early_stopping is True and len(self.finished) == options.num_beams):
            return
        self.finished += [(hyp.score / length**options.length_penalty, hyp, has_eos) for hyp, has_eos in done]
        self.finished = sorted(self.finished, key=lambda entry: -entry[0])[: options.num_beams]


class BeamSearch:
    """Beam search over several source sequences at once, each of which ends when none of its beams can improve."""

    def __init__(
        self,
        model: GenerativeModel,
        sources: Sequence[Sequence[int]] | None,
        prompt_ids: Sequence[Sequence[int]],
        max_lengths: Sequence[int],
        options: GenerationConfig,
    ):
        self.processors = logits_processors(options, prompt_ids if sources is None else sources, max_lengths)
        self.rng = torch.Generator().manual_seed(options.seed) if options.seed is not None else None
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
        self.state = DecodingState(model, sources, prompt_ids, self.num_beams)

    def run(self) -> list[list[Generated]]:
        """Run the beam search, and return each source's `num_return_sequences` best sequences."""
        candidates = self.state.prefill(self.choose)
        while True:
            running, parents = self.advance(candidates)
            if not running:
                return self.out
            self.state.select(parents, running)
            candidates = self.state.step([hyp.ids[-1] for hyp in self.hyps], self.choose)

    def choose(self, logits: Tensor, first: int) -> tuple[Tensor, ...]:
        """Return the best one-token continuations of each source's beams, given the beams' next-token logits.

        `logits` begin at row `first`. The results are scores, beam indices and tokens, (sources, num_candidates) each.
        """
        options, num_beams = self.options, self.num_beams
        hyps = self.hyps[first : first + len(logits)]
        if self.processors.sparse and not options.do_sample:
            masked_ids = self.processors.masked_ids(hyps)
            if options.renormalize_logits:  # leave masked tokens out of the sum
                mask_out(logits, masked_ids)
            log_probs, tokens, sums = top_k(logits, self.num_candidates, masked_ids)  # (rows, num_candidates)
            log_probs -= sums[:, None]
            for i, token in self.processors.forced_ids(hyps):
                log_probs[i], log_probs[i, 0], tokens[i, 0] = NEG_INF, 0.0, token
        else:
            log_probs = logits.cpu().log_softmax(-1)  # (rows, vocab)
            self.processors.process(log_probs, hyps)
            if options.renormalize_logits:
                log_probs = log_probs.log_softmax(-1)
            tokens = torch.arange(log_probs.shape[1]).expand_as(log_probs)
        per_beam = log_probs.shape[1]
        before = torch.tensor([hyp.score for hyp in hyps], device=log_probs.device)[:, None]
        scores = (log_probs + before).view(-1, num_beams * per_beam)  # (sources, beams · per_beam)
        check_finite(scores.amax(-1), logits)
        if options.do_sample:
            chosen = torch.multinomial(scores.softmax(-1).clamp(min=1e-30), self.num_candidates, generator=self.rng)
        else:
            chosen = scores.topk(min(self.num_candidates, scores.shape[1])).indices
        return scores.gather(1, chosen), chosen // per_beam, tokens.reshape(len(scores), -1).gather(1, chosen)

    def advance(self, candidates: Sequence[Tensor]) -> tuple[list[int], list[int]]:
        """Extend the beams of each source by the chosen tokens, and end the search for sources that cannot improve.

        Return the indices of the sources that go on, and the parent row of each of their new rows.
        """
        options, num_beams = self.options, self.num_beams
        running, parents, extended = [], [], []  # type: tuple[list[int], list[int], list[Hypothesis]]
        for s, (source, *columns) in enumerate(zip(self.running, *(x.tolist() for x in candidates), strict=True)):
            done, open_ = [], []  # type: tuple[list[tuple[Hypothesis, bool]], list[tuple[Hypothesis, int]]]
            max_length = self.max_lengths[source.index]
            for rank, (score, beam, token) in enumerate(zip(*columns, strict=True)):
                parent, has_eos = self.hyps[s * num_beams + beam], token in self.eos_ids
                least = min(parent.least, score - parent.score)
                hyp = Hypothesis([*parent.ids, token], parent.prompt_length, source.index, score, least)
                if has_eos or len(hyp.ids) >= max_length or stops_repeating(hyp, options):
                    done += [(hyp, has_eos)] if rank < num_beams else []
                else:
                    open_.append((hyp, s * num_beams + beam))
                    if len(open_) == num_beams:
                        break
            length = len(parent.ids) + 1 - parent.prompt_length
            source.add(done, length, options)
            if len(open_) == num_beams and _can_improve(source, open_[0][0].score, length, max_length, options):
                running.append(s)
                parents += [row for _, row in open_]
                extended += [hyp for hyp, _ in open_]
            else:
                best = source.finished[: options.num_return_sequences]
                self.out[source.index] = [finish(hyp, score, eos, max_length, options) for score, hyp, eos in best]
        self.running, self.hyps = [self.running[s] for s in running], extended
        return running, parents


def _can_improve(source: BeamSource, best: float, length: int, max_length: int, options: GenerationConfig) -> bool:
    """Return True if an unfinished beam may still become one of the best sequences, by the rule of `transformers`."""
    if len(source.finished) < options.num_beams:
        return True
    if options.early_stopping is True:
        return False
    if options.early_stopping == "never" and options.length_penalty > 0:
        length = max_length - source.finished[0][1].prompt_length
    return best / length**options.length_penalty > source.finished[-1][0]
