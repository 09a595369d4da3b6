"""Average the weights of several models trained from the same weights (https://arxiv.org/abs/2203.05482).

    python recipes/sentiment/soup.py runs/seed-1/third/model runs/seed-2/third/model -o runs/soup

Saves the averaged model in `OUTPUT/model`, with the first model's tokenizer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer


def soup(folders: list[Path], out: Path) -> None:
    """Write the mean of the models to `out/model`, with the first model's tokenizer."""
    models = [AutoModelForSequenceClassification.from_pretrained(folder) for folder in folders]
    with torch.no_grad():
        for same in zip(*(model.parameters() for model in models), strict=True):
            same[0].copy_(torch.stack(same).mean(0))
    models[0].save_pretrained(out / "model")
    AutoTokenizer.from_pretrained(folders[0]).save_pretrained(out / "model")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    soup(args.models, args.output)
