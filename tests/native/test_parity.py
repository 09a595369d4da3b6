"""Models in numpy agree with PyTorch's: every family, head and option, with the compiled kernels and without them."""

import numpy as np
import pytest
import torch
from small import ENCODERS, GATED, GENERATORS, generator, model, native, random_ids, wide_model

from gatonegro.errors import InputError, MissingHeadError
from gatonegro.families import FAMILIES
from gatonegro.nn.encoder import ACTIVATIONS
from gatonegro.packing import Layout, Packed, pack
from gatonegro.padding import from_padded

pytestmark = pytest.mark.usefixtures("operators")

RAGGED = random_ids([60, 31, 31, 7, 1, 64])
TARGETS = random_ids([9, 9, 1, 20, 2, 40], seed=1)
ENCODER_HEADS = [(family, head) for family in ENCODERS for head in FAMILIES[family].heads]
ENCODER_HEADS.append(("bert", "none"))
OPTIONS = [
    {"type_vocab_size": 0}, {"pre_norm": True}, {"pre_norm": True, "final_norm": True}, {"bias": False},
    {"norm": "rms"}, {"norm": "rms", "bias": False, "pre_norm": True}, {"is_gated_act": True, "hidden_act": "silu"},
    {"embedding_norm": False}, {"scale_embedding": True}, {"position_embedding": "sinusoid"}, {"d_kv": 16},
    {"attention_scale": 1.0}, {"layer_norm_eps": 0.1}, {"num_hidden_layers": 1}, {"classifier_act": "relu"},
    {"num_attention_heads": 4}, {"intermediate_size": 33}, {"hidden_size": 36}, {"intermediate_size": None},
    {"position_embedding": "none", "relative_attention_num_buckets": 12, "relative_attention_max_distance": 20},
    {"id2label": {0: "one"}}, {"per_layer": ({"num_attention_heads": 6}, {"hidden_act": "relu"}, {"pre_norm": True})},
]  # fmt: skip
GENERATOR_OPTIONS = [
    ("marian", {"scale_embedding": False, "activation_function": "gelu"}), ("bart", {"scale_embedding": True}),
    ("bart", {"encoder_layers": 1, "decoder_layers": 1}), ("t5", {"relative_attention_num_buckets": 6}),
    ("t5", {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 9}), ("t5", {"d_kv": 24}),
    ("t5", {"tie_word_embeddings": False}), ("t5", {"feed_forward_proj": "gated-silu"}), ("mt5", GATED),
    ("mt5", {"tie_word_embeddings": True}), ("gpt2", {"n_inner": 50, "activation_function": "relu"}),
    ("gpt2", {"n_head": 4}),
]  # fmt: skip


def assert_close(actual, expected, bound: float = 1e-5):
    """Fail unless arrays differ by less than a share of the largest number."""
    assert [a.shape for a in actual] == [e.shape for e in expected]
    assert all(a.dtype == np.float32 for a in actual)
    size = max(1, *(np.abs(e).max(initial=0) for e in expected))
    assert max(np.abs(a - e).max(initial=0) for a, e in zip(actual, expected, strict=True)) <= bound * size


def bound_of(model) -> float:
    """Return the bound of errors: gates multiply two numbers that err, in either backend as much against fp64."""
    return 3e-5 if model.config.is_gated_act else 1e-5


@pytest.mark.parametrize(("family", "head"), ENCODER_HEADS)
def test_encoders(family, head):
    source = wide_model(family, head)
    twin = native(source)
    for ids in (RAGGED, RAGGED[3:4], [[7]], []):
        if ids:
            assert_close(twin.predict(ids), source.predict(ids))
            assert_close(twin.embed(ids), source.embed(ids))
        else:
            assert twin.predict(ids) == source.predict(ids) == twin.embed(ids) == []


