"""`gatonegro translate`: a text in the other language."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from gatonegro.cli.screen import answered, print_json, print_tabs, texts, visible
from gatonegro.wording import both

Show = Callable[[str, list[dict[str, Any]]], None]


def run(args: Namespace) -> None:
    parts = texts(args.texts)
    from gatonegro import pipeline
    from gatonegro.tasks.writing import BEAMS

    translate = pipeline(
        "translation",
        args.model,
        device=args.device,
        precision=args.precision,
        revision=args.revision,
        local_files_only=args.offline,
        src_lang=args.source,
        tgt_lang=args.to,
        num_beams=max(args.beam or 1, args.nbest or 1) if args.beam or (args.nbest or 0) > BEAMS else None,
        num_return_sequences=args.nbest,
        return_scores=True,
        return_languages=True,
        return_alignments=args.align,
    )
    if args.json:
        show: Show = _as_json
    else:
        show = _for_people() if sys.stdout.isatty() else _as_lines
    for text, found in answered(args.texts, parts, translate.stream):
        show(text, found)


def _as_json(text: str, found: list[dict[str, Any]]) -> None:
    best = found[0]
    record = {
        "text": text,
        "translation": best["translation_text"],
        "from": best["src_lang"],
        "to": best["tgt_lang"],
        "score": best["score"],
    }
    if len(found) > 1:
        record["translations"] = [{"translation": one["translation_text"], "score": one["score"]} for one in found]
    if "alignments" in best:
        record["alignments"] = best["alignments"]
    print_json(record)


def _as_lines(text: str, found: list[dict[str, Any]]) -> None:
    """A translation a line; of several, each with its score; of aligned words, pairs behind it."""
    for one in found:
        pairs = [" ".join(f"{link['source']}→{link['target']}" for link in one.get("alignments", ()))]
        scores = [f"{one['score']:.4f}"] if len(found) > 1 else []
        print_tabs(*scores, one["translation_text"], *(pairs if "alignments" in one else []))


def _for_people() -> Show:
    """The translation; what is not the best below it, and under that which word came from which."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def show(text: str, found: list[dict[str, Any]]) -> None:
        if not text.strip():
            console.print(Text(both("(empty)", "(vacío)"), "dim"))
            return
        for i, one in enumerate(found):
            score = f"{one['score']:7.2f}  " if len(found) > 1 else ""
            console.print(Text.assemble((score, "dim"), (visible(one["translation_text"]), "" if i else "bold")))
            if one.get("alignments"):
                pairs = "  ".join(f"{visible(link['source'])}→{visible(link['target'])}" for link in one["alignments"])
                console.print(Text(" " * len(score) + pairs, "cyan"))

    return show
