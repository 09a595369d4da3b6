"""Release a finished run of `train.py`: int8 weights, tokenizer, and cards with measured figures.

    python recipes/sentiment/release.py --data ../shared/data --run runs/sentiment-open/fifth

Writes the folder of the model, `figures.json` beside this file, and two cards from `card.open.md` and
`card.research.md`, in which `{{name}}` stands for a figure: that of the model, and that of `sentiment-es-en-research`,
whose weights stay as they are. Both are measured, and each card shows both side by side. `--research ''` leaves the
second out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from behaviour import behaviour
from data import HERE, LABELS, SOURCES, Row, dev_rows, predict
from sklearn.metrics import f1_score
from torch import Tensor

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.models import Model
from gatonegro.preprocessing import CONFIG_KEY
from gatonegro.tokenization import Tokenizer

ROOT = HERE.parents[1]
SHIPPED = ROOT / "models" / "gatonegro_models" / "sentiment-es-en"
RESEARCH = ROOT / "models-research" / "gatonegro_models_research" / "sentiment-es-en-research"
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


def figures(logits: Tensor, gold: Tensor, neutral: bool) -> dict:
    """Return one set's macro-F1 or accuracies (without and with NEU), and the accuracy of its 60 % best scores."""
    scores, found = logits.softmax(1).max(1)
    right = (found == gold).float()
    best = right[scores.argsort(descending=True)[: round(0.6 * len(right))]]
    shares = {"accuracy": round(float(right.mean()), 3), "accuracy_at_60": round(float(best.mean()), 3)}
    if neutral:
        value = f1_score(gold, found, average="macro", labels=[0, 1, 2], zero_division=0)
        return {"texts": len(gold), "measure": "macro-F1", "value": round(float(value), 3), **shares}
    value = round(float((logits[:, [0, 2]].argmax(1) * 2 == gold).float().mean()), 3)
    return {"texts": len(gold), "measure": "accuracy", "value": value, "with_neu": shares["accuracy"]}


def confusions(logits: Tensor, gold: Tensor) -> dict[str, int]:
    """Return, per 100 wrongly labelled texts, the counts of each confusion, such as "NEU as POS"."""
    found = logits.argmax(1)
    wrong = int((found != gold).sum())
    counts = {
        f"{a} as {b}": int(((gold == i) & (found == j)).sum())
        for i, a in enumerate(LABELS) for j, b in enumerate(LABELS) if i != j
    }  # fmt: skip
    return {name: round(100 * n / max(1, wrong)) for name, n in sorted(counts.items(), key=lambda kv: -kv[1])}


def temperature(logits: Tensor, gold: Tensor) -> float:
    """Return the temperature that minimises the loss of the scores, https://arxiv.org/abs/1706.04599."""
    steps = [0.5 + 0.01 * i for i in range(251)]
    return min(steps, key=lambda t: float(torch.nn.functional.cross_entropy(logits / t, gold)))


def calibration(logits: Tensor, gold: Tensor) -> dict[str, float]:
    """Return the calibration error (15 bins), the accuracy, and the accuracy on the 80 % with the best scores."""
    scores, found = logits.softmax(1).max(1)
    right = (found == gold).float()
    bins = (scores * 15).long().clamp(max=14)
    gaps = [(right[bins == b].mean() - scores[bins == b].mean()).abs() * (bins == b).sum() for b in bins.unique()]
    best = scores.argsort(descending=True)[: round(0.8 * len(scores))]
    values = {"ece": sum(gaps) / len(gold), "accuracy": right.mean(), "accuracy_at_80": right[best].mean()}
    return {name: round(float(value), 3) for name, value in values.items()}


def halves(rows: list[Row]) -> tuple[list[int], list[int]]:
    """Split the rows of sets with three labels into those to fit the temperature on and those to test.

    The former are every other row of the open sets, since the shipped model learns from open texts only.
    """
    known = [i for i, r in enumerate(rows) if SOURCES[r.lang, r.source].neutral]
    fit_on = [i for i in known if SOURCES[rows[i].lang, rows[i].source].open][::2]
    return fit_on, sorted(set(known) - set(fit_on))


def measure(model: Model, tokenizer: Tokenizer, rows: list[Row], folder: Path) -> tuple[dict[str, Any], Tensor]:
    """Return all figures of the model in `folder`, and its logits."""
    gold = torch.tensor([r.label for r in rows])
    logits = predict(model, tokenizer, [r.text for r in rows])
    sets = {}
    for key in TITLES:
        at = [i for i, r in enumerate(rows) if f"{r.lang}.{r.source}" == key]
        sets[key] = figures(logits[at], gold[at], SOURCES[tuple(key.split("."))].neutral)  # type: ignore[index]
    groups, _, noise = behaviour(folder)
    passed, count = map(sum, zip(*groups.values(), strict=True))
    _, rest = halves(rows)
    known = {lang: [i for i in rest if rows[i].lang == lang] for lang in ("es", "en")}
    return {
        "sets": sets,
        "behaviour": {group: [*pair, round(pair[0] / pair[1], 3)] for group, pair in groups.items()}
        | {"all": [passed, count, round(passed / count, 3)]},
        "calibration": {lang: calibration(logits[at], gold[at]) for lang, at in known.items()},
        "confusions": confusions(logits[rest], gold[rest]),
        "noise": round(noise, 3),
    }, logits