@pytest.mark.parametrize("head", ["sequence-classification", "token-classification", "masked-lm"])
@pytest.mark.parametrize("values", OPTIONS, ids=str)
def test_encoders_with_odd_options(values, head):
    source = wide_model("bert", head, **values)
    assert_close(native(source).predict(RAGGED), source.predict(RAGGED))


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_encoders_of_every_activation(act):
    source = wide_model("bert", "masked-lm", hidden_act=act, classifier_act=act)
    assert_close(native(source).predict(RAGGED), source.predict(RAGGED))


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("head", [None, "none"])
def test_generators(kind, head):
    source = generator(kind, head)
    assert_close(native(source).predict(RAGGED), source.predict(RAGGED), bound_of(source))
    assert_close(native(source).embed(RAGGED), source.embed(RAGGED), bound_of(source))


@pytest.mark.parametrize(("kind", "values"), GENERATOR_OPTIONS, ids=str)
def test_generators_with_odd_options(kind, values):
    source = generator(kind, **values)
    assert_close(native(source).predict(RAGGED), source.predict(RAGGED), bound_of(source))
    if kind != "gpt2":
        assert_close(native(source).token_log_probs(RAGGED, TARGETS), source.token_log_probs(RAGGED, TARGETS))


def test_an_encoder_decoder_that_classifies():
    source = generator("bart", "sequence-classification")
    assert_close(native(source).predict(RAGGED), source.predict(RAGGED))


@pytest.mark.parametrize("kind", [kind for kind in GENERATORS if kind != "gpt2"])
def test_log_probabilities_and_cross_attention(kind):
    source = generator(kind)
    twin = native(source)
    assert_close(twin.token_log_probs(RAGGED, TARGETS), source.token_log_probs(RAGGED, TARGETS))
    assert twin.token_log_probs([], []) == []
    for ids, target in ((RAGGED[0], TARGETS[0]), (RAGGED[4], TARGETS[2])):
        assert_close([twin.cross_attention(ids, target)], [source.cross_attention(ids, target)])


def test_token_types_and_queried_tokens():
    types = [(np.arange(len(ids)) % 2).tolist() for ids in RAGGED]
    source = wide_model("bert", "token-classification")
    twin = native(source)
    plain, typed = twin.predict(RAGGED), twin.predict(RAGGED, token_types=types)
    assert np.abs(plain[0] - typed[0]).max() > 1e-3
    assert_close(typed, source.predict(RAGGED, token_types=types))
    queried = [[3, 0, 3], [], [30], [6], [0], [63, 1]]
    for name in ("predict", "embed"):
        expected = getattr(source, name)(RAGGED, token_types=types, queried=queried)
        assert_close(getattr(twin, name)(RAGGED, token_types=types, queried=queried, pad_to_multiple_of=8), expected)


