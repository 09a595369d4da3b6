"""From finished runs of `train.py` to what is shipped: int8 weights, tokenizer, and a card with measured figures.

    python recipes/sentiment/release.py --data ../shared/data

Writes the folder of the model, `figures.json` beside this file, and the card from `card.md`, in which `{{name}}` stands
for a figure. With `--also`, a second run's model is measured beside it: that of `train.py --open`, say.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from behaviour import behaviour
from data import HERE, LABELS, SOURCES, Row, dev_rows, predict
from sklearn.metrics import f1_score
from torch import Tensor

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.models import Model
from gatonegro.preprocessing import KEY
from gatonegro.tokenization import Tokenizer

SHIPPED = HERE.parents[1] / "models" / "gatonegro_models" / "sentiment-es-en"
TITLES = {
    "es.umsab": "UMSAB, tweets",
    "es.tass2020-es": "TASS 2020, Spain",
    "es.tass2020-mx": "TASS 2020, Mexico",
    "es.tass2020-cr": "TASS 2020, Costa Rica",
    "es.tass2020-pe": "TASS 2020, Peru",
    "es.tass2020-uy": "TASS 2020, Uruguay",
    "es.turismo": "tourism reviews, split off training",
    "es.opener": "OpeNER, hotel reviews",
    "en.umsab": "UMSAB, tweets",
    "en.semeval2017": "SemEval-2017, tweets",
    "en.sst2": "SST-2, films, split off the training treebank",
    "en.opener": "OpeNER, hotel reviews",
}


# what is said of a model that is measured beside
ALSO = """
"Open data only" is a model that `train.py --open --stages first third` made, without the sources whose terms do not let
anyone use what is made of them. It is not shipped. Its expected calibration error is {0[ece]}, its accuracy
{0[accuracy]}, and {0[accuracy_at_80]} on the four fifths with the best scores; its mean score on noise is {noise}.
"""


def figures(logits: Tensor, gold: Tensor, neutral: bool) -> dict:
    """Of one set: macro-F1, or accuracy without and with NEU as an answer."""
    found = logits.argmax(1)
    if neutral:
        value = f1_score(gold, found, average="macro", labels=[0, 1, 2], zero_division=0)
        return {"texts": len(gold), "measure": "macro-F1", "value": round(float(value), 3)}
    barred = logits[:, [0, 2]].argmax(1) * 2
    value, free = (round(float((x == gold).float().mean()), 3) for x in (barred, found))
    return {"texts": len(gold), "measure": "accuracy", "value": value, "with_neu": free}


def temperature(logits: Tensor, gold: Tensor) -> float:
    """By what logits must be divided so that scores are chances: the least loss, https://arxiv.org/abs/1706.04599."""
    steps = [0.5 + 0.01 * i for i in range(251)]
    return min(steps, key=lambda t: float(torch.nn.functional.cross_entropy(logits / t, gold)))


def calibration(logits: Tensor, gold: Tensor) -> dict[str, float]:
    """Expected calibration error over 15 bins, accuracy, and that of the 80 % of texts with the best scores."""
    scores, found = logits.softmax(1).max(1)
    right = (found == gold).float()
    bins = (scores * 15).long().clamp(max=14)
    gaps = [(right[bins == b].mean() - scores[bins == b].mean()).abs() * (bins == b).sum() for b in bins.unique()]
    best = scores.argsort(descending=True)[: round(0.8 * len(scores))]
    values = {"ece": sum(gaps) / len(gold), "accuracy": right.mean(), "accuracy_at_80": right[best].mean()}
    return {name: round(float(value), 3) for name, value in values.items()}


def halves(rows: list[Row]) -> tuple[list[int], list[int]]:
    """The rows of sets with three labels, every other one: to fit the temperature on, and to measure on."""
    known = [i for i, r in enumerate(rows) if SOURCES[r.lang, r.source].neutral]
    return known[::2], known[1::2]


def measure(model: Model, tokenizer: Tokenizer, rows: list[Row], folder: Path) -> tuple[dict[str, Any], Tensor]:
    """All figures of one model, which stands in `folder`, and its logits."""
    gold = torch.tensor([r.label for r in rows])
    logits = predict(model, tokenizer, [r.text for r in rows])
    sets = {}
    for key in TITLES:
        at = [i for i, r in enumerate(rows) if f"{r.lang}.{r.source}" == key]
        sets[key] = figures(logits[at], gold[at], SOURCES[tuple(key.split("."))].neutral)  # type: ignore[index]
    groups, _, noise = behaviour(folder)
    passed, count = map(sum, zip(*groups.values(), strict=True))
    _, rest = halves(rows)
    return {
        "sets": sets,
        "behaviour": {group: [*pair, round(pair[0] / pair[1], 3)] for group, pair in groups.items()}
        | {"all": [passed, count, round(passed / count, 3)]},
        "calibration": calibration(logits[rest], gold[rest]),
        "noise": round(noise, 3),
    }, logits


