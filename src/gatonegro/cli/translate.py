"""`gatonegro translate`: translate texts between Spanish and English."""

from __future__ import annotations

import io
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

from gatonegro.cli.arguments import MESSAGES, add_model, add_pipeline, add_texts, language, options_of, positive_int
from gatonegro.cli.input import read_texts
from gatonegro.cli.terminal import one_line, print_json, print_message, print_tabs, with_answers
from gatonegro.errors import DoubtWarning

Show = Callable[[str, list[dict[str, Any]]], None]
MARKS = ("unfinished", "doubtful", "doubt", "alignments")  # keys of some answers only


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser, "translation")
    parser.add_argument("--to", type=language, metavar="LANG")
    parser.add_argument("--from", dest="source", type=language, metavar="LANG")
    parser.add_argument("--beam", type=positive_int, metavar="N")
    parser.add_argument("--nbest", type=positive_int, metavar="N")
    parser.add_argument("--numbers", choices=("convert", "keep"), default="convert")
    parser.add_argument("--align", action="store_true")
    add_pipeline(parser)


def run(args: Namespace) -> None:
    n_best, to_terminal = args.nbest or 1, sys.stdout.isatty()
    is_file = args.texts in ([], ["-"]) and args.column is None and not (sys.stdin and sys.stdin.isatty())
    is_document = is_file and not (args.json or args.align or n_best > 1)
    parts = read_texts(args.texts, args.column, is_document)
    from gatonegro import pipeline

    translate = pipeline(
        "translation",
        args.model,
        src_lang=args.source,
        tgt_lang=args.to,
        num_beams=max(args.beam, args.nbest or 1) if args.beam else None,
        num_return_sequences=args.nbest,
        numbers=args.numbers,
        return_scores=True,
        return_languages=True,
        return_alignments=args.align,
        **options_of(args),
    )
    show: Show = partial(_as_json, n_best > 1) if args.json else partial(_as_lines, n_best > 1, args.column is not None)
    if to_terminal and not args.json:
        show = _terminal_printer(len(args.texts) != 1 and (n_best > 1 or args.align))
    elif is_document:
        show = _as_document
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(newline="")  # a document's line ends stay
    blank: dict[str, Any] = {"translation_text": None, "src_lang": None, "tgt_lang": None, "score": None}
    blank |= {"alignments": []} if args.align else {}
    n_texts = n_short = n_doubtful = 0
    reason = ""
    warnings.simplefilter("ignore", DoubtWarning)  # each doubtful answer has its mark, or they are counted at the end
    for text, answers in with_answers(args.texts, parts, translate.stream):
        unique: dict[str, dict[str, Any]] = {}  # by translation: different tokens may spell the same words
        for answer in answers or ():
            unique.setdefault(answer["translation_text"], answer)
        n_texts += answers is not None
        n_short += answers is not None and len(unique) < n_best
        if doubt := next(iter(unique.values()), {}).get("doubt"):
            n_doubtful, reason = n_doubtful + 1, "; ".join(doubt.values())
        show(text, list(unique.values()) or [blank])
    if n_doubtful and not (args.json or to_terminal):
        name = "doubtful_one" if n_texts == 1 else "doubtful"
        print_message(MESSAGES[name].format(reason=reason, doubtful=n_doubtful, count=n_texts))
    if n_short:
        print_message(MESSAGES["few_translations"].format(count=n_short, nbest=n_best))


def _as_json(several: bool, text: str, answers: list[dict[str, Any]]) -> None:
    names = {"translation_text": "translation", "src_lang": "from", "tgt_lang": "to", "score": "score"}
    record = {"text": text} | {new: answers[0][name] for name, new in names.items()}
    record |= {name: answers[0][name] for name in MARKS if name in answers[0]}
    if several:
        names = {"translation_text": "translation", "score": "score"} | {name: name for name in MARKS}
        found = [answer for answer in answers if answer["translation_text"] is not None]
        record["translations"] = [{names[k]: v for k, v in answer.items() if k in names} for answer in found]
    print_json(record)


def _as_lines(several: bool, by_row: bool, text: str, answers: list[dict[str, Any]]) -> None:
    """Print each translation on a line, with its score if there are several and its word alignment if requested."""
    for answer in answers:
        values = [text if answer["translation_text"] is None else answer["translation_text"]]
        if several:
            values.insert(0, "" if answer["score"] is None else f"{answer['score']:.4f}")
        if "alignments" in answer:
            values.append(" ".join(f"{link['source']}→{link['target']}" for link in answer["alignments"]))
        if len(values) == 1 and not by_row:
            print(*values, flush=True)  # with line breaks
        else:
            print_tabs(*values)


def _as_document(text: str, answers: list[dict[str, Any]]) -> None:
    """Print the translation of a document, which ends as the document does; a blank one stays."""
    translation = answers[0]["translation_text"]
    print(text if translation is None else translation, end="", flush=True)


def _terminal_printer(apart: bool) -> Show:
    """Return a function that prints translations, best first, in a terminal, below their source text if `apart`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)

    def show(text: str, answers: list[dict[str, Any]]) -> None:
        if apart and text.strip():
            console.print(Text(one_line(text), "dim"))
        for i, answer in enumerate(answers):
            lines = (one_line(line, indented=True) for line in (answer["translation_text"] or "").splitlines())
            shown = Text("\n".join(lines), "" if i else "bold")
            if answer.get("alignments"):
                pairs = (f"{one_line(link['source'])}→{one_line(link['target'])}" for link in answer["alignments"])
                shown.append("\n" + "  ".join(pairs), "cyan")
            if answer.get("doubtful"):
                shown.append("\n? " + one_line("; ".join(answer["doubt"].values())), "not bold dim")
            block = Table.grid(padding=(0, 2))  # a table indents long lines past the score
            if len(answers) > 1:
                block.add_row(Text(f"{answer['score']:6.2f}", "dim"), shown)
            else:
                block.add_row(shown)
            console.print(block)
        if apart and text.strip():
            console.print()

    return show
