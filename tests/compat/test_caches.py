"""`past_key_values`, `encoder_outputs` and the other arguments of a loop of one's own, against `transformers`."""

import copy

import pytest
import torch
import transformers
from small import generator, generator_config

from gatonegro import DynamicCache
from gatonegro.errors import InputError, OptionError
from gatonegro.models import build, init_weights

SOURCES = ["marian", "bart", "t5", "t5-v1.1", "mt5"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """`pair(kind)` → a model of the reference and ours, with the same weights."""
    made = {}

    def make(kind):
        if kind not in made:
            if "t5" in kind:
                torch.manual_seed(0)
                sizes = generator_config(kind, classifier_dropout=0.0, decoder_start_token_id=0)
                ours = init_weights(build(sizes, "seq2seq-lm"), 0.1).eval()
            else:
                ours = generator(kind)
            folder = tmp_path_factory.mktemp(kind)
            ours.save_pretrained(folder)
            theirs = getattr(transformers, type(ours).__name__)
            made[kind] = theirs.from_pretrained(folder, attn_implementation="eager").eval(), ours
        return made[kind]

    return make


def ids(*shape, seed=0):
    return torch.randint(5, 190, shape, generator=torch.Generator().manual_seed(seed))


def near(a, b):
    return a.shape == b.shape and torch.allclose(a, b, atol=2e-5)


@torch.no_grad()
@pytest.mark.parametrize("use_cache", [None, True])
def test_a_decoder_step_by_step(pair, use_cache):
    theirs, ours = pair("gpt2")
    mask = torch.ones(3, 6, dtype=torch.long)
    mask[1, :2] = 0
    a, b = (m(ids(3, 6), attention_mask=mask, use_cache=use_cache) for m in (theirs, ours))
    for step, count in enumerate((3, 1, 1)):
        assert [*a] == [*b] and b.past_key_values.get_seq_length() == mask.shape[1]
        mask = torch.cat([mask, torch.ones(3, count, dtype=torch.long)], 1)
        flags = {"output_attentions": True, "output_hidden_states": True} if step == 1 else {}
        x = {"input_ids": ids(3, count, seed=step), "attention_mask": mask, **flags}
        a, b = theirs(**x, past_key_values=a.past_key_values), ours(**x, past_key_values=b.past_key_values)
        assert near(a.logits, b.logits)
        for name in flags and ("hidden_states", "attentions"):
            assert all(near(p, q) for p, q in zip(a[name], b[name], strict=True))


@torch.no_grad()
@pytest.mark.parametrize("use_cache", [None, True])
@pytest.mark.parametrize("kind", SOURCES)
def test_an_encoder_decoder_step_by_step(pair, kind, use_cache):
    theirs, ours = pair(kind)
    mask = torch.ones(3, 6, dtype=torch.long)
    mask[1, 4:] = 0
    encoded = [m.get_encoder()(ids(3, 6), attention_mask=mask) for m in (theirs, ours)]
    assert near(encoded[0][0][mask.bool()], encoded[1][0][mask.bool()])
    x = {"attention_mask": mask, "decoder_input_ids": torch.full((3, 1), 2), "use_cache": use_cache}
    a, b = (m(encoder_outputs=e, **x) for m, e in zip((theirs, ours), encoded, strict=True))
    for step, count in enumerate((2, 1, 1)):
        assert [*a] == [*b] and near(a.logits, b.logits)
        x = {"attention_mask": mask, "decoder_input_ids": ids(3, count, seed=step), "output_attentions": step == 1}
        a, b = (
            m(encoder_outputs=e, **x, past_key_values=out.past_key_values)
            for m, e, out in zip((theirs, ours), encoded, (a, b), strict=True)
        )
        if step == 1:
            assert all(near(p, q) for p, q in zip(a.cross_attentions, b.cross_attentions, strict=True))


@torch.no_grad()
@pytest.mark.parametrize("kind", SOURCES)
def test_embeddings_instead_of_ids(pair, kind):
    theirs, ours = pair(kind)
    x = {"inputs_embeds": torch.randn(2, 5, 96), "decoder_inputs_embeds": torch.randn(2, 4, 96)}
    assert near(theirs(**x).logits, ours(**x).logits)


@torch.no_grad()
def test_other_arguments_of_gpt2(pair):
    theirs, ours = pair("gpt2")
    for x in ({"token_type_ids": ids(3, 6, seed=1)}, {"logits_to_keep": 2}, {"logits_to_keep": torch.tensor([1, 4])}):
        assert near(theirs(ids(3, 6), **x).logits, ours(ids(3, 6), **x).logits)
    with pytest.raises(OptionError, match="head_mask"):
        ours(ids(3, 6), head_mask=torch.ones(3, 6))


@torch.no_grad()
def test_caches_as_objects(pair):
    _, ours = pair("gpt2")
    full, cache = ours(ids(2, 5), use_cache=False), DynamicCache()
    assert full.past_key_values is None and "past_key_values" not in full
    first = ours(ids(2, 5)[:, :3], past_key_values=cache)
    assert first.past_key_values is cache and cache.get_seq_length() == 3
    other = copy.deepcopy(ours(ids(2, 5)[:, :3]).past_key_values)
    for each in (cache, other):
        assert near(ours(ids(2, 5)[:, 3:], past_key_values=each).logits, full.logits[:, 3:])
    with pytest.raises(InputError, match=r"\(2, 6\)"):
        ours(ids(2, 1), attention_mask=torch.ones(2, 1), past_key_values=cache)
    with pytest.raises(InputError, match="tuple"):
        ours(ids(2, 1), past_key_values=())
    mask = torch.tensor([[1, 1, 1], [0, 1, 1]])
    padded = ours(ids(2, 3), attention_mask=mask).past_key_values
    with pytest.raises(InputError, match="padding"):
        ours(ids(2, 1), past_key_values=padded)