def finished(run: Path, rows: list[Row]) -> tuple[Model, Tokenizer, float]:
    """A run's model with its temperature worked into the last layer, its tokenizer, and the temperature."""
    model = AutoModelForSequenceClassification.from_pretrained(run / "model")
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    fit_on, _ = halves(rows)
    gold = torch.tensor([rows[i].label for i in fit_on])
    t = temperature(predict(model, tokenizer, [rows[i].text for i in fit_on]), gold)
    with torch.no_grad():
        model.head.output.weight /= t
        model.head.output.bias /= t
    own = {KEY: "spell-emoji", "languages": ["es", "en"]}
    model.config = replace(model.config.with_labels(list(LABELS)), extra={**model.config.extra, **own})
    return model, tokenizer, t


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/")
    parser.add_argument("--run", type=Path, default=Path("runs/sentiment/fourth"), help="a stage of train.py")
    parser.add_argument("--also", type=Path, help="a stage of another run, to be measured beside")
    parser.add_argument("--to", type=Path, default=SHIPPED)
    args = parser.parse_args(argv)

    rows = dev_rows(args.data / "sentiment")
    whole, tokenizer, t = finished(args.run, rows)
    before = predict(whole, tokenizer, [r.text for r in rows])
    whole.save_pretrained(args.to, int8=True)
    tokenizer.save_pretrained(args.to)
    found, after = measure(AutoModelForSequenceClassification.from_pretrained(args.to), tokenizer, rows, args.to)
    apart = (before.softmax(1) - after.softmax(1)).abs()
    result = {
        "command": "python recipes/sentiment/release.py "
        f"--data {os.path.relpath(args.data)} --run {os.path.relpath(args.run)}"
        + (f" --also {os.path.relpath(args.also)}" if args.also else ""),
        "temperature": round(t, 2),
        **found,
        "int8": {
            "same": round(100 * float((before.argmax(1) == after.argmax(1)).float().mean()), 1),
            "difference": round(float(apart.max()), 3),
            "mean": round(float(apart.mean()), 4),
        },
        "training": [json.loads(line) for line in (args.run / "log.jsonl").read_text().splitlines()][-1],
    }
    if args.also:
        with tempfile.TemporaryDirectory() as folder:
            other, its_tokenizer, _ = finished(args.also, rows)
            other.save_pretrained(folder, int8=True)
            its_tokenizer.save_pretrained(folder)
            other = AutoModelForSequenceClassification.from_pretrained(folder)
            result["also"] = measure(other, its_tokenizer, rows, Path(folder))[0]
    (HERE / "figures.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    text = card(result)
    (args.to / "README.md").write_text(text, encoding="utf-8")
    print(text[text.index("## Figures") :])


def card(result: dict[str, Any]) -> str:
    """The card, with the figures in their places."""
    also = result.get("also")
    head = "| set | language | texts | measure | value |" + (" open data only |" if also else "")
    table = [head, "|---|---|---:|---|---:|" + ("---:|" if also else "")]
    for key, found in result["sets"].items():
        value = _value(found) + (f" | {_value(also['sets'][key])}" if also else "")
        table.append(f"| {TITLES[key]} | {key[:2]} | {found['texts']:,} | {found['measure']} | {value} |")
    groups = ["| group | pairs | passed |" + (" open data only |" if also else "")]
    groups.append("|---|---:|---:|" + ("---:|" if also else ""))
    for group, (_, count, share) in result["behaviour"].items():
        more = f" {also['behaviour'][group][2]:.3f} |" if also else ""
        groups.append(f"| {group} | {count} | {share:.3f} |{more}")
    values = {key: f"{found['value']:.3f}" for key, found in result["sets"].items()}
    values |= {"table": "\n".join(table), "behaviour": "\n".join(groups)}
    values |= {key: str(value) for key, value in {**result["int8"], **result["calibration"]}.items()}
    values |= {key: str(result[key]) for key in ("temperature", "noise")}
    values["also"] = ALSO.format(also["calibration"], noise=also["noise"]) if also else ""
    return re.sub(r"\{\{([\w.-]+)\}\}", lambda m: values[m[1]], (HERE / "card.md").read_text(encoding="utf-8"))


def _value(found: dict) -> str:
    return f"{found['value']:.3f}" + (f" ({found['with_neu']:.3f})" if "with_neu" in found else "")


if __name__ == "__main__":
    main()
