"""What holds for every batch, mask, plan and table of names, tried on what hypothesis thinks of."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gatonegro.batching import plan, windows
from gatonegro.config import Config
from gatonegro.errors import CheckpointError, InputError
from gatonegro.families import FAMILIES, family_of
from gatonegro.families.family import (
    Family,
    Head,
    from_checkpoint,
    name_map,
    normalize_names,
    read_config,
    to_checkpoint,
    write_config,
)
from gatonegro.models import Model, build, initialise
from gatonegro.nn.attention import attend, attend_plain
from gatonegro.packing import Layout, from_padded, pack

VOCABULARY, POSITIONS, TOLERANCE = 30, 24, 1e-5
HEADS = ("pooler", "sequence-classification", "token-classification", "masked-lm")
MODELS = {}


ENCODERS = [name for name in FAMILIES if "sequence-classification" in FAMILIES[name].heads]
BART = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4, "encoder_ffn_dim": 24,
        "decoder_attention_heads": 2, "decoder_ffn_dim": 28, "scale_embedding": True}  # fmt: skip
T5 = {"d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4}
WRITERS = {
    "bart": BART,
    "marian": BART,
    "t5": T5,
    "mt5": T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 4},
}


def writer(name: str) -> Config:
    """A family with a decoder, read from its own words."""
    own = {"model_type": name, "vocab_size": VOCABULARY, "pad_token_id": 1, "n_positions": POSITIONS}
    return read_config(FAMILIES[name], {**own, "max_position_embeddings": POSITIONS, **WRITERS[name]})


def config(model_type: str, **values) -> Config:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
    fixed = family_of(model_type).fixed
    return Config(
        **{
            "model_type": model_type,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": POSITIONS,
            "type_vocab_size": 2 if model_type == "bert" else 0,
            "pad_token_id": family_of(model_type).defaults["pad_token_id"],
            **sizes,
            **fixed,
            **values,
        }
    )


def model_of(model_type: str, head: str) -> Model:
    """A model with weights that are large enough for every mistake to show."""
    if (model_type, head) not in MODELS:
        torch.manual_seed(len(MODELS))
        MODELS[model_type, head] = initialise(Model(config(model_type), head), 0.25).eval()
    return MODELS[model_type, head]


kinds = st.sampled_from(["bert", "distilbert", "roberta"])  # columns, columns without segments, counts
tokens = st.integers(2, VOCABULARY - 1)  # no pads: 0 and 1
sentences = st.lists(st.lists(tokens, min_size=1, max_size=20), min_size=1, max_size=7)


def padded(rows: list[list[int]], pad: int, mask: torch.Tensor) -> torch.Tensor:
    """Rows into the ones of a mask (b, s), pads elsewhere."""
    ids = torch.full(mask.shape, pad)
    for row, at, values in zip(ids, mask, rows, strict=True):
        row[at.bool()] = torch.tensor(values, dtype=torch.long)
    return ids


# packing


@given(kinds, sentences)
@torch.inference_mode()
def test_packed_is_alone(kind, rows):
    for head in ("sequence-classification", "token-classification", "masked-lm"):
        model = model_of(kind, head)
        said = model.run(pack(rows, model.config))
        alone = torch.cat([model.run(pack([row], model.config)) for row in rows])
        torch.testing.assert_close(said, alone, atol=TOLERANCE, rtol=0)


@given(kinds, sentences, st.data())
@torch.inference_mode()
def test_what_one_sequence_says_depends_on_no_other(kind, rows, data):
    model = model_of(kind, "sequence-classification")
    others = data.draw(st.lists(st.lists(tokens, min_size=1, max_size=20), max_size=4))
    one, other = model.run(pack([rows[0], *rows[1:]], model.config)), model.run(pack([rows[0], *others], model.config))
    torch.testing.assert_close(one[0], other[0], atol=TOLERANCE, rtol=0)


@given(kinds, sentences, st.randoms(use_true_random=False))
@torch.inference_mode()
def test_the_order_of_a_batch_does_not_matter(kind, rows, random):
    model = model_of(kind, "sequence-classification")
    order = list(range(len(rows)))
    random.shuffle(order)
    said = model.run(pack(rows, model.config))
    shuffled = model.run(pack([rows[i] for i in order], model.config))
    torch.testing.assert_close(shuffled, said[order], atol=TOLERANCE, rtol=0)


@given(kinds, sentences, st.integers(1, 64))
@torch.inference_mode()
def test_filler_makes_a_round_number_and_changes_nothing(kind, rows, multiple):
    model = model_of(kind, "sequence-classification")
    plain, filled = pack(rows, model.config), pack(rows, model.config, multiple=multiple)
    total = sum(map(len, rows))
    assert sum(filled.lengths) == len(filled.ids) == len(filled.positions)
    assert len(filled.ids) % multiple == 0 and len(filled.ids) - total < multiple
    assert filled.lengths[: len(rows)] == plain.lengths == tuple(map(len, rows))
    assert all(0 < length <= model.config.max_tokens for length in filled.lengths)
    assert filled.ids[:total].tolist() == [i for row in rows for i in row]
    assert set(filled.ids[total:].tolist()) <= {model.config.pad_token_id}
    torch.testing.assert_close(model.run(filled)[: len(rows)], model.run(plain), atol=TOLERANCE, rtol=0)


@given(kinds, sentences)
def test_positions_begin_anew_with_each_sequence(kind, rows):
    packed = pack(rows, config(kind))
    start = config(kind).position_offset
    assert start == (2 if kind == "roberta" else 0)
    assert packed.positions.tolist() == [start + i for row in rows for i in range(len(row))]
    assert packed.ids[packed.firsts].tolist() == [row[0] for row in rows]


@given(st.lists(st.lists(tokens, min_size=1, max_size=12), min_size=1, max_size=5), st.data())
@torch.inference_mode()
def test_segments_go_with_their_tokens(rows, data):
    model = model_of("bert", "token-classification")
    kinds = [data.draw(st.lists(st.integers(0, 1), min_size=len(row), max_size=len(row))) for row in rows]
    said = model.run(pack(rows, model.config, kinds, multiple=16))
    alone = [model.run(pack([row], model.config, [kind])) for row, kind in zip(rows, kinds, strict=True)]
    torch.testing.assert_close(said[: sum(map(len, rows))], torch.cat(alone), atol=TOLERANCE, rtol=0)


@given(kinds)
def test_a_sequence_that_is_too_long_is_refused(kind):
    most = config(kind).max_tokens
    assert most == (POSITIONS - 2 if kind == "roberta" else POSITIONS)
    pack([[5] * most], config(kind))
    with pytest.raises(InputError, match=f"{most + 1} tokens is longer than the {most}"):
        pack([[5], [5] * (most + 1)], config(kind))


# the padded face

masks = arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 20)))


@given(kinds, masks, st.data())
@torch.inference_mode()
def test_padded_with_any_mask_is_packed(kind, mask, data):
    """RoBERTa's positions count the tokens, so a mask changes nothing; BERT's are the columns."""
    mask = torch.from_numpy(mask).long()
    rows = [data.draw(st.lists(tokens, min_size=n, max_size=n)) for n in mask.sum(1).tolist()]
    model = model_of(kind, "token-classification")
    ids = padded(rows, model.config.pad_token_id, mask)
    said = model(input_ids=ids, attention_mask=mask).logits
    assert said.shape == (*mask.shape, 2) and not said[mask == 0].any()
    for row, at, out in zip(rows, mask.bool(), said, strict=True):
        if row:
            packed = pack([row], model.config)
            if kind != "roberta":
                packed = type(packed)(packed.ids, at.nonzero().flatten(), packed.lengths)
            torch.testing.assert_close(out[at], model.run(packed), atol=TOLERANCE, rtol=0)


@given(kinds, masks, st.data())
@torch.inference_mode()
def test_what_stands_under_the_mask_does_not_matter(kind, mask, data):
    mask = torch.from_numpy(mask).long()
    ids = padded([data.draw(st.lists(tokens, min_size=n, max_size=n)) for n in mask.sum(1).tolist()], 0, mask)
    model = model_of(kind, "token-classification")
    places = torch.arange(mask.shape[1]).expand_as(mask) + 2
    other = torch.where(mask == 1, ids, data.draw(tokens))
    one, two = (model(input_ids=x, attention_mask=mask, position_ids=places).logits for x in (ids, other))
    assert torch.equal(one, two)


@given(masks, st.booleans())
def test_what_is_packed_comes_back_to_its_place(mask, first):
    mask = torch.from_numpy(mask).long()
    ids = torch.arange(mask.numel()).view(mask.shape) % VOCABULARY
    packed, padding = from_padded(config("bert"), ids, mask, first=first)
    kept = mask.bool().clone()
    kept[:, 0] |= first
    assert list(packed.lengths) == sorted((n for n in kept.sum(1).tolist() if n), reverse=True)
    assert torch.equal(padding.restore(packed.ids), ids * mask)
    assert torch.equal(padding.restore(packed.positions + 1), (torch.arange(mask.shape[1]) + 1) * mask)
    lengths = padding.restore_rows(torch.tensor(packed.lengths, dtype=torch.long))
    assert torch.equal(lengths, kept.sum(1))
    seen = packed.layout.rows
    looked_at = packed.ids if seen is None else packed.ids[seen]
    assert sorted(looked_at.tolist()) == sorted(ids[mask.bool()].tolist())
    assert sum(packed.layout.keys) == int(mask.sum()) and packed.layout.queries == packed.lengths


@given(kinds, masks, st.data())
@torch.inference_mode()
def test_the_order_of_padded_rows_does_not_matter(kind, mask, data):
    mask = torch.from_numpy(mask).long()
    model = model_of(kind, data.draw(st.sampled_from(["sequence-classification", "token-classification"])))
    rows = [data.draw(st.lists(tokens, min_size=n, max_size=n)) for n in mask.sum(1).tolist()]
    ids = padded(rows, model.config.pad_token_id, mask)
    order = data.draw(st.permutations(range(len(ids))))
    said, shuffled = model(ids, mask).logits, model(ids[order], mask[order]).logits
    torch.testing.assert_close(shuffled, said[order], atol=TOLERANCE, rtol=0)


# attention

lengths = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=6)


@given(
    lengths,
    st.integers(1, 3),
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.none() | st.floats(0.01, 3),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
def test_attend_is_attend_plain(pairs, heads, causal, window, scale, biased, alike, seed):
    """In self-attention, in cross-attention, and for the last few queries of a longer text, as with a cache."""
    pairs = [(q, q) for q, _ in pairs] if alike else [(min(q, k), k) if causal or window is not None else (q, k)
                                                      for q, k in pairs]  # fmt: skip
    layout = Layout(tuple(q for q, _ in pairs), tuple(k for _, k in pairs))
    made = torch.Generator().manual_seed(seed)
    q = torch.randn(sum(layout.queries), heads, 4, generator=made)
    k, v = (torch.randn(sum(layout.keys), heads, 4, generator=made) for _ in range(2))
    biases = {(a, b): torch.randn(heads, a, b, generator=made) for a, b in pairs}
    options = {
        "causal": causal,
        "window": window,
        "scale": scale,
        "bias": (lambda a, b: biases[a, b]) if biased else None,
    }
    fast, plain = attend(q, k, v, layout, **options), attend_plain(q, k, v, layout, **options)
    assert [one.context.shape for one in plain] == [(a, heads, 4) for a, _ in pairs]
    assert [one.probs.shape for one in plain] == [(heads, a, b) for a, b in pairs]
    torch.testing.assert_close(fast, torch.cat([one.context for one in plain]), atol=TOLERANCE, rtol=0)
    for one, (a, b) in zip(plain, pairs, strict=True):
        torch.testing.assert_close(one.probs.sum(-1), torch.ones(heads, a), atol=TOLERANCE, rtol=0)
        place = torch.arange(b - a, b)[:, None], torch.arange(b)
        hidden = place[1] > place[0] if causal else torch.zeros(a, b, dtype=torch.bool)
        if window is not None:
            hidden = hidden | ((place[1] - place[0]).abs() > window)
        assert not one.probs[:, hidden].any() and (one.probs[:, ~hidden] > 0).all()


@given(lengths, st.integers(0, 1000))
def test_attention_keeps_sequences_apart(pairs, seed):
    """By the formula, a sequence at a time: softmax(q·kᵀ/√d)·v."""
    layout = Layout(tuple(q for q, _ in pairs), tuple(k for _, k in pairs))
    made = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(sum(n), 2, 4, generator=made) for n in (layout.queries, layout.keys, layout.keys))
    by_hand = [
        torch.einsum("hqk,khd->qhd", (torch.einsum("qhd,khd->hqk", qs, ks) / 2).softmax(-1), vs)
        for qs, ks, vs in zip(q.split(layout.queries), k.split(layout.keys), v.split(layout.keys), strict=True)
    ]
    torch.testing.assert_close(attend(q, k, v, layout), torch.cat(by_hand), atol=TOLERANCE, rtol=0)


# planning


@given(st.lists(st.integers(0, 300)), st.integers(1, 500), st.none() | st.integers(1, 9))
def test_a_plan_has_each_index_once_and_keeps_to_its_budget(lengths, budget, most):
    batches = plan(lengths, budget, most)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert batch and len(batch) <= (most or len(batch))
        assert sum(lengths[i] for i in batch) <= budget or len(batch) == 1
    order = [lengths[i] for batch in batches for i in batch]
    assert order == sorted(order, reverse=True), "neighbours are of like length"
    for one, after in pairwise(batches):  # no batch was closed while the next sequence had room in it
        full = sum(lengths[i] for i in one) + lengths[after[0]] > budget
        assert full or len(one) == most


@given(st.lists(st.integers()), st.integers(1, 9), st.integers(1, 20))
def test_windows_lose_nothing_keep_the_order_and_grow(items, first, size):
    size = max(first, size)
    found = list(windows(iter(items), first, size))
    assert [item for window in found for item in window] == items
    assert all(len(window) == min(size, first * 2**i) for i, window in enumerate(found[:-1]))
    assert all(0 < len(window) <= size for window in found)


@given(st.integers(1, 9), st.integers(1, 20))
def test_windows_read_no_further_than_they_give(first, size):
    taken = []
    source = (taken.append(i) or i for i in range(1000))
    given_out = 0
    for window in windows(source, first, max(first, size)):
        given_out += len(window)
        assert len(taken) == given_out


# names


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def checkpoint(family: Family, sizes: Config, head: str) -> dict[str, torch.Tensor]:
    """What a model's tensors are in a checkpoint of that family."""
    torch.manual_seed(0)
    model = initialise(build(sizes, head), 0.3)
    return to_checkpoint(family, sizes, head, model.state_dict())


