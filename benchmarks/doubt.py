"""Measure how well doubtful translations are marked.

    python benchmarks/doubt.py --data ../shared/data

First, the model's own translations of every pair of Tatoeba dev and every sixth of newstest2012, in both directions:
the share that is unmarked, and of those the share that is adequate (sentence chrF against the reference of at least
45), at the shipped threshold and at others. They are of the half of dev on which `recipes/translation/calibrate.py`
did not fit. Then, 200 right pairs of the other half of Tatoeba, and the same with a false number, negation or name: the
share that is marked, by the signs of the texts, and with the model's probabilities of the given answers. The words of
the signs were chosen by misses in the first half. Last, what the marks cost. Writes `benchmarks/results/doubt.json` and
`.md`.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
import warnings
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

from common import HERE, machine, save

sys.path.insert(0, str(HERE.parent / "recipes" / "translation"))

import calibrate
import data

from gatonegro.documents import number_values
from gatonegro.tasks.doubt import Calibration

PAIRS, ROUNDS = 200, 4
SHARES = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
split = str.split  # a table of words
NUMBERS = {
    "en": split("two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty"),
    "es": split("dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cuarenta cincuenta"),
}
NEGATIONS = {  # the first of these that fits is applied once
    "en": [
        (r"\b(do|does|did)n't (?!you|we|they|he|she|it|I)", ""), (r"\bcan't\b", "can"), (r"\bwon't\b", "will"),
        (r"\b(is|are|was|were|has|have|had|could|would|should)n't\b", r"\1"), (r"\bnot ", ""), (r"\bnever\b", "always"),
        (r"\b[Nn]obody\b", "everybody"), (r"\bnothing\b", "everything"),
        (r"\b(is|are|was|were|can|will|should|must)\b(?! you| we| they| he| she| it| I| not)", r"\1 not"),
    ],
    "es": [
        (r"\b[Nn]o (?=\w)", ""), (r"\b[Nn]unca\b", "siempre"), (r"\b[Nn]adie\b", "todos"),
        (r"\b(es|está|son|están|era|fue|tengo|tiene|quiero|puedo|puede|hay|estoy|voy|sé|soy)\b", r"no \1"),
    ],
}  # fmt: skip


def other_number(text: str, lang: str, rng: random.Random) -> str | None:
    """Return a text with another number in place of its first one, in digits or words."""
    if not number_values(text, lang):
        return None
    if found := re.search(r"\d+", text):
        digits = found[0]
        while digits == found[0]:
            digits = str(rng.randrange(1, 9)) + "".join(str(rng.randrange(10)) for _ in found[0][1:])
        return text[: found.start()] + digits + text[found.end() :]
    if found := re.search(rf"\b({'|'.join(NUMBERS[lang])})\b", text):
        word = rng.choice([w for w in NUMBERS[lang] if w != found[0]])
        return text[: found.start()] + word + text[found.end() :]
    return None


def other_negation(text: str, lang: str, rng: random.Random) -> str | None:
    """Return a text that denies what it said, or says what it denied."""
    for pattern, new in NEGATIONS[lang]:
        changed = re.sub(pattern, new, text, count=1)
        if changed != text:
            return changed[:1].upper() + changed[1:]
    return None


def other_name(text: str, lang: str, rng: random.Random) -> str | None:
    """Return a text with another name of a person or place in place of one."""
    people, places = data.MEN.split() + data.WOMEN.split(), data.PLACES.split()
    kinds = [(("Tom", "Tomás", "Mary", "María", "John", "Juan", *people), people)]
    kinds.append((("Boston", "Australia", "Japan", "Japón", "London", "Londres", "Tokyo", "Tokio", *places), places))
    for known, new in kinds:
        if found := re.search(rf"\b({'|'.join(known)})\b", text):
            name = rng.choice([name for name in new if name != found[0]])
            return text[: found.start()] + name + text[found.end() :]
    return None


KINDS = {"number": other_number, "negation": other_negation, "name": other_name}


def falsified(pairs: list[data.Pair]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return 200 right pairs, each with a false copy and its kind; the kinds take turns."""
    rng = random.Random(0)
    pairs = rng.sample(pairs, len(pairs))
    found: dict[str, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {kind: [] for kind in KINDS}
    for i, pair in enumerate(pairs):
        source, target = ("es", "en") if i % 2 else ("en", "es")
        for kind in sorted(KINDS, key=lambda kind: len(found[kind])):
            if false := KINDS[kind](getattr(pair, target), target, rng):
                right = {"source": source, "text": getattr(pair, source), "answer": getattr(pair, target)}
                found[kind].append((kind, right, {**right, "answer": false}))
                break
    turns = [one for three in zip_longest(*found.values()) for one in three if one is not None]
    return turns[:PAIRS]


def share(values: list[bool]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


def own(rows: list[dict[str, Any]], calibration: Calibration) -> dict[str, Any]:
    """Return the figures of the model's own translations, by set and direction, with the curve over thresholds."""
    out: dict[str, Any] = {}
    for name in calibrate.SETS:
        for ways in (("es", "en"), ("es",), ("en",)):
            some = [row for row in rows if row["set"] == name and row["source"] in ways]
            good = [calibrate.is_adequate(row) for row in some]
            found = [calibrate.doubts(row, calibration) for row in some]
            clear = [ok for ok, doubts in zip(good, found, strict=True) if not doubts]
            key = name if len(ways) == 2 else f"{name}.{ways[0]}-{'en' if ways[0] == 'es' else 'es'}"
            out[key] = {"texts": len(some), "adequate": share(good), "unmarked": share([not d for d in found])}
            out[key]["unmarked_adequate"] = share(clear)
            if len(ways) == 2:
                out[key]["kinds"] = {
                    k: round(n / len(some), 3) for k, n in Counter(k for d in found for k in d).items()
                }
                ranked = sorted(
                    zip(some, good, found, strict=True),
                    key=lambda one: ({*one[2]} - {"unsure"} != set(), -calibration.probability(one[0]["features"])),
                )
                out[key]["curve"] = {
                    f"{part:.2f}": share([ok for _, ok, _ in ranked[: round(part * len(ranked))]]) for part in SHARES
                }
    return out


def given(translate: Any, pairs: list[data.Pair], calibration: Calibration) -> dict[str, Any]:
    """Return the shares of right and false pairs that are marked."""
    made = falsified(pairs)
    out: dict[str, Any] = {"pairs": len(made)}
    for place, side in ((1, "right"), (2, "false")):
        rows = [one[place] for one in made]
        for source, target in (("es", "en"), ("en", "es")):
            some = [row for row in rows if row["source"] == source]
            values = calibrate.forced(translate, [(row["text"], row["answer"]) for row in some], source, target)
            for row, features in zip(some, values, strict=True):
                row["features"] = features
        found = [calibrate.doubts(row, calibration) for row in rows]
        texts = [bool(set(doubts) - {"unsure"}) for doubts in found]
        out[side] = {"marked": share(texts), "with_probabilities": share([bool(doubts) for doubts in found])}
        for kind in KINDS:
            out[side][kind] = share([mark for mark, one in zip(texts, made, strict=True) if one[0] == kind])
    return out


def cost(translate: Any, texts: list[str]) -> dict[str, float]:
    """Return the processor's seconds for translation without and with marks, best of a few rounds."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, doubt in (("without", False), ("with", True)):
            start = time.process_time()
            translate(texts, src_lang="es", tgt_lang="en", doubt=doubt)
            best[name] = min(best.get(name, 1e9), time.process_time() - start)
    return {**{k: round(v, 2) for k, v in best.items()}, "share": round(best["with"] / best["without"] - 1, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/")
    parser.add_argument("--model", type=Path, default=calibrate.SHIPPED)
    parser.add_argument("--keep", type=Path, help="file for the translations, which are not made again")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "doubt")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    dev, translate = data.dev_pairs(args.data), calibrate.load(args.model)
    calibration = Calibration.of(translate.model.config)
    assert calibration is not None
    rows = calibrate.half(calibrate.answers(args.model, dev, args.keep), 1)
    tatoeba = [pair for pair in dev if pair.source == "tatoeba"][::2]
    result = {
        "command": f"python benchmarks/doubt.py --data {args.data}",
        "machine": machine("sacrebleu"),
        "calibration": translate.model.config.extra["doubt"],
        "adequate_from_chrf": calibrate.ADEQUATE,
        "own": own(rows, calibration),
        "given": given(translate, tatoeba, calibration),
        "cost": {
            name: cost(translate, [pair.es for pair in dev if pair.source == name][:count])
            for name, count in (("tatoeba", PAIRS), ("wmt12", PAIRS // 4))
        },
    }
    save(args.out, result, table(result))


def table(result: dict[str, Any]) -> list[str]:
    """Return the figures as Markdown."""
    lines = ["", f"Adequate: sentence chrF of at least {calibrate.ADEQUATE:.0f} against the one reference.", ""]
    lines += ["| the model's own translations | texts | adequate | unmarked | adequate of the unmarked |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for name, one in result["own"].items():
        lines.append(
            f"| {name} | {one['texts']} | {one['adequate']} | {one['unmarked']} | {one['unmarked_adequate']} |"
        )
    lines += ["", "Adequate of the best share, ranked by the model's probability, with other signs last:", ""]
    lines += ["| share | " + " | ".join(calibrate.SETS) + " |", "|---:|" + "---:|" * len(calibrate.SETS)]
    for part in (f"{part:.2f}" for part in SHARES):
        lines.append(f"| {part} | " + " | ".join(f"{result['own'][s]['curve'][part]}" for s in calibrate.SETS) + " |")
    given = result["given"]
    lines += ["", f"Of {given['pairs']} right pairs, and the same made false, are marked:", ""]
    lines += ["| pairs | by the texts | number | negation | name | with the model's probabilities |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for side in ("right", "false"):
        values = [given[side][k] for k in ("marked", *KINDS, "with_probabilities")]
        lines.append(f"| {side} | {' | '.join(map(str, values))} |")
    lines += ["", "More time than translation with 4 beams and without marks:", ""]
    lines += [f"- {name}: {100 * one['share']:.0f} %" for name, one in result["cost"].items()]
    return lines


if __name__ == "__main__":
    main()
