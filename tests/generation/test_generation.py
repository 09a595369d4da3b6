"""Tests of generation: the reference's tokens, and no redundant computation."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from small import ROOT
from small_checkpoints import KINDS, make

from gatonegro import AutoModel
from gatonegro.errors import CheckpointError, InputError, MissingHeadError, OptionError
from gatonegro.generation import Extras, GenerationOptions, generate, is_repeating
from gatonegro.generation.hypothesis import Hypothesis, finish
from gatonegro.generation.state import DecodingState
from gatonegro.models import LanguageModel
from gatonegro.operators import kernels

GOLDEN = json.loads((ROOT / "tests" / "golden" / "pipelines.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def models(parts) -> dict[str, LanguageModel]:
    return {kind: model for kind, (model, _) in parts.items()}


def asked(record) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(rows) for name, rows in GOLDEN["inputs"][record["kind"]][record["inputs"]].items()}


def until_end(ids: list[int], begun: int, ends: list[int]) -> list[int]:
    """Return ids up to the end token: the reference pads beams with it where the pad's id is 0."""
    stop = next((i for i, token in enumerate(ids) if i >= begun and token in ends), len(ids))
    return ids[: stop + 1]


@pytest.fixture(params=["the model itself", "its optimized copy", "its optimized copy without kernels"])
def writers(request, models, monkeypatch):
    """A small generative model of each kind, in its precision and engine."""
    if request.param == "its optimized copy" and not kernels.available():
        pytest.skip("gatonegro-kernels is not installed, or not for this processor")
    if request.param == "its optimized copy without kernels":
        monkeypatch.setattr(kernels, "available", lambda: False)
    return models if request.param == "the model itself" else {k: m.optimize("fp32") for k, m in models.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_scores_are_the_references(writers, kind):
    models, scored = writers, 0
    for record in (r for r in GOLDEN["generate"] if r["kind"] == kind):
        if kind == "gpt2" and record["inputs"] == 1 and record["kwargs"].get("repetition_penalty"):
            continue  # the reference's version 4 punishes pads as if they had been written, version 5 does not
        model, inputs = models[kind], asked(record)
        options = model.generation_config.resolve().with_options(record["kwargs"])
        begun = inputs["input_ids"].shape[1] if kind == "gpt2" else 1
        generated = model.generate(**inputs, **record["kwargs"]).tolist()
        expected = [until_end(ids, begun, options.eos_ids) for ids in record["ids"]]
        assert [until_end(ids, begun, options.eos_ids) for ids in generated] == expected, record
        if "scores" in record:
            rows = [ids[mask != 0].tolist() for ids, mask in zip(*inputs.values(), strict=True)]
            texts, prompts = (None, rows) if kind == "gpt2" else (rows, None)
            written = model.generate_ids(texts, prompts, options)
            scores = [text.score for texts_of_row in written for text in texts_of_row]
            assert scores == pytest.approx(record["scores"], rel=1e-4, abs=1e-4), record
            scored += 1
    assert scored > 20


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([5] * 8, True),
        ([1, 2, *[5] * 7], False),  # "ja ja ja"
        ([9, *[5, 6] * 8], True),
        ([5, 6] * 7, False),
        ([*range(12)] * 3, True),
        ([*range(12)] * 2, False),
        ([*range(8)] * 3, True),
        ([], False),
    ],
)
def test_loops(ids, expected):
    assert is_repeating(ids) is expected


def test_a_loop_that_ends_with_an_eos_token_is_a_loop():
    """A repetition is a loop if the model ends it with an eos token, and if the limit forces that token."""
    options = GenerationOptions(eos_token_id=1, forced_eos_token_id=1)
    row = Hypothesis([0, *[7] * 20, 1], 1, 0)
    assert finish(row, 0.0, True, 100, options).unfinished == "loop"
    assert finish(row, 0.0, True, 22, options).unfinished == "loop"
    assert finish(Hypothesis([0, 7, 8, 1], 1, 0), 0.0, True, 100, options).unfinished is None


def test_scores_may_leave_out_what_is_forbidden(models):
    """With `renormalize_logits`, the probabilities of the tokens that are not masked sum to 1, as in the reference."""
    model = models["marian"]
    never = [[i] for i in range(10, 100)]
    sums = {}
    for renormalize in (False, True):
        options = GenerationOptions(
            num_beams=2, num_return_sequences=2, max_new_tokens=1, eos_token_id=0, bad_words_ids=never,
            renormalize_logits=renormalize,
        )  # fmt: skip
        (generated,) = model.generate_ids([[5, 6, 0]], options=options)
        sums[renormalize] = [text.score for text in generated]
    lost = [b - a for a, b in zip(*sums.values(), strict=True)]
    assert lost[0] > 1e-4 and lost[0] == pytest.approx(lost[1], abs=1e-4)


