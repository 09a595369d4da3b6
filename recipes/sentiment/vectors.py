"""Sentence vectors: the mean of a layer's tokens, learned from translations, which must lie nearer than the
translations of all other sentences of a batch; and how often the nearest of two thousand is the right one."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.05
LONGEST = 200  # characters


def pairs(folder: Path, allowed: dict[str, str]) -> list[tuple[str, str]]:
    """(en, es) of the sources that are allowed, short ones."""
    rows = _table(folder / "train.tsv.gz")
    return [(r["en"], r["es"]) for r in rows if r["source"] in allowed and max(len(r["en"]), len(r["es"])) <= LONGEST]


def dev_pairs(folder: Path, most: int = 2000) -> list[tuple[str, str]]:
    """(en, es) to measure on, each English sentence once."""
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
    """The mean of each sequence's tokens, of length 1. (t, hidden) → (n, hidden)"""
    return F.normalize(torch.stack([part.mean(0) for part in x.float().split(lengths)]), dim=1)


def loss(one: Tensor, other: Tensor) -> Tensor:
    """Cross-entropy of finding each row's translation among all of the other side, both ways (InfoNCE). (n, hidden)"""
    scores, right = one @ other.T / TEMPERATURE, torch.arange(len(one))
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2


def retrieval(one: Tensor, other: Tensor) -> float:
    """How often the nearest row of the other side is the right one, both ways."""
    scores, right = one @ other.T, torch.arange(len(one))
    found = (scores.argmax(1) == right).float().mean() + (scores.argmax(0) == right).float().mean()
    return float(found) / 2
