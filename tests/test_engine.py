"""The engine: optimized models agree with their source, on this machine and on lesser ones."""

import copy
import json
import os
import pickle
import warnings

import pytest
import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, Config, pipeline
from gatonegro.engine import best_precision, kernels, processor, tuned
from gatonegro.engine.attention import VarlenAttend, is_varlen_usable
from gatonegro.engine.int8 import FbgemmInt8, Int8, Int8Embedding, OnednnInt8, has_wide_sums, quantise
from gatonegro.engine.linear import Linear, Prepacked
from gatonegro.engine.optimize import is_usable
from gatonegro.errors import GatonegroWarning, InputError, OptionError
from gatonegro.families import FAMILIES
from gatonegro.families.family import read_config
from gatonegro.generation import GenerationConfig
from gatonegro.models import Model, build, initialise
from gatonegro.nn.attention import attend
from gatonegro.nn.encoder import ACTIVATIONS
from gatonegro.packing import Layout, pack

BOUNDS = {"fp32": 1e-5, "bf16": 2e-2, "fp16": 1e-2, "int8": 1e-1}  # of a logit, where logits are about 1
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def quiet():
    """A machine without hardware for a precision says so, which is right, and tested below."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=GatonegroWarning, message="PyTorch's fast operator")
        yield is_usable(OnednnInt8), is_usable(FbgemmInt8)  # here, so that PyTorch's own warning is not met in a test


@pytest.fixture(autouse=True, params=["kernels", "PyTorch"])
def operators(request, monkeypatch):
    """With the compiled kernels, and without."""
    if request.param == "PyTorch":
        monkeypatch.setattr(kernels, "available", lambda: False)
        if getattr(request.node, "callspec", None) and request.node.callspec.params.get("kind") is kernels.KernelInt8:
            pytest.skip("that is a kernel")
    elif not kernels.available():
        pytest.skip("gatonegro-kernels is not installed, or not for this processor")
    return request.param


def random_model(family="bert", head="sequence-classification", **values):
    sizes = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 160}
    known = {
        "vocab_size": 200,
        "max_position_embeddings": 70,
        "pad_token_id": FAMILIES[family].defaults["pad_token_id"],
    }
    config = Config(family, **{"type_vocab_size": 2, **sizes, **known, **FAMILIES[family].fixed, **values})
    torch.manual_seed(0)
    return initialise(Model(config, head), 0.1).eval()


BART = {
    "d_model": 96, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 3, "decoder_attention_heads": 6,
    "encoder_ffn_dim": 160, "decoder_ffn_dim": 128, "max_position_embeddings": 70,
}  # fmt: skip
T5 = {"d_model": 96, "d_kv": 16, "num_heads": 5, "d_ff": 160, "num_layers": 2, "num_decoder_layers": 3}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
WRITERS = {
    "marian": ("marian", BART | {"activation_function": "swish", "scale_embedding": True, "pad_token_id": 199}),
    "bart": ("bart", BART),
    "t5": ("t5", T5),
    "t5-v1.1": ("t5", T5 | GATED),
    "mt5": ("mt5", T5 | GATED),
    "gpt2": ("gpt2", {"n_embd": 96, "n_layer": 3, "n_head": 6, "n_positions": 70}),
}


def random_writer(kind, stored_int8=False):
    family, values = WRITERS[kind]
    config = read_config(FAMILIES[family], {"model_type": family, "vocab_size": 200, **values})
    torch.manual_seed(0)
    model = initialise(build(config, "causal-lm" if kind == "gpt2" else "seq2seq-lm"), 0.1).eval()
    if model.head.bias is not None:
        model.head.bias.normal_()
    return model


@torch.inference_mode()
def next_words(model, sequences, written):
    if model.config.decoder is None:
        return model.run(pack(written, model.config))
    return model.run(pack(sequences, model.config), written=pack(written, model.config.decoder))


def random_ids(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, 200, (n,), generator=generator).tolist() for n in lengths]


@torch.inference_mode()
def logits(model, sequences):
    return model.run(pack(sequences, model.config)).float()


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("family", [name for name in FAMILIES if "sequence-classification" in FAMILIES[name].heads])
def test_optimized_models_agree_with_their_source(family, precision):
    model = random_model(family)
    sequences = random_ids([60, 31, 31, 7, 1])
    wanted, found = logits(model, sequences), logits(model.optimize(precision), sequences)
    assert found.dtype == torch.float32
    assert (wanted - found).abs().max() <= BOUNDS[precision] * max(1, wanted.abs().max())


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("pre_norm", [True, False])
def test_optimized_models_of_every_activation_and_norm_position(act, pre_norm, precision):
    model = random_model(hidden_act=act, pre_norm=pre_norm)
    sequences = random_ids([33, 9])
    wanted, found = logits(model, sequences), logits(model.optimize(precision), sequences)
    assert (wanted - found).abs().max() <= 2 * BOUNDS[precision] * max(1, wanted.abs().max())


@pytest.mark.parametrize("head", ["none", "token-classification", "masked-lm", "pooler"])
@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_with_other_heads_and_padded_batches(head, precision):
    model = random_model(head=head)
    optimized = model.optimize(precision)
    mask = torch.tensor([[1] * 20, [1] * 5 + [0] * 15, [0] * 3 + [1] * 17])
    ids = torch.tensor(random_ids([20, 20, 20]))
    with torch.no_grad():
        wanted, found = model(ids, mask, output_hidden_states=True), optimized(ids, mask, output_hidden_states=True)
    name = "logits" if wanted.logits is not None else "last_hidden_state"
    assert (wanted[name] - found[name]).abs().max() <= 2 * BOUNDS[precision] * max(1, wanted[name].abs().max())
    assert [h.shape for h in found.hidden_states] == [h.shape for h in wanted.hidden_states]


def test_an_optimized_model_with_a_query_only_token():
    model = random_model()
    ids, mask = torch.tensor(random_ids([9, 9])), torch.tensor([[0] * 4 + [1] * 5, [1] * 9])
    with torch.no_grad():
        assert torch.allclose(model(ids, mask).logits, model.optimize("fp32")(ids, mask).logits, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_packed_is_alone(precision):
    optimized = random_model().optimize(precision)
    sequences = random_ids([60, 41, 41, 16, 3, 1])
    sequences[2] = [7] * 41  # one that is unlike all others
    together = logits(optimized, sequences)
    alone = torch.cat([logits(optimized, [one]) for one in sequences])
    if precision == "fp32":
        assert (together - alone).abs().max() <= 1e-6 * max(1, together.abs().max())
    assert torch.equal(together.argmax(1), alone.argmax(1))
    assert (together - alone).abs().max() <= 1e-3  # a row's scale is its own: nothing of the others is in it


@pytest.mark.parametrize("precision", BOUNDS)
def test_the_same_from_run_to_run(precision):
    optimized = random_model().optimize(precision)
    sequences = random_ids([60, 31, 7])
    assert all(torch.equal(logits(optimized, sequences), logits(optimized, sequences)) for _ in range(3))


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("kind", WRITERS)
def test_optimized_models_that_generate(kind, precision):
    """Relative bias, linear maps without one, gates, scores without a scale, heads wider than the model: all have a
    fast form, and so has the head."""
    model = random_writer(kind)
    optimized = model.optimize(precision)
    read, written = random_ids([60, 31, 31, 7, 1]), random_ids([9, 9, 1, 20, 2], seed=1)
    wanted, found = next_words(model, read, written), next_words(optimized, read, written)
    assert found.dtype == torch.float32
    gated = 6 if model.config.is_gated_act and precision != "fp32" else 1  # a product of two that err
    bound = gated * BOUNDS[precision] * max(1, wanted.abs().max())
    if gated > 1 and precision == "bf16":  # and so does PyTorch's own bf16, more or less by the processor
        plain = next_words(copy.deepcopy(model).bfloat16(), read, written).float()
        bound = max(bound, 1.25 * (wanted - plain).abs().max())
        assert (wanted - found).abs().mean() <= 1.25 * (wanted - plain).abs().mean()
    assert (wanted - found).abs().max() <= bound
    assert not any(isinstance(part, torch.nn.Linear) for part in optimized.modules())


@pytest.mark.parametrize("kind", WRITERS)
def test_optimized_models_generate_the_same(kind):
    """With a cache, in beams, and where sources leave: the same ids and scores as the whole model's."""
    model = random_writer(kind)
    optimized = model.optimize("fp32")
    read, begin = random_ids([30, 12, 12, 5]), random_ids([3, 1, 6, 2], seed=1)
    for options in ({"num_beams": 1}, {"num_beams": 3, "num_return_sequences": 3, "length_penalty": 0.5}):
        how = GenerationConfig(**options, max_new_tokens=30, eos_token_id=[5, 17, 60, 3, 90, 91, 92, 93, 94])
        ours, theirs = (m.write(None if kind == "gpt2" else read, begin, how) for m in (optimized, model))
        assert [[one.ids for one in some] for some in ours] == [[one.ids for one in some] for some in theirs]
        scores = [[one.score for some in all_ for one in some] for all_ in (ours, theirs)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_embeddings_that_are_kept_as_bytes_serve_decoders(precision, monkeypatch):
    """The decoder is handed the encoder's; the head has its own form of them."""
    monkeypatch.setattr("gatonegro.engine.optimize.MAX_FP32_EMBEDDING_ROWS", 100)
    model = random_writer("marian")
    tokens = model.embeddings.tokens
    rows, scales = quantise(tokens.weight.detach(), narrow_sums=False)
    tokens.weight.data = rows * scales[:, None]
    model.stored_int8 = True
    optimized = model.optimize(precision)
    assert isinstance(optimized.embeddings.tokens, Int8Embedding)
    read, written = random_ids([20, 4]), random_ids([5, 9], seed=1)
    wanted, found = next_words(model, read, written), next_words(optimized, read, written)
    assert (wanted - found).abs().max() <= BOUNDS[precision] * max(1, wanted.abs().max())
    assert optimized.generate(torch.tensor([read[0]]), max_new_tokens=5).shape[1] == 6


both_int8 = pytest.mark.parametrize("kind", [OnednnInt8, FbgemmInt8, kernels.KernelInt8])


@both_int8
def test_a_large_channel_leaves_the_others_their_digits(kind):
    """One channel fifty times as large as the rest, as trained models have: smoothing must hold the error down."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(40, 64, generator=generator), torch.randn(32, 64, generator=generator) * 0.1
    x[:, 5] *= 50
    wanted = Linear(weight, None)(x)
    smooth = (x.abs().amax(0) / weight.abs().amax(0)).sqrt()
    rough, fine = ((wanted - kind(weight, None, smooth=s)(x)).abs().mean() for s in (None, smooth / smooth.median()))
    assert fine < rough / 3


@pytest.mark.parametrize("values", [{}, {"num_attention_heads": 4}, {"intermediate_size": 33}, {"hidden_size": 36}])
@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_of_odd_sizes_and_under_autocast(values, precision):
    model, sequences = random_model(**values), random_ids([30, 5])
    optimized = model.optimize(precision)
    wanted = logits(model, sequences)
    assert (wanted - logits(optimized, sequences)).abs().max() <= 2 * BOUNDS[precision] * max(1, wanted.abs().max())
    with torch.autocast("cpu"):
        assert (wanted - logits(optimized, sequences)).abs().max() <= 0.2 * max(1, wanted.abs().max())


@pytest.mark.parametrize("k", [64, 63, 2, 1])
def test_no_two_neighbours_overflow_16_bits(k):
    weight = torch.randn(20, k, generator=torch.Generator().manual_seed(0))
    rows, scales = quantise(weight, narrow_sums=True)
    pairs = torch.nn.functional.pad(rows.int().abs(), (0, k % 2)).unflatten(1, (-1, 2)).sum(2)
    assert pairs.max() * 255 < 2**15
    assert (rows * scales[:, None] - weight).abs().max() <= scales.max() / 2 + 1e-6
    assert quantise(weight, narrow_sums=False)[0].abs().max() == 127
    assert quantise(torch.zeros(2, 4), narrow_sums=True)[0].abs().max() == 0  # and no division by it


@both_int8
def test_the_largest_inputs_are_multiplied_exactly(kind):
    """Bytes of 255 meet the largest weights: where sums of pairs saturate, this is wrong by a half."""
    weight = torch.full((16, 128), 3.0)
    x = torch.full((4, 128), 1.5)
    for low in (None, 0.0):
        assert torch.allclose(kind(weight, None, input_min=low)(x).float(), Linear(weight, None)(x), rtol=0.02)


@both_int8
def test_no_numbers_stay_no_numbers(kind):
    for low in (None, -0.17):
        layer = kind(torch.randn(8, 16), None, input_min=low)
        assert torch.isfinite(layer(torch.zeros(3, 16))).all()
        x = torch.zeros(3, 16)
        x[1, 2] = float("nan")
        y = layer(x)
        assert y[1].isnan().all() and torch.isfinite(y[[0, 2]]).all()


def test_the_source_is_left_as_it_is_and_remembered(tmp_path):
    model = random_model()
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
    optimized = random_model().optimize("fp32")
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
    model = random_model().to(dtype)
    ids = torch.tensor(random_ids([20, 20]))
    wanted, found = model(ids).logits.float(), model.optimize(precision)(ids).logits.float()
    assert (wanted - found).abs().max() <= max(BOUNDS[precision], 5e-2 if dtype == torch.bfloat16 else 0) * 2


@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_have_no_gradients_and_need_none(precision):
    model = random_model()
    optimized = model.optimize(precision)
    embeds = torch.randn(1, 4, 96, requires_grad=True)
    assert not optimized(inputs_embeds=embeds).logits.requires_grad
    assert model(inputs_embeds=embeds).logits.requires_grad
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("precision", BOUNDS)
def test_optimized_models_of_nothing(precision):
    optimized = random_model().optimize(precision)
    assert optimized(torch.zeros(0, 4, dtype=torch.long)).logits.shape == (0, 2)
    empty = torch.zeros(2, 4, dtype=torch.long)
    assert optimized(empty, empty).logits.shape == (2, 2)


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda optimized: pickle.loads(pickle.dumps(optimized))])
def test_optimized_models_are_copied_and_pickled(precision, again):
    optimized = random_model().optimize(precision)
    sequences = random_ids([9, 4])
    other = again(optimized)
    assert other.precision == precision and other.source is not optimized.source
    assert torch.allclose(logits(optimized, sequences), logits(other, sequences), atol=1e-6)


@pytest.mark.parametrize("wrong", ["int4", "", None, 8, torch.float32])
def test_precisions_that_are_none(wrong):
    with pytest.raises(OptionError, match="auto"):
        random_model().optimize(wrong)


def test_a_kernel_for_all_sequences_at_once(monkeypatch):
    """The kernel of a GPU, played by a function of its signature: it is told where each sequence begins."""

    def kernel(q, k, v, queries, keys, longest_query, longest_key):
        assert all(x.is_contiguous() for x in (q, k, v)) and queries.dtype == keys.dtype == torch.int32
        bounds = list(zip(queries.tolist(), queries.tolist()[1:], keys.tolist(), keys.tolist()[1:], strict=False))
        assert max(b - a for a, b, _, _ in bounds) == longest_query and max(d - c for *_, c, d in bounds) == longest_key
        return torch.cat([attend(q[a:b], k[c:d], v[c:d], Layout((b - a,), (d - c,))) for a, b, c, d in bounds])

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", kernel)
    monkeypatch.setattr("gatonegro.engine.fast_modules.is_varlen_usable", lambda *_: True)
    model = random_model()
    optimized = model.optimize("fp32")
    assert sum(isinstance(part, VarlenAttend) for part in optimized.modules()) == 3
    sequences = random_ids([60, 31, 31, 7, 1])
    assert torch.allclose(logits(model, sequences), logits(optimized, sequences), atol=1e-5)
    ids, mask = torch.tensor(random_ids([9, 9])), torch.tensor([[0] * 4 + [1] * 5, [1] * 9])
    with torch.no_grad():
        wanted, found = model(ids, mask, output_attentions=True), optimized(ids, mask, output_attentions=True)
    assert torch.allclose(wanted.logits, found.logits, atol=1e-5)
    assert torch.allclose(wanted.attentions[2], found.attentions[2], atol=1e-5)


def test_without_a_gpu_there_is_no_such_kernel():
    assert not is_varlen_usable(CPU, torch.bfloat16, 4, 24) and not is_varlen_usable(
        torch.device("cuda"), torch.float32, 4, 24
    )


# --- the pipeline ---


@pytest.mark.parametrize("precision", [*BOUNDS, "auto"])
def test_pipelines_in_every_precision(tiny, precision):
    texts = ["el gato es bueno", "la película fue muy mala", "no", "", "hotel " * 30] * 3
    plain = pipeline("sentiment-analysis", model=tiny, dtype="float32")(texts)
    fast = pipeline("sentiment-analysis", model=tiny, precision=precision)
    assert fast.model.precision in BOUNDS and fast.model.source.precision == ""
    for one, other in zip(plain, fast(texts), strict=True):
        assert abs(one["score"] - other["score"]) < 0.1
    assert {type(v) for v in fast(texts)[0].values()} == {str, float}


def test_a_model_object_runs_in_its_own_precision_unless_another_is_named(tiny):
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    assert pipeline("sentiment-analysis", model=model, tokenizer=tokenizer).model.precision == ""
    fast = pipeline("sentiment-analysis", model=model, tokenizer=tokenizer, precision="int8").model
    assert fast.precision == "int8" and fast.source is model
    optimized = model.optimize("fp32")
    assert pipeline("sentiment-analysis", model=optimized, tokenizer=tokenizer).model is optimized


def test_precision_or_dtype(tiny):
    with pytest.raises(OptionError, match="one of the two"):
        pipeline("sentiment-analysis", model=tiny, precision="fp32", dtype="float32")
    assert pipeline("sentiment-analysis", model=tiny, dtype="float64").model.dtype == torch.float64


# --- this machine, and others ---


def on_machine(monkeypatch, capabilities, level="AVX512", **environment):
    monkeypatch.setenv("GATONEGRO_CACHE", os.devnull)  # nothing was measured there
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(capabilities, True) | {"l2_cache_size": 1})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
    forget()


def forget():
    for found in (processor.cpu_capabilities, processor.fast_precisions):
        found.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "level", "environment", "stored", "other"),
    [
        (["sse2"], "DEFAULT", {}, "fp32", "fp32"),
        (["sse2", "avx2"], "AVX2", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx_vnni"], "AVX2", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni"], "AVX512", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {}, "int8", "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"], "AVX512", {}, "int8", "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "DEFAULT", {}, "fp32", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX2", {}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "int8", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "SSE41"}, "fp32", "fp32"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "AVX10_1_512"}, "int8",
         "bf16"),
        (["sse2", "avx2", "avx512_vnni", "avx512_bf16"], "AVX512", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}, "int8",
         "fp32"),
        (["neon", "bf16"], "DEFAULT", {}, "bf16", "bf16"),
        (["neon", "bf16"], "SVE256", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "bf16", "bf16"),
        (["neon"], "DEFAULT", {}, "fp32", "fp32"),
    ],
)  # fmt: skip
def test_what_auto_means(monkeypatch, capabilities, level, environment, stored, other):
    on_machine(monkeypatch, capabilities, level, **environment)
    try:
        assert best_precision(CPU, stored_int8=True) == stored
        assert best_precision(CPU, stored_int8=False) == other
    finally:
        forget()


def test_what_was_measured_here_is_heeded(monkeypatch, tmp_path):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path / "new" / "folder"))
    assert tuned.load_fastest(True) is None
    path = tuned.save_fastest("int8", "fp32")
    assert best_precision(CPU, stored_int8=True) == "int8" and best_precision(CPU, stored_int8=False) == "fp32"
    assert [file.name for file in path.parent.iterdir()] == ["tuned.json"]
    for damaged in ("", "[]", "{", '{"x": 1}', json.dumps({tuned.machine_key(): ["int8"]}),
                    json.dumps({tuned.machine_key(): {"fastest": "int3", "exact": 5}})):  # fmt: skip
        path.write_text(damaged)
        assert tuned.load_fastest(True) is None
        tuned.save_fastest("bf16", "bf16")
        assert tuned.load_fastest(False) == "bf16"
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert tuned.load_fastest(True) is None  # and does not wait for somebody to write
    monkeypatch.setattr(torch, "__version__", "3.0")  # another PyTorch may be otherwise
    assert tuned.load_fastest(True) is None


@pytest.mark.parametrize(
    ("platform", "names", "wanted"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/gatonegro/tuned.json"),
        ("linux", {"HOME": "/h"}, "/h/.cache/gatonegro/tuned.json"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/gatonegro/tuned.json"),
    ],
)
def test_where_it_is_kept(monkeypatch, platform, names, wanted):
    for name in ("GATONEGRO_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert tuned.tuned_path().as_posix() == wanted


@pytest.mark.parametrize(("native", "wanted"), [(True, "bf16"), (False, "fp16")])
def test_what_auto_means_on_a_gpu(monkeypatch, native, wanted):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    assert best_precision(torch.device("cuda"), stored_int8=True) == wanted
    assert best_precision(torch.device("mps"), stored_int8=True) == "fp32"


SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from gatonegro import pipeline
found = {}
for precision in ("auto", "fp32", "int8", "bf16"):
    clf = pipeline("sentiment-analysis", model=sys.argv[1], precision=precision)
    found[precision] = [clf.model.precision, [one["score"] for one in clf(["el gato es bueno", "no", "la casa " * 9])]]
print(json.dumps(found))
"""


@pytest.mark.parametrize("switch", [{"ATEN_CPU_CAPABILITY": "default"}, {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {}])
def test_a_machine_without_the_means_answers_rightly(tiny, python, switch):
    ran = python("-c", SCRIPT, tiny, env=switch)
    assert ran.returncode == 0, ran.stderr.decode()
    found = json.loads(ran.stdout)
    wanted = [one["score"] for one in pipeline("sentiment-analysis", model=tiny, dtype="float32")(
        ["el gato es bueno", "no", "la casa " * 9])]  # fmt: skip
    for precision, (_, scores) in found.items():
        assert scores == pytest.approx(wanted, abs=1e-5 if precision == "fp32" else 0.1)
    if switch:
        assert found["auto"][0] == "fp32"


def test_an_operator_that_is_gone_or_wrong_is_replaced_and_this_is_said(monkeypatch, operators):
    class Wrong(Linear):
        def forward(self, x, add=None):
            return super().forward(x, add) * 1.5

    class Gone(Linear):
        def forward(self, x, add=None):
            raise AttributeError("'_OpNamespace' 'onednn' object has no attribute 'qlinear_pointwise'")

    for kind, why in ((Wrong, "0.5"), (Gone, "no attribute")):
        with pytest.warns(GatonegroWarning, match="slower one takes its place") as told:
            assert not is_usable.__wrapped__(kind)
        assert why in str(told[0].message)
    monkeypatch.setattr("gatonegro.engine.optimize.is_usable", lambda *_: False)
    model, sequences = random_model(), random_ids([30, 4])
    for precision, bound in BOUNDS.items():
        optimized = model.optimize(precision)
        ours = kernels.KernelInt8 if operators == "kernels" else ()
        fast = [part for part in optimized.modules() if isinstance(part, Prepacked | Int8)]
        assert all(isinstance(part, ours) for part in fast)
        wanted = logits(model, sequences)
        assert (wanted - logits(optimized, sequences)).abs().max() <= bound * max(1, wanted.abs().max())


@both_int8
@pytest.mark.parametrize("low", [None, -0.17])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_int8_products(kind, low, rows):
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(rows, 96, generator=generator), torch.randn(40, 96, generator=generator)
    x = x if low is None else torch.nn.functional.gelu(x)
    bias, add = torch.randn(40, generator=generator), torch.randn(rows, 40, generator=generator)
    wanted = Linear(weight, bias, "gelu")(x, add.clone())
    found = kind(weight, bias, "gelu", input_min=low)(x, add.clone())
    assert (wanted - found).abs().mean() < 0.01 * wanted.abs().max()
    assert is_usable(kind)


def test_saturation_is_noticed(monkeypatch):
    assert isinstance(has_wide_sums(), bool)
    assert has_wide_sums() or not {"avx512_vnni", "avx_vnni"} & processor.cpu_capabilities()


# --- cores ---


@pytest.mark.parametrize(
    ("own", "files", "shares"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, []),
        ("0::/\n", {"cpu.max": "150000 100000"}, [1.5]),
        ("0::/u/x\n", {"cpu.max": "400000 100000", "u/cpu.max": "50000 100000", "u/x/cpu.max": "max 1"}, [0.5, 4]),
        ("4:cpu,x:/a\n2:pids:/a\n", {"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "100000"}, [2]),
        ("4:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, []),
        ("0::/\n", {"cpu.max": "nonsense"}, []),
        ("0::/\n", {}, []),
    ],
)  # fmt: skip
def test_a_share_of_time_is_respected(monkeypatch, tmp_path, own, files, shares):
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(processor, "CGROUP_ROOT", tmp_path / "groups")
    monkeypatch.setattr(processor, "PROCESS_CGROUP", tmp_path / "own")
    assert list(processor._cpu_quotas()) == shares
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    assert processor.cores() == max(1, min([64, *(int(-(-share // 1)) for share in shares)]))


def test_no_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "PROCESS_CGROUP", tmp_path / "none")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor.cores() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no forks")
def test_a_fork_is_answered_and_nothing_is_said(tiny, python):
    script = (
        "import os, sys\nfrom gatonegro import AutoTokenizer, pipeline\n"
        "tok = AutoTokenizer.from_pretrained(sys.argv[1]); tok(['el gato'] * 2000)\n"
        "child = os.fork()\n"
        "n = len(tok(['el gato'] * 2000)['input_ids'])\n"
        "if not child: os._exit(n != 2000)\n"
        "print(os.waitpid(child, 0)[1], n)"
    )
    ran = python("-W", "ignore::DeprecationWarning", "-c", script, tiny)
    assert ran.stdout.split() == [b"0", b"2000"] and not ran.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_threads_are_the_cores_that_the_process_is_bound_to(tiny, python):
    ask = "from gatonegro import pipeline; pipeline('sentiment-analysis', model=sys.argv[1])('no')\n"
    ask = f"import os, sys, torch; {{}}\n{ask}print(torch.get_num_threads())"
    bound = "torch.set_num_threads(7); os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    assert python("-c", ask.format(bound), tiny).stdout.strip() == b"1"
    assert python("-c", ask.format("torch.set_num_threads(1)"), tiny).stdout.strip() == b"1"  # never raised
