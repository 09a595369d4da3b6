"""Inputs of a model: masks, positions, embeddings, token types, and batches that are refused."""

import pytest
import torch
from reference import FAMILIES, HEADS, KINDS, agree, batch, close, outputs

from gatonegro.errors import InputError


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_positions_given(family, head, pair):
    theirs, ours, _ = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    x = batch(family)
    places = torch.randint(0, 40, x["input_ids"].shape, generator=torch.Generator().manual_seed(1))
    assert agree(theirs, ours, x, position_ids=places)
    assert not agree(theirs, ours, x, position_ids=places) or not close(
        outputs(ours(**x))[:1], outputs(ours(**x, position_ids=places))[:1]
    )
    assert agree(theirs, ours, x, position_ids=places[:1])  # the same for all rows


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_embeddings_given(family, head, pair):
    theirs, ours, _ = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    mask = batch(family)["attention_mask"]
    vectors = torch.randn(*mask.shape, 24, generator=torch.Generator().manual_seed(1))
    assert agree(theirs, ours, {"attention_mask": mask, "inputs_embeds": vectors})


@pytest.mark.parametrize("family", ["bert", "camembert"])
@pytest.mark.parametrize("head", HEADS)
def test_segments_given(family, head, pair):
    theirs, ours, _ = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    x = batch(family)
    kinds = torch.randint(0, 2, x["input_ids"].shape, generator=torch.Generator().manual_seed(1))
    assert agree(theirs, ours, x, token_type_ids=kinds)
    assert not close(outputs(ours(**x))[:1], outputs(ours(**x, token_type_ids=kinds))[:1])


@pytest.mark.parametrize("family", KINDS)
def test_masks_of_every_type_and_none(family, pair):
    theirs, ours, _ = pair(family, "ModelForTokenClassification", num_labels=5)
    x = batch(family)
    expected = ours(**x).logits
    for kind in (torch.bool, torch.int32, torch.float32, torch.uint8):
        assert torch.equal(ours(x["input_ids"], x["attention_mask"].to(kind)).logits, expected)
    ids = x["input_ids"][:2, :9]
    assert close(theirs(ids).logits, ours(ids).logits)
    assert close(theirs(ids).logits, ours(ids.int()).logits)


@pytest.mark.parametrize("family", KINDS)
def test_batches_that_fit_nothing(family, pair):
    _, ours, _ = pair(family, "ModelForSequenceClassification", num_labels=5)
    x = batch(family)["input_ids"]
    for wrong, message in (
        ({}, "input_ids or inputs_embeds"),
        ({"input_ids": x, "inputs_embeds": torch.randn(*x.shape, 24)}, "one of the two"),
        ({"input_ids": x[0]}, "input_ids must be of shape"),
        ({"input_ids": x + 90}, "vocabulary"),
        ({"input_ids": x - 90}, "vocabulary"),
        ({"input_ids": x.float()}, "input_ids"),
        ({"input_ids": x, "attention_mask": torch.ones(6, 16)}, "attention_mask"),
        ({"input_ids": x, "attention_mask": torch.ones(6)}, "attention_mask"),
        ({"input_ids": x, "token_type_ids": torch.zeros(5, 17, dtype=torch.long)}, "token_type_ids"),
        ({"input_ids": x, "position_ids": torch.zeros_like(x) + 40}, "position|longer"),
        ({"input_ids": x, "position_ids": torch.zeros_like(x) - 1}, "position"),
        ({"input_ids": x, "position_ids": torch.zeros(4, 17, dtype=torch.long)}, "position"),
        ({"inputs_embeds": torch.randn(6, 17, 23)}, "inputs_embeds"),
        ({"input_ids": x.repeat(1, 3)}, "longer than the (40|38)"),
    ):
        with pytest.raises(InputError, match=message):
            ours(**wrong)


def test_segments_that_there_are_not(pair):
    _, ours, _ = pair("bert", "ModelForSequenceClassification", num_labels=5)
    x = batch("bert")["input_ids"]
    for wrong in (torch.full_like(x, 2), torch.full_like(x, -1)):
        with pytest.raises(InputError, match="token_type_ids"):
            ours(input_ids=x, token_type_ids=wrong)


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("head", HEADS)
def test_nothing_in_nothing_out(family, head, pair):
    _, ours, _ = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    for shape in ((0, 0), (0, 5), (2, 0)):
        empty = torch.zeros(shape, dtype=torch.long)
        out = ours(empty, torch.ones_like(empty), output_hidden_states=True, output_attentions=True)
        assert outputs(out).shape[0] == shape[0] and outputs(out).numel() in (0, 2 * 5)
    none = ours(torch.ones(2, 5, dtype=torch.long), torch.zeros(2, 5), output_attentions=True)
    assert outputs(none).shape[0] == 2 and outputs(none).isfinite().all()
