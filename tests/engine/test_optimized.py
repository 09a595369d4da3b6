"""Optimized copies agree with their source, on this machine and without the compiled kernels."""

import copy
import pickle

import pytest
import torch
from small import BOUNDS, GENERATORS, generator, logits, random_ids, wide_model

from gatonegro import AutoModelForSequenceClassification
from gatonegro.engine.attention import VarlenAttend, is_varlen_usable
from gatonegro.engine.int8 import Int8Embedding, quantise
from gatonegro.errors import InputError, OptionError
from gatonegro.families import FAMILIES
from gatonegro.generation import GenerationConfig
from gatonegro.nn.attention import attend
from gatonegro.nn.encoder import ACTIVATIONS
from gatonegro.packing import Layout, pack

pytestmark = pytest.mark.usefixtures("quiet", "operators")


CPU = torch.device("cpu")


@torch.inference_mode()
def next_words(model, sequences, written):
    if model.config.decoder is None:
        return model.run(pack(written, model.config))
    return model.run(pack(sequences, model.config), target=pack(written, model.config.decoder))


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("family", [name for name in FAMILIES if "masked-lm" in FAMILIES[name].heads])
def test_optimized_models_agree_with_their_source(family, precision):
    model = wide_model(family)
    sequences = random_ids([60, 31, 31, 7, 1])
    expected, actual = logits(model, sequences), logits(model.optimize(precision), sequences)
    assert actual.dtype == torch.float32
    assert (expected - actual).abs().max() <= BOUNDS[precision] * max(1, expected.abs().max())


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("pre_norm", [True, False])
def test_optimized_models_of_every_activation_and_norm_position(act, pre_norm, precision):
    model = wide_model(hidden_act=act, pre_norm=pre_norm)
    sequences = random_ids([33, 9])
    expected, actual = logits(model, sequences), logits(model.optimize(precision), sequences)
    assert (expected - actual).abs().max() <= 2 * BOUNDS[precision] * max(1, expected.abs().max())


@pytest.mark.parametrize("head", ["none", "token-classification", "masked-lm", "pooler"])
@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_with_other_heads_and_padded_batches(head, precision):
    model = wide_model(head=head)
    optimized = model.optimize(precision)
    mask = torch.tensor([[1] * 20, [1] * 5 + [0] * 15, [0] * 3 + [1] * 17])
    ids = torch.tensor(random_ids([20, 20, 20]))
    with torch.no_grad():
        expected, actual = model(ids, mask, output_hidden_states=True), optimized(ids, mask, output_hidden_states=True)
    name = "logits" if "logits" in expected else "last_hidden_state"
    assert (expected[name] - actual[name]).abs().max() <= 2 * BOUNDS[precision] * max(1, expected[name].abs().max())
    assert [h.shape for h in actual.hidden_states] == [h.shape for h in expected.hidden_states]


