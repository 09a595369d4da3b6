"""The search without torch: numpy's functions against PyTorch's, and a search where torch cannot be imported."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.generation import GenerationOptions, topk
from gatonegro.generation.arrays import log_softmax, logsumexp
from gatonegro.generation.logits import warpers
from gatonegro.generation.topk import draw, mask_out, top_k
from gatonegro.operators.plain import softmax

NOTHING = "import sys, gatonegro.packing, gatonegro.generation, gatonegro.text_model; print('torch' in sys.modules)"

SEARCH = """
import json, sys
if sys.argv[1] == "without":
    sys.modules["torch"] = None  # which no import finds
import numpy as np
from gatonegro.config import Config
from gatonegro.generation import GenerationOptions, TextStreamer
from gatonegro.text_model import TextModel

class Chain(TextModel):
    '''A decoder whose next token depends on the last one and its position.'''
    config = Config("gpt2", 30, 8, 1, 1, 8, decoder_only=True, max_position_embeddings=64)
    task_head, generation_config = "causal-lm", None
    table, places = np.random.default_rng(0).normal(size=(2, 64, 30)).astype(np.float32) * 2

    def new_caches(self):
        return []

    def decode(self, packed, memory, cross, kv_caches, layout):
        assert layout.query_lengths == packed.lengths and sum(layout.key_lengths) == len(layout.key_slots)
        return self.table[packed.ids] + self.places[packed.positions]

    def logits(self, x, packed):
        return x.copy()

class Names:
    def decode(self, ids, **options):
        return " ".join(map(str, ids)) + " "

out = []
for options in json.loads(sys.argv[2]):
    found = Chain().generate_ids(None, [[5, 6, 7], [8]], GenerationOptions(**options, eos_token_id=3, max_new_tokens=9))
    out.append([[one.ids for one in row] for row in found])
    if not options.get("do_sample"):
        out[-1].append([round(one.score, 4) for row in found for one in row])
from gatonegro.generation import Extras

def favour(ids, scores):
    scores[:, ids.shape[1]] += 50
    return scores

for beams in (1, 2):
    extras = Extras(processors=[favour], criteria=[lambda ids, scores: ids[:, -1] == 9], records=True)
    found = Chain().generate_ids(None, [[5, 6, 7]], GenerationOptions(num_beams=beams, max_new_tokens=20), extras)
    out.append([found[0][0].ids, len(extras.scores), list(extras.scores[-1].shape)])
