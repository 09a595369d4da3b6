"""Loading: missing heads, new heads, old names, tied weights, checkpoints that do not fit."""

import json

import pytest
import torch
from reference import FAMILIES, HEADS, agree, batch, close, outputs, reference
from safetensors.torch import load_file, save_file

from gatonegro import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, MissingHeadError

hf = pytest.importorskip("transformers")


def test_a_checkpoint_without_the_head_says_what_it_has(pair):
    *_, bare = pair("bert", "Model")
    *_, words = pair("bert", "ModelForMaskedLM")
    *_, tokens = pair("roberta", "ModelForTokenClassification", num_labels=5)
    for folder, head, message in (
        (bare, AutoModelForSequenceClassification, "sequence-classification head.*without a head.*num_labels="),
        (bare, AutoModelForMaskedLM, "masked-lm head.*without a head"),
        (words, AutoModelForSequenceClassification, "sequence-classification head.*it has: masked-lm"),
        (words, AutoModelForTokenClassification, "token-classification head.*it has: masked-lm"),
        (tokens, AutoModelForMaskedLM, "masked-lm head.*it has: token-classification"),
        (tokens, AutoModelForSequenceClassification, "sequence-classification head.*it has: token-classification"),
    ):
        with pytest.raises(MissingHeadError, match=message) as caught:
            head.from_pretrained(folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_head_where_the_user_asks_for_one(family, pair, tmp_path):
    _, bare, folder = pair(family, "Model")
    x = batch(family)
    for auto in (AutoModelForSequenceClassification, AutoModelForTokenClassification):
        fresh = auto.from_pretrained(folder, num_labels=7)
        assert outputs(fresh(**x)).shape[-1] == 7 == fresh.config.num_labels
        assert not fresh.training
        encoder = {name: t for name, t in bare.own_state_dict().items() if not name.startswith("head.")}
        assert all(torch.equal(tensor, fresh.own_state_dict()[name]) for name, tensor in encoder.items())
        weight = fresh.head.output.weight
        assert 0 < weight.std() < 0.1 and not fresh.head.output.bias.any()
        fresh.save_pretrained(tmp_path)
        assert torch.equal(auto.from_pretrained(tmp_path).head.output.weight, weight)
    assert fresh.config.id2label == {i: f"LABEL_{i}" for i in range(7)}


def test_a_head_of_another_size_is_begun_anew_and_one_of_the_same_size_is_kept(pair):
    theirs, ours, folder = pair("bert", "ModelForSequenceClassification", num_labels=5)
    kept = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5)
    assert agree(theirs, kept, batch("bert"))
    with pytest.raises(CheckpointError, match=r"trained head for other labels.*ignore_mismatched_sizes=True"):
        AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    options = {"num_labels": 2, "ignore_mismatched_sizes": True}
    fresh = AutoModelForSequenceClassification.from_pretrained(folder, **options)
    assert fresh.head.output.weight.shape == (2, 24)
    assert torch.equal(fresh.head.dense.weight, ours.head.dense.weight), "the pooler fits"
    for wrong in (0, -1, "two", 2.5):
        with pytest.raises(GatonegroError, match="label"):
            AutoModelForSequenceClassification.from_pretrained(folder, num_labels=wrong)


@pytest.mark.parametrize("problem", ["regression", "single_label_classification", "multi_label_classification"])
def test_problem_types_travel(problem, pair, tmp_path):
    config = {"num_labels": 1 if problem == "regression" else 3, "problem_type": problem}
    _, ours, folder = pair("distilbert", "ModelForSequenceClassification", **config)
    assert ours.config.problem_type == AutoConfig.from_pretrained(folder).problem_type == problem
    ours.save_pretrained(tmp_path)
    theirs = hf.AutoConfig.from_pretrained(tmp_path)
    assert theirs.problem_type == problem and theirs.num_labels == config["num_labels"]


def test_labels_keep_their_names_and_order(tmp_path, pair):
    *_, folder = pair("bert", "ModelForTokenClassification", id2label=Names({i: f"B-{i}" for i in range(12)}))
    ours = AutoModelForTokenClassification.from_pretrained(folder)
    assert dict(ours.config.id2label) == {i: f"B-{i}" for i in range(12)}
    ours.save_pretrained(tmp_path)
    assert hf.AutoConfig.from_pretrained(tmp_path).id2label == {i: f"B-{i}" for i in range(12)}


class Names(dict):
    def __hash__(self):
        return hash(tuple(self.items()))


@pytest.mark.parametrize("family", ["bert", "roberta", "camembert"])
def test_an_encoder_without_pooler(family, pair, tmp_path):
    theirs, ours, _ = pair(family, "Model", pooler=False)
    out = ours(**batch(family))
    assert out.pooler_output is None and list(out) == ["last_hidden_state"] and out[0] is out.last_hidden_state
    assert agree(theirs, ours, batch(family))
    ours.save_pretrained(tmp_path)
    assert not any("pooler" in name for name in load_file(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS[1:])
def test_the_bare_encoder_of_a_model_with_a_head(family, head, pair):
    theirs, _, folder = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    assert agree(theirs.base_model, AutoModel.from_pretrained(folder), batch(family))


def rewrite(folder, out, change):
    """Write the same checkpoint with other tensors."""
    out.mkdir()
    save_file(change(load_file(folder / "model.safetensors")), out / "model.safetensors", {"format": "pt"})
    (out / "config.json").write_text((folder / "config.json").read_text())
    return out


def test_names_of_long_ago_and_saved_buffers(pair, tmp_path):
    def change(tensors):
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in tensors.items()
        }
        assert any("gamma" in name for name in old)
        return old | {
            "bert.embeddings.position_ids": torch.arange(40)[None],
            "cls.seq_relationship.weight": torch.randn(2, 24),
            "cls.seq_relationship.bias": torch.randn(2),
            "bert.pooler.dense.weight": torch.randn(24, 24),
            "bert.pooler.dense.bias": torch.randn(24),
        }

    theirs, _, folder = pair("bert", "ModelForMaskedLM")
    old = rewrite(folder, tmp_path / "old", change)
    assert agree(theirs, AutoModelForMaskedLM.from_pretrained(old), batch("bert"))
    assert agree(theirs.bert, AutoModel.from_pretrained(old), batch("bert"))


