"""Losses and their gradients against `transformers`."""

import pytest
import torch
from reference import KINDS, TOLERANCE, batch, close

from gatonegro.errors import InputError

LOSSES = {
    "single": ("ModelForSequenceClassification", {"num_labels": 5}, torch.tensor([0, 4, 2, 1, 1, 3])),
    "single, by name": (
        "ModelForSequenceClassification",
        {"num_labels": 3, "problem_type": "single_label_classification"},
        torch.tensor([[0], [2], [2], [1], [1], [0]]),
    ),
    "several": ("ModelForSequenceClassification", {"num_labels": 5}, torch.rand(6, 5).round()),
    "several, by name": (
        "ModelForSequenceClassification",
        {"num_labels": 4, "problem_type": "multi_label_classification"},
        torch.rand(6, 4),
    ),
    "regression": ("ModelForSequenceClassification", {"num_labels": 1}, torch.randn(6)),
    "regression of a column": ("ModelForSequenceClassification", {"num_labels": 1}, torch.randn(6, 1)),
    "regression, by name": (
        "ModelForSequenceClassification",
        {"num_labels": 3, "problem_type": "regression"},
        torch.randn(6, 3),
    ),
    "tokens": ("ModelForTokenClassification", {"num_labels": 5}, 5),
    "words": ("ModelForMaskedLM", {}, 99),
}


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients(family, name, pair):
    head, config, labels = LOSSES[name]
    theirs, ours, _ = pair(family, head, **config)
    for model in (theirs, ours):
        model.config.problem_type = config.get("problem_type")  # which the first labels set
    x = batch(family)
    if isinstance(labels, int):  # for each token, and none where there is none, nor for half of the others
        made = torch.Generator().manual_seed(3)
        half = torch.rand(x["input_ids"].shape, generator=made) < 0.5
        labels = torch.randint(0, labels, x["input_ids"].shape, generator=made)
        labels[(x["attention_mask"] == 0) | half] = -100
    a, b = theirs(**x, labels=labels), ours(**x, labels=labels)
    assert b.loss.shape == () and a.loss.item() == pytest.approx(b.loss.item(), abs=TOLERANCE)
    assert b[0] is b.loss and b["logits"] is b.logits is b[1] and list(b) == ["loss", "logits"]
    kept = None if "single" in str(theirs.config.problem_type) else theirs.config.problem_type
    assert ours.config.problem_type == (config.get("problem_type") or kept)
    theirs.zero_grad()
    ours.zero_grad()
    a.loss.backward()
    b.loss.backward()
    real = x["input_ids"][x["attention_mask"].bool()].unique()
    expected = theirs.get_input_embeddings().weight.grad[real]
    assert expected.any() and close(expected, ours.embeddings.tokens.weight.grad[real])


@pytest.mark.parametrize("family", KINDS)
def test_labels_that_fit_nothing(family, pair):
    _, ours, _ = pair(family, "ModelForSequenceClassification", num_labels=5)
    ours.config.problem_type = None
    _, bare, _ = pair(family, "Model")
    _, several, _ = pair(
        family, "ModelForSequenceClassification", num_labels=4, problem_type="multi_label_classification"
    )
    x = batch(family)
    with pytest.raises(InputError, match="head"):
        bare(**x, labels=torch.zeros(6, dtype=torch.long))
    for labels in (torch.zeros(5, dtype=torch.long), torch.full((6,), 5), torch.full((6,), -1), torch.zeros(6, 2)):
        with pytest.raises(InputError, match="labels"):
            ours(**x, labels=labels)
    with pytest.raises(InputError, match="labels"):
        several(**x, labels=torch.zeros(6))
    assert ours(**x, labels=torch.zeros(6, dtype=torch.int32)).loss.isfinite()
