"""Fit the numbers by which a translator's doubts are told, and write them into its `config.json`, under "doubt".

    python recipes/translation/calibrate.py --data ../shared/data

A logistic regression tells from the log-probabilities of an answer and of its source, given the answer, whether the
answer is adequate: its chrF against the reference is at least 45. It is fitted on the model's translations of one half
of the pairs of dev; `benchmarks/doubt.py` measures on the other half.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sacrebleu
from data import DIRECTIONS, Pair, dev_pairs
from sklearn.linear_model import LogisticRegression

from gatonegro import pipeline
from gatonegro.pipelines import Pipeline
from gatonegro.tasks.doubt import Calibration, pair_features, sentence_doubts

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[1] / "models" / "gatonegro_models" / "translate-es-en"
SETS = {"tatoeba": 1, "wmt12": 6}  # every n-th pair
ADEQUATE, WANTED, LEAST_UNMARKED = 45.0, 0.9, 0.6  # chrF; share of what is unmarked; share of Tatoeba
BATCH = 64
LEAST = 50  # adequate answers, and others, to fit on


def load(folder: Path) -> Pipeline:
    return pipeline("translation", folder, num_beams=4, precision="int8", local_files_only=True)


def forced(translate: Pipeline, pairs: list[tuple[str, str]], source: str, target: str) -> list[tuple[float, ...]]:
    """Return the features of given answers to given texts, whoever wrote them."""
    tokenizer, model = translate.tokenizer, translate.model
    tag, back = (tokenizer.convert_tokens_to_ids(f">>{lang}<<") for lang in (target, source))
    rows = [
        ([tag, *tokenizer(text)["input_ids"]], tokenizer(answer, add_special_tokens=False)["input_ids"])
        for text, answer in pairs
    ]
    out: dict[int, tuple[float, ...]] = {}
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    for first in range(0, len(order), BATCH):
        some = order[first : first + BATCH]
        sources, answers = zip(*(rows[i] for i in some), strict=True)
        out |= zip(some, pair_features(model, sources, answers, [(1, [back])] * len(some)), strict=True)
    return [out[i] for i in range(len(rows))]


def answers(folder: Path, dev: list[Pair], kept: Path | None = None) -> list[dict[str, Any]]:
    """Return the model's translations of dev, in both directions, with their features; `kept` keeps them in a file."""
    if kept is not None and kept.exists():
        return [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    translate, rows = load(folder), []
    for name, step in SETS.items():
        some = [pair for pair in dev if pair.source == name][::step]
        for source, target in (way.split("-") for way in DIRECTIONS):
            texts = [getattr(pair, source) for pair in some]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = translate(texts, src_lang=source, tgt_lang=target, doubt=False)
            made = [one["translation_text"] for one in found]
            values = forced(translate, list(zip(texts, made, strict=True)), source, target)
            for pair, text, answer, features in zip(some, texts, made, values, strict=True):
                row = {"set": name, "source": source, "text": text, "reference": getattr(pair, target)}
                rows.append({**row, "answer": answer, "features": features})
    if kept is not None:
        kept.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return rows


def half(rows: list[dict[str, Any]], which: int) -> list[dict[str, Any]]:
    """Return every other pair, the first ones for fitting (0) or the second ones for measuring (1)."""
    count: dict[tuple[str, str], int] = {}
    out = []
    for row in rows:
        key = row["set"], row["source"]
        count[key] = count.get(key, 0) + 1
        out += [row] if (count[key] - 1) % 2 == which else []
    return out


def is_adequate(row: dict[str, Any]) -> bool:
    if "chrf" not in row:
        row["chrf"] = sacrebleu.sentence_chrf(row["answer"], [row["reference"]]).score
    return bool(row["chrf"] >= ADEQUATE)


def doubts(row: dict[str, Any], calibration: Calibration | None = None) -> dict[str, Any]:
    """Return the doubts of a row: without a calibration, those of the texts alone."""
    target = "en" if row["source"] == "es" else "es"
    return sentence_doubts(row["text"], row["answer"], (row["source"], target), calibration, row["features"])


def fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return weights, threshold and usual lengths, as a `Calibration` reads them.

    The threshold is the lowest from which 0.9 of the unmarked translations of Tatoeba are adequate, but none that
    leaves less than 0.6 of them unmarked.
    """
    ratios = [math.log((len(row["reference"]) + 2) / (len(row["text"]) + 2)) for row in rows]
    ratios = [x if row["source"] == "es" else -x for x, row in zip(ratios, rows, strict=True)]
    good = np.array([is_adequate(row) for row in rows])
    values = np.array([row["features"] for row in rows])
    model = LogisticRegression(C=10, max_iter=5000).fit(values, good)
    weights = [float(model.intercept_[0]), *map(float, model.coef_[0])]
    data = {
        "weights": [round(w, 4) for w in weights],
        "threshold": 0.0,
        "length": [round(statistics.fmean(ratios), 4), round(statistics.stdev(ratios), 4)],
    }
    unjudged = Calibration(tuple(data["weights"]), 0.0, tuple(data["length"]))
    some = [(row, ok) for row, ok in zip(rows, good, strict=True) if row["set"] == "tatoeba"]
    kept = [(unjudged.probability(row["features"]), ok) for row, ok in some if not doubts(row, unjudged)]
    kept.sort(key=lambda pair: -pair[0])
    counts = np.arange(1, len(kept) + 1)
    shares = np.cumsum([ok for _, ok in kept]) / counts
    most = max([int(n) for n in counts[shares >= WANTED]], default=0)
    last = min(max(most, math.ceil(LEAST_UNMARKED * len(some))), len(kept))
    data["threshold"] = math.floor(1000 * kept[last - 1][0]) / 1000
    return data


def write(folder: Path, data: dict[str, Any]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "doubt": data}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def calibrate(folder: Path, data: Path, kept: Path | None = None) -> None:
    """Fit the numbers of a saved model, and write them into its folder, unless it has too few answers of a kind."""
    rows = half(answers(folder, dev_pairs(data), kept), 0)
    good = sum(map(is_adequate, rows))
    if min(good, len(rows) - good) >= LEAST:
        write(folder, fit(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="folder of a saved model")
    parser.add_argument("--keep", type=Path, help="file for the translations, which are not made again")
    args = parser.parse_args()
    calibrate(args.model, args.data, args.keep)


if __name__ == "__main__":
    main()
