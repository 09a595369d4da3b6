"""`gatonegro translate`: translate each text into the other language."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
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
    show: Show = partial(_as_json if args.json else _as_lines, many > 1)
    if sys.stdout.isatty() and not args.json:
        show = _for_people(len(args.texts) != 1 and (many > 1 or args.align))
    for text, found in with_answers(args.texts, parts, translate.stream):
        once: dict[str, dict[str, Any]] = {}  # by translation, since different tokens may spell the same words
        for one in found:
            once.setdefault(one["translation_text"], one)
        show(text, list(once.values()))


def _as_json(several: bool, text: str, found: list[dict[str, Any]]) -> None:
    names = {"translation_text": "translation", "src_lang": "from", "tgt_lang": "to", "score": "score"}
    record = {"text": text} | {new: found[0][name] for name, new in names.items()}
    record |= {name: found[0][name] for name in ("unfinished", "alignments") if name in found[0]}
    if several:
        names = {"translation_text": "translation", "score": "score", "alignments": "alignments"}
        record["translations"] = [{names[k]: v for k, v in each.items() if k in names} for each in found]
    print_json(record)


def _as_lines(several: bool, text: str, found: list[dict[str, Any]]) -> None:
    """Print a translation per line: its score first if there are several, its word pairs last if there are any."""
    for each in found:
        values = [each["translation_text"]]  # with the white space of its text
        if several:
            values.insert(0, "" if each["score"] is None else f"{each['score']:.4f}")
        if "alignments" in each:
            values.append(" ".join(f"{link['source']}→{link['target']}" for link in each["alignments"]))
        if len(values) == 1:
            print(*values, flush=True)
        else:
            print_tabs(*values)


def _for_people(apart: bool) -> Show:
    """Print the translation, the next best ones below it, word pairs under each, and, if `apart`, the text above."""
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
            block = Table.grid(padding=(0, 2))  # a table, so that long lines are indented past the score
            if len(found) > 1:
                block.add_row(Text(f"{one['score']:6.2f}", "dim"), shown)
            else:
                block.add_row(shown)
            console.print(block)
        if apart and text.strip():
            console.print()

    return show
