"""Compare ways to combine the windows of a long text: accuracy of the built-in model on long film reviews.

    python benchmarks/long_texts.py --texts 1000

English film reviews of more than 512 tokens, from the research data beside the checkout. Each window's logits are
computed once; each row of the table combines them differently. Writes `benchmarks/results/long_texts.json`, `.md`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.batching import plan
from gatonegro.packing import pack

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data" / "sentiment" / "en.imdb-long.tsv.gz"


def last_counts(end: float):
    """Return a function that weights the last window by a constant and the others by their numbers of tokens."""
    return lambda x, tokens: (x[:-1] * (tokens[:-1] / tokens[:-1].sum())[:, None]).sum(0) * (1 - end) + x[-1] * end


WAYS = {
    "the first window alone": lambda x, tokens: x[0],
    "by their share of the tokens": lambda x, tokens: (x * (tokens / tokens.sum())[:, None]).sum(0),
    "the last counts for a third": last_counts(1 / 3),
    "the last counts for a half": last_counts(1 / 2),
    "the last counts for two thirds": last_counts(2 / 3),
    "the last window alone": lambda x, tokens: x[-1],
}


@torch.inference_mode()
def windows(texts: list[str]) -> list[list[tuple[Tensor, int]]]:
    """Return the logits (3,) and the number of tokens per window, for each text longer than the model's limit."""
    tokenizer = AutoTokenizer.from_pretrained("sentiment-es-en")
    model = AutoModelForSequenceClassification.from_pretrained("sentiment-es-en")
    limit = model.config.max_tokens
    batch = tokenizer(
        texts, truncation=True, max_length=limit, stride=(limit - 2) // 4, return_overflowing_tokens=True,
        return_offsets_mapping=False,
    )  # fmt: skip
    ids, said = batch["input_ids"], {}
    for at in plan([len(i) for i in ids], 2048):
        logits = model.run(pack([ids[n] for n in at], model.config, pad_to_multiple_of=64))
        said.update(zip(at, logits, strict=False))  # the rest are pads
    owners = groupby(enumerate(batch["overflow_to_sample_mapping"]), key=lambda pair: pair[1])
    return [[(said[n], len(ids[n])) for n, _ in group] for _, group in owners]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=1000, help="reviews to draw; the shorter ones are left out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "long_texts")
    args = parser.parse_args()
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = random.Random(1).sample(rows, args.texts)
    found = [(r["label"], w) for r, w in zip(rows, windows([r["text"] for r in rows]), strict=True) if len(w) > 1]
    table = {}
    for name, way in WAYS.items():
        right = barred = 0
        for label, said in found:
            logits = way(torch.stack([x for x, _ in said]), torch.tensor([float(n) for _, n in said]))
            gold = {"NEG": 0, "POS": 2}[label]
            right += int(logits.argmax() == gold)
            barred += int(logits[[0, 2]].argmax() * 2 == gold)
        table[name] = {"accuracy": round(right / len(found), 3), "neu_barred": round(barred / len(found), 3)}
    command = f"python benchmarks/long_texts.py --texts {args.texts}"
    result = {"command": command, "reviews": len(found), "ways": table}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    lines = [f"`{command}`: {len(found)} English film reviews of more than 512 tokens.", ""]
    lines += ["| windows combined | accuracy | with NEU barred |", "|---|---:|---:|"]
    lines += [f"| {name} | {row['accuracy']} | {row['neu_barred']} |" for name, row in table.items()]
    args.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print(args.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