Chain().generate_ids(None, [[5]], GenerationOptions(max_new_tokens=5), Extras(streamer=TextStreamer(Names())))
print(json.dumps(out))
"""

DETERMINISTIC = [
    {}, {"num_beams": 3, "num_return_sequences": 2}, {"num_beams": 2, "repetition_penalty": 1.4, "length_penalty": 0.5},
    {"no_repeat_ngram_size": 1, "num_beams": 2, "renormalize_logits": True}, {"bad_words_ids": [[4], [5, 6]]},
]  # fmt: skip

rows = st.tuples(st.integers(0, 4), st.integers(1, 60), st.integers(0, 10**6), st.booleans())


def made(count: int, n: int, seed: int, few: bool) -> torch.Tensor:
    """Return random logits, with `few` many equal ones."""
    logits = 3 * torch.randn(count, n, generator=torch.Generator().manual_seed(seed))
    return logits.round() if few else logits


def test_importing_the_search_imports_no_torch(python):
    output = python("-c", NOTHING)
    assert output.stdout.split() == [b"False"], output.stderr.decode()


def test_the_search_runs_where_torch_is_not_installed(python):
    cases = [*DETERMINISTIC, {"do_sample": True, "seed": 3, "top_p": 0.9, "temperature": 1.3}]
    cases += [cases[-1], {"do_sample": True, "seed": 3, "num_beams": 2, "min_p": 0.01}, {"do_sample": True}]
    found = []
    for way in ("with", "without"):
        output = python("-W", "error", "-c", SEARCH, way, json.dumps(cases))
        assert output.returncode == 0, output.stderr.decode()
        *streamed, answers = output.stdout.decode().splitlines()
        found.append((streamed, json.loads(answers)))
    (streamed, a), (same, b) = found
    fixed = len(DETERMINISTIC)
    assert streamed == same != [] and a[:fixed] == b[:fixed] and a[-2:] == b[-2:]
    assert b[fixed] == b[fixed + 1]  # a seed's draws
    assert a[-2] == [[5, 6, 7, *range(3, 10)], 7, [1, 30]]


@given(rows, st.integers(1, 70), st.data())
def test_top_k_of_arrays_is_that_of_tensors(sizes, k, data):
    logits = made(*sizes)
    ids = st.lists(st.integers(0, logits.shape[1] - 1), max_size=4)
    masked = [data.draw(ids) for _ in logits]
    ordered = logits.clone()
    mask_out(ordered, masked)
    ordered, order = ordered.sort(descending=True, stable=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk.kernels, "available", lambda: False)
        values, ids, sums = top_k(logits.clone().numpy(), k, masked)
        same = [torch.from_numpy(x) for x in top_k(logits.clone(), k, masked)]
    assert np.array_equal(values, ordered[:, :k]) and np.array_equal(ids, order[:, :k])
    assert torch.equal(same[0], ordered[:, :k])
    assert np.allclose(sums, logits.logsumexp(-1), atol=1e-5) and np.allclose(same[2], sums, atol=1e-5)


def torch_warped(name: str, value: float, least: int, logits: torch.Tensor) -> torch.Tensor:
    """Return logits as PyTorch warps them, by the formulas of `transformers`."""
    k = min(least, logits.shape[1])
    if name == "temperature":
        return logits / value
    if name == "top_k":
        kept = min(max(int(value), least), logits.shape[1])
        return logits.masked_fill(logits < logits.topk(kept).values[:, -1:], -torch.inf)
    if name == "min_p":
        removed = logits.softmax(-1) < value * logits.softmax(-1).amax(-1, keepdim=True)
        return logits.masked_fill(removed & (logits < logits.topk(k).values[:, -1:]), -torch.inf)
    if name == "top_p":
        ascending, order = logits.sort(dim=-1, stable=True)
        removed = ascending.softmax(-1).cumsum(-1) <= 1 - value
        removed[:, -least:] = False
    else:
        log_probs = logits.log_softmax(-1)
        entropy = -(log_probs * log_probs.exp()).nansum(-1, keepdim=True)
        distance, order = (-log_probs - entropy).abs().sort(dim=-1, stable=True)
        last = (log_probs.exp().gather(-1, order).cumsum(-1) < value).sum(1, keepdim=True)
        removed = distance > distance.gather(1, last.clamp(max=logits.shape[1] - 1))
        removed[:, :least] = False
    return logits.masked_fill(removed.scatter(1, order, removed), -torch.inf)


@given(
    rows,
    st.sampled_from([("temperature", 0.1, 3), ("top_k", 1, 70), ("top_p", 0.05, 0.99), ("min_p", 0.01, 0.9),
                     ("typical_p", 0.05, 0.99)]),
    st.floats(0, 1), st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_warpers_are_pytorchs(sizes, name, part, least, masked):
    """Where no token is at the limit; equal logits are all there or not, and which of them is chance."""
    count, n, seed, _ = sizes
    logits = made(count, n, seed, few=False)
    if masked:
        logits[:, ::3] = -torch.inf
        logits[:, -1] = 0.0
    option, low, high = name
    value = low + part * (high - low)
    value = int(value) if option == "top_k" else value
    (warp,) = warpers(GenerationOptions(**({"top_k": 0} | {option: value})), least)
    out = logits.clone().numpy()
    with np.errstate(invalid="ignore"):
        warp(out, [])
    expected = torch_warped(option, value, least, logits).numpy()
    infinite = np.isneginf(out) != np.isneginf(expected)
    assert not infinite.any() and np.allclose(out, expected, rtol=1e-6)


@given(rows)
def test_sums_and_probabilities_are_pytorchs(sizes):
    logits = made(*sizes)
    logits[:, 1:2] = -torch.inf
    x = logits.numpy()
    assert np.allclose(logsumexp(x), logits.logsumexp(-1), atol=1e-5) and np.allclose(softmax(x), logits.softmax(-1))
    assert np.allclose(log_softmax(x), logits.log_softmax(-1), atol=1e-5)
    assert logsumexp(np.array([[-np.inf, -np.inf], [np.inf, 0], [np.nan, 0]], np.float32)).tolist()[:2] == [
        -np.inf, np.inf,
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2])
def test_draws_have_their_probabilities_without_torch(count):
    scores = np.tile(np.log(np.array([0.5, 0.3, 0.2, 1e-9], np.float32)), (20_000, 1))
    drawn = draw(scores, count, np.random.default_rng(0), range(len(scores)), len(scores))
    assert drawn.shape == (len(scores), count) and (drawn < 3).all()
    shares = np.bincount(drawn[:, 0], minlength=4) / len(scores)
    assert np.allclose(shares, [0.5, 0.3, 0.2, 0], atol=0.02)
    if count == 2:  # of the others, once the first is gone
        second = np.bincount(drawn[drawn[:, 0] == 0, 1], minlength=3) / (drawn[:, 0] == 0).sum()
        assert np.allclose(second, [0, 0.6, 0.4], atol=0.02)
