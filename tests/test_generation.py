"""Writing: token for token what the reference writes, and what it never computes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from generative import KINDS, make

from gatonegro import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from gatonegro.engine import kernels
from gatonegro.generation import GenerationConfig, write
from gatonegro.generation.writing import Writing
from gatonegro.models import LanguageModel

GOLDEN = json.loads((Path(__file__).parent / "golden" / "pipelines.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> dict[str, LanguageModel]:
    found = {}
    for kind in KINDS:
        folder = make(kind, tmp_path_factory.mktemp(kind))
        auto = AutoModelForCausalLM if kind == "gpt2" else AutoModelForSeq2SeqLM
        found[kind] = auto.from_pretrained(folder)
    return found


def asked(record) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(rows) for name, rows in GOLDEN["inputs"][record["kind"]][record["inputs"]].items()}


def until_end(ids: list[int], begun: int, ends: list[int]) -> list[int]:
    """Without what stands behind the end: the reference fills up beams with ends where the pad's id is 0."""
    stop = next((i for i, token in enumerate(ids) if i >= begun and token in ends), len(ids))
    return ids[: stop + 1]


@pytest.fixture(params=["the model itself", "its twin", "its twin without kernels"])
def writers(request, models, monkeypatch):
    """Of each kind, who writes."""
    if request.param == "its twin" and not kernels.available():
        pytest.skip("gatonegro-kernels is not installed, or not for this processor")
    if request.param == "its twin without kernels":
        monkeypatch.setattr(kernels, "available", lambda: False)
    return models if request.param == "the model itself" else {k: m.optimize("fp32") for k, m in models.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_scores_are_the_references(writers, kind):
    models, scored = writers, 0
    for record in (r for r in GOLDEN["generate"] if r["kind"] == kind):
        if kind == "gpt2" and record["inputs"] == 1 and record["kwargs"].get("repetition_penalty"):
            continue  # the reference's version 4 punishes pads as if they had been written, version 5 does not
        model, inputs = models[kind], asked(record)
        options = model.generation_config.with_options(record["kwargs"])
        begun = inputs["input_ids"].shape[1] if kind == "gpt2" else 1
        found = model.generate(**inputs, **record["kwargs"]).tolist()
        wanted = [until_end(ids, begun, options.ends) for ids in record["ids"]]
        assert [until_end(ids, begun, options.ends) for ids in found] == wanted, record
        if "scores" in record:
            rows = [ids[mask != 0].tolist() for ids, mask in zip(*inputs.values(), strict=True)]
            written = model.write(None, rows, options) if kind == "gpt2" else model.write(rows, options=options)
            scores = [one.score for some in written for one in some]
            assert scores == pytest.approx(record["scores"], rel=1e-4, abs=1e-4), record
            scored += 1
    assert scored > 20


def test_only_what_is_unfinished_is_computed(models):
    """A row a token that is written, in every part of the decoder, and never again; the encoder's once a text."""
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
            how = [GenerationConfig(max_new_tokens=n, num_beams=num_beams) for n in limits]
            alone = [model.write([text], options=one)[0][0].ids for text, one in zip(texts, how, strict=True)]
            rows.clear()
            starts = [[model.start_token()]] * 3
            asked = replace(how[0], max_new_tokens=None)
            together = write(model, texts, starts, [1 + n for n in limits], asked)
            assert [some[0].ids for some in together] == alone
            steps = [num_beams * sum(n > step for n in limits) for step in range(max(limits))]
            wanted = [3, *steps[1:]]  # rows of a source begin alike, and are computed once
            assert all(rows[name] == wanted for name in ("up", "query", "key", "cross", "head"))
            assert rows["memory"] == rows["read"] == [sum(map(len, texts))]
    finally:
        for hook in hooks:
            hook.remove()


def test_a_cache_forgets_who_has_left(models):
    """Long after the others have ended, nothing of them is kept."""
    model = models["gpt2"].optimize("fp32")
    writing = Writing(model, None, [[5, 6, 7]] * 8, copies=2)

    def choose(scores, first):
        return (scores.argmax(-1),)

    (tokens,) = writing.start(choose)
    alone = Writing(model, None, [[5, 6, 7]])
    (wanted,) = alone.start(choose)
    for step in range(12):
        left = max(1, 7 - step)
        writing.take(list(range(2 * left)), list(range(left)))
        (tokens,) = writing.step(tokens[: 2 * left].tolist(), choose)
        (wanted,) = alone.step(wanted.tolist(), choose)
        assert set(tokens.tolist()) == set(wanted.tolist())
        assert writing.count <= 4 * int(writing.lengths.sum())


def test_beams_that_are_drawn_are_drawn_of_all_words(models):
    """Not of the likeliest alone, whose sum is found by other means."""
    ids = torch.tensor([[5, 9, 20, 0]])
    how = {"num_beams": 2, "do_sample": True, "top_k": 0, "max_new_tokens": 1, "forced_eos_token_id": None}
    model = models["t5"]
    found = {model.generate(ids, **how, seed=seed)[0, 1].item() for seed in range(60)}
    assert len(found) > 8
