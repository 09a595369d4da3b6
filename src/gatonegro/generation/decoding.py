"""`generate`: generates sequences by greedy search or sampling, with the same tokens as `transformers`.

https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gatonegro.generation.beam_search import BeamSearch
from gatonegro.generation.hypothesis import Generated, Hypothesis, finish, stops_repeating
from gatonegro.generation.logits import check_finite, logits_processors
from gatonegro.generation.options import GenerationConfig
from gatonegro.generation.state import DecodingState, GenerativeModel
from gatonegro.generation.topk import top_k


@torch.inference_mode()
def generate(
    model: GenerativeModel,
    sources: Sequence[Sequence[int]] | None,
    prompt_ids: Sequence[Sequence[int]],
    max_lengths: Sequence[int],
    options: GenerationConfig,
    on_token: Callable[[int], None] | None = None,
) -> list[list[Generated]]:
    """Generate `num_return_sequences` sequences for each source sequence, by greedy search, sampling or beam search.

    `sources` are the encoder's ids, None without an encoder; `prompt_ids` the decoder's first ids per source, and
    `max_lengths` count them. `on_token` is called with each token of a single sequence as it is chosen; not with beams.
    """
    if not prompt_ids:
        return []
    if options.num_beams > 1:
        return BeamSearch(model, sources, prompt_ids, max_lengths, options).run()
    repeated = [i for i in range(len(prompt_ids)) for _ in range(options.num_return_sequences)]
    hyps = [Hypothesis(list(prompt_ids[i]), len(prompt_ids[i]), i) for i in repeated]
    started, finished = hyps, {}  # type: tuple[list[Hypothesis], dict[int, Generated]]
    processors = logits_processors(options, prompt_ids if sources is None else sources, max_lengths)
    rng = torch.Generator().manual_seed(options.seed) if options.seed is not None else None
    eos_ids, out = set(options.eos_ids), [[] for _ in prompt_ids]  # type: tuple[set[int], list[list[Generated]]]
    state = DecodingState(model, None if sources is None else [sources[i] for i in repeated], [h.ids for h in hyps])

    def choose(logits: Tensor, first: int) -> tuple[Tensor, ...]:
        """Choose the next token of each sequence from its logits, and return the tokens and their log-probabilities."""
        processors.process(logits, hyps[first : first + len(logits)])
        if options.do_sample:
            logits = logits.cpu()
            check_finite(logits.amax(-1), logits)
            tokens = torch.multinomial(logits.softmax(-1), 1, generator=rng)
            return tokens[:, 0], logits.gather(1, tokens)[:, 0] - logits.logsumexp(-1)
        values, tokens, sums = top_k(logits, 1)
        check_finite(values[:, 0], logits)
        return tokens[:, 0], values[:, 0] - sums

    tokens, log_probs = state.prefill(choose)
    while True:
        running = []
        for i, (hyp, token, log_prob) in enumerate(zip(hyps, tokens.tolist(), log_probs.tolist(), strict=True)):
            hyp.ids.append(token)
            hyp.score += log_prob
            hyp.least = min(hyp.least, log_prob)
            if on_token is not None:
                on_token(token)
            max_length = max_lengths[hyp.source]
            if token in eos_ids or len(hyp.ids) >= max_length or stops_repeating(hyp, options):
                score = hyp.score / (len(hyp.ids) - hyp.prompt_length) ** options.length_penalty
                finished[id(hyp)] = finish(hyp, score, token in eos_ids, max_length, options)
            else:
                running.append(i)
        if not running:
            for hyp in started:  # those that ended first are not the first
                out[hyp.source].append(finished[id(hyp)])
            return out
        hyps = [hyps[i] for i in running]
        state.select(running, running)
        tokens, log_probs = state.step([hyp.ids[-1] for hyp in hyps], choose)
