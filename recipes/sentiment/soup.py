"""One model of several that were trained from the same weights: the mean of their weights, which costs nothing to run
(https://arxiv.org/abs/2203.05482).

    python recipes/sentiment/soup.py runs/seed-1/third/model runs/seed-2/third/model -o runs/soup

`--shares` makes it a weighted mean: a little of an earlier stage gives back what a later one forgot
(https://arxiv.org/abs/2109.01903).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer


def soup(folders: list[Path], out: Path, shares: list[float] | None = None) -> None:
    """Write the mean to `out/model`, with the first model's tokenizer."""
    shares = shares or [1 / len(folders)] * len(folders)
    if len(shares) != len(folders) or abs(sum(shares) - 1) > 1e-6:
        raise SystemExit("--shares: one a model, 1 in all")
    models = [AutoModelForSequenceClassification.from_pretrained(folder) for folder in folders]
    with torch.no_grad():
        for same in zip(*(model.parameters() for model in models), strict=True):
            same[0].copy_(sum(share * one for share, one in zip(shares, same, strict=True)))
    models[0].save_pretrained(out / "model")
    AutoTokenizer.from_pretrained(folders[0]).save_pretrained(out / "model")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--shares", type=float, nargs="+", help="of each model in the mean; equal ones by default")
    args = parser.parse_args()
    soup(args.models, args.output, args.shares)
