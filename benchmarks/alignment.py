"""Measure the alignment error rate of `return_alignments=` on hand-aligned sentence pairs.

    python benchmarks/alignment.py

The English side of each pair of `alignments.tsv` is used as the model's output. Alignment error rate of Och and Ney,
https://aclanthology.org/J03-1002: predicted links that are not possible ones, and sure links that are not predicted.
Writes `benchmarks/results/alignment.json` and `.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from gatonegro import AutoModelForSeq2SeqLM, AutoTokenizer
from gatonegro.generation import Generated
from gatonegro.models import LanguageModel
from gatonegro.tasks.alignment import WORD_OR_MARK, add_attention, word_attention, word_links
from gatonegro.tokenization import Tokenizer

HERE = Path(__file__).resolve().parent
Links = set[tuple[int, int]]


def pairs(text: str) -> Links:
    return {(int(a), int(b)) for a, b in (link.split("-") for link in text.split())}


def predicted_links(model: LanguageModel, tokenizer: Tokenizer, source: str, target: str, to: str) -> Links:
    """Return the predicted links as pairs of word indices (source, target)."""
    tags = {lang: tokenizer.convert_tokens_to_ids(f">>{lang}<<") for lang in ("es", "en")}
    other = tags["en" if to == "es" else "es"]
    read = tokenizer(f">>{to}<< {source}")["input_ids"]
    ids = tokenizer(target, add_special_tokens=False)["input_ids"]
    one = Generated([model.start_token, *ids, tokenizer.eos_token_id], 1, 0.0, True)
    seen = add_attention(model, read, one, 1, [other]).attention
    assert seen is not None
    places = [{match.start(): i for i, match in enumerate(WORD_OR_MARK.finditer(text))} for text in (source, target)]
    return {
        (places[0][link["source_span"][0]], places[1][link["target_span"][0]])
        for link in word_links(word_attention(tokenizer, source, ids, target, seen))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="translate-es-en")
    args = parser.parse_args()
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(args.model), AutoTokenizer.from_pretrained(args.model)
    assert isinstance(model, LanguageModel)
    with (HERE / "alignments.tsv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    results = {}
    for to in ("en", "es"):
        right = near = given = sure = 0
        for row in rows:
            source, target = (row["es"], row["en"]) if to == "en" else (row["en"], row["es"])
            certain, possible = pairs(row["sure"]), pairs(row["sure"]) | pairs(row["possible"])
            links_ = predicted_links(model, tokenizer, source, target, to)
            links_ = links_ if to == "en" else {(b, a) for a, b in links_}
            right, near = right + len(links_ & certain), near + len(links_ & possible)
            given, sure = given + len(links_), sure + len(certain)
        results[to] = {
            "error_rate": round(1 - (right + near) / (given + sure), 3),
            "precision": round(near / given, 3),
            "recall": round(right / sure, 3),
            "links": given,
        }
        print(to, results[to])
    result = {
        "command": "python benchmarks/alignment.py",
        "pairs": len(rows),
        "es → en": results["en"],
        "en → es": results["es"],
    }
    out = HERE / "results" / "alignment.json"
    out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [f"# Word alignments of `{args.model}`\n", f"`{result['command']}`, {len(rows)} pairs aligned by hand\n"]
    lines += ["| | error rate | precision | recall | links |", "|---|---:|---:|---:|---:|"]
    for name in ("es → en", "en → es"):
        one = result[name]
        lines.append(
            f"| {name} | {one['error_rate']:.3f} | {one['precision']:.3f} | {one['recall']:.3f} | {one['links']} |"
        )
    out.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