def test_bert_as_it_was_pretrained(tmp_path):
    theirs = reference("bert", "Model", "BertForPreTraining")
    theirs.save_pretrained(tmp_path)
    x = batch("bert")
    real = x["attention_mask"].bool()
    with torch.no_grad():
        words = theirs(**x).prediction_logits
        assert close(words[real], AutoModelForMaskedLM.from_pretrained(tmp_path)(**x).logits[real])
        assert close(theirs.bert(**x).pooler_output, AutoModel.from_pretrained(tmp_path)(**x).pooler_output)


@pytest.mark.parametrize("family", FAMILIES)
def test_tied_weights_may_be_stored_twice_but_not_differ(family, pair, tmp_path):
    theirs, _, folder = pair(family, "ModelForMaskedLM")
    second, first = {
        "bert": ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
        "distilbert": ("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"),
    }.get(family, ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"))
    twice = rewrite(folder, tmp_path / "twice", lambda t: t | {second: t[first].clone()})
    assert agree(theirs, AutoModelForMaskedLM.from_pretrained(twice), batch(family))
    untied = rewrite(folder, tmp_path / "untied", lambda t: t | {second: t[first] + 1})
    with pytest.raises(CheckpointError, match=second.replace(".", r"\.")):
        AutoModelForMaskedLM.from_pretrained(untied)


def without(name):
    return lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name}


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(QUERY), "lacks 1 of the model's tensors.*query.weight"),
        (without("bert.embeddings.LayerNorm.bias"), "embeddings.LayerNorm.bias"),
        (lambda t: t | {"bert.encoder.layer.1.lora.weight": torch.ones(2)}, "unexpected in a.*lora"),
        (lambda t: t | {"bert.encoder.layer.3.output.dense.bias": torch.ones(24)}, "unexpected in a.*layer.3"),
        (lambda t: t | {QUERY: torch.ones(24, 23)}, r"\(24, 23\).*\(24, 24\)"),
        (lambda t: t | {QUERY: torch.ones(24 * 24)}, r"\(576,\).*\(24, 24\)"),
        (lambda t: t | {"bert.embeddings.word_embeddings.weight": torch.ones(98, 24)}, r"\(98, 24\).*\(99, 24\)"),
        (lambda t: t | {"classifier.weight": torch.ones(4, 24)}, r"\(4, 24\).*\(5, 24\)"),
    ],
)
def test_checkpoints_that_do_not_fit(change, message, pair, tmp_path):
    *_, folder = pair("bert", "ModelForSequenceClassification", num_labels=5)
    with pytest.raises(CheckpointError, match=message) as caught:
        AutoModelForSequenceClassification.from_pretrained(rewrite(folder, tmp_path / "wrong", change))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "llama"}, "'llama'"),
        ({"model_type": None}, "None"),
        ({"model_type": ["bert"]}, "bert"),
        ({"hidden_size": 25}, "attention heads"),
        ({"hidden_size": "24"}, "hidden_size"),
        ({"hidden_size": 10**12}, "hidden_size"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"vocab_size": True}, "vocab_size"),
        ({"type_vocab_size": -1}, "type_vocab_size"),
        ({"type_vocab_size": "2"}, "type_vocab_size"),
        ({"hidden_act": "mish"}, "mish"),
        ({"hidden_act": 3}, "hidden_act|activation"),
        ({"hidden_act": ["gelu"]}, "hidden_act|activation"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps"),
        ({"hidden_dropout_prob": 3}, "hidden_dropout_prob"),
        ({"hidden_dropout_prob": "a lot"}, "hidden_dropout_prob"),
        ({"attention_probs_dropout_prob": "a lot"}, "attention_probs_dropout_prob"),
        ({"pad_token_id": "0"}, "pad_token_id"),
        ({"pad_token_id": -1}, "pad_token_id"),
        ({"pad_token_id": 99}, "pad_token_id"),
        ({"problem_type": "guessing"}, "guessing"),
        ({"problem_type": ["regression"]}, "problem_type"),
        ({"is_decoder": True}, "is_decoder"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label"),
        ({"id2label": {"x": "a"}}, "wrong type|id2label"),
        ({"id2label": ["a", "b"]}, "wrong type|id2label"),
        ({"id2label": {}}, "id2label"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_configurations_that_cannot_be(family, values, message, pair, tmp_path):
    *_, folder = pair(family, "ModelForSequenceClassification", num_labels=5)
    wrong = rewrite(folder, tmp_path / "wrong", dict)
    data = json.loads((folder / "config.json").read_text()) | values
    (wrong / "config.json").write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=message):
        AutoModelForSequenceClassification.from_pretrained(wrong)