def test_an_optimized_model_with_a_query_only_token():
    model = wide_model()
    ids, mask = torch.tensor(random_ids([9, 9])), torch.tensor([[0] * 4 + [1] * 5, [1] * 9])
    with torch.no_grad():
        assert torch.allclose(model(ids, mask).logits, model.optimize("fp32")(ids, mask).logits, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_packed_is_alone(precision):
    optimized = wide_model().optimize(precision)
    sequences = random_ids([60, 41, 41, 16, 3, 1])
    sequences[2] = [7] * 41  # one that is unlike all others
    together = logits(optimized, sequences)
    alone = torch.cat([logits(optimized, [sequence]) for sequence in sequences])
    if precision == "fp32":
        assert (together - alone).abs().max() <= 1e-6 * max(1, together.abs().max())
    assert torch.equal(together.argmax(1), alone.argmax(1))
    assert (together - alone).abs().max() <= 1e-3  # a row's scale is its own: nothing of the others is in it


@pytest.mark.parametrize("precision", BOUNDS)
def test_the_same_from_run_to_run(precision):
    optimized = wide_model().optimize(precision)
    sequences = random_ids([60, 31, 7])
    assert all(torch.equal(logits(optimized, sequences), logits(optimized, sequences)) for _ in range(3))


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("kind", GENERATORS)
def test_optimized_models_that_generate(kind, precision):
    """Relative bias, linear maps without one, gates, scores without a scale, heads wider than the model: all have a
    fast form, and so has the head."""
    model = generator(kind)
    optimized = model.optimize(precision)
    read, written = random_ids([60, 31, 31, 7, 1]), random_ids([9, 9, 1, 20, 2], seed=1)
    expected, actual = next_words(model, read, written), next_words(optimized, read, written)
    assert actual.dtype == torch.float32
    gated = 6 if model.config.is_gated_act and precision != "fp32" else 1  # a product of two that err
    bound = gated * BOUNDS[precision] * max(1, expected.abs().max())
    if gated > 1 and precision == "bf16":  # and so does PyTorch's own bf16, more or less by the processor
        plain = next_words(copy.deepcopy(model).bfloat16(), read, written).float()
        bound = max(bound, 1.25 * (expected - plain).abs().max())
        assert (expected - actual).abs().mean() <= 1.25 * (expected - plain).abs().mean()
    assert (expected - actual).abs().max() <= bound
    assert not any(isinstance(part, torch.nn.Linear) for part in optimized.modules())


@pytest.mark.slow
@pytest.mark.parametrize("kind", GENERATORS)
def test_optimized_models_generate_the_same(kind):
    """With a cache, in beams, and where sources leave: the same ids and scores as the whole model's."""
    model = generator(kind)
    optimized = model.optimize("fp32")
    read, begin = random_ids([30, 12, 12, 5]), random_ids([3, 1, 6, 2], seed=1)
    for options in ({"num_beams": 1}, {"num_beams": 3, "num_return_sequences": 3, "length_penalty": 0.5}):
        how = GenerationConfig(**options, max_new_tokens=30, eos_token_id=[5, 17, 60, 3, 90, 91, 92, 93, 94])
        ours, theirs = (m.generate_ids(None if kind == "gpt2" else read, begin, how) for m in (optimized, model))
        assert [[text.ids for text in texts] for texts in ours] == [[text.ids for text in texts] for texts in theirs]
        scores = [[text.score for texts in all_ for text in texts] for all_ in (ours, theirs)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_embeddings_that_are_kept_as_bytes_serve_decoders(precision, monkeypatch):
    """Encoder and decoder share one `Int8Embedding`; the head packs the same weights for itself."""
    monkeypatch.setattr("gatonegro.engine.optimize.MAX_FP32_EMBEDDING_ROWS", 100)
    model = generator("marian")
    tokens = model.embeddings.tokens
    rows, scales = quantise(tokens.weight.detach(), narrow_sums=False)
    tokens.weight.data = rows * scales[:, None]
    model.stored_int8 = True
    optimized = model.optimize(precision)
    assert isinstance(optimized.embeddings.tokens, Int8Embedding)
    read, written = random_ids([20, 4]), random_ids([5, 9], seed=1)
    expected, actual = next_words(model, read, written), next_words(optimized, read, written)
    assert (expected - actual).abs().max() <= BOUNDS[precision] * max(1, expected.abs().max())
    assert optimized.generate(torch.tensor([read[0]]), max_new_tokens=5).shape[1] == 6


def test_the_source_is_left_as_it_is_and_remembered(tmp_path):
    model = wide_model()
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimized = model.optimize("int8")
    assert model.training and not optimized.training and optimized.source is model and model.source is model
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert optimized.precision == "int8" and "int8" in repr(optimized).splitlines()[0]
    assert optimized.num_parameters() == model.num_parameters()
    again = optimized.optimize("fp32")
    assert again.precision == "fp32" and again.source is model
    optimized.save_pretrained(tmp_path)
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in saved.state_dict().items())


def test_an_optimized_model_is_not_trained_or_moved():
    optimized = wide_model().optimize("fp32")
    optimized.eval()
    for change in (
        optimized.train,
        optimized.double,
        lambda: optimized.to("meta"),
        lambda: optimized.resize_token_embeddings(300),
    ):
        with pytest.raises(InputError, match=r"model\.source"):
            change()


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_optimized_models_of_models_in_other_types(precision, dtype):
    model = wide_model().to(dtype)
    ids = torch.tensor(random_ids([20, 20]))
    expected, actual = model(ids).logits.float(), model.optimize(precision)(ids).logits.float()
    assert (expected - actual).abs().max() <= max(BOUNDS[precision], 5e-2 if dtype == torch.bfloat16 else 0) * 2


@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_have_no_gradients_and_need_none(precision):
    model = wide_model()
    optimized = model.optimize(precision)
    embeds = torch.randn(1, 4, 96, requires_grad=True)
    assert not optimized(inputs_embeds=embeds).logits.requires_grad
    assert model(inputs_embeds=embeds).logits.requires_grad
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_of_nothing(precision):
    optimized = wide_model().optimize(precision)
    assert optimized(torch.zeros(0, 4, dtype=torch.long)).logits.shape == (0, 2)
    empty = torch.zeros(2, 4, dtype=torch.long)
    assert optimized(empty, empty).logits.shape == (2, 2)


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda optimized: pickle.loads(pickle.dumps(optimized))])
def test_optimized_models_are_copied_and_pickled(precision, again):
    optimized = wide_model().optimize(precision)
    sequences = random_ids([9, 4])
    other = again(optimized)
    assert other.precision == precision and other.source is not optimized.source
    assert torch.allclose(logits(optimized, sequences), logits(other, sequences), atol=1e-6)