@pytest.mark.parametrize(("family", "kind"), [*((family, None) for family in ENCODERS), ("gpt2", "gpt2"), (None, "t5")])
def test_masks_positions_and_query_only_tokens(family, kind):
    """Batches that only PyTorch's padded interface makes: with holes, padding on the left, and other positions."""
    source = generator(kind, "none") if kind else wide_model(family, "none")
    twin, random = native(source), torch.Generator().manual_seed(0)
    ids = torch.tensor(random_ids([20] * 5))
    mask = torch.tensor([[1] * 20, [0] * 7 + [1] * 13, [1] * 9 + [0] * 11, [0] + [1, 0] * 9 + [1], [0] * 20])
    positions = torch.randint(2, 60, (5, 20), generator=random)
    for first in (False, True):
        for places in (None, positions):
            packed, _ = from_padded(source.config, ids, mask, None, places, keep_first=first)
            assert (packed.is_key is not None) == first
            arrays = {name: x.numpy() if isinstance(x, torch.Tensor) else x for name, x in vars(packed).items()}
            with torch.no_grad():
                encode = source.decode if kind == "gpt2" else source.encode
                expected = encode(packed).numpy()
            fields = ("ids", "positions", "lengths", "token_types", "embeds", "is_key")
            assert_close([twin.encode(Packed(**{name: arrays[name] for name in fields}))], [expected])


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_cache_gives_what_the_whole_text_gives(kind):
    """Tokens in two parts, the second of which finds the first in the cache, in another order."""
    twin = native(generator(kind))
    config = twin.config.decoder or twin.config
    memory, cross = None, None
    if twin.config.decoder is not None:
        sources = pack(RAGGED[:2], twin.config)
        memory, lengths = twin.project_memory(twin.encode(sources)), sources.lengths
        cross = Layout((9, 9), lengths)
    whole = twin.decode(pack(TARGETS[:2], config), memory, cross)
    caches = twin.new_caches()
    parts = [pack([ids[a:b] for ids in TARGETS[:2]], config) for a, b in ((0, 5), (5, 9))]
    first = twin.decode(parts[0], memory, cross and Layout((5, 5), cross.key_lengths), caches)
    slots = np.array([*range(5), *range(10, 14), *range(5, 10), *range(14, 18)], np.int32)
    later = Packed(parts[1].ids, parts[1].positions + (0 if kind.startswith(("t5", "mt5")) else 5), (4, 4))
    layout = Layout((4, 4), (9, 9), key_slots=slots)
    second = twin.decode(later, memory, cross and Layout((4, 4), cross.key_lengths), caches, layout)
    assert_close([np.concatenate([first[:5], second[:4], first[5:], second[4:]])], [whole])


def test_weights_in_bf16_are_read():
    source = wide_model("bert", "masked-lm").bfloat16()
    exact = wide_model("bert", "masked-lm")
    exact.load_state_dict({name: tensor.float() for name, tensor in source.state_dict().items()})
    assert_close(native(source).predict(RAGGED), exact.predict(RAGGED))


def test_a_row_alone_and_among_others():
    twin = native(wide_model())
    together = twin.predict(RAGGED)
    assert_close([twin.predict([ids])[0] for ids in RAGGED], together, 1e-6)
    assert_close(twin.predict(RAGGED[::-1])[::-1], together, 1e-6)


def test_what_a_model_refuses():
    twin = native(model())
    with pytest.raises(InputError, match="40"):
        twin.predict([[5] * 41])
    with pytest.raises(InputError, match="60"):
        twin.predict([[60]])
    for call in (lambda: twin.generate_ids([[5]]), lambda: twin.token_log_probs([[5]], [[5]])):
        with pytest.raises(MissingHeadError):
            call()
    writer = native(generator("marian"))
    with pytest.raises(InputError, match="2"):
        writer.token_log_probs([[5], [6]], [[5]])
    with pytest.raises(InputError):
        writer.generate_ids([[5]], [[]])


@pytest.mark.parametrize("source", [wide_model(), generator("bart", "sequence-classification")])
def test_a_sequence_without_tokens_has_no_answer(source):
    """It got that of the next sequence."""
    for one in (source, native(source)):
        for ids in ([[]], [[], [5, 6]], [[5], []]):
            with pytest.raises(InputError, match="no token"):
                one.predict(ids)


@pytest.mark.parametrize("types", [[[0], [0, 0]], [[0, 0, 0], [0]], [[0, 0]], []])
def test_token_types_of_other_lengths(types):
    for one in (wide_model(), native(wide_model())):
        with pytest.raises(InputError, match="token_type_ids"):
            one.predict([[5, 6], [7]], token_types=types)


@pytest.mark.parametrize("token", [-1, 200, "a", 1.5])
def test_prompts_and_targets_outside_the_vocabulary(token):
    """Id -1 was read as the vocabulary's last one."""
    source = generator("bart")
    for one in (source, native(source)):
        with pytest.raises(InputError, match="decoder_input_ids"):
            one.generate_ids([[5]], [[token]])
        with pytest.raises(InputError, match="decoder_input_ids"):
            one.token_log_probs([[5]], [[token]])