@pytest.mark.parametrize(("name", "head"), [(n, h) for n in FAMILIES for h in sorted({"none", *FAMILIES[n].heads})])
def test_to_checkpoint_undoes_from_checkpoint(name, head):
    family = FAMILIES[name]
    sizes = config(name) if name in ENCODERS else writer(name)
    tensors = checkpoint(family, sizes, head)
    wanted = set(build(sizes, head).state_dict())
    ours = from_checkpoint(family, sizes, head, normalize_names(family, sizes, tensors), wanted)
    assert ours.keys() == wanted
    assert same(to_checkpoint(family, sizes, head, ours), tensors)
    assert len({name.checkpoint_name for name in name_map(family, sizes, head)}) == len(name_map(family, sizes, head))


@pytest.mark.parametrize("name", WRITERS)
def test_configurations_of_decoders_come_back(name):
    values = writer(name)
    for head in FAMILIES[name].heads:
        again = read_config(FAMILIES[name], write_config(FAMILIES[name], values, head), head)
        if values.decoder is not None:
            assert {**vars(again.decoder), "extra": {}} == {**vars(values.decoder), "extra": {}}
        assert {**vars(again), "extra": {}, "decoder": None} == {**vars(values), "extra": {}, "decoder": None}


@pytest.mark.parametrize("name", ENCODERS)
def test_configurations_come_back(name):
    labels = {"id2label": {0: "no", 1: "sí"}, "problem_type": "multi_label_classification"}
    values = config(name, hidden_act="relu", classifier_dropout=0.3, **labels)
    for head in FAMILIES[name].heads:
        again = read_config(FAMILIES[name], write_config(FAMILIES[name], values, head), head)
        assert {**vars(again), "extra": {}} == {**vars(values), "extra": {}}
        assert write_config(FAMILIES[name], again, head) == write_config(FAMILIES[name], values, head)


