"""Measure a sentiment model on minimal pairs (accuracy by group) and on noise (mean score).

    python recipes/sentiment/behaviour.py --model sentiment-es-en

The pairs of `tests/behaviour/es.tsv` and the noise of `tests/behaviour/noise.txt` are never trained on. A pair passes
when both of its texts get the label that stands beside them; `A|B` lets either pass, and `=` asks only that the two get
the same. After CheckList, https://arxiv.org/abs/2005.04118.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gatonegro import pipeline

SUITE = Path(__file__).parents[2] / "tests" / "behaviour"


# the pairs that the shipped model's card counts, and those that the next one's will count too
SUITES = ("es.tsv", "es.next.tsv")


def pairs(suites: Sequence[str] = SUITES) -> list[dict[str, str]]:
    rows = []
    for name in suites:
        with (SUITE / name).open(encoding="utf-8", newline="") as f:
            rows += csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
    return rows


def suite_texts() -> list[str]:
    return [row[column] for row in pairs() for column in ("text", "twin")]


def behaviour(model: str | Path, suites: Sequence[str] = SUITES) -> tuple[dict[str, tuple[int, int]], list[str], float]:
    """Return (passed, all) pairs per group, the failures as text, and the mean score of noise."""
    classify = pipeline("text-classification", model)
    rows = pairs(suites)
    first, second = (classify([r[column] for r in rows]) for column in ("text", "twin"))
    passed: Counter[str] = Counter()
    failures = []
    for row, one, other in zip(rows, first, second, strict=True):
        found = (one["label"], other["label"])
        if passes(found, (row["label"], row["twin_label"])):
            passed[row["group"]] += 1
        else:
            failures.append(f"{row['group']}: {row['text']} → {found[0]} | {row['twin']} → {found[1]}")
    total = Counter(row["group"] for row in rows)
    noise = classify((SUITE / "noise.txt").read_text(encoding="utf-8").splitlines())
    mean = sum(answer["score"] for answer in noise) / len(noise)
    return {group: (passed[group], count) for group, count in total.items()}, failures, mean


def passes(found: tuple[str, str], wanted: tuple[str, str]) -> bool:
    if "=" in wanted:
        return found[0] == found[1]
    return all(label in either.split("|") for label, either in zip(found, wanted, strict=True))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="sentiment-es-en")
    parser.add_argument("--failures", action="store_true", help="print each pair that failed")
    args = parser.parse_args(argv)
    groups, failures, noise = behaviour(args.model)
    for group, (passed, count) in groups.items():
        print(f"{group:15} {passed:3} of {count:3}  {passed / count:.3f}")
    passed, count = map(sum, zip(*groups.values(), strict=True))
    print(f"{'all':15} {passed:3} of {count:3}  {passed / count:.3f}")
    print(f"noise: mean score {noise:.3f}")
    if args.failures:
        print(*failures, sep="\n")


if __name__ == "__main__":
    main()
