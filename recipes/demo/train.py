r"""Train `demo-en`, the small English model of the course: NEGATIVE / POSITIVE, without any Spanish.

    python recipes/demo/train.py --data ../shared/data

DistilBERT's shape, 2 layers, from random weights, and a WordPiece vocabulary of its own; some minutes on two cores.
Seeded, logged to `OUT/log.jsonl`, resumable. Writes the model's folder, int8, and its card with what was measured.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import BertWordPieceTokenizer

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, Config
from gatonegro.families import FAMILIES
from gatonegro.packing import pack
from gatonegro.training import fit, length_grouped_batches, optimize_for_training

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "models" / "gatonegro_models" / "demo-en"
LABELS = ("NEGATIVE", "POSITIVE")
SIZES = {
    "vocab_size": 8000,
    "hidden_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "max_position_embeddings": 256,
    "hidden_act": "gelu",
}
TOKENS = 4096  # per step
PASSES = 5
RATE = 5e-4


def lines(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/ and parallel/")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    parser.add_argument("--to", type=Path, default=SHIPPED)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    rng = random.Random(args.seed)
    torch.manual_seed(args.seed)

    rows = [r for r in lines(args.data / "sentiment" / "en.train.tsv.gz") if r["source"] in ("sst2", "uci")]
    english = [r["en"] for r in lines(args.data / "parallel" / "train.tsv.gz") if r["source"] != "python-docs"]
    args.to.mkdir(parents=True, exist_ok=True)
    backend = BertWordPieceTokenizer(lowercase=True)
    texts = [r["text"] for r in rows]
    backend.train_from_iterator(texts + english, vocab_size=SIZES["vocab_size"], show_progress=False)
    vocabulary = sorted(backend.get_vocab(), key=backend.get_vocab().__getitem__)
    (args.to / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": True, "model_max_length": 256}
    (args.to / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(args.to)

    family = FAMILIES["distilbert"]
    values = {**family.fixed, **SIZES, "vocab_size": len(vocabulary), "extra": {"languages": ["en"]}}
    config = Config("distilbert", **values, id2label=dict(enumerate(LABELS)))
    model = optimize_for_training(AutoModelForSequenceClassification.from_config(config))

    ids = tokenizer(texts, truncation=True, max_length=128)["input_ids"]
    labels = [int(r["label"] == "POS") for r in rows]
    steps = [batch for _ in range(PASSES) for batch in length_grouped_batches([len(i) for i in ids], TOKENS, rng)]
    print(f"{len(rows)} texts, {len(steps)} steps, {model.num_parameters():,} parameters", file=sys.stderr)

    def loss(batch: list[int]) -> torch.Tensor:
        logits = model.run(pack([ids[i] for i in batch], config, pad_to_multiple_of=64))[: len(batch)]
        return F.cross_entropy(logits, torch.tensor([labels[i] for i in batch]), label_smoothing=0.05)

    groups = [{"params": list(model.parameters()), "lr": RATE, "weight_decay": 0.05}]
    fit(model, steps, loss, groups, out=args.out, seed=args.seed, ema_decay=0.995)
    model.save_pretrained(args.to, int8=True)

    shipped = AutoModelForSequenceClassification.from_pretrained(args.to)
    films = "\n".join(r["text"] for r in rows)
    with (args.data / "sentiment" / "en.dev.tsv").open(encoding="utf-8", newline="") as f:
        dev = [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE) if r["source"] == "sst2"]
    dev = [r for r in dev if r["text"].strip() not in films]  # most phrases of dev stand in longer ones of train
    found = []
    with torch.inference_mode():
        for r in dev:
            batch = tokenizer([r["text"]], truncation=True, max_length=256)["input_ids"]
            found.append(int(shipped.run(pack(batch, config))[0].argmax()))
    right = sum(i == int(r["label"] == "POS") for i, r in zip(found, dev, strict=True))
    card = (HERE / "card.md").read_text(encoding="utf-8")
    card = card.replace("{{accuracy}}", f"{right / len(dev):.3f}").replace("{{texts}}", f"{len(dev):,}")
    card = card.replace("{{parameters}}", f"{model.num_parameters():,}")
    (args.to / "README.md").write_text(card, encoding="utf-8")
    print(f"accuracy {right / len(dev):.3f} on {len(dev)} texts")


if __name__ == "__main__":
    main()
