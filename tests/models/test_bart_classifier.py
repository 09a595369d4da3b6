"""Tests of BART with a head for sequence classification, the usual model of zero-shot classification."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from small_encoders import make_encoder

from gatonegro import AutoModel, AutoModelForSequenceClassification, BartForSequenceClassification, explain, pipeline
from gatonegro.errors import InputError, MissingHeadError

LABELS = {0: "contradiction", 1: "neutral", 2: "entailment"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_encoder("roberta", "sequence-classification", tmp_path_factory.mktemp("bart"))
    size = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    torch.manual_seed(0)
    config = transformers.BartConfig(
        vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4, init_std=0.3,
        decoder_attention_heads=2, encoder_ffn_dim=40, decoder_ffn_dim=48, max_position_embeddings=40,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
        id2label=LABELS, label2id={label: i for i, label in LABELS.items()},
    )  # fmt: skip
    transformers.BartForSequenceClassification(config).save_pretrained(folder)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**tokenizer, "tokenizer_class": "BartTokenizer"}))
    return folder


def batch():
    """Return ids (3, 9) with one, two and no columns of padding, and their mask."""
    ids = torch.randint(3, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    ids[:, 0], ids[:, -1] = 0, 2
    ids[1, -2:], ids[2, :2] = torch.tensor([2, 1]), torch.tensor([1, 0])  # padding on the right, and on the left
    return ids, (ids != 1).long()


@pytest.mark.parametrize("values", [{}, {"labels": torch.tensor([2, 0, 1])}, {"output_hidden_states": True}])
def test_outputs(folder, values):
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    ours = AutoModelForSequenceClassification.from_pretrained(folder)
    assert isinstance(ours, BartForSequenceClassification)
    ids, mask = batch()
    for inputs in ({"input_ids": ids}, {"input_ids": ids[:2], "attention_mask": mask[:2]}):
        some = {
            name: value[: len(inputs["input_ids"])] if name == "labels" else value for name, value in values.items()
        }
        expected, out = theirs(**inputs, **some), ours(**inputs, **some)
        assert type(out).__name__ == type(expected).__name__
        assert list(out) == list(expected)
        torch.testing.assert_close(out.logits, expected.logits, atol=1e-5, rtol=0)
        if "labels" in values:
            torch.testing.assert_close(out.loss, expected.loss)
    assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_packed_and_optimized(folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    ids, mask = batch()
    expected = model(ids[:2], mask[:2]).logits.detach()
    rows = [[i for i in row.tolist() if i != 1] for row in ids[:2]]
    for fast, bound in ((model, 1e-5), (model.optimize("fp32"), 1e-5), (model.optimize("int8"), 0.2)):
        assert abs(torch.tensor(fast.predict(rows)[1]) - expected[1]).max() < bound


def test_text_without_an_end_is_refused(folder):
    with pytest.raises(InputError, match="row 0 has no end-of-sequence"):
        AutoModelForSequenceClassification.from_pretrained(folder)(torch.tensor([[0, 5, 6]]))


def test_base_model_reads_its_input_twice(folder):
    ids, _ = batch()
    expected = transformers.BartModel.from_pretrained(folder)(ids).last_hidden_state
    torch.testing.assert_close(AutoModel.from_pretrained(folder)(ids).last_hidden_state, expected, atol=1e-5, rtol=0)


def test_pipelines(folder):
    texts, labels = ["El gato duerme.", "Todo es sencillo"], ["animales", "cocina", "agua"]
    for task, options in (
        ("text-classification", {"top_k": None}),
        ("zero-shot-classification", {"hypothesis_template": "Es de {}."}),
    ):
        expected = transformers.pipeline(task, model=str(folder), device="cpu")
        answers = pipeline(task, model=folder, dtype="float32")
        args = (labels,) if task.startswith("zero") else ()
        for mine, reference in zip(answers(texts, *args, **options), expected(texts, *args, **options), strict=True):
            if args:
                assert mine["labels"] == reference["labels"]
                assert mine["scores"] == pytest.approx(reference["scores"], abs=1e-5)
            else:
                assert [each["label"] for each in mine] == [each["label"] for each in reference]


def test_it_generates_and_explains_nothing(folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with pytest.raises(MissingHeadError, match="language-model head"):
        model.generate(batch()[0])
    with pytest.raises(MissingHeadError, match="language-model head"):
        explain("El gato", model=folder)