@pytest.mark.parametrize("name", ENCODERS)
def test_dropout_that_was_left_to_the_rest_of_the_model_is_the_same_after_saving(name):
    head = "sequence-classification"
    values = config(name, classifier_dropout=None, hidden_dropout_prob=0.35)
    again = read_config(FAMILIES[name], write_config(FAMILIES[name], values, head), head)
    assert Model(again, head).head.dropout.p == Model(values, head).head.dropout.p == 0.35


MADE_UP = Family(
    prefix="cat.",
    rows=(
        ("wte.weight", "embeddings.tokens.weight"),
        ("h.{i}.c_fc.weight", "layers.{i}.up.weight", "transpose"),
        ("h.{i}.c_fc.bias", "layers.{i}.up.bias"),
        (
            "h.{i}.qkv.*",
            ("layers.{i}.query.*", "layers.{i}.key.*", "layers.{i}.value.*"),
            "split",
        ),
        ("h.{i}.saved_mask", None),
        ("norm.*", "norm.*"),
    ),
    heads={
        "none": Head("CatModel"),
        "masked-lm": Head(
            "CatForMaskedLM",
            (("lm.bias", "head.bias"), ("lm.weight", "embeddings.tokens.weight", "tie"), ("lm.old", None, "tie")),
        ),
    },
    defaults={},
)


