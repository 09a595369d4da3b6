"""Models for question answering against `transformers`."""

import pytest
import torch
from reference import KINDS, batch, close
from small import model
from small_encoders import FAMILIES, make_encoder

from gatonegro import AutoModelForQuestionAnswering
from gatonegro.errors import InputError, MissingHeadError


@pytest.mark.parametrize("family", KINDS)
def test_logits_and_losses_are_those_of_transformers(family, pair):
    theirs, ours, _ = pair(family, "ModelForQuestionAnswering")
    x = batch(family)
    real = x["attention_mask"].bool()
    positions = {
        "start_positions": torch.tensor([3, 2, 8, 0, 0, 40]),
        "end_positions": torch.tensor([[5], [2], [9], [1], [0], [-3]]),
    }
    with torch.no_grad():
        a, b = theirs(**x), ours(**x)
    assert [*b] == ["start_logits", "end_logits"]
    for name in ("start_logits", "end_logits"):
        assert close(a[name][real], b[name][real])
        assert (b[name][~real] == torch.finfo(torch.float32).min).all()  # no argmax and no softmax is about padding
    whole = {name: value[:1] for name, value in {**x, **positions}.items()}  # the reference's loss counts padding too
    a, b = theirs(**whole), ours(**whole)
    assert [*b] == ["loss", "start_logits", "end_logits"] and close(a.loss, b.loss)
    theirs.zero_grad()
    ours.zero_grad()
    a.loss.backward()
    b.loss.backward()
    assert close(theirs.qa_outputs.weight.grad, ours.head.output.weight.grad)


def test_an_answer_out_of_reach_counts_for_nothing(pair):
    _, ours, _ = pair("bert", "ModelForQuestionAnswering")
    x = {name: value[:3] for name, value in batch("bert").items()}
    starts, ends = torch.tensor([3, 2, 900]), torch.tensor([4, 5, 17])
    some = {name: value[:2] for name, value in x.items()}
    assert close(
        ours(**x, start_positions=starts, end_positions=ends).loss,
        ours(**some, start_positions=starts[:2], end_positions=ends[:2]).loss,
    )


@pytest.mark.parametrize("positions", [3, torch.tensor([1.0] * 6), torch.tensor([1, 2])])
def test_positions_that_fit_nothing(positions, pair):
    _, ours, _ = pair("bert", "ModelForQuestionAnswering")
    with pytest.raises(InputError, match="start_positions must be a tensor of 6 whole numbers"):
        ours(**batch("bert"), start_positions=positions, end_positions=torch.zeros(6).long())


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_saved_model_is_read_by_transformers(kind, tmp_path):
    hf = pytest.importorskip("transformers")
    ours = AutoModelForQuestionAnswering.from_pretrained(make_encoder(kind, "question-answering", tmp_path / "first"))
    ours.save_pretrained(tmp_path / "second")
    theirs = hf.AutoModelForQuestionAnswering.from_pretrained(tmp_path / "second").eval()
    ids = torch.arange(5, 25)[None]
    assert close(theirs(ids).end_logits, ours(ids).end_logits)


def test_dropout_in_training_is_distilberts_alone():
    assert model("distilbert", "question-answering", span_dropout=0.1).head.dropout.p == 0.1
    assert model("bert", "question-answering").head.dropout.p == 0


def test_a_model_without_the_head(tiny):
    with pytest.raises(MissingHeadError, match="question-answering"):
        AutoModelForQuestionAnswering.from_pretrained(tiny)
