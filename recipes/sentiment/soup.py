"""Average the weights of several models trained from the same weights (https://arxiv.org/abs/2203.05482).

    python recipes/sentiment/soup.py runs/seed-1/third/model runs/seed-2/third/model -o runs/soup

Saves the averaged model in `OUTPUT/model`, with the first model's tokenizer. `--shares` weights the models: a share of
an earlier stage recovers some of what a later one lost (https://arxiv.org/abs/2109.01903).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer


def soup(folders: list[Path], out: Path, shares: list[float] | None = None) -> None:
    """Write the mean of the models, weighted by `shares`, to `out/model`, with the first model's tokenizer."""
    shares = shares or [1 / len(folders)] * len(folders)
    if len(shares) != len(folders) or abs(sum(shares) - 1) > 1e-6:
        raise SystemExit("--shares takes one number per model, with the sum 1")
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
