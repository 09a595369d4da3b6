"""Models of `transformers` to compare with, and batches for both."""

import zlib

import torch
import transformers as hf

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

TOLERANCE = 1e-5


def reference(family, head, architecture=None, **config):
    """Return a model of the reference with all parameters perturbed, so that no zero hides a mistake."""
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


def batch(family, rows=6, columns=17):
    """Return batches: full, padded on the right, on the left, with a hole, of one token, and empty."""
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
    """Compare the outputs of a batch: rows for a head on sequences, else the tokens that are not padding."""
    real = x["attention_mask"].bool()
    with torch.no_grad():
        a, b = outputs(theirs(**x, **more)), outputs(ours(**x, **more))
    return close(a[real], b[real]) if a.dim() == 3 else close(a, b)


HEADS = ["Model", "ModelForSequenceClassification", "ModelForTokenClassification", "ModelForMaskedLM"]


KINDS = ["bert", "distilbert", "roberta"]  # segments and columns, columns alone, positions by count
