"""Measure time and memory of a stream: texts of random lengths through a built-in model.

    python benchmarks/stream.py --model demo-en --rows 200000

Logs the time and the process's resident memory whenever the number of rows has doubled or grown by a tenth of all.
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


def resident_mb() -> int:
    """Return the anonymous resident memory of this process in MB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) // 1024


def rows(texts: list[str], count: int) -> Iterator[str]:
    """Yield texts of 1 to about 300 tokens, each a random recombination of words."""
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
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    texts, where = make_texts(tokenizer, 2000)
    classify = pipeline("text-classification", model=args.model, precision=args.precision)
    classify(texts[:200])
    start, line, upcoming = time.perf_counter(), [], 1000
    for n, _ in enumerate(classify(rows(texts, args.rows)), 1):
        if n == upcoming or n == args.rows:
            line.append({"rows": n, "seconds": round(time.perf_counter() - start, 1), "mb": resident_mb()})
            upcoming = min(2 * n, n + args.rows // 10)
    some = list(rows(texts, 20_000))
    start = time.perf_counter()
    for i in range(0, len(some), 2000):
        tokenizer(some[i : i + 2000])
    alone = round(len(some) / (time.perf_counter() - start))
    command = f"python benchmarks/stream.py --model {args.model} --rows {args.rows} --precision {args.precision}"
    result = {"command": command, "machine": machine(), "texts": where, "tokenizer_rows_per_s": alone, "line": line}
    lines = [
        "",
        f"The tokenizer alone reads {alone:,} such rows a second.",
        "",
        "| rows | seconds | rows/s | memory that is not of files, MB |",
        "|---:|---:|---:|---:|",
    ]
    lines += [f"| {x['rows']:,} | {x['seconds']} | {x['rows'] / x['seconds']:.0f} | {x['mb']} |" for x in line]
    out = HERE / "results" / f"stream-{args.model}"
    save(out, result, lines)
    out.with_suffix(".svg").write_text(picture(line), encoding="utf-8")


def picture(line: list[dict]) -> str:
    """Return an SVG of seconds and megabytes by rows, each with its own scale, on an opaque background."""
    left, top, wide, high = 60, 34, 560, 200
    body = [f'<path d="M{left} {top}V{top + high}H{left + wide}" fill="none" stroke="#7f8694"/>']
    for i, (name, unit, colour) in enumerate((("seconds", "s", "#f0b54a"), ("mb", "MB", "#6fb7e9"))):
        most = max(x[name] for x in line) * 1.1
        points = [
            f"{left + x['rows'] / line[-1]['rows'] * wide:.0f},{top + high - x[name] / most * high:.0f}" for x in line
        ]
        body.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        said = f"{line[-1][name]:,.0f} {unit} after {line[-1]['rows']:,} rows"
        body.append(f'<text x="{left + 12 + 280 * i}" y="22" fill="{colour}">{said}</text>')
    body += [
        f'<text x="{left + n / 4 * wide:.0f}" y="{top + high + 20}" text-anchor="middle" fill="#e8e6e1">'
        f"{line[-1]['rows'] * n // 4:,}</text>"
        for n in range(5)
    ]
    size = f'width="{left + wide + 50}" height="{top + high + 34}"'
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    body.insert(0, '<title>Rows against time and memory</title><rect width="100%" height="100%" fill="#14161b"/>')
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(body)}</svg>\n'


if __name__ == "__main__":
    main()
