"""Logits processors by their names in `transformers`, alone and in a call of `generate`."""

import copy
import pickle

import pytest
import torch
from transformers.generation import logits_process as reference

import gatonegro
from gatonegro.errors import OptionError
from gatonegro.generation import GenerationConfig
from gatonegro.generation.processors import CLASSES

IDS = torch.tensor([[5, 6, 7, 5, 6], [8, 9, 8, 9, 8]])
SOURCES = torch.tensor([[5, 6, 7, 11], [9, 8, 9, 12]])
ARGUMENTS = {
    "MinLengthLogitsProcessor": (6, 3),
    "MinNewTokensLengthLogitsProcessor": (2, 4, [3, 4]),
    "TemperatureLogitsWarper": (0.7,),
    "RepetitionPenaltyLogitsProcessor": (1.3, 2),
    "EncoderRepetitionPenaltyLogitsProcessor": (1.3, SOURCES),
    "TopPLogitsWarper": (0.8, -50.0, 2),
    "TopKLogitsWarper": (7,),
    "TopHLogitsWarper": (0.4,),
    "MinPLogitsWarper": (0.1,),
    "TypicalLogitsWarper": (0.5, -9.0, 3),
    "EpsilonLogitsWarper": (0.02,),
    "EtaLogitsWarper": (0.03,),
    "NoRepeatNGramLogitsProcessor": (2,),
    "EncoderNoRepeatNGramLogitsProcessor": (2, SOURCES),
    "SequenceBiasLogitsProcessor": ([[[10], 2.0], [[6, 12], -3.0], [[9, 8, 13], 5.0]],),
    "NoBadWordsLogitsProcessor": ([[10], [6, 12]], 3),
    "PrefixConstrainedLogitsProcessor": (lambda i, ids: [int(i) + 1, int(ids[-1])], 1),
    "ForcedBOSTokenLogitsProcessor": (4,),
    "ForcedEOSTokenLogitsProcessor": (6, 4),
    "InfNanRemoveLogitsProcessor": (),
    "ExponentialDecayLengthPenalty": ((1, 1.4), 3, 2),
    "LogitNormalization": (),
    "SuppressTokensAtBeginLogitsProcessor": ([4, 5], 5),
    "SuppressTokensLogitsProcessor": ([4, 5],),
}


@pytest.mark.parametrize("name", CLASSES)
def test_scores_are_the_references(name):
    scores = torch.randn(2, 30, generator=torch.Generator().manual_seed(0)) * 2
    if name == "InfNanRemoveLogitsProcessor":
        scores[0, 3:6] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    before = scores.clone()
    ours = getattr(gatonegro, name)(*ARGUMENTS[name])
    theirs = getattr(reference, name)(*ARGUMENTS[name])
    ids = IDS[:, :1] if name == "ForcedBOSTokenLogitsProcessor" else IDS
    assert torch.allclose(ours(ids, scores), theirs(ids, scores.clone()), atol=1e-6)
    assert torch.equal(torch.nan_to_num(scores), torch.nan_to_num(before))
    if name != "PrefixConstrainedLogitsProcessor":
        assert torch.equal(copy.deepcopy(ours)(ids, scores), pickle.loads(pickle.dumps(ours))(ids, scores))


def test_arguments_are_checked_and_named():
    warper = gatonegro.TopKLogitsWarper(top_k=5)
    assert warper.top_k == 5 and warper.min_tokens_to_keep == 1 and isinstance(warper, gatonegro.LogitsProcessor)
    with pytest.raises(TypeError):
        gatonegro.TopKLogitsWarper()
    with pytest.raises(OptionError, match="temperature must be"):
        gatonegro.TemperatureLogitsWarper(-1.0)
    with pytest.raises(ImportError):
        from gatonegro import OddLogitsProcessor  # noqa: F401


@pytest.mark.parametrize("kind", ["t5", "gpt2"])
def test_a_processor_is_an_option(parts, kind):
    """A processor given to `generate` has the effect of its option, in its place."""
    model, ids = parts[kind][0], torch.tensor([[5, 6, 7], [9, 5, 8]])
    processors = gatonegro.LogitsProcessorList([gatonegro.NoRepeatNGramLogitsProcessor(2)])
    expected = model.generate(ids, max_new_tokens=9, no_repeat_ngram_size=2)
    assert torch.equal(model.generate(ids, max_new_tokens=9, logits_processor=processors), expected)
    both = model.generate(ids, max_new_tokens=9, logits_processor=processors, no_repeat_ngram_size=1)
    assert torch.equal(both, expected)


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("kind", ["t5", "gpt2"])
def test_functions_of_the_user_see_padded_batches(parts, kind, beams):
    model, seen = parts[kind][0], []

    def favour(ids, scores):
        seen.append((tuple(ids.shape), tuple(scores.shape)))
        scores[:, 11] += 100
        return scores

    ids, mask = torch.tensor([[0, 0, 5], [9, 5, 8]]), torch.tensor([[0, 0, 1], [1, 1, 1]])
    out = model.generate(ids, attention_mask=mask, max_new_tokens=3, num_beams=beams, logits_processor=[favour])
    assert (out[:, -2:] == 11).all()
    width = 3 if kind == "gpt2" else 1
    assert seen == [((2 * beams, width + i), (2 * beams, model.config.vocab_size)) for i in range(3)]
    with pytest.raises(OptionError, match="return the scores"):
        model.generate(ids, attention_mask=mask, logits_processor=[lambda ids, scores: None])
    allowed = model.generate(
        ids, attention_mask=mask, max_new_tokens=3, num_beams=beams,
        prefix_allowed_tokens_fn=lambda row, ids: [20 + row, 22 + len(ids)],
    )  # fmt: skip
    for row, new in enumerate(allowed[:, width:].tolist()):
        assert all(token in (20 + row, 22 + width + i) for i, token in enumerate(new))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"penalty_alpha": 0.6}, "penalty_alpha=0.6 is not supported: text is generated by greedy search"),
        ({"assistant_model": "m"}, "assistant_model='m' is not supported: leave it out"),
        ({"dola_layers": "low"}, "num_beams= or do_sample=True"),
        ({"force_words_ids": [[5]]}, "use prefix_allowed_tokens_fn="),
        ({"guidance_scale": 2.0}, "logits_processor= of your own"),
        ({"negative_prompt_ids": torch.ones(1, 1)}, "runs the model on the other prompt"),
        ({"past_key_values": ()}, "pass input_ids="),
        ({"sequence_bias": [[[9999], 1.0]]}, "sequence_bias: there is no token 9999"),
        ({"generation_config": {"num_beams": 2}}, "pass a GenerationConfig"),
        ({"stop_strings": "x"}, "pass tokenizer="),
    ],
)
def test_the_rest_is_refused_with_what_to_use(parts, option, message):
    with pytest.raises(OptionError, match=message):
        parts["t5"][0].generate(torch.tensor([[5, 6]]), **option)


def test_the_configuration_of_a_call_comes_before_the_models(parts):
    model, ids = parts["bart"][0], torch.tensor([[5, 6, 7]])
    config = GenerationConfig(num_beams=1, max_new_tokens=4, min_length=0)
    expected = model.generate(ids, num_beams=1, max_new_tokens=4, min_length=0)
    assert torch.equal(model.generate(inputs=ids, generation_config=config), expected)
    assert model.generate(ids, config, max_new_tokens=2).shape == (1, 3)
    assert parts["gpt2"][0].generate(max_new_tokens=2).shape == (1, 3)
