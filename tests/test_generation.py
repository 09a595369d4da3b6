"""Writing: token for token what the reference writes, and what it never computes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from generative import KINDS, make

from gatonegro import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from gatonegro.errors import InputError, OptionError
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


@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_scores_are_the_references(models, kind):
    scored = 0
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
