"""Count the common words by which short texts show their language, and a copied word is told from a name.

    python recipes/translation/lexicon.py --data ../shared/data

Reads the pairs of Tatoeba (CC BY 2.0 FR) in `train.tsv.gz` and our own of `handwritten.py`. Writes `lexicon.json`: per
language, the common words that their translations do not repeat; as "shared", those that they do, but for names.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path

from data import lines
from handwritten import read_handwritten

OUT = Path(__file__).resolve().parents[2] / "src" / "gatonegro" / "language" / "lexicon.json"
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
LEAST, COPIED = 5, 0.3  # pairs with a word; share of them whose other side has the word too
MOST = 5000  # words per language
LANGS = ("en", "es")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/")
    folder = parser.parse_args().data / "parallel"
    pairs = [(r["en"], r["es"]) for r in lines(folder / "train.tsv.gz") if r["source"] == "tatoeba"]
    own = [(row[0], row[1]) for row in read_handwritten()]
    total, copied, inside = ({lang: Counter() for lang in LANGS} for _ in range(3))
    for pair in pairs:
        words = [WORD.findall(text) for text in pair]
        sets = [{w.lower() for w in side} for side in words]
        for lang, side, mine, other in zip(LANGS, words, sets, sets[::-1], strict=True):
            total[lang].update(mine)
            copied[lang].update(mine & other)
            inside[lang].update(w if w[0].isupper() else w.lower() for w in side[1:])
    out: dict[str, object] = {
        "source": "counted in pairs of tatoeba.org, CC BY 2.0 FR, by recipes/translation/lexicon.py"
    }
    shared: dict[str, None] = {}
    for lang, i in (("en", 0), ("es", 1)):
        names = {w.lower() for w, n in inside[lang].items() if w[0].isupper() and n >= 3 * inside[lang][w.lower()]}
        common = [
            w for w, n in total[lang].most_common()
            if n >= LEAST and copied[lang][w] < COPIED * n and len(w) > 1 and w not in names
        ]  # fmt: skip
        shared |= dict.fromkeys(
            w for w, n in total[lang].items() if n >= LEAST and copied[lang][w] >= COPIED * n and w not in names
        )
        ours = {w.lower() for pair in own for w in WORD.findall(pair[i]) if w.lower() not in pair[1 - i].lower()}
        out[lang] = " ".join(dict.fromkeys([*common[:MOST], *sorted(ours - names - set(common[:MOST]))]))
    out["shared"] = " ".join(sorted(shared))
    OUT.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
