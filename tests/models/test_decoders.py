"""Tests of decoders against the reference: logits, losses, gradients, saving, cached and uncached passes."""

from __future__ import annotations

import pytest
import torch
import transformers

from gatonegro import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from gatonegro.errors import ConfigError, InputError
from gatonegro.models import LanguageModel
from gatonegro.nn.attention import KVCache
from gatonegro.packing import Layout, pack

BART = {
    "vocab_size": 60, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 64, "max_position_embeddings": 40,
    "init_std": 0.3, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
}  # fmt: skip

T5 = {
    "vocab_size": 60, "d_model": 32, "d_kv": 12, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 6, "initializer_factor": 0.7,
    "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1,
}  # fmt: skip

GPT2 = {
    "vocab_size": 60, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 40, "initializer_range": 0.3,
    "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip

FAMILIES = {
    "bart": ("Bart", BART),
    "marian": ("Marian", {**BART, "pad_token_id": 59, "decoder_start_token_id": 59, "scale_embedding": True,
                          "activation_function": "swish"}),
    "t5": ("T5", T5),
    "t5-v1.1": ("T5", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "mt5": ("MT5", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "gpt2": ("GPT2", GPT2),
}  # fmt: skip

ENDS = {"Bart": "ForConditionalGeneration", "Marian": "MTModel", "GPT2": "LMHeadModel"}


def reference(family: str, bare: bool = False):
    name, sizes = FAMILIES[family]
    torch.manual_seed(0)
    end = "Model" if bare else ENDS.get(name, "ForConditionalGeneration")
    config = getattr(transformers, f"{name}Config")(**sizes)
    model = getattr(transformers, name + end)(config)
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases that say something
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_()
    return model.eval()


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, tmp_path_factory):
    """Return the reference's model and ours, loaded from the reference's checkpoint."""
    theirs = reference(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    theirs.save_pretrained(folder)
    auto = AutoModelForCausalLM if request.param == "gpt2" else AutoModelForSeq2SeqLM
    return theirs, auto.from_pretrained(folder)


def batch(model: LanguageModel, seed: int = 0, left: bool = False) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 58, (3, 9), generator=random)
    mask = torch.ones_like(ids)
    for row, count in enumerate((9, 4, 6)):
        mask[row, slice(0, 9 - count) if left else slice(count, 9)] = 0
    inputs = {"input_ids": ids.masked_fill(mask == 0, model.config.pad_token_id or 0), "attention_mask": mask}
    if model.config.decoder is not None:
        inputs["decoder_input_ids"] = torch.randint(3, 58, (3, 7), generator=random)
    return inputs


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape
    assert bool(((ours - theirs).abs() <= 1e-5 * theirs.abs().clamp(min=1)).all()), (ours - theirs).abs().max()


def test_logits_are_the_references(pair):
    theirs, ours = pair
    inputs = batch(ours)
    with torch.no_grad():
        a, b = ours(**inputs), theirs(**inputs)
    if ours.config.decoder is not None:
        close(a.logits, b.logits)
        real = inputs["attention_mask"][..., None] != 0
        close(a.encoder_last_hidden_state * real, b.encoder_last_hidden_state * real)
    else:
        real = inputs["attention_mask"] != 0
        close(a.logits[real], b.logits[real])


def test_what_layers_compute_is_the_references(pair):
    theirs, ours = pair
    inputs = batch(ours)
    theirs.set_attn_implementation("eager")
    with torch.no_grad():
        options = {"output_attentions": True, "output_hidden_states": True}
        a, b = ours(**inputs, **options), theirs(**inputs, **options)
    theirs.set_attn_implementation("sdpa")
    mask = inputs["attention_mask"] != 0
    if ours.config.decoder is None:
        pairs = [(a.hidden_states, b.hidden_states, mask)]
        heads = [(a.attentions, b.attentions, mask, mask)]
    else:
        whole = torch.ones_like(inputs["decoder_input_ids"]) != 0
        pairs = [
            (a.encoder_hidden_states, b.encoder_hidden_states, mask),
            (a.decoder_hidden_states, b.decoder_hidden_states, whole),
        ]
        heads = [
            (a.encoder_attentions, b.encoder_attentions, mask, mask),
            (a.decoder_attentions, b.decoder_attentions, whole, whole),
            (a.cross_attentions, b.cross_attentions, whole, mask),
        ]
    for actual, expected, rows in pairs:
        for x, y in zip(actual, expected, strict=True):
            close(x[rows], y[rows])
    for actual, expected, rows, columns in heads:
        for x, y in zip(actual, expected, strict=True):
            real = (rows[:, None, :, None] & columns[:, None, None, :]).float()
            close(x * real, y * real)


def test_losses_and_gradients_are_the_references(pair):
    theirs, ours = pair
    inputs = batch(ours)
    labels = inputs.pop("decoder_input_ids", inputs["input_ids"]).clone()
    labels[1, 4:] = -100
    if ours.config.decoder is None:
        labels[inputs["attention_mask"] == 0] = -100
    a, b = ours(**inputs, labels=labels), theirs(**inputs, labels=labels)
    close(a.loss.detach(), b.loss.detach())
    for model, out in ((ours, a), (theirs, b)):
        model.zero_grad()
        out.loss.backward()
    actual, expected = ours.embeddings.tokens.weight.grad, theirs.get_input_embeddings().weight.grad
    if (pad := ours.config.pad_token_id) is not None:  # the reference's pad learns nothing where it is read
        actual[pad] = expected[pad]
    close(actual / expected.abs().max(), expected / expected.abs().max())


def test_saved_and_read_by_the_reference(pair, tmp_path):
    theirs, ours = pair
    ours.save_pretrained(tmp_path)
    again, report = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    inputs = batch(ours)
    with torch.no_grad():
        assert torch.equal(again.eval()(**inputs).logits, theirs(**inputs).logits)
        assert torch.equal(type(ours).__call__(_reread(ours, tmp_path), **inputs).logits, ours(**inputs).logits)


def _reread(ours: LanguageModel, folder) -> LanguageModel:
    auto = AutoModelForCausalLM if ours.config.decoder is None else AutoModelForSeq2SeqLM
    return auto.from_pretrained(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bare_model(family, tmp_path):
    theirs = reference(family, bare=True)
    theirs.save_pretrained(tmp_path)
    ours = AutoModel.from_pretrained(tmp_path)
    inputs = batch(ours)
    with torch.no_grad():
        a, b = ours(**inputs).last_hidden_state, theirs(**inputs).last_hidden_state
    real = inputs["attention_mask"] != 0 if ours.config.decoder is None else slice(None)
    close(a[real], b[real])


@torch.no_grad()
def test_cached_is_uncached(pair):
    """Token by token with a cache, sequences of different lengths give the logits of a full pass."""
    _, ours = pair
    texts = [[5, 9, 20, 31, 7], [8, 3, 4], [11, 12, 13, 14]]
    written = [[6, 7, 8, 9, 10, 11], [30, 31, 32], [40, 41, 42, 43]]
    own = ours.config.decoder or ours.config
    memory = cross = None
    if ours.config.decoder is not None:
        packed = pack(texts, ours.config)
        memory = ours.encode(packed)
        cross = Layout(tuple(map(len, written)), packed.lengths)
    whole = pack(written, own)
    full = ours.logits(ours.decode(whole, memory, cross), whole)  # (t, vocab)
    expected = list(full.split(whole.lengths))
    kv_caches = [KVCache() for _ in ours.decoder.layers]
    keys = None if memory is None else ours.decoder.project_memory(memory)
    places: list[list[int]] = [[], [], []]  # of each sequence's tokens in the cache
    done, steps = [0, 0, 0], [(2, 1, 3), (1, 1, 1), (3, 1, 0)]  # so many new tokens of each
    for step in steps:
        counts = list(step)
        parts = [written[i][done[i] : done[i] + n] for i, n in enumerate(counts)]
        lengths = tuple(done[i] + n for i, n in enumerate(counts))
        new = pack(parts, own)
        positions = torch.cat([torch.arange(done[i], lengths[i]) for i in range(3)]) + own.position_offset
        new = type(new)(new.ids, positions, new.lengths)
        at = None if cross is None else Layout(tuple(counts), cross.key_lengths)
        for own_places, n in zip(places, counts, strict=True):
            own_places += range(sum(map(len, places)), sum(map(len, places)) + n)
        layout = Layout(tuple(counts), lengths, key_slots=torch.tensor([i for some in places for i in some]))
        actual = ours.logits(ours.decode(new, keys, at, kv_caches, layout), new)
        for i, part in enumerate(actual.split(counts)):
            close(part, expected[i][done[i] : lengths[i]])
        done = list(lengths)


@torch.no_grad()
def test_an_optimized_copy_continues_padded_rows_in_any_order(pair):
    """The slots of a cache and of sources in another order than their rows are those that the kernel reads."""
    _, ours = pair
    inputs = batch(ours)
    name = "input_ids" if ours.config.decoder is None else "decoder_input_ids"
    ids, mask = inputs.pop(name), torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
    own = "attention_mask" if ours.config.decoder is None else "decoder_attention_mask"
    outputs = []
    for model in (ours, ours.optimize("fp32")):
        inputs |= {own: mask}
        cache = model(**inputs, **{name: ids[:, :4]}, use_cache=True).past_key_values
        inputs |= {own: torch.cat([mask, torch.ones(3, 2, dtype=torch.long)], 1)}
        outputs.append(model(**inputs, **{name: ids[:, 4:6]}, past_key_values=cache).logits)
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)


def test_what_is_refused(pair, tmp_path):
    _, ours = pair
    if ours.config.decoder is None:
        return
    ids = torch.tensor([[5, 6, 7]])
    if ours.config.model_type != "bart":  # which reads its input a second time
        with pytest.raises(InputError, match="decoder_input_ids"):
            ours(input_ids=ids)
    with pytest.raises(InputError, match="row 0"):
        ours(input_ids=ids, attention_mask=torch.zeros_like(ids), decoder_input_ids=ids)
    with pytest.raises(InputError, match="labels"):
        ours(input_ids=ids, decoder_input_ids=ids, labels=ids[:, :2])


def test_a_config_that_is_not_known(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5", "feed_forward_proj": "gated-elu"}')
    with pytest.raises(ConfigError, match="feed_forward_proj"):
        AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
