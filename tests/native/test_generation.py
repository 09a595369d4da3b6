"""Both backends generate the same tokens, with the compiled kernels and without them."""

import pytest
from small import GENERATORS, generator, native, random_ids

from gatonegro.generation import GenerationConfig

pytestmark = pytest.mark.usefixtures("operators")

SOURCES = random_ids([30, 12, 12, 5, 1])
PROMPTS = random_ids([3, 1, 6, 2, 6], seed=1)
ENDS = [5, 17, 60, 3, 90, 91, 92, 93, 94]  # several ends, so that some texts end early
SETTINGS = {
    "greedy": {},
    "beams": {"num_beams": 4},
    "several of the beams": {"num_beams": 3, "num_return_sequences": 3, "length_penalty": 0.5, "early_stopping": True},
    "groups of words": {"num_beams": 2, "no_repeat_ngram_size": 2, "bad_words_ids": [[7], [8, 9]]},
    "penalties": {"repetition_penalty": 1.3, "min_new_tokens": 5, "encoder_repetition_penalty": 1.2},
    "penalties in beams": {"num_beams": 3, "repetition_penalty": 1.3, "suppress_tokens": [11, 12], "min_length": 9},
}


@pytest.mark.parametrize("prompted", [True, False])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", GENERATORS)
def test_the_same_tokens(kind, setting, prompted):
    if kind == "gpt2" and not prompted:
        pytest.skip("a decoder alone needs a prompt")
    values = dict(SETTINGS[setting])
    if kind == "gpt2":
        values.pop("encoder_repetition_penalty", None)
    source = generator(kind)
    options = GenerationConfig(**values, max_new_tokens=12, eos_token_id=ENDS)
    sources = None if kind == "gpt2" else SOURCES
    expected, actual = (
        model.generate_ids(sources, PROMPTS if prompted else None, options) for model in (source, native(source))
    )
    assert len(actual) == len(SOURCES) and len(actual[0]) == values.get("num_return_sequences", 1)
    for theirs, ours in zip(expected, actual, strict=True):
        assert [text.ids for text in ours] == [text.ids for text in theirs]
        assert [text.score for text in ours] == pytest.approx([text.score for text in theirs], abs=1e-5, rel=1e-5)


def test_the_same_draws():
    """With PyTorch, its generator draws for both backends."""
    source = generator("marian")
    options = GenerationConfig(do_sample=True, seed=3, top_k=20, top_p=0.9, temperature=0.8, max_new_tokens=12)
    expected, actual = (model.generate_ids(SOURCES, None, options) for model in (source, native(source)))
    assert [text.ids for texts in actual for text in texts] == [text.ids for texts in expected for text in texts]


def test_no_sources():
    for model in (generator("bart"), native(generator("bart"))):
        assert model.generate_ids([], None, GenerationConfig(max_new_tokens=3)) == []
