"""Sentence vectors (the mean of a layer's tokens), learned from translations; their loss and retrieval accuracy."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.05
MAX_CHARS = 200


def pairs(folder: Path, allowed: dict[str, str]) -> list[tuple[str, str]]:
    """Return short (en, es) pairs of the allowed sources."""
    rows = _table(folder / "train.tsv.gz")
    return [(r["en"], r["es"]) for r in rows if r["source"] in allowed and max(len(r["en"]), len(r["es"])) <= MAX_CHARS]


def dev_pairs(folder: Path, most: int = 2000) -> list[tuple[str, str]]:
    """Return (en, es) pairs for measurement, each English sentence once."""
    kept: dict[str, str] = {}
    for row in _table(folder / "dev.tsv"):
        if row["es"] not in kept.values():
            kept.setdefault(row["en"], row["es"])
        if len(kept) == most:
            break
    return list(kept.items())


def _table(path: Path) -> list[dict[str, str]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def means(x: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Return the normalised mean of each sequence's tokens: (t, hidden) to (n, hidden)."""
    return F.normalize(torch.stack([part.mean(0) for part in x.float().split(lengths)]), dim=1)


def loss(one: Tensor, other: Tensor) -> Tensor:
    """Return the InfoNCE loss of rows and their translations (n, hidden), in both directions."""
    scores, right = one @ other.T / TEMPERATURE, torch.arange(len(one))
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2


def retrieval(one: Tensor, other: Tensor) -> float:
    """Return the share of rows whose nearest neighbour on the other side is their translation, in both directions."""
    scores, right = one @ other.T, torch.arange(len(one))
    found = (scores.argmax(1) == right).float().mean() + (scores.argmax(0) == right).float().mean()
    return float(found) / 2
