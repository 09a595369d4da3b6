"""Sentences a second: our pipeline against the one of `transformers`, same weights, same texts, one run.

    python benchmarks/pipeline.py --texts 512 --rounds 3

DistilBERT's shape with random weights. Texts of 4 to 126 tokens, log-normal with a median of 22, from the research
data beside the checkout where it is there, else made of its kind of words. The engines take turns, a round each, and
each one's best round counts. Writes `benchmarks/results/pipeline.json` and `.md`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import platform
import random
import re
import tempfile
import time
import warnings
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import gatonegro
from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, pipeline
from gatonegro.config import Config

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "data"
SHAPE = {"hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 3072}


def make_model(folder: Path) -> None:
    """A DistilBERT with random weights and a vocabulary: the real one where it is there."""
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
    config = Config("distilbert", len(words), max_position_embeddings=512, head_act="relu", **SHAPE)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    backend.save(str(folder / "tokenizer.json"))
    names = {"tokenizer_class": "DistilBertTokenizer", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    names |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))


def make_texts(tokenizer, count: int, seed: int) -> tuple[list[str], str]:
    """Texts whose lengths in tokens follow a log-normal distribution with a median of 22, from 4 to 126."""
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
    """Its name, as the system tells it."""
    listed = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)", listed.read_text() if listed.exists() else "", re.MULTILINE)
    return names[0] if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "pipeline")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder))
        texts, where = make_texts(AutoTokenizer.from_pretrained(folder), args.texts, seed=1)
        ours = pipeline("text-classification", model=folder, device="cpu")
        theirs = transformers.pipeline("text-classification", model=folder, device="cpu", dtype=torch.float32)
    by_length = sorted(texts, key=len)
    engines = {
        "transformers, its default (one by one)": lambda: theirs(texts),
        "transformers, batch_size=32": lambda: theirs(texts, batch_size=32),
        "transformers, batch_size=32, sorted by hand": lambda: theirs(by_length, batch_size=32),
        "gatonegro, one by one": lambda: [ours(text) for text in texts],
        "gatonegro": lambda: ours(texts),
    }
    agree = max(abs(a["score"] - b["score"]) for a, b in zip(ours(texts[:64]), theirs(texts[:64]), strict=True))
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(args.rounds):
        for name, run in engines.items():
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
            print(f"{name:<46} {args.texts / seconds[name][-1]:7.1f} sentences/s", flush=True)
    base = min(seconds["transformers, its default (one by one)"])
    rows = {
        name: {
            "sentences_per_s": round(args.texts / min(times), 1),
            "spread": [round(args.texts / t, 1) for t in sorted(times, reverse=True)],
            "times_default": round(base / min(times), 2),
        }
        for name, times in seconds.items()
    }
    machine = {
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": args.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gatonegro": gatonegro.__version__,
    }
    command = f"python benchmarks/pipeline.py --texts {args.texts} --rounds {args.rounds}"
    result = {"command": command, "machine": machine, "texts": where, "largest_score_difference": agree}
    result["engines"] = rows
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    lines = [
        f"`{command}`",
        "",
        ", ".join(f"{k} {v}" for k, v in machine.items()) + f". Texts: {where}. fp32, DistilBERT's shape.",
        f"Largest difference of a score between the two: {agree:.1e}.",
        "",
        "| | sentences/s | rounds | × transformers' default |",
        "|---|---|---|---|",
        *(
            f"| {name} | {r['sentences_per_s']} | {', '.join(map(str, r['spread']))} | {r['times_default']} |"
            for name, r in rows.items()
        ),
    ]
    args.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print(args.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
