"""`gatonegro translate`: each text in the other language."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from gatonegro.cli.arguments import add_engine, add_json, add_model, add_source, add_texts, count, source_of
from gatonegro.cli.input import texts
from gatonegro.cli.terminal import one_line, print_json, print_tabs, with_answers

Show = Callable[[str, list[dict[str, Any]]], None]


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser, "translation")
    parser.add_argument("--to", metavar="LANG")
    parser.add_argument("--from", dest="source", metavar="LANG")
    parser.add_argument("--beam", type=count, metavar="N")
    parser.add_argument("--nbest", type=count, metavar="N")
    parser.add_argument("--align", action="store_true")
    add_engine(parser)
    add_json(parser)
    add_source(parser)


def run(args: Namespace) -> None:
    parts = texts(args.texts)
    from gatonegro import pipeline

    translate = pipeline(
        "translation",
        args.model,
        device=args.device,
        precision=args.precision,
        src_lang=args.source,
        tgt_lang=args.to,
        num_beams=max(args.beam, args.nbest or 1) if args.beam else None,
        num_return_sequences=args.nbest,
        return_scores=True,
        return_languages=True,
        return_alignments=args.align,
        **source_of(args),
    )
    many = args.nbest or 1
    if args.json:
        show: Show = _as_json(many)
    elif sys.stdout.isatty():
        show = _for_people(len(args.texts) != 1 and (many > 1 or args.align))
    else:
        show = _as_lines(many)
    for text, found in with_answers(args.texts, parts, translate.stream):
        once: dict[str, dict[str, Any]] = {}  # the same words may come of different tokens
        for one in found:
            once.setdefault(one["translation_text"], one)
        show(text, list(once.values()))


def _as_json(many: int) -> Show:
    def show(text: str, found: list[dict[str, Any]]) -> None:
        best = found[0]
        record = {
            "text": text,
            "translation": best["translation_text"],
            "from": best["src_lang"],
            "to": best["tgt_lang"],
            "score": best["score"],
        }
        record |= {name: best[name] for name in ("unfinished", "alignments") if name in best}
        if many > 1:
            names = {"translation_text": "translation", "score": "score", "alignments": "alignments"}
            record["translations"] = [{names[k]: v for k, v in one.items() if k in names} for one in found]
        print_json(record)

    return show


def _as_lines(many: int) -> Show:
    """One translation per line, with the white space of its text; with its score in front if there are several, and its
    word pairs behind if words are aligned."""

    def show(text: str, found: list[dict[str, Any]]) -> None:
        for one in found:
            pairs = [" ".join(f"{link['source']}→{link['target']}" for link in one.get("alignments", ()))]
            score = "" if one["score"] is None else f"{one['score']:.4f}"
            values = [*([score] if many > 1 else []), one["translation_text"], *(pairs if "alignments" in one else [])]
            if len(values) == 1:
                print(*values, flush=True)
            else:
                print_tabs(*values)

    return show


def _for_people(apart: bool) -> Show:
    """The translation, the next best ones below it, and under each which word came from which. `apart`: each text is
    shown above its translations."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)

    def show(text: str, found: list[dict[str, Any]]) -> None:
        if apart and text.strip():
            console.print(Text(one_line(text), "dim"))
        for i, one in enumerate(found):
            lines = (one_line(line, indented=True) for line in one["translation_text"].splitlines())
            shown = Text("\n".join(lines), "" if i else "bold")
            if one.get("alignments"):
                pairs = (f"{one_line(link['source'])}→{one_line(link['target'])}" for link in one["alignments"])
                shown.append("\n" + "  ".join(pairs), "cyan")
            block = Table.grid(padding=(0, 2))  # so that long lines hang beside the score
            if len(found) > 1:
                block.add_row(Text(f"{one['score']:6.2f}", "dim"), shown)
            else:
                block.add_row(shown)
            console.print(block)
        if apart and text.strip():
            console.print()

    return show
