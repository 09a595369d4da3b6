"""`GenerationConfig` has the options of transformers', and goes through files in both directions."""

import copy
import pickle

import pytest
import torch
import transformers as hf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import generator

import gatonegro
from gatonegro import AutoConfig, AutoModelForSeq2SeqLM, GenerationConfig
from gatonegro.errors import ConfigError, OptionError
from gatonegro.generation.config import METADATA, NAMES

OWN = {"seed", "stop_loops", "forced_decoder_ids", "return_legacy_cache"}  # the last two are of transformers 4
# what belongs to its hub and to the inside of its generation
UNUSED = {"extra_output_flags", "dict_dtype_to_str", "push_to_hub", "get_generation_mode"} | METADATA
KINDS = ["BartConfig", "MarianConfig", "T5Config", "MT5Config", "GPT2Config"]
SMALL = {
    "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "decoder_attention_heads": 2, "d_kv": 4,
    "num_decoder_layers": 1, "decoder_layers": 1, "vocab_size": 60, "pad_token_id": 1, "decoder_start_token_id": 1,
    "eos_token_id": 2, "bos_token_id": 0, "forced_eos_token_id": 2,
}  # fmt: skip


def set_options(config):
    values = config.to_dict().items()
    return {name: value for name, value in values if value is not None and name not in METADATA}


def test_options_are_those_of_transformers():
    ours, theirs = GenerationConfig(), hf.GenerationConfig()
    assert {*NAMES} - OWN == {*theirs.to_dict()} - METADATA
    for name in dir(theirs):
        if not name.startswith("_") and name not in UNUSED:
            assert hasattr(ours, name), name
            assert callable(getattr(theirs, name)) or getattr(ours, name) is getattr(theirs, name) is None


@pytest.mark.parametrize("name", KINDS)
def test_a_models_options_are_those_of_transformers(name, tmp_path):
    kind = "AutoModelForCausalLM" if name.startswith("GPT2") else "AutoModelForSeq2SeqLM"
    models = [getattr(lib, kind).from_config(getattr(lib, name)(**SMALL)) for lib in (gatonegro, hf)]
    for _ in range(2):
        ours, theirs = (model.generation_config for model in models)
        assert set_options(ours) == set_options(theirs)
        for config in (ours, theirs):
            config.update(num_beams=2, length_penalty=0.5)
            config.max_new_tokens = 7
        models[0].save_pretrained(tmp_path)
        models = [getattr(lib, kind).from_pretrained(tmp_path) for lib in (gatonegro, hf)]
    assert models[0].generation_config == GenerationConfig.from_pretrained(tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    options=st.fixed_dictionaries({}, optional={
        "max_length": st.integers(1, 99), "num_beams": st.integers(1, 9), "temperature": st.floats(0.1, 9),
        "eos_token_id": st.integers(0, 9) | st.lists(st.integers(0, 9), min_size=1), "do_sample": st.booleans(),
        "bad_words_ids": st.lists(st.lists(st.integers(0, 9), min_size=1), min_size=1), "top_p": st.floats(0.1, 1),
        "early_stopping": st.sampled_from([True, False, "never"]), "novel": st.text(),
    }),
)  # fmt: skip
def test_values_come_back_from_files(tmp_path, options):
    ours = GenerationConfig(**options)
    ours.save_pretrained(tmp_path)
    theirs = hf.GenerationConfig.from_pretrained(tmp_path)
    assert set_options(theirs) == set_options(ours) == options
    assert GenerationConfig.from_pretrained(tmp_path) == ours == GenerationConfig.from_dict(ours.to_dict())
    assert pickle.loads(pickle.dumps(ours)) == copy.deepcopy(ours) == ours
    theirs.save_pretrained(tmp_path, "other.json")
    assert GenerationConfig.from_pretrained(tmp_path, "other.json") == ours
    resolved = ours.resolve()
    assert all(getattr(resolved, name) == value for name, value in options.items() if name != "novel")


def test_update_sets_what_is_known_and_returns_the_rest():
    for config in (GenerationConfig(num_beams=2), hf.GenerationConfig(num_beams=2)):
        assert config.update(num_beams=3, novel=1) == {"novel": 1}
        assert config.num_beams == 3


def test_a_changed_option_holds_in_generation():
    model = generator("t5")
    ids = torch.tensor([[5, 6, 7, 1]])
    model.generation_config.max_new_tokens = 3
    model.generation_config.eos_token_id = None
    assert model.generate(ids).shape == (1, 4)
    assert model.generate(ids, max_new_tokens=5).shape == (1, 6)
    model.generation_config.num_return_sequences = 2
    with pytest.raises(OptionError, match="num_beams"):
        model.generate(ids)
    model.generation_config.num_beams = 2
    assert model.generate(ids).shape == (2, 4)
    assert generator("t5").generation_config.num_beams is None  # another model's stays


def test_an_option_that_is_not_supported_is_refused_where_it_would_have_an_effect(tmp_path):
    config = GenerationConfig(penalty_alpha=0.6)
    model = generator("t5")
    model.generation_config = config
    for action in (config.validate, lambda: config.save_pretrained(tmp_path), lambda: model.generate(torch.ones(1, 2))):
        with pytest.raises(OptionError, match="penalty_alpha"):
            action()
    with pytest.raises(OptionError, match="num_beams"):
        config.num_beams = "many"
    with pytest.raises(ConfigError, match=r"GenerationConfig\.from_model_config"):
        GenerationConfig.from_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"top_k": -1}')
    with pytest.raises(ConfigError, match=r"generation_config\.json: top_k"):
        GenerationConfig.from_pretrained(tmp_path)


IDLE = {
    "cache_implementation": ("dynamic", "static"), "num_assistant_tokens": (1, 5), "assistant_lookbehind": (1, 5),
    "num_assistant_tokens_schedule": ("constant", "heuristic"), "assistant_confidence_threshold": (0.1, 0.9),
    "target_lookbehind": (1, 5), "assistant_ensemble_weight": (0.1, 0.9), "max_matching_ngram_size": (1, 3),
    "disable_compile": (True, False), "prefill_chunk_size": (None, 2), "use_cache": (True, False),
    "low_memory": (False, None), "token_healing": (False, None),
}  # fmt: skip


@pytest.mark.parametrize("name", IDLE)
def test_options_without_effect_have_none_in_transformers(name, tmp_path):
    torch.manual_seed(0)
    theirs = hf.BartForConditionalGeneration(hf.BartConfig(**SMALL, encoder_layers=1)).eval()
    theirs.save_pretrained(tmp_path)
    ours = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    ids = torch.tensor([[5, 6, 7, 2], [8, 9, 2, 1]])
    expected = ours.generate(ids, attention_mask=(ids != 1).long(), max_new_tokens=6)
    for value in IDLE[name]:
        options = {"max_new_tokens": 6, name: value}
        for model in (ours, theirs):
            assert torch.equal(model.generate(ids, attention_mask=(ids != 1).long(), **options), expected)


def test_a_models_options_can_be_passed_and_come_from_a_subfolder(tmp_path):
    options = GenerationConfig(num_beams=2, max_new_tokens=3)
    generator("t5").save_pretrained(tmp_path / "model")
    options.save_pretrained(tmp_path / "model")
    assert GenerationConfig.from_pretrained(tmp_path, subfolder="model", top_k=7).num_beams == 2
    assert AutoConfig.from_pretrained(tmp_path, subfolder="model").model_type == "t5"
    other = GenerationConfig(max_new_tokens=5)
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, subfolder="model", generation_config=other)
    assert model.generation_config == other and model.generation_config is not other
    assert AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model").generation_config.num_beams == 2