def made_up(layers: int, width: int, head: str, seed: int) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    shapes = {"wte.weight": (5, width), "norm.weight": (width,), "norm.bias": (width,)}
    for i in range(layers):
        shapes |= {
            f"h.{i}.c_fc.weight": (width, 2 * width + 1),
            f"h.{i}.c_fc.bias": (2 * width + 1,),
            f"h.{i}.qkv.weight": (3 * width, width),
            f"h.{i}.qkv.bias": (3 * width,),
        }
    shapes = {"cat." + name: shape for name, shape in shapes.items()} | (
        {"lm.bias": (5,)} if head == "masked-lm" else {}
    )
    return {name: torch.randn(shape, generator=made) for name, shape in shapes.items()}


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from(["none", "masked-lm"]), st.integers(0, 100))
def test_to_checkpoint_undoes_from_checkpoint_for_rows_of_every_kind(layers, width, head, seed):
    sizes = config("bert", num_hidden_layers=layers)
    tensors = made_up(layers, width, head, seed)
    there = tensors | {"cat.h.0.saved_mask": torch.ones(1)}
    if head == "masked-lm":
        there["lm.weight"] = tensors["cat.wte.weight"]
    ours = from_checkpoint(MADE_UP, sizes, head, there, {"layers.0.query.bias"})
    assert torch.equal(ours["layers.0.up.weight"], tensors["cat.h.0.c_fc.weight"].T)
    for part, name in zip(tensors["cat.h.0.qkv.weight"].chunk(3), ("query", "key", "value"), strict=True):
        assert torch.equal(ours[f"layers.0.{name}.weight"], part)
    back = to_checkpoint(MADE_UP, sizes, head, ours)
    assert same({name if head != "none" else "cat." + name: tensor for name, tensor in back.items()}, tensors)


