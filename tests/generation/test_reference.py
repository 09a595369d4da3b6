"""Options, outputs and functions of the user give what `transformers` gives, token for token."""

import warnings

import pytest
import torch
import transformers
from small_checkpoints import KINDS

import gatonegro
from gatonegro.generation import OUTPUT_OPTIONS

EVERYTHING = dict.fromkeys(OUTPUT_OPTIONS, True)
SAMPLED = {"do_sample": True, "num_beams": 1, "top_k": 0}
CASES = [
    {"num_beams": 1},
    {"num_beams": 3, "num_return_sequences": 2},
    {"num_beams": 2, "early_stopping": True, "length_penalty": 0.3},
    {"num_beams": 2, "renormalize_logits": True, "no_repeat_ngram_size": 2},
    {"num_beams": 1, "do_sample": True, "num_return_sequences": 3, "temperature": 1.5},
    {**SAMPLED, "min_p": 0.05},
    {**SAMPLED, "typical_p": 0.6},
    {"num_beams": 2, "do_sample": True, "forced_bos_token_id": None, "top_p": 0.9},
    {"encoder_repetition_penalty": 1.5, "repetition_penalty": 1.7},
    {"sequence_bias": [[[5], 3.0], [[7, 8], 4.0]], "remove_invalid_values": True},
    {"exponential_decay_length_penalty": (2, 1.5), "num_beams": 2},
    {"begin_suppress_tokens": [5, 6], "suppress_tokens": [9], "min_new_tokens": 5, "num_beams": 1},
]


@pytest.fixture(scope="module")
def pairs(folders):
    """Return a model of the reference and ours, and padded inputs, for each kind."""
    out = {}
    for kind, folder in folders.items():
        name = "AutoModelForCausalLM" if kind == "gpt2" else "AutoModelForSeq2SeqLM"
        theirs = getattr(transformers, name).from_pretrained(folder, attn_implementation="eager").eval()
        ours = getattr(gatonegro, name).from_pretrained(folder)
        ids = torch.randint(5, 90, (2, 9), generator=torch.Generator().manual_seed(3))
        mask = torch.ones_like(ids)
        mask[0, :4] = 0
        if kind != "gpt2":
            ids, mask = ids.flip(1), mask.flip(1)
        ids[mask == 0] = theirs.config.pad_token_id or 0
        out[kind] = theirs, ours, {"input_ids": ids, "attention_mask": mask}
    return out


def generated(model, inputs, **options):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(**inputs, max_new_tokens=12, **options)


def compare(name, theirs, ours, rows=slice(None)):
    """Compare two values of an output, of the given rows."""
    if isinstance(theirs, tuple):
        assert len(theirs) == len(ours), name
        for a, b in zip(theirs, ours, strict=True):
            compare(name, a, b, rows)
        return
    assert theirs.shape == ours.shape and theirs.dtype == ours.dtype, name
    assert torch.allclose(theirs[rows], ours[rows], rtol=1e-4, atol=1e-3), name


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case))
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_the_references(pairs, kind, case):
    theirs, ours, inputs = pairs[kind]
    expected, out = (generated(model, inputs, **case, **EVERYTHING) for model in (theirs, ours))
    assert torch.equal(generated(ours, inputs, **case), out.sequences)
    assert (type(out).__name__, list(out)) == (type(expected).__name__, list(expected))
    unreachable = kind == "bart" and case.get("do_sample") and case["num_beams"] == 2  # beams beside the forced token
    for name in ("sequences",) if unreachable else out.keys() - {"past_key_values"}:
        first, states = out[name][0], "states" in name or "attentions" in name
        rows = slice(None)  # of states, those without padding, for which ours are zeros
        if states:
            rows = slice(len(first if isinstance(first, torch.Tensor) else first[0]) // 2, None)
        compare(name, expected[name], out[name], rows)
    assert out.past_key_values.get_seq_length() == expected.past_key_values.get_seq_length()
    if unreachable:
        return
    beams = out.get("beam_indices")
    scores = [
        model.compute_transition_scores(x.sequences, x.scores, beams, normalize_logits=True)
        for model, x in ((theirs, expected), (ours, out))
    ]
    assert torch.allclose(torch.nan_to_num(scores[0]), torch.nan_to_num(scores[1]), atol=1e-3)