@pytest.mark.parametrize("wrong", ["int4", "", None, 8, torch.float32])
def test_precisions_that_are_none(wrong):
    with pytest.raises(OptionError, match="auto"):
        wide_model().optimize(wrong)


def test_a_kernel_for_all_sequences_at_once(monkeypatch):
    """A function replaces the GPU's kernel, and checks the sequence bounds that it is passed."""

    def kernel(q, k, v, queries, keys, longest_query, longest_key):
        assert all(x.is_contiguous() for x in (q, k, v)) and queries.dtype == keys.dtype == torch.int32
        bounds = list(zip(queries.tolist(), queries.tolist()[1:], keys.tolist(), keys.tolist()[1:], strict=False))
        assert max(b - a for a, b, _, _ in bounds) == longest_query and max(d - c for *_, c, d in bounds) == longest_key
        return torch.cat([attend(q[a:b], k[c:d], v[c:d], Layout((b - a,), (d - c,))) for a, b, c, d in bounds])

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", kernel)
    monkeypatch.setattr("gatonegro.engine.fast_modules.is_varlen_usable", lambda *_: True)
    model = wide_model()
    optimized = model.optimize("fp32")
    assert sum(isinstance(part, VarlenAttend) for part in optimized.modules()) == 3
    sequences = random_ids([60, 31, 31, 7, 1])
    assert torch.allclose(logits(model, sequences), logits(optimized, sequences), atol=1e-5)
    ids, mask = torch.tensor(random_ids([9, 9])), torch.tensor([[0] * 4 + [1] * 5, [1] * 9])
    with torch.no_grad():
        expected, actual = model(ids, mask, output_attentions=True), optimized(ids, mask, output_attentions=True)
    assert torch.allclose(expected.logits, actual.logits, atol=1e-5)
    assert torch.allclose(expected.attentions[2], actual.attentions[2], atol=1e-5)


def test_without_a_gpu_there_is_no_such_kernel():
    assert not is_varlen_usable(CPU, torch.bfloat16, 4, 24) and not is_varlen_usable(
        torch.device("cuda"), torch.float32, 4, 24
    )