@pytest.mark.parametrize("kind", ["marian", "gpt2"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bad_words_ids": [[10_000]]}, "bad_words_ids: there is no token 10000"),
        ({"forced_bos_token_id": 10_000}, "forced_bos_token_id"),
        ({"eos_token_id": [3, 10_000]}, "eos_token_id"),
        ({"suppress_tokens": [10_000]}, "suppress_tokens"),
        ({"length_penalty": 10**9}, "length_penalty must be a number from -100 to 100"),
        ({"temperature": float("inf"), "do_sample": True}, "temperature"),
        ({"num_beams": 10**6}, "num_beams must be a whole number from 1 to 1000"),
        ({"suppress_tokens": "all", "do_sample": True}, "no token is allowed next"),
        ({"suppress_tokens": "all", "num_beams": 1}, "no token is allowed next"),
        ({"suppress_tokens": "all", "num_beams": 2}, "no token is allowed next"),
    ],
)
def test_options_that_make_no_sense_are_refused(models, kind, options, message):
    model = models[kind]
    if options.get("suppress_tokens") == "all":
        options = options | {"suppress_tokens": list(range(model.config.vocab_size))}
    with pytest.raises(OptionError, match=message):
        model.generate(torch.tensor([[5, 6]]), max_new_tokens=4, **options)


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_must_match(models, beams):
    for model in (models["marian"], models["t5"].optimize("fp32")):
        ids = torch.tensor([[5, 6], [7, 8]])
        for rows in (1, 20):
            with pytest.raises(InputError, match=f"there are 2 source rows but {rows} decoder rows"):
                model.generate(ids, decoder_input_ids=torch.full((rows, 1), 2), num_beams=beams)
    with pytest.raises(InputError, match="2 source rows but 1"):
        models["marian"](ids, decoder_input_ids=ids[:1])
    with pytest.raises(InputError, match="continues input_ids"):
        models["gpt2"].generate(ids, decoder_input_ids=ids)


def test_numbers_that_are_none_are_no_text(models):
    model = copy.deepcopy(models["marian"])
    with torch.no_grad():
        model.decoder.layers[0].feed_forward.down.weight.fill_(3e38)
    for options in ({"num_beams": 1}, {"num_beams": 3}, {"do_sample": True}):
        with pytest.raises(CheckpointError, match="produced NaN"):
            model.generate(torch.tensor([[5, 6]]), max_new_tokens=4, **options)


def test_the_start_of_a_call_wins(models):
    model = models["marian"]
    ids = model.generate(torch.tensor([[5, 6]]), decoder_start_token_id=9, max_new_tokens=3)
    assert ids[0, 0] == 9
    assert model.generate(torch.tensor([[5, 6]], dtype=torch.int16), max_new_tokens=3).dtype == torch.int64
    assert model.generate(torch.zeros(0, 3, dtype=torch.long)).shape == (0, 0)


def test_a_model_without_a_head_does_not_write(tmp_path):
    for kind in ("marian", "gpt2"):
        model = AutoModel.from_pretrained(make(kind, tmp_path / kind))
        with pytest.raises(MissingHeadError, match="cannot generate"):
            model.generate(torch.tensor([[5, 6]]))


def test_only_what_is_unfinished_is_computed(models):
    """The decoder computes each generated token once, and no finished row; the encoder reads each text once."""
    model, beams = models["marian"], 3
    texts = [[5, 9, 20, 31, 7, 0], [8, 3, 0], [11, 12, 13, 14, 0]]
    layer, rows = model.decoder.layers[0], {}
    watched = {
        "up": layer.feed_forward.up,
        "query": layer.attention.query,
        "key": layer.attention.key,
        "cross": layer.cross_attention.query,
        "memory": layer.cross_attention.key,
        "read": model.encoder.layers[0].attention.query,
        "head": model.head,
    }
    hooks = [
        part.register_forward_hook(lambda _, args, __, name=name: rows.setdefault(name, []).append(len(args[0])))
        for name, part in watched.items()
    ]
    try:
        for num_beams in (1, beams):
            rows.clear()
            limits = (4, 9, 6)  # so many tokens, no more and no less
            how = [GenerationOptions(max_new_tokens=n, num_beams=num_beams) for n in limits]
            alone = [model.generate_ids([text], options=x)[0][0].ids for text, x in zip(texts, how, strict=True)]
            rows.clear()
            starts = [[model.start_token]] * 3
            options = replace(how[0], max_new_tokens=None)
            together = generate(model, texts, starts, [1 + n for n in limits], options, Extras())
            assert [generated[0].ids for generated in together] == alone
            steps = [num_beams * sum(n > step for n in limits) for step in range(max(limits))]
            expected = [3, *steps[1:]]  # rows of a source begin alike, and are computed once
            assert all(rows[name] == expected for name in ("up", "query", "key", "cross", "head"))
            assert rows["memory"] == rows["read"] == [sum(map(len, texts))]
    finally:
        for hook in hooks:
            hook.remove()


def test_a_cache_forgets_who_has_left(models):
    """The cache drops the keys and values of finished rows while the last row continues."""
    model = models["gpt2"].optimize("fp32")
    state = DecodingState(model, None, [[5, 6, 7]] * 8, num_beams=2)

    def choose(scores, first):
        return (scores.argmax(-1),)

    (tokens,) = state.prefill(choose)
    alone = DecodingState(model, None, [[5, 6, 7]])
    (expected,) = alone.prefill(choose)
    for step in range(12):
        left = max(1, 7 - step)
        state.select(list(range(2 * left)), list(range(left)))
        (tokens,) = state.step(tokens[: 2 * left].tolist(), choose)
        (expected,) = alone.step(expected.tolist(), choose)
        assert set(tokens.tolist()) == set(expected.tolist())
        assert state.num_cached <= 4 * int(state.lengths.sum())


def test_beams_that_are_drawn_are_drawn_of_all_words(models):
    """Sampled beams come from the whole vocabulary, not only from the likeliest tokens that the kernel returns."""
    ids = torch.tensor([[5, 9, 20, 0]])
    how = {"num_beams": 2, "do_sample": True, "top_k": 0, "max_new_tokens": 1, "forced_eos_token_id": None}
    model = models["t5"]
    drawn = {model.generate(ids, **how, seed=seed)[0, 1].item() for seed in range(60)}
    assert len(drawn) > 8