def test_a_shared_tensor_may_stand_under_its_second_name_alone_and_must_agree_where_both_are():
    sizes = config("bert")
    tensors = made_up(2, 3, "masked-lm", 0)
    second = {name.replace("cat.wte", "lm"): tensor for name, tensor in tensors.items()}
    ours = from_checkpoint(MADE_UP, sizes, "masked-lm", second, {"embeddings.tokens.weight"})
    assert same(to_checkpoint(MADE_UP, sizes, "masked-lm", ours), tensors)
    with pytest.raises(CheckpointError, match=r"lm\.weight.*differs"):
        from_checkpoint(MADE_UP, sizes, "masked-lm", tensors | {"lm.weight": tensors["cat.wte.weight"] + 1}, set())


@pytest.mark.parametrize("rows", [1, 2, 4, 7, 8])
def test_what_cannot_be_split_evenly_is_refused(rows):
    tensors = made_up(1, 3, "none", 0) | {"cat.h.0.qkv.bias": torch.zeros(rows)}
    with pytest.raises(CheckpointError, match=r"h\.0\.qkv\.bias"):
        from_checkpoint(MADE_UP, config("bert", num_hidden_layers=1), "none", tensors, set())


def test_a_layer_that_all_layers_share_is_stored_once():
    """ALBERT's: one tensor of the checkpoint is one of each of our layers."""
    family = Family("", (("shared.*", "layers.{i}.up.*"), ("norm.*", "norm.*")), {"none": Head("Cat")}, {})
    sizes = config("bert", num_hidden_layers=3)
    tensors = {"shared.weight": torch.randn(3, 3), "shared.bias": torch.randn(3), "norm.weight": torch.randn(3)}
    ours = from_checkpoint(family, sizes, "none", tensors, {f"layers.{i}.up.weight" for i in range(3)})
    assert all(torch.equal(ours[f"layers.{i}.up.bias"], tensors["shared.bias"]) for i in range(3))
    assert same(to_checkpoint(family, sizes, "none", ours), tensors)
