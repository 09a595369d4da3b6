"""Every family and head against `transformers`, on small models with perturbed random weights."""

import pytest
import torch
import transformers as hf

import gatonegro

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
TOLERANCE = 1e-5


def reference(family, head, **config):
    """A model of the reference whose every parameter is moved, so that no zero hides a mistake."""
    name, sizes = FAMILIES[family]
    torch.manual_seed(hash((family, head)) % 1000)
    model = getattr(hf, name + head.replace("Model", "", 1) if head != "Model" else name + "Model")(
        getattr(hf, name + "Config")(**sizes, **config)
    ).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    return model


def batch(family, rows=6, columns=17):
    """Whole, ragged on the right, ragged on the left, with a hole, one token, and none at all."""
    pad = 0 if "bert" == family or family == "distilbert" else 1
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


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_both_ways(family, head, tmp_path):
    theirs = reference(family, head, **({"num_labels": 5} if "Class" in head else {}))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(gatonegro, "Auto" + head).from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again = getattr(hf, "Auto" + head).from_pretrained(tmp_path / "ours")
    x = batch(family)
    real = x["attention_mask"].bool()
    with torch.no_grad():
        a, b, c = outputs(theirs(**x)), outputs(ours(**x)), outputs(again(**x))
    if a.dim() == 3:
        a, b, c = a[real], b[real], c[real]
    assert (a - b).abs().max() <= TOLERANCE
    assert torch.equal(a, c)
