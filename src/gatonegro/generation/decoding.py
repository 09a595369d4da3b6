"""`generate`: generates sequences by greedy search or sampling, with the same tokens as `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.generation.arrays import as_tensor, log_softmax, logsumexp, quiet, to_numpy
from gatonegro.generation.beam_search import BeamSearch
from gatonegro.generation.extras import Extras
from gatonegro.generation.hypothesis import Generated, Hypothesis, finish, stops_repeating
from gatonegro.generation.logits import LogitsProcessors, check_finite, logits_processors
from gatonegro.generation.options import GenerationOptions
from gatonegro.generation.state import DecodingState
from gatonegro.generation.topk import draw, random_generator, top_k
from gatonegro.packing import Array

if TYPE_CHECKING:
    from gatonegro.text_model import TextModel


def generate(
    model: TextModel,
    sources: Sequence[Sequence[int]] | None,
    prompt_ids: Sequence[Sequence[int]],
    max_lengths: Sequence[int],
    options: GenerationOptions,
    extras: Extras,
) -> list[list[Generated]]:
    """Generate `num_return_sequences` sequences for each source sequence, by greedy search, sampling or beam search.

    `sources` are the encoder's ids, None without an encoder; `prompt_ids` the decoder's first ids per source, and
    `max_lengths` count them.
    `extras` are the user's functions, and record the steps.
    """
    if not prompt_ids:
        return []
    extras.device = getattr(model, "device", "cpu")
    inputs = extras.sources or (prompt_ids if sources is None else sources)
    processors = logits_processors(options, inputs, max_lengths, extras.only(), extras.custom())
    rng = random_generator(options.seed) if options.do_sample else None
    with model.inference(), quiet():
        if options.num_beams > 1:
            return BeamSearch(model, sources, prompt_ids, max_lengths, options, extras, processors, rng).run()
        return _generate_singly(model, sources, prompt_ids, max_lengths, options, extras, processors, rng)


def _generate_singly(
    model: TextModel,
    sources: Sequence[Sequence[int]] | None,
    prompt_ids: Sequence[Sequence[int]],
    max_lengths: Sequence[int],
    options: GenerationOptions,
    extras: Extras,
    processors: LogitsProcessors,
    rng: Any,
) -> list[list[Generated]]:
    """Generate sequences by greedy search or sampling, each of them independent of the others."""
    repeated = [i for i in range(len(prompt_ids)) for _ in range(options.num_return_sequences)]
    started = [Hypothesis(list(prompt_ids[i]), len(prompt_ids[i]), i) for i in repeated]
    finished: dict[int, Generated] = {}  # by index in `started`
    live = list(range(len(started)))
    eos_ids, whole = set(options.eos_ids), extras.whole
    state = DecodingState(
        model, None if sources is None else [sources[i] for i in repeated], [h.ids for h in started], whole=whole
    )

    def choose(logits: Array, first: int) -> tuple[np.ndarray, ...]:
        """Choose the next token of each sequence from its logits, and return the tokens and their log-probabilities."""
        hyps = [started[i] for i in live[first : first + len(logits)]]
        if extras.records or options.do_sample or not processors.sparse:
            logits = to_numpy(logits)
        extras.read(hyps, logits)
        processors.process(logits, hyps)
        if extras.records and options.renormalize_logits:
            logits = log_softmax(logits)
        extras.record(logits)
        if options.do_sample:
            check_finite(logits.max(-1), logits)
            tokens = draw(logits, 1, rng, live, len(started))[:, 0]
            return tokens, logits[np.arange(len(logits)), tokens] - logsumexp(logits)
        values, tokens, sums = top_k(logits, 1)
        check_finite(values[:, 0], logits)
        return tokens[:, 0], values[:, 0] - sums

    tokens, log_probs = state.prefill(choose)
    while True:
        for i, token, log_prob in zip(live, tokens.tolist(), log_probs.tolist(), strict=True):
            hyp = started[i]
            if i in finished:
                hyp.ids = [*hyp.ids, options.fill_id]
                continue
            hyp.ids.append(token)
            hyp.score += log_prob
            hyp.least = min(hyp.least, log_prob)
        if extras.streamer is not None:
            extras.streamer.put(as_tensor(np.array([started[i].ids[-1] for i in live])))
        running = []
        for row, (i, stopped) in enumerate(zip(live, extras.stopped([started[i] for i in live]), strict=True)):
            hyp = started[i]
            max_length, ends = max_lengths[hyp.source], hyp.ids[-1] in eos_ids or stopped
            if i not in finished and (ends or len(hyp.ids) >= max_length or stops_repeating(hyp, options)):
                score = hyp.score / (len(hyp.ids) - hyp.prompt_length) ** options.length_penalty
                finished[i] = finish(hyp, score, ends, max_length, options)
            if i not in finished or whole:
                running.append(row)
        if len(finished) == len(started):
            out: list[list[Generated]] = [[] for _ in prompt_ids]
            for i, hyp in enumerate(started):
                out[hyp.source].append(finished[i])
            return out
        live = [live[row] for row in running]
        state.select(running, running)
        tokens, log_probs = state.step([started[i].ids[-1] for i in live], choose)
