"""Compare ways to tell which words made a classifier's decision: the built-in sentiment model, by cues and by curves.

    python benchmarks/attribution.py --texts 200 --cache /tmp/attribution

`cues.tsv`: 100 sentences of our own, each with one word that decides, among names, articles and commas, and 40 that
state facts, without such a word. Curves: texts of the research data beside the checkout, left out where it is missing.
Words go in the order of their values, largest first: in deletion out of the whole text, in insertion into an empty one;
each figure is the mean probability of the answer over ten steps. `explain` reads each sentence with its full stop and
without. Gradients, and `explain` on the sentences with a cue, run in fp32, all else in bf16.
Writes `benchmarks/results/attribution.json` and `.md`.
"""

from __future__ import annotations

import argparse
import csv
import pickle
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import HERE, SHARED, machine, save
from torch import Tensor

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.batching import plan
from gatonegro.glassbox.attribution import Attribution, attribute, group_tokens, is_function_word, log_odds, shapley
from gatonegro.packing import pack

STEPS = 8  # nodes of the Gauss–Legendre rule of integrated gradients
PAIRS = 4  # pairs of orders of Shapley values; `explain` draws up to 12
EXPLAINED = ["explain", "explain, no full stop"]
KINDS = [("deletion", "left out"), ("insertion", "left out"), ("deletion", "masked")]  # of curves
MODEL = AutoModelForSequenceClassification.from_pretrained("sentiment-es-en")
TOKENIZER = AutoTokenizer.from_pretrained("sentiment-es-en")
FAST = MODEL.optimize(precision="bf16")
LABELS = list(MODEL.config.id2label.values())
SPECIAL = set(TOKENIZER.all_special_ids)
E = MODEL.embeddings.tokens.weight.detach()
BASELINES: dict[str, Tensor] = {
    "pad": E[TOKENIZER.pad_token_id], "mask": E[TOKENIZER.mask_token_id], "mean embedding": E.mean(0), "zero": E[0] * 0,
}  # fmt: skip


