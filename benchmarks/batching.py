"""Compare the speed of many texts in one call with one text per call, for several mixes of lengths.

    python benchmarks/batching.py --model sentiment-es-en

Each mix of lengths runs as a list and one by one, in turns; the best of several rounds counts. Writes
`benchmarks/results/batching-<model>.json` and `.md`.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings

from latency import texts_of
from material import HERE, machine, make_texts, save

from gatonegro import AutoTokenizer, pipeline


def mixes(tokenizer) -> dict[str, list[str]]:
    rng = random.Random(0)
    short, long, longest = (texts_of(tokenizer, n, count) for n, count in ((8, 128), (256, 12), (500, 1)))
    mixed = [texts_of(tokenizer, rng.randint(4, 200), 1)[0] for _ in range(32)]
    return {
        "8 tokens, 128 texts": short,
        "256 tokens, 12 texts": long,
        "4 to 200 tokens, 32 texts": mixed,
        "500 tokens among 127 of 8": [*short[:127], *longest],
        "two texts of 8": short[:2],
        "three texts, of 8, 40 and 100": [short[0], *(texts_of(tokenizer, n, 1)[0] for n in (40, 100))],
        "two texts, of 8 and of 500": [short[0], *longest],
        "as reviews are, 128 texts": make_texts(tokenizer, 128)[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sentiment-es-en")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    classify = pipeline("text-classification", model=args.model, device="cpu")
    rows = {}
    for name, texts in mixes(AutoTokenizer.from_pretrained(args.model)).items():
        took = {"list": float("inf"), "one by one": float("inf")}
        for _ in range(args.rounds):
            for way, run in (
                ("list", lambda t=texts: classify(t)),
                ("one by one", lambda t=texts: [classify(x) for x in t]),
            ):
                start = time.perf_counter()
                run()
                took[way] = min(took[way], time.perf_counter() - start)
        rows[name] = {way: round(len(texts) / seconds, 1) for way, seconds in took.items()}
    command = f"python benchmarks/batching.py --model {args.model} --rounds {args.rounds}"
    result = {"command": command, "machine": machine(), "precision": classify.model.precision, "texts_per_s": rows}
    lines = [f"Computed in {classify.model.precision}.", ""]
    lines += ["| texts | one by one, texts/s | as a list | times as fast |", "|---|---:|---:|---:|"]
    lines += [f"| {n} | {r['one by one']} | {r['list']} | {r['list'] / r['one by one']:.2f} |" for n, r in rows.items()]
    save(HERE / "results" / f"batching-{args.model}", result, lines)


if __name__ == "__main__":
    main()
