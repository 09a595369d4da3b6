"""From a finished run of `train.py` to what is shipped: int8 weights, tokenizer, and a card with measured figures.

    python recipes/sentiment/release.py --data ../shared/data/sentiment --run runs/sentiment

Writes the folder of the model, `figures.json` beside this file, and the card from `card.md`, in which `{{name}}` stands
for a figure.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import torch
from sklearn.metrics import f1_score
from train import SOURCES, hold_out, predict, read

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "models" / "gatonegro_models" / "sentiment-es-en"
TITLES = {
    "es.umsab": "UMSAB, tweets",
    "es.tass2020-es": "TASS 2020, Spain",
    "es.tass2020-mx": "TASS 2020, Mexico",
    "es.tass2020-cr": "TASS 2020, Costa Rica",
    "es.tass2020-pe": "TASS 2020, Peru",
    "es.tass2020-uy": "TASS 2020, Uruguay",
    "es.turismo": "tourism reviews, held out",
    "es.opener": "OpeNER, hotel reviews",
    "en.umsab": "UMSAB, tweets",
    "en.semeval2017": "SemEval-2017, tweets",
    "en.sst2": "SST-2, films, held out",
    "en.opener": "OpeNER, hotel reviews",
}


def figures(logits: torch.Tensor, gold: torch.Tensor, neutral: bool) -> dict:
    """Of one set: macro-F1, or accuracy without and with NEU as an answer."""
    found = logits.argmax(1)
    if neutral:
        value = f1_score(gold, found, average="macro", labels=[0, 1, 2], zero_division=0)
        return {"texts": len(gold), "measure": "macro-F1", "value": round(float(value), 3)}
    barred = logits[:, [0, 2]].argmax(1) * 2
    value, free = (round(float((x == gold).float().mean()), 3) for x in (barred, found))
    return {"texts": len(gold), "measure": "accuracy", "value": value, "with_neu": free}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with es.dev.tsv and its like")
    parser.add_argument("--run", type=Path, default=Path("runs/sentiment"), help="OUT of train.py")
    parser.add_argument("--to", type=Path, default=SHIPPED)
    args = parser.parse_args(argv)

    whole = AutoModelForSequenceClassification.from_pretrained(args.run / "model")
    tokenizer = AutoTokenizer.from_pretrained(args.run / "model")
    rows = hold_out(read(args.data / "es.train.tsv.gz", "es"))
    rows += [r for lang in ("es", "en") for r in read(args.data / f"{lang}.dev.tsv", lang)]
    texts, gold = [r.text for r in rows], torch.tensor([r.label for r in rows])
    before = predict(whole, tokenizer, texts)
    whole.save_pretrained(args.to, int8=True)
    tokenizer.save_pretrained(args.to)
    shipped = AutoModelForSequenceClassification.from_pretrained(args.to)

    after = predict(shipped, tokenizer, texts)
    sets = {}
    for key in TITLES:
        at = [i for i, r in enumerate(rows) if f"{r.lang}.{r.source}" == key]
        lang, source = key.split(".")
        sets[key] = figures(after[at], gold[at], SOURCES[lang, source][1])
    apart = (before.softmax(1) - after.softmax(1)).abs()
    result = {
        "command": "python recipes/sentiment/release.py --data … --run …",
        "sets": sets,
        "int8": {
            "same": round(100 * float((before.argmax(1) == after.argmax(1)).float().mean()), 1),
            "difference": round(float(apart.max()), 3),
            "mean": round(float(apart.mean()), 4),
        },
        "training": [json.loads(line) for line in (args.run / "log.jsonl").read_text().splitlines()][-1],
    }
    (HERE / "figures.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    table = ["| set | language | texts | measure | value |", "|---|---|---:|---|---:|"]
    for key, found in sets.items():
        value = f"{found['value']:.3f}" + (f" ({found['with_neu']:.3f})" if "with_neu" in found else "")
        table.append(f"| {TITLES[key]} | {key[:2]} | {found['texts']:,} | {found['measure']} | {value} |")
    values = {key: f"{found['value']:.3f}" for key, found in sets.items()}
    values |= {"table": "\n".join(table)} | {key: str(value) for key, value in result["int8"].items()}
    card = re.sub(r"\{\{([\w.-]+)\}\}", lambda m: values[m[1]], (HERE / "card.md").read_text(encoding="utf-8"))
    (args.to / "README.md").write_text(card, encoding="utf-8")
    print("\n".join(table))


if __name__ == "__main__":
    main()