class Text:
    """A text as words and its punctuation, with the model's outputs for any set of them, each computed once."""

    def __init__(self, text: str) -> None:
        batch = TOKENIZER(text, return_offsets_mapping=True)
        self.text, self.ids, self.offsets = text, batch["input_ids"], batch["offset_mapping"]
        spans, owners = group_tokens(text, self.ids, self.offsets, SPECIAL)
        self.words, self.owner = [text[a:b] for a, b in spans], np.array(owners)
        self.n = len(spans) + (len(spans) in owners)
        self.known: dict[tuple[str, bytes], np.ndarray] = {}
        self.label = int(self.outputs("left out", np.ones((1, self.n), bool))[0].argmax())

    def outputs(self, how: str, sets: np.ndarray) -> np.ndarray:
        """Return the logits (m, labels) with the parts outside each set left out, or replaced by a special token."""
        new = {(how, kept.tobytes()): kept for kept in sets if (how, kept.tobytes()) not in self.known}
        token = {"masked": TOKENIZER.mask_token_id, "padded": TOKENIZER.pad_token_id}.get(how)
        texts = []
        for kept in new.values():
            keep = np.append(kept, True)[self.owner]
            texts.append([i if k else token for i, k in zip(self.ids, keep, strict=True) if k or token is not None])
        keys = list(new)
        for batch in plan([len(text) for text in texts], 2048):
            for i, out in zip(batch, FAST.predict([texts[i] for i in batch]), strict=True):
                self.known[keys[i]] = out
        return np.array([self.known[how, kept.tobytes()] for kept in sets])

    def odds(self, how: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda sets: np.array([log_odds(MODEL, out, self.label) for out in self.outputs(how, sets)])

    def by_part(self, values: Tensor) -> np.ndarray:
        """Sum values (t,) of tokens by word and, at the end, over punctuation."""
        return np.array([float(values[torch.tensor(self.owner == part)].sum()) for part in range(self.n)])

    def gradient(self, embeds: Tensor) -> Tensor:
        """Return the gradient of the log-odds with respect to embeddings of several copies of the text."""
        packed = replace(
            pack([self.ids] * (len(embeds) // len(self.ids)), MODEL.config), embeds=embeds.requires_grad_()
        )
        with torch.enable_grad():
            out = MODEL.run(packed)
            others = out[:, [i for i in range(len(LABELS)) if i != self.label]].logsumexp(-1)
            return torch.autograd.grad((out[:, self.label] - others).sum(), embeds)[0]

    @cache  # noqa: B019
    def integrated(self, baseline: str) -> np.ndarray:
        x = E[self.ids]
        start = torch.where(torch.tensor(self.owner == -1)[:, None], x, BASELINES[baseline])
        nodes, weights = np.polynomial.legendre.leggauss(STEPS)
        points = torch.cat([start + (node + 1) / 2 * (x - start) for node in nodes.tolist()])
        gradients = self.gradient(points).view(STEPS, *x.shape)
        mean = (gradients * torch.tensor(weights / 2, dtype=torch.float32)[:, None, None]).sum(0)
        return self.by_part(((x - start) * mean).sum(-1))


def without(text: Text, how: str) -> np.ndarray:
    odds, every = text.odds(how), np.ones((1, text.n), bool)
    return odds(every) - odds(~np.eye(text.n, dtype=bool))


def alone(text: Text, how: str) -> np.ndarray:
    odds = text.odds(how)
    return odds(np.eye(text.n, dtype=bool)) - odds(np.zeros((1, text.n), bool))


METHODS: dict[str, Callable[[Text], np.ndarray]] = {
    f"integrated gradients, {name}": lambda text, name=name: text.integrated(name) for name in BASELINES
}  # fmt: skip
METHODS |= {
    "integrated gradients, mean of the four": lambda text: np.mean([text.integrated(name) for name in BASELINES], 0),
    "gradient × input": lambda text: text.by_part((E[text.ids] * text.gradient(E[text.ids].clone())).sum(-1)),
    "each word left out": lambda text: without(text, "left out"),
    "each word masked": lambda text: without(text, "masked"),
    "each word padded": lambda text: without(text, "padded"),
    "each word alone": lambda text: alone(text, "left out"),
    "left out and alone, mean": lambda text: (without(text, "left out") + alone(text, "left out")) / 2,
    "Shapley values, masked": lambda text: shapley(text.odds("masked"), text.n, PAIRS),
    "Shapley values, left out": lambda text: shapley(text.odds("left out"), text.n, PAIRS),
    "at random": lambda text: np.random.default_rng(0).normal(size=text.n),
}


def curve(text: Text, values: np.ndarray, how: str, insertion: bool) -> float:
    """Return the mean probability of the answer while words are put in, or left out or masked, in ten steps."""
    order = np.argsort(-values[: len(text.words)])
    sets = []
    for step in range(1, 11):
        kept = np.full(text.n, not insertion)
        kept[order[: round(step / 10 * len(order))]] = insertion
        kept[len(order) :] = True  # punctuation stays
        sets.append(kept)
    odds = text.odds(how)(np.array(sets))
    return float((1 / (1 + np.exp(-odds))).mean())


def explained(text: Text, model: Any = MODEL) -> Attribution:
    return attribute(model, text.text, text.ids, text.offsets, SPECIAL, text.label)


def cached(folder: Path | None, name: str, compute: Callable[[], Any]) -> Any:
    """Return what a function computes, or what it computed in an earlier run."""
    path = folder and folder / f"{name}.pickle"
    if path and path.exists():
        return pickle.loads(path.read_bytes())
    value = compute()
    if path:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(value))
    return value


def cue_row(line: dict[str, str]) -> dict[str, Any]:
    text, unstopped = Text(line["text"]), Text(line["text"].removesuffix("."))
    return {**line, "answer": LABELS[text.label], "words": text.words, "explain": explained(text),
            "explain, no full stop": explained(unstopped), "answer, no full stop": LABELS[unstopped.label],
            "values": {name: method(text) for name, method in METHODS.items()}}  # fmt: skip


def fact_row(line: dict[str, str]) -> dict[str, Any]:
    text, unstopped = Text(line["text"]), Text(line["text"].removesuffix("."))
    return {**line, "explain": explained(text, FAST), "explain, no full stop": explained(unstopped, FAST)}


def curve_row(line: str) -> dict[str, Any]:
    text = Text(line)
    odds = text.odds("left out")(np.ones((1, text.n), bool))[0]
    row: dict[str, Any] = {"answer": LABELS[text.label], "odds": float(odds), "words": text.words}
    for name, method in METHODS.items():
        row[name] = values = method(text)
        for kind, how in KINDS:
            row[name, kind, how] = curve(text, values, how, kind == "insertion")
    return row


def clear_texts(rows: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return, by answer, how many texts have a clear decision and how many there are."""
    counts = {label: [0, 0] for label in LABELS}
    for row in rows:
        values, words = row["Shapley values, left out"], row["words"]
        found = Attribution(words, [], values[: len(words)], 0.0, row["odds"] - values.sum(), row["odds"])
        counts[row["answer"]][0] += int(found.is_clear)
        counts[row["answer"]][1] += 1
    return counts


def read_texts(count: int) -> list[str] | str:
    """Return texts of 5 to 20 words, in Spanish and English by turns, or the reason why there are none."""
    texts: list[list[str]] = []
    for language in ("es", "en"):
        path = SHARED / "sentiment" / f"{language}.dev.tsv"
        if not path.exists():
            return f"skipped: no {path.name} in {path.parent.relative_to(HERE.parents[1])}"
        with path.open(encoding="utf-8", newline="") as f:
            lines = [row["text"] for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]
        lines = [line for line in lines if 5 <= len(line.split()) <= 20]
        texts.append(random.Random(1).sample(lines, count // 2))
    return [text for pair in zip(*texts, strict=True) for text in pair]


def score_cues(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def first(row: dict[str, Any], values: np.ndarray) -> str:
        return row["words"][int(np.argmax(values[: len(row["words"])]))]

    methods = {name: [first(row, row["values"][name]) for row in rows] for name in METHODS}
    methods = {kind: [first(row, row[kind].values) for row in rows] for kind in EXPLAINED} | methods

    def count(firsts: list[str], which: Callable[[int], bool] = lambda i: True) -> dict[str, int]:
        named = [(row, word) for i, (row, word) in enumerate(zip(rows, firsts, strict=True)) if which(i)]
        cue = sum(word == row["cue"] for row, word in named)
        return {
            "sentences": len(named),
            "cue": cue,
            "function word": sum(is_function_word(word) for _, word in named),
        }

    table = {name: count(firsts) for name, firsts in methods.items()}
    missed = {}
    for kind in EXPLAINED:
        clear = [row[kind].is_clear for row in rows]
        table[f"{kind}, where it is clear"] = count(methods[kind], lambda i, clear=clear: clear[i])
        missed[kind] = [
            {"text": row["text"], "first": word, "answer": row[kind.replace("explain", "answer")],
             "label": row["label"], "clear": sure}
            for row, word, sure in zip(rows, methods[kind], clear, strict=True) if word != row["cue"] or not sure
        ]  # fmt: skip
    marks = {}
    for name in METHODS:
        values = [(row["values"][name], len(row["words"])) for row in rows]
        marks[name] = sum(int(x.argmax()) == n for x, n in values)  # the part after the words is punctuation
    misjudged = [row["text"] for row in rows if row["answer"] != row["label"]]
    return {"first": table, "punctuation above every word": marks, "misjudged": misjudged, "missed or unclear": missed}


def costs() -> list[dict[str, Any]]:
    """Return forward passes, tokens and, at best of five, seconds of `explain`'s attribution for several lengths."""
    words = ["el", "hotel", "estaba", "muy", "limpio", "y", "la", "cena", "fue", "buena"]
    rows = []
    for n in (10, 30, 100):
        text = Text(" ".join(words[i % len(words)] for i in range(n)))
        calls: list[int] = []
        predict = MODEL.predict
        MODEL.predict = lambda ids: (calls.extend(map(len, ids)), predict(ids))[1]  # noqa: B023
        try:
            explained(text)
        finally:
            del MODEL.predict
        wall = cpu = float("inf")
        for _ in range(5):
            start, used = time.perf_counter(), time.process_time()
            explained(text)
            wall, cpu = min(wall, time.perf_counter() - start), min(cpu, time.process_time() - used)
        rows.append({"words": n, "tokens": len(text.ids), "passes": len(calls), "tokens of all passes": sum(calls),
                     "seconds": round(wall, 2), "CPU seconds": round(cpu, 2)})  # fmt: skip
    return rows


def table(result: dict[str, Any]) -> list[str]:
    """Return the lines of the Markdown page."""
    curves = result["curves"]
    lines = ["", f"{result['settings']}", "", "Sentences of one cue of which it comes first, or a function word does;"]
    lines += ["mean probability of the answer while words are left out or put in, largest first.", ""]
    kinds = [] if isinstance(curves, str) else [", ".join(kind) for kind in KINDS]
    lines += [f"Curves: {curves}", ""] if isinstance(curves, str) else []
    lines += [" | ".join(["| method", "cue", "function word", *kinds]) + " |", "|---|" + "---:|" * (2 + len(kinds))]
    for name, counts in result["cues"]["first"].items():
        figures = [str(curves[name][kind]) if name in curves else "" for kind in kinds]
        label = name if counts["sentences"] == 100 else f"{name} ({counts['sentences']} sentences)"
        lines += [" | ".join([f"| {label}", str(counts["cue"]), str(counts["function word"]), *figures]) + " |"]
    lines += [
        "",
        *(
            f"Sentences of facts, {kind}: {facts['not known']} of {facts['sentences']} not known.\n"
            for kind, facts in result["facts"].items()
        ),
        "",
    ]
    lines += ["| " + " | ".join(result["cost of explain"][0]) + " |", "|" + "---:|" * 6]
    return lines + ["| " + " | ".join(map(str, row.values())) + " |" for row in result["cost of explain"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=200, help="texts of the research data for the curves")
    parser.add_argument("--cache", type=Path, help="folder of what is computed, read by the next run")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "attribution")
    args = parser.parse_args()
    with (HERE / "cues.tsv").open(encoding="utf-8", newline="") as f:
        cues = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    cues, facts = ([line for line in cues if bool(line["cue"]) == wanted] for wanted in (True, False))
    rows = [cached(args.cache, f"cue{i}", lambda line=line: cue_row(line)) for i, line in enumerate(cues)]
    cue_scores = score_cues(rows)
    texts = read_texts(args.texts)
    curves: Any = texts
    clear: Any = texts
    if not isinstance(texts, str):
        found = [cached(args.cache, f"text{i}", lambda line=line: curve_row(line)) for i, line in enumerate(texts)]
        curves = {name: {", ".join(kind): round(float(np.mean([row[name, kind[0], kind[1]] for row in found])), 3)
                         for kind in KINDS} for name in METHODS}  # fmt: skip
        clear = clear_texts(found)
    facts = [cached(args.cache, f"fact{i}", lambda line=line: fact_row(line)) for i, line in enumerate(facts)]
    settings = {"integrated gradients, steps": STEPS, "Shapley values, orders": 2 * PAIRS, "texts": args.texts}
    command = f"python benchmarks/attribution.py --texts {args.texts}"
    result = {
        "command": command, "machine": machine(), "settings": settings, "cues": cue_scores,
        "facts": {kind: {"sentences": len(facts), "not known": sum(not row[kind].is_clear for row in facts),
                         "clear": [row["text"] for row in facts if row[kind].is_clear]} for kind in EXPLAINED},
        "curves": curves, "texts with a clear decision, of all": clear,
        "cost of explain": cached(args.cache, "costs", costs),
    }  # fmt: skip
    save(args.out, result, table(result))


if __name__ == "__main__":
    main()
