"""Measure the effect of int8 on the built-in model: equal labels, accuracy and scores on its dev sets.

    python benchmarks/int8.py --data ../shared/data

Writes `benchmarks/results/int8.json` and `.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from material import HERE, machine, save

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer

sys.path.insert(0, str(HERE.parent / "recipes" / "sentiment"))
from data import dev_rows, predict  # the sets of the card's figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/")
    parser.add_argument("--model", default="sentiment-es-en")
    args = parser.parse_args()
    rows = dev_rows(args.data / "sentiment")
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForSequenceClassification.from_pretrained(args.model)
    gold = torch.tensor([row.label for row in rows])
    exact, small = (predict(model.optimize(p), tokenizer, [r.text for r in rows]) for p in ("fp32", "int8"))
    apart = (exact.softmax(1) - small.softmax(1)).abs().amax(1)
    found = {
        "texts": len(rows),
        "same_labels": round(float((exact.argmax(1) == small.argmax(1)).float().mean()), 4),
        "accuracy_fp32": round(float((exact.argmax(1) == gold).float().mean()), 4),
        "accuracy_int8": round(float((small.argmax(1) == gold).float().mean()), 4),
        "score_apart_mean": round(float(apart.mean()), 4),
        "score_apart_max": round(float(apart.max()), 4),
    }
    result = {"command": f"python benchmarks/int8.py --data {args.data}", "machine": machine(), "found": found}
    lines = ["", "| | |", "|---|---:|", *(f"| {name.replace('_', ' ')} | {value} |" for name, value in found.items())]
    save(HERE / "results" / "int8", result, lines)


if __name__ == "__main__":
    main()
