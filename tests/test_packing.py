"""Properties of packing, for any batch and mask (hypothesis)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from small import config

from gatonegro.errors import InputError
from gatonegro.models import Model, init_weights
from gatonegro.packing import pack
from gatonegro.padding import from_padded

VOCABULARY, POSITIONS, TOLERANCE = 30, 24, 1e-5

SIZES = {"vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS, "hidden_size": 16, "num_hidden_layers": 2}
MODELS = {}


def model_of(model_type: str, head: str) -> Model:
    """Return a model with weights large enough for any mistake to show."""
    if (model_type, head) not in MODELS:
        torch.manual_seed(len(MODELS))
        MODELS[model_type, head] = init_weights(Model(config(model_type, **SIZES), head), 0.25).eval()
    return MODELS[model_type, head]


kinds = st.sampled_from(["bert", "distilbert", "roberta"])  # columns, columns without segments, counts

tokens = st.integers(2, VOCABULARY - 1)  # no pads: 0 and 1

sentences = st.lists(st.lists(tokens, min_size=1, max_size=20), min_size=1, max_size=7)


def padded(rows: list[list[int]], pad: int, mask: torch.Tensor) -> torch.Tensor:
    """Put rows where a mask (b, s) is 1, and pads elsewhere."""
    ids = torch.full(mask.shape, pad)
    for row, at, values in zip(ids, mask, rows, strict=True):
        row[at.bool()] = torch.tensor(values, dtype=torch.long)
    return ids


@given(kinds, sentences)
@torch.inference_mode()
def test_packed_is_alone(kind, rows):
    for head in ("sequence-classification", "token-classification", "masked-lm"):
        model = model_of(kind, head)
        logits = model.run(pack(rows, model.config))
        alone = torch.cat([model.run(pack([row], model.config)) for row in rows])
        torch.testing.assert_close(logits, alone, atol=TOLERANCE, rtol=0)


@given(kinds, sentences, st.data())
@torch.inference_mode()
def test_what_one_sequence_says_depends_on_no_other(kind, rows, data):
    model = model_of(kind, "sequence-classification")
    others = data.draw(st.lists(st.lists(tokens, min_size=1, max_size=20), max_size=4))
    first, second = (model.run(pack([rows[0], *after], model.config)) for after in (rows[1:], others))
    torch.testing.assert_close(first[0], second[0], atol=TOLERANCE, rtol=0)


@given(kinds, sentences, st.randoms(use_true_random=False))
@torch.inference_mode()
def test_the_order_of_a_batch_does_not_matter(kind, rows, random):
    model = model_of(kind, "sequence-classification")
    order = list(range(len(rows)))
    random.shuffle(order)
    logits = model.run(pack(rows, model.config))
    shuffled = model.run(pack([rows[i] for i in order], model.config))
    torch.testing.assert_close(shuffled, logits[order], atol=TOLERANCE, rtol=0)


@given(kinds, sentences, st.integers(1, 64))
@torch.inference_mode()
def test_filler_makes_a_round_number_and_changes_nothing(kind, rows, multiple):
    model = model_of(kind, "sequence-classification")
    plain, filled = pack(rows, model.config), pack(rows, model.config, pad_to_multiple_of=multiple)
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
    packed = pack(rows, config(kind, **SIZES))
    start = config(kind, **SIZES).position_offset
    assert start == (2 if kind == "roberta" else 0)
    assert packed.positions.tolist() == [start + i for row in rows for i in range(len(row))]
    assert packed.ids[packed.first_tokens].tolist() == [row[0] for row in rows]


@given(st.lists(st.lists(tokens, min_size=1, max_size=12), min_size=1, max_size=5), st.data())
@torch.inference_mode()
def test_segments_go_with_their_tokens(rows, data):
    model = model_of("bert", "token-classification")
    kinds = [data.draw(st.lists(st.integers(0, 1), min_size=len(row), max_size=len(row))) for row in rows]
    logits = model.run(pack(rows, model.config, kinds, pad_to_multiple_of=16))
    alone = [model.run(pack([row], model.config, [kind])) for row, kind in zip(rows, kinds, strict=True)]
    torch.testing.assert_close(logits[: sum(map(len, rows))], torch.cat(alone), atol=TOLERANCE, rtol=0)


@given(kinds)
def test_a_sequence_that_is_too_long_is_refused(kind):
    most = config(kind, **SIZES).max_tokens
    assert most == (POSITIONS - 2 if kind == "roberta" else POSITIONS)
    pack([[5] * most], config(kind, **SIZES))
    with pytest.raises(InputError, match=f"{most + 1} tokens is longer than the {most}"):
        pack([[5], [5] * (most + 1)], config(kind, **SIZES))


masks = arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 20)))


@given(kinds, masks, st.data())
@torch.inference_mode()
def test_padded_with_any_mask_is_packed(kind, mask, data):
    """RoBERTa's positions count tokens, so a mask changes nothing; BERT's are the columns."""
    mask = torch.from_numpy(mask).long()
    rows = [data.draw(st.lists(tokens, min_size=n, max_size=n)) for n in mask.sum(1).tolist()]
    model = model_of(kind, "token-classification")
    ids = padded(rows, model.config.pad_token_id, mask)
    logits = model(input_ids=ids, attention_mask=mask).logits
    assert logits.shape == (*mask.shape, 2) and not logits[mask == 0].any()
    for row, at, out in zip(rows, mask.bool(), logits, strict=True):
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
    first, second = (model(input_ids=x, attention_mask=mask, position_ids=places).logits for x in (ids, other))
    assert torch.equal(first, second)


@given(masks, st.booleans())
def test_what_is_packed_comes_back_to_its_place(mask, first):
    mask = torch.from_numpy(mask).long()
    ids = torch.arange(mask.numel()).view(mask.shape) % VOCABULARY
    packed, padding = from_padded(config("bert"), ids, mask, keep_first=first)
    kept = mask.bool().clone()
    kept[:, 0] |= first
    assert list(packed.lengths) == sorted((n for n in kept.sum(1).tolist() if n), reverse=True)
    assert torch.equal(padding.restore(packed.ids), ids * mask)
    assert torch.equal(padding.restore(packed.positions + 1), (torch.arange(mask.shape[1]) + 1) * mask)
    lengths = padding.restore_sequences(torch.tensor(packed.lengths, dtype=torch.long))
    assert torch.equal(lengths, kept.sum(1))
    seen = packed.layout.key_rows
    keys = packed.ids if seen is None else packed.ids[seen]
    assert sorted(keys.tolist()) == sorted(ids[mask.bool()].tolist())
    assert sum(packed.layout.key_lengths) == int(mask.sum()) and packed.layout.query_lengths == packed.lengths


@given(kinds, masks, st.data())
@torch.inference_mode()
def test_the_order_of_padded_rows_does_not_matter(kind, mask, data):
    mask = torch.from_numpy(mask).long()
    model = model_of(kind, data.draw(st.sampled_from(["sequence-classification", "token-classification"])))
    rows = [data.draw(st.lists(tokens, min_size=n, max_size=n)) for n in mask.sum(1).tolist()]
    ids = padded(rows, model.config.pad_token_id, mask)
    order = data.draw(st.permutations(range(len(ids))))
    logits, shuffled = model(ids, mask).logits, model(ids[order], mask[order]).logits
    torch.testing.assert_close(shuffled, logits[order], atol=TOLERANCE, rtol=0)


lengths = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=6)
