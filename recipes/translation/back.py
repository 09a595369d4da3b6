"""Back-translation: translate sentences with the current model, as examples with a human-written target.

Sennrich et al. 2016, https://aclanthology.org/P16-1009.

    python recipes/translation/back.py --data ../shared/data --model FOLDER -o runs/back.tsv.gz
    python recipes/translation --back runs/back.tsv.gz …
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path

from data import DIRECTIONS, Example, lines, mono
from rich.progress import track

from gatonegro import pipeline

PART = 2048  # sentences per call
IMDB = 3  # use every third sentence of film reviews, otherwise they would be two thirds of all English


def write(data: Path, model: str, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(out, "wt", encoding="utf-8", newline="") as f:
        table = csv.writer(f, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(("source", "target", "to"))
        for to, other in (direction.split("-") for direction in DIRECTIONS):
            found = list(mono(data, to))
            texts = [s.text for i, s in enumerate(found) if s.source != "imdb" or i % IMDB == 0]
            translate = pipeline(f"translation_{to}_to_{other}", model=model, num_beams=1)
            for start in track(range(0, len(texts), PART), f"{to} → {other}"):
                part = texts[start : start + PART]
                for text, answer in zip(part, translate(part, src_lang=to), strict=True):
                    table.writerow((answer["translation_text"], text, to))


def read(path: Path) -> list[Example]:
    """Read examples, without those whose source is much shorter or longer than its target: loops and losses."""
    rows = [Example(r["source"], r["target"], r["to"]) for r in lines(path)]
    return [e for e in rows if 0.5 < len(e.source) / len(e.target) < 2 and e.source != e.target]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="translate-es-en", help="folder or built-in name")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/back.tsv.gz"))
    args = parser.parse_args()
    write(args.data, args.model, args.output)
