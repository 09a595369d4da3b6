"""From scores to sequences: greedy, sampling, beam search, with the same tokens as `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatonegro.errors import CheckpointError, OptionError
from gatonegro.generation.options import GenerationConfig
from gatonegro.generation.scores import NEVER, Row, rules
from gatonegro.generation.topk import ban, best
from gatonegro.generation.writing import Writer, Writing

GONE = -1e9  # the reference's score of beams that must not be chosen
# a loop repeats at most PERIOD tokens: three times and LEAST tokens at least, or TIMES times
PERIOD, LEAST, TIMES = 12, 24, 8


@dataclass(frozen=True)
class Written:
    """A sequence generated for a source."""

    ids: list[int]  # with the prompt and, where there is one, the end token
    begun: int  # length of the prompt
    score: float  # sum of log-probabilities / length ** length_penalty
    ended: bool  # with an end token; False: at the limit
    looped: bool = False  # whether its end repeats itself
    attention: np.ndarray | None = None  # of its tokens to the source's, if computed

    @property
    def new(self) -> list[int]:
        return self.ids[self.begun :]

    @property
    def unfinished(self) -> str | None:
        """ "loop" or "limit" if the sequence is not finished, else None."""
        return "loop" if self.looped else None if self.ended else "limit"


@torch.inference_mode()
def write(
    model: Writer,
    sources: Sequence[Sequence[int]] | None,
    beginnings: Sequence[Sequence[int]],
    limits: Sequence[int],
    options: GenerationConfig,
    put: Callable[[int], None] | None = None,
) -> list[list[Written]]:
    """Return the `num_return_sequences` best sequences per source, the best first.

    Args:
        sources: ids per source; None without an encoder.
        beginnings: the first ids of each sequence.
        limits: the largest length per source.
        put: called with each token of a single sequence as soon as it is chosen; not with beams.
    """
    if not beginnings:
        return []
    if options.num_beams > 1:
        return _Beams(model, sources, beginnings, limits, options).run()
    copies = [i for i in range(len(beginnings)) for _ in range(options.num_return_sequences)]
    rows = [Row(list(beginnings[i]), len(beginnings[i]), i) for i in copies]
    active = rules(options, beginnings if sources is None else sources, limits)
    random = torch.Generator().manual_seed(options.seed) if options.seed is not None else None
    ends, out = set(options.ends), [[] for _ in beginnings]  # type: tuple[set[int], list[list[Written]]]
    writing = Writing(model, None if sources is None else [sources[i] for i in copies], [row.ids for row in rows])

    def choose(scores: Tensor, first: int) -> tuple[Tensor, ...]:
        """Return the next token of each row, from row `first` on, and its log-probability. (rows,) each"""
        active.change(scores, rows[first : first + len(scores)])
        if options.do_sample:
            scores = scores.cpu()
            _check(scores.amax(-1), scores)
            chosen = torch.multinomial(scores.softmax(-1), 1, generator=random)
            return chosen[:, 0], scores.gather(1, chosen)[:, 0] - scores.logsumexp(-1)
        values, chosen, sums = best(scores, 1)
        _check(values[:, 0], scores)
        return chosen[:, 0], values[:, 0] - sums

    chosen, gained = writing.start(choose)
    while True:
        stay = []
        for i, (row, token, gain) in enumerate(zip(rows, chosen.tolist(), gained.tolist(), strict=True)):
            row.ids.append(token)
            row.score += gain
            if put is not None:
                put(token)
            if token in ends or len(row.ids) >= limits[row.source] or _stuck(row, options):
                score = row.score / (len(row.ids) - row.begun) ** options.length_penalty
                out[row.source].append(_written(row, score, token in ends, limits[row.source], options))
            else:
                stay.append(i)
        if not stay:
            return out
        rows = [rows[i] for i in stay]
        writing.take(stay, stay)
        chosen, gained = writing.step([row.ids[-1] for row in rows], choose)


def _check(best: Tensor, scores: Tensor) -> None:
    """Raise an error if the best score of a row (rows,) is not finite: NaN, or no token may follow."""
    if best.isfinite().all():
        return
    if scores.isnan().any():
        raise CheckpointError(
            "the model's scores are no numbers (NaN): its weights overflow in this dtype. Try dtype='float32', or use "
            "another checkpoint.",
            "las puntuaciones del modelo no son números (NaN): sus pesos desbordan este dtype. Prueba "
            "dtype='float32', o usa otro checkpoint.",
        )
    raise OptionError(
        "no token may follow: suppress_tokens, bad_words_ids and the like forbid them all. Forbid fewer.",
        "ningún token puede seguir: suppress_tokens, bad_words_ids y demás los prohíben todos. Prohíbe menos.",
    )


def _written(row: Row, score: float, ended: bool, limit: int, options: GenerationConfig) -> Written:
    forced = options.forced_eos_token_id is not None and len(row.ids) >= limit
    ids = row.ids[row.begun :]
    while ids and ids[-1] in options.ends:
        ids.pop()
    return Written(row.ids, row.begun, score, ended and not forced, loops(ids))


def _stuck(row: Row, options: GenerationConfig) -> bool:
    """Return whether to end a loop here; checked at every eighth token."""
    return options.stop_loops and len(row.ids) % 8 == 0 and loops(row.ids[row.begun :])


def loops(ids: Sequence[int]) -> bool:
    """Return whether the end of a sequence repeats the same few tokens: "mar mar mar"."""
    for period in range(1, min(PERIOD, len(ids) // 3) + 1):
        size = max(3 * period, min(LEAST, TIMES * period))
        tail = ids[-size:]
        if len(tail) == size and tail[period:] == tail[:-period]:
            return True
    return False


@dataclass
class Source:
    """A source in beam search, with its best finished sequences so far, the best first."""

    number: int  # index of the source
    finished: list[tuple[float, Row, bool]]  # score, sequence, whether it has an end token

    def finish(self, done: Sequence[tuple[Row, bool]], length: int, options: GenerationConfig) -> None:
        """Add sequences that end, at this length, and whether with an end token, if they are among the best."""
        if not done or (options.early_stopping is True and len(self.finished) == options.num_beams):
            return
        self.finished += [(row.score / length**options.length_penalty, row, ended) for row, ended in done]
        self.finished = sorted(self.finished, key=lambda entry: -entry[0])[: options.num_beams]


class _Beams:
    """Beam search: `num_beams` rows per source. A source is finished when none of its rows can get better."""

    def __init__(
        self,
        model: Writer,
        sources: Sequence[Sequence[int]] | None,
        beginnings: Sequence[Sequence[int]],
        limits: Sequence[int],
        options: GenerationConfig,
    ):
        self.rules = rules(options, beginnings if sources is None else sources, limits)
        self.random = torch.Generator().manual_seed(options.seed) if options.seed is not None else None
        self.limits, self.options = limits, options
        self.ends, self.beams = set(options.ends), options.num_beams
        self.wide = max(2, 1 + len(self.ends)) * self.beams  # enough for every beam if others end
        self.rows = [
            Row(list(ids), len(ids), i, GONE if beam else 0.0)
            for i, ids in enumerate(beginnings)
            for beam in range(self.beams)
        ]
        self.going = [Source(i, []) for i in range(len(beginnings))]
        self.out: list[list[Written]] = [[] for _ in beginnings]
        self.writing = Writing(model, sources, beginnings, self.beams)

    def run(self) -> list[list[Written]]:
        choices = self.writing.start(self.choose)
        while True:
            stay, parents = self.settle(choices)
            if not stay:
                return self.out
            self.writing.take(parents, stay)
            choices = self.writing.step([row.ids[-1] for row in self.rows], self.choose)

    def choose(self, scores: Tensor, first: int) -> tuple[Tensor, ...]:
        """Return the best continuations per source, from row `first` on: sums of log-probabilities, indices of the
        source's rows, and tokens. (sources, wide) each"""
        options, beams = self.options, self.beams
        some = self.rows[first : first + len(scores)]
        if self.rules.few and not options.do_sample:
            banned = self.rules.banned(some)
            if options.renormalize_logits:  # the sum then leaves banned tokens out
                ban(scores, banned)
            logs, tokens, sums = best(scores, self.wide, banned)  # (rows, wide)
            logs -= sums[:, None]
            for i, token in self.rules.forced(some):
                logs[i], logs[i, 0], tokens[i, 0] = NEVER, 0.0, token
        else:
            logs = scores.cpu().log_softmax(-1)  # (rows, vocab)
            self.rules.change(logs, some)
            if options.renormalize_logits:
                logs = logs.log_softmax(-1)
            tokens = torch.arange(logs.shape[1]).expand_as(logs)
        each = logs.shape[1]
        logs = (logs + torch.tensor([row.score for row in some], device=logs.device)[:, None]).view(-1, beams * each)
        _check(logs.amax(-1), scores)
        if options.do_sample:
            places = torch.multinomial(logs.softmax(-1).clamp(min=1e-30), self.wide, generator=self.random)
        else:
            places = logs.topk(min(self.wide, logs.shape[1])).indices
        return logs.gather(1, places), places // each, tokens.reshape(len(logs), -1).gather(1, places)

    def settle(self, choices: Sequence[Tensor]) -> tuple[list[int], list[int]]:
        """End or continue rows. Return the sources that continue, and the parent of each of their new rows."""
        options, beams = self.options, self.beams
        stay, parents, grown = [], [], []  # type: tuple[list[int], list[int], list[Row]]
        for s, (source, *tried) in enumerate(zip(self.going, *(each.tolist() for each in choices), strict=True)):
            done, open_ = [], []  # type: tuple[list[tuple[Row, bool]], list[tuple[Row, int]]]
            limit = self.limits[source.number]
            for rank, (value, beam, token) in enumerate(zip(*tried, strict=True)):
                old, ended = self.rows[s * beams + beam], token in self.ends
                row = Row([*old.ids, token], old.begun, source.number, value)
                if ended or len(row.ids) >= limit or _stuck(row, options):
                    done += [(row, ended)] if rank < beams else []
                else:
                    open_.append((row, s * beams + beam))
                    if len(open_) == beams:
                        break
            length = len(old.ids) + 1 - old.begun
            source.finish(done, length, options)
            if len(open_) == beams and _can_improve(source, open_[0][0].score, length, limit, options):
                stay.append(s)
                parents += [parent for _, parent in open_]
                grown += [row for row, _ in open_]
            else:
                kept = source.finished[: options.num_return_sequences]
                self.out[source.number] = [_written(row, score, ended, limit, options) for score, row, ended in kept]
        self.going, self.rows = [self.going[s] for s in stay], grown
        return stay, parents


def _can_improve(source: Source, best: float, length: int, limit: int, options: GenerationConfig) -> bool:
    """Return whether an open row may still be among the best finished ones, by the reference's rule."""
    if len(source.finished) < options.num_beams:
        return True
    if options.early_stopping is True:
        return False
    if options.early_stopping == "never" and options.length_penalty > 0:
        length = limit - source.finished[0][1].begun
    return best / length**options.length_penalty > source.finished[-1][0]
