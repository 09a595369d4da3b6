"""Rows against time and memory: a stream of texts of random lengths through a built-in model.

    python benchmarks/stream.py --model demo-en --rows 200000

Notes, whenever the number of rows has doubled or grown by a tenth of all, the time and the process's resident memory.
Writes `benchmarks/results/stream-<model>.json` and `.md`. Linux.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from material import HERE, machine, make_texts, save

from gatonegro import AutoTokenizer, pipeline


def resident() -> int:
    """Memory of this process that is not of files, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) // 1024


def rows(texts: list[str], count: int) -> Iterator[str]:
    """Texts put together anew for each row, so that lengths are as many as there can be: 1 to some 300 tokens."""
    rng = random.Random(0)
    for _ in range(count):
        words = " ".join(rng.choices(texts, k=rng.choice((1, 1, 1, 1, 1, 2, 3)))).split()
        yield " ".join(words[: rng.randint(1, len(words))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo-en")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--precision", default="auto")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    texts, where = make_texts(AutoTokenizer.from_pretrained(args.model), 2000)
    classify = pipeline("text-classification", model=args.model, precision=args.precision)
    classify(texts[:200])
    start, line, upcoming = time.perf_counter(), [], 1000
    for n, _ in enumerate(classify(rows(texts, args.rows)), 1):
        if n == upcoming or n == args.rows:
            line.append({"rows": n, "seconds": round(time.perf_counter() - start, 1), "mb": resident()})
            upcoming = min(2 * n, n + args.rows // 10)
    command = f"python benchmarks/stream.py --model {args.model} --rows {args.rows} --precision {args.precision}"
    result = {"command": command, "machine": machine(), "texts": where, "line": line}
    lines = ["", "| rows | seconds | rows/s | memory that is not of files, MB |", "|---:|---:|---:|---:|"]
    lines += [f"| {x['rows']:,} | {x['seconds']} | {x['rows'] / x['seconds']:.0f} | {x['mb']} |" for x in line]
    save(HERE / "results" / f"stream-{args.model}", result, lines)


if __name__ == "__main__":
    main()
