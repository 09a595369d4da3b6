"""Measure the latency of one text by its length: gatonegro, transformers and ONNX Runtime.

    python benchmarks/latency.py --shape distilbert

One text per call, of 8 to 512 tokens, the same weights, the engines in turns; median and 99th percentile of all times.
Writes `benchmarks/results/latency-<shape>.json` and `.md`.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from common import HERE, machine, make_model, make_texts, save
from engines import Engines

from gatonegro import AutoTokenizer

ROUNDS = 3  # in each, the engines take turns with several calls
WARMUP_CALLS = 5
LENGTHS = (8, 16, 32, 64, 128, 256, 512)


def texts_of(tokenizer, length: int, count: int) -> list[str]:
    """Return texts of exactly `n` tokens, special tokens included, from words of real texts."""
    words = " ".join(make_texts(tokenizer, 400)[0]).split()
    out, start = [], 0
    while len(out) < count:
        low, high = 1, len(words) - start
        while low < high:  # as many words as fit
            middle = (low + high + 1) // 2
            fits = len(tokenizer(" ".join(words[start : start + middle]))["input_ids"]) <= length
            low, high = (middle, high) if fits else (low, middle - 1)
        out.append(" ".join(words[start : start + low]))
        start = (start + low) % (len(words) // 2)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="distilbert")
    parser.add_argument("--times", type=int, default=40, help="calls for each engine and length, in each round")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    table: dict[str, dict[int, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder, args.shape)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with Engines(("ours", "ours_torch", "theirs", "onnxruntime"), folder) as engines:
            missing = engines.missing
            titles = [title for title in engines.pipes if "one by one" in title]
            for length in LENGTHS:
                texts = texts_of(tokenizer, length, 8)
                took: dict[str, list[float]] = {title: [] for title in titles}
                for _, title in product(range(ROUNDS), titles):
                    calls = [[texts[n % len(texts)]] for n in range(WARMUP_CALLS + args.times)]
                    took[title] += [1000 * seconds for seconds in engines.ask(title, *calls)[1][WARMUP_CALLS:]]
                for title, times in took.items():
                    row = table.setdefault(title.removesuffix(", one by one"), {})
                    row[length] = [round(float(np.percentile(times, p)), 1) for p in (50, 99)]
    command = f"python benchmarks/latency.py --shape {args.shape} --times {args.times}"
    result = {"command": command, "machine": machine("onnxruntime"), "ms_p50_p99": table, "not_run": missing}
    lines = [
        "",
        "Milliseconds for one text of so many tokens after another: median and, in brackets, the 99th percentile.",
        "",
    ]
    lines += ["| engine | " + " | ".join(map(str, LENGTHS)) + " |", "|---|" + "---:|" * len(LENGTHS)]
    for title, row in table.items():
        lines.append(f"| {title} | " + " | ".join(f"{p50} ({p99})" for p50, p99 in row.values()) + " |")
    lines += [f"Not run: {name} ({why})." for name, why in missing.items()]
    save(HERE / "results" / f"latency-{args.shape}", result, lines)


if __name__ == "__main__":
    main()
