"""Shared parts of the benchmarks: models with random weights, texts of given lengths, facts on the machine."""

from __future__ import annotations

import csv
import gzip
import json
import os
import platform
import random
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.config import Config
from gatonegro.operators.processor import cores

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "data"
SHAPES = {
    "distilbert": ("distilbert", {"hidden_size": 768, "num_hidden_layers": 6, "classifier_act": "relu"}),
    "bert-base": ("bert", {"hidden_size": 768, "num_hidden_layers": 12, "type_vocab_size": 2}),
}


def make_model(folder: Path, shape: str) -> None:
    """Write a model that transformers reads too: one of `SHAPES` with random weights, or a built-in model."""
    if shape not in SHAPES:
        AutoModelForSequenceClassification.from_pretrained(shape).save_pretrained(folder)
        AutoTokenizer.from_pretrained(shape).save_pretrained(folder)
        return
    vocab = SHARED / "tokenizers" / "bert-base-uncased" / "vocab.txt"
    if vocab.exists():
        words = vocab.read_text(encoding="utf-8").splitlines()
    else:
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"palabra{i}" for i in range(30517))]
    ids = {word: i for i, word in enumerate(words)}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    torch.manual_seed(0)
    family, sizes = SHAPES[shape]
    sizes = {"num_attention_heads": 12, "intermediate_size": 4 * sizes["hidden_size"], **sizes}
    config = Config(family, len(words), max_position_embeddings=512, **sizes)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    backend.save(str(folder / "tokenizer.json"))
    names = {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    names |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))


def make_texts(tokenizer, count: int, seed: int = 1) -> tuple[list[str], str]:
    """Return texts with log-normal lengths (median 22 tokens, from 4 to 126), and their source.

    The source is the research data beside the checkout, else generated text.
    """
    rng = random.Random(seed)
    wanted = []
    while len(wanted) < count:
        length = round(rng.lognormvariate(3.09, 0.7))
        if 4 <= length <= 126:
            wanted.append(length)
    source = SHARED / "sentiment" / "en.train.tsv.gz"
    if not source.exists():
        return [" ".join(f"palabra{rng.randrange(30000)}" for _ in range(n - 2)) for n in wanted], "generated"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as f:
        texts = [r["text"] for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]
    texts = rng.sample(texts, 40_000)
    by_length: dict[int, list[str]] = {}
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        by_length.setdefault(len(ids), []).append(text)
    out = []
    for n in wanted:
        near = min((k for k, v in by_length.items() if v), key=lambda k: abs(k - n))
        out.append(by_length[near].pop())
    return out, "en.train.tsv.gz of the research data"


def processor() -> str:
    """Return the processor's name."""
    listed = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)", listed.read_text() if listed.exists() else "", re.MULTILINE)
    return names[0] if names else platform.processor()


def save(out: Path, result: dict, lines: list[str]) -> None:
    """Write a result as JSON and as Markdown with its command, the machine and `lines`, and print the lines."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    head = [f"`{result['command']}`", "", ", ".join(f"{k} {v}" for k, v in result["machine"].items()) + "."]
    page = "\n".join([*head, *lines]) + "\n"
    out.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


def machine(*packages: str) -> dict[str, str | int]:
    """Return the processor with its vector instructions, the number of threads and the versions of packages."""
    from gatonegro.engine.processor import fast_precisions

    found = {"processor": processor(), "vectors": torch.backends.cpu.get_cpu_capability()}
    found |= {
        "fast": ", ".join(sorted(fast_precisions())) or "fp32 alone",
        "cores": cores(),
        "threads": torch.get_num_threads(),
    }
    found["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "unset")
    for package in ("torch", "transformers", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