def finished(run: Path, rows: list[Row]) -> tuple[Model, Tokenizer, float]:
    """Return a run's model with the temperature folded into its last layer, its tokenizer, and the temperature."""
    model = AutoModelForSequenceClassification.from_pretrained(run / "model")
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    fit_on, _ = halves(rows)
    gold = torch.tensor([rows[i].label for i in fit_on])
    t = temperature(predict(model, tokenizer, [rows[i].text for i in fit_on]), gold)
    with torch.no_grad():
        model.head.output.weight /= t
        model.head.output.bias /= t
    own = {CONFIG_KEY: "spell-emoji", "languages": ["es", "en"]}
    model.config = model.config.replace(id2label=dict(enumerate(LABELS)), extra={**model.config.extra, **own})
    return model, tokenizer, t


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/")
    parser.add_argument("--run", type=Path, default=Path("runs/sentiment-open/fifth"), help="a stage of train.py")
    parser.add_argument("--research", default=str(RESEARCH), help="folder of the model that is measured beside")
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
        f"--data {os.path.relpath(args.data)} --run {os.path.relpath(args.run)}",
        "temperature": round(t, 2),
        **found,
        "int8": {
            "same": round(100 * float((before.argmax(1) == after.argmax(1)).float().mean()), 1),
            "difference": round(float(apart.max()), 3),
            "mean": round(float(apart.mean()), 4),
        },
        "training": [json.loads(line) for line in (args.run / "log.jsonl").read_text().splitlines()][-1],
    }
    if args.research:
        beside = Path(args.research)
        other, its_tokenizer = (c.from_pretrained(beside) for c in (AutoModelForSequenceClassification, AutoTokenizer))
        result["research"] = measure(other, its_tokenizer, rows, beside)[0]
        (beside / "README.md").write_text(card(result, "card.research.md"), encoding="utf-8")
    (HERE / "figures.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    text = card(result, "card.open.md")
    (args.to / "README.md").write_text(text, encoding="utf-8")
    print(text[text.index("## Figures") :])


def card(result: dict[str, Any], name: str) -> str:
    """Return a card with its figures filled in; those of the research model are `{{research.name}}`."""
    other = result.get("research")
    values = _values(result) | {key: str(value) for key, value in result["int8"].items()}
    values["temperature"] = str(result["temperature"])
    if other:
        values |= {f"research.{key}": value for key, value in _values(other).items()}
    values["table"], values["behaviour"] = _sets(result, other), _groups(result, other)
    return re.sub(r"\{\{([\w.-]+)\}\}", lambda m: values[m[1]], (HERE / name).read_text(encoding="utf-8"))


def _values(found: dict[str, Any]) -> dict[str, str]:
    values = {key: f"{one['value']:.3f}" for key, one in found["sets"].items()}
    for lang, shares in found["calibration"].items():
        values |= {f"{lang}.{key}": str(value) for key, value in shares.items()}
    for key, one in found["sets"].items():
        share = one.get("accuracy", one["value"])
        values[f"{key}.of_100"] = str(round(100 * share))
        values[f"{key}.at_60"] = str(one.get("accuracy_at_60", ""))
    (first, some), (second, more), *_ = found["confusions"].items()
    values["confused"] = f"{first}, {some} of 100 wrong answers, then {second}, {more}"
    return values | {"noise": str(found["noise"])}


def _sets(result: dict[str, Any], other: dict[str, Any] | None) -> str:
    head = "| set | language | texts | measure | sentiment-es-en |" + (" sentiment-es-en-research |" if other else "")
    table = [head, "|---|---|---:|---|---:|" + ("---:|" if other else "")]
    for key, found in result["sets"].items():
        value = _value(found) + (f" | {_value(other['sets'][key])}" if other else "")
        table.append(f"| {TITLES[key]} | {key[:2]} | {found['texts']:,} | {found['measure']} | {value} |")
    return "\n".join(table)


def _groups(result: dict[str, Any], other: dict[str, Any] | None) -> str:
    groups = ["| group | pairs | sentiment-es-en |" + (" sentiment-es-en-research |" if other else "")]
    groups.append("|---|---:|---:|" + ("---:|" if other else ""))
    for group, (_, count, share) in result["behaviour"].items():
        more = f" {other['behaviour'][group][2]:.3f} |" if other else ""
        groups.append(f"| {group} | {count} | {share:.3f} |{more}")
    return "\n".join(groups)


def _value(found: dict) -> str:
    return f"{found['value']:.3f}" + (f" ({found['with_neu']:.3f})" if "with_neu" in found else "")


if __name__ == "__main__":
    main()
