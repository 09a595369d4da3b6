"""Measure the translator on 300 words and sentences of every day, each with its accepted answers.

    python recipes/translation/everyday.py --model translate-es-en --failures

They stand in `everyday.tsv` (kind, language of the answer, text, answers between bars) and are never trained on. Case
and punctuation do not count, but for capitals, which must come out as capitals.
"""

from __future__ import annotations

import argparse
import csv
import re
import warnings
from collections import Counter
from pathlib import Path

from gatonegro import pipeline

SUITE = Path(__file__).with_name("everyday.tsv")


def rows() -> list[dict[str, str]]:
    with SUITE.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def normalized(text: str, kind: str) -> str:
    """Return the words of an answer; case counts only if the expected answer is in capitals."""
    found = " ".join(re.findall(r"[\w€$°]+", text.replace("’", "'").replace("'", "")))
    return found if kind == "capitals" else found.lower()


def adequate(row: dict[str, str], answer: str) -> bool:
    return normalized(answer, row["kind"]) in {normalized(a, row["kind"]) for a in row["accepted"].split("|")}


def everyday(model: str | Path, beams: int = 4) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Return (adequate, all) by kind, with a total under "all", and the failures as text."""
    translate, suite = pipeline("translation", model, num_beams=beams), rows()
    answers: dict[int, str] = {}
    for to, of in (("en", "es"), ("es", "en")):
        at = [i for i, row in enumerate(suite) if row["to"] == to]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = translate([suite[i]["text"] for i in at], src_lang=of, tgt_lang=to)
        answers |= {i: one["translation_text"] for i, one in zip(at, found, strict=True)}
    right = [adequate(row, answers[i]) for i, row in enumerate(suite)]
    counts: dict[str, tuple[int, int]] = {}
    for kind in Counter(row["kind"] for row in suite):
        some = [ok for row, ok in zip(suite, right, strict=True) if row["kind"] == kind]
        counts[kind] = (sum(some), len(some))
    counts["all"] = (sum(right), len(right))
    wrong = [f"{r['kind']}: {r['text']} → {answers[i]}" for i, r in enumerate(suite) if not right[i]]
    return counts, wrong


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="translate-es-en")
    parser.add_argument("--beams", type=int, default=4)
    parser.add_argument("--failures", action="store_true", help="print each answer that is not accepted")
    args = parser.parse_args(argv)
    counts, wrong = everyday(args.model, args.beams)
    for kind, (passed, count) in counts.items():
        print(f"{kind:10} {passed:3} of {count:3}  {passed / count:.3f}")
    if args.failures:
        print(*wrong, sep="\n")


if __name__ == "__main__":
    main()
