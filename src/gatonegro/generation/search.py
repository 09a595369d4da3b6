"""From scores to sequences: greedy, sampling, beams. Token for token what `transformers` writes.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatonegro.generation.options import GenerationConfig
from gatonegro.generation.scores import Row, Rule, rules, warpers
from gatonegro.generation.writing import Writer, Writing

GONE = -1e9  # the reference's score of what must not be chosen
LOOP, PERIOD = 24, 12  # a loop is so many tokens or more, of at most so many again and again


@dataclass(frozen=True)
class Written:
    """One sequence that was written for one source."""

    ids: list[int]  # with its beginning, and its end where it has one
    begun: int  # tokens of the beginning
    score: float  # the sum of the log-probabilities / length ** length_penalty
    ended: bool  # by itself; else the limit cut it
    looped: bool = False  # whether its end goes round in circles

    @property
    def new(self) -> list[int]:
        return self.ids[self.begun :]


def write(
    model: Writer,
    sources: Sequence[Sequence[int]] | None,
    beginnings: Sequence[Sequence[int]],
    limits: Sequence[int],
    options: GenerationConfig,
    put: Callable[[int], None] | None = None,
) -> list[list[Written]]:
    """Of each source, `num_return_sequences` sequences, the best first.

    Args:
        sources: ids that the encoder reads; None for a decoder alone.
        beginnings: ids that each sequence begins with.
        limits: how long each may become.
        put: is told each token of a single sequence as soon as it is chosen.
    """
    if not beginnings:
        return []
    with torch.inference_mode():
        return (_greedy if options.num_beams == 1 else _beams)(model, sources, beginnings, limits, options, put)


def _greedy(
    model: Writer,
    sources: Sequence[Sequence[int]] | None,
    beginnings: Sequence[Sequence[int]],
    limits: Sequence[int],
    options: GenerationConfig,
    put: Callable[[int], None] | None,
) -> list[list[Written]]:
    """The likeliest token, or one drawn, a row a sequence."""
    copies = [i for i in range(len(beginnings)) for _ in range(options.num_return_sequences)]
    rows = [Row(list(beginnings[i]), len(beginnings[i]), i) for i in copies]
    changes = _changes(sources, beginnings, limits, options)
    random = torch.Generator().manual_seed(options.seed) if options.seed is not None else None
    ends, out = set(options.ends), [[] for _ in beginnings]  # type: tuple[set[int], list[list[Written]]]
    writing = Writing(model, None if sources is None else [sources[i] for i in copies], [row.ids for row in rows])
    scores = writing.start()
    while True:
        scores = scores.float().cpu()
        for change in changes:
            change(scores, rows)
        if options.do_sample:
            chosen = torch.multinomial(scores.softmax(-1), 1, generator=random).flatten()
        else:
            chosen = scores.argmax(-1)
        gained = scores.gather(1, chosen[:, None]).flatten() - scores.logsumexp(-1)
        stay = []
        for i, (row, token, gain) in enumerate(zip(rows, chosen.tolist(), gained.tolist(), strict=True)):
            row.ids.append(token)
            row.score += gain
            if put is not None:
                put(token)
            if token in ends or len(row.ids) >= limits[row.source] or _stuck(row, options):
                score = row.score / (len(row.ids) - row.begun) ** options.length_penalty
                out[row.source].append(_written(row, score, token in ends))
            else:
                stay.append(i)
        if not stay:
            return out
        rows = [rows[i] for i in stay]
        writing.take(stay, stay)
        scores = writing.step([row.ids[-1] for row in rows])


def _changes(
    sources: Sequence[Sequence[int]] | None,
    beginnings: Sequence[Sequence[int]],
    limits: Sequence[int],
    options: GenerationConfig,
) -> list[Rule]:
    """What is done to scores before a token is chosen."""
    asked = rules(options, beginnings if sources is None else sources, limits)
    return [*asked, *(warpers(options) if options.do_sample else ())]


def _written(row: Row, score: float, ended: bool) -> Written:
    return Written(row.ids, row.begun, score, ended, loops(row.ids[row.begun :]))


def _stuck(row: Row, options: GenerationConfig) -> bool:
    """Whether a loop is to end here; looked for now and then."""
    return options.stop_loops and len(row.ids) % 8 == 0 and loops(row.ids[row.begun :])


def loops(ids: Sequence[int]) -> bool:
    """Whether the end of a sequence is the same few tokens again and again: "mar mar mar"."""
    tail = ids[-LOOP:]
    return len(tail) == LOOP and any(tail[period:] == tail[:-period] for period in range(1, PERIOD + 1))


@dataclass
class Source:
    """What beam search knows of one source: its best finished sequences so far, the best first."""

    number: int
    found: list[tuple[float, Row, bool]]  # score, sequence, whether it ended by itself

    def finish(self, tried: Sequence[tuple[Row, bool, bool]], length: int, options: GenerationConfig) -> None:
        """Those of the tried sequences that end, at this length, if they are good enough."""
        if options.early_stopping is True and len(self.found) == options.num_beams:
            return
        for row, done, ended in tried:
            if done:
                self.found.append((row.score / length**options.length_penalty, row, ended))
        self.found = sorted(self.found, key=lambda one: -one[0])[: options.num_beams]


def _beams(
    model: Writer,
    sources: Sequence[Sequence[int]] | None,
    beginnings: Sequence[Sequence[int]],
    limits: Sequence[int],
    options: GenerationConfig,
    put: Callable[[int], None] | None,
) -> list[list[Written]]:
    """The `num_beams` best sequences of each source side by side. A source leaves when none can get better."""
    changes = _changes(sources, beginnings, limits, options)
    random = torch.Generator().manual_seed(options.seed) if options.seed is not None else None
    ends, beams = set(options.ends), options.num_beams
    wide = max(2, 1 + len(ends)) * beams  # so many that one is left for each beam where the others end
    rows = [
        Row(list(ids), len(ids), i, GONE if beam else 0.0) for i, ids in enumerate(beginnings) for beam in range(beams)
    ]
    going = [Source(i, []) for i in range(len(beginnings))]
    out: list[list[Written]] = [[] for _ in beginnings]
    writing = Writing(model, sources, beginnings)
    scores = writing.start().repeat_interleave(beams, 0)
    writing.spread(beams)
    while True:
        total = _continued(scores, rows, changes, beams)  # (sources, beams · vocab)
        if options.do_sample:
            best = torch.multinomial(total.softmax(-1).clamp(min=1e-30), wide, generator=random)
            gains, vocab = total.gather(1, best), total.shape[1] // beams
        else:
            (gains, best), vocab = total.topk(min(wide, total.shape[1])), total.shape[1] // beams
        stay, parents, grown = [], [], []  # type: tuple[list[int], list[int], list[Row]]
        for s, (source, values, places) in enumerate(zip(going, gains.tolist(), best.tolist(), strict=True)):
            came = [s * beams + place // vocab for place in places]
            tried = []
            for i, place, value in zip(came, places, values, strict=True):
                row = Row([*rows[i].ids, place % vocab], rows[i].begun, source.number, value)
                ended = row.ids[-1] in ends
                tried.append((row, ended or len(row.ids) >= limits[source.number] or _stuck(row, options), ended))
            length = len(tried[0][0].ids) - tried[0][0].begun
            source.finish(tried[:beams], length, options)
            open_ = [i for i, (_, done, _) in enumerate(tried) if not done][:beams]
            if len(open_) == beams and _can_improve(source, tried[open_[0]][0].score, length, limits, options):
                stay.append(s)
                parents += [came[i] for i in open_]
                grown += [tried[i][0] for i in open_]
            else:
                kept = source.found[: options.num_return_sequences]
                out[source.number] = [_written(row, score, ended) for score, row, ended in kept]
        if not stay:
            return out
        going, rows = [going[s] for s in stay], grown
        writing.take(parents, stay)
        scores = writing.step([row.ids[-1] for row in rows])


def _continued(scores: Tensor, rows: list[Row], changes: list[Rule], beams: int) -> Tensor:
    """The sum of log-probabilities of each beam with each token behind it. (sources, beams · vocab)"""
    logs = scores.float().cpu().log_softmax(-1)  # (rows, vocab)
    for change in changes:
        change(logs, rows)
    logs += torch.tensor([row.score for row in rows])[:, None]
    return logs.view(-1, beams * logs.shape[1])


def _can_improve(source: Source, best: float, length: int, limits: Sequence[int], options: GenerationConfig) -> bool:
    """Whether what is open may still win a place among those that are found, by the reference's reckoning."""
    if len(source.found) < options.num_beams:
        return True
    if options.early_stopping is True:
        return False
    if options.early_stopping == "never" and options.length_penalty > 0:
        length = limits[source.number] - source.found[0][1].begun
    return best / length**options.length_penalty > source.found[-1][0]
