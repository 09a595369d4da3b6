"""`gatonegro sentiment`: print a sentiment label and its score for each text."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gatonegro.cli.arguments import add_model, add_pipeline, add_texts, options_of, positive_int, probability
from gatonegro.cli.input import read_texts
from gatonegro.cli.terminal import one_line, print_json, print_tabs, with_answers
from gatonegro.i18n import format_number, localized

# sign and colour of each label; labels never differ by colour alone
LABEL_STYLES = {"POS": ("+", "green"), "NEG": ("−", "red"), "NEU": ("·", "yellow")}
LABEL_ALIASES = {"POSITIVE": "POS", "NEGATIVE": "NEG", "NEUTRAL": "NEU"}
NO_ANSWER: list[dict[str, Any]] = [{"label": None, "score": None}]  # the answer to a blank text
Show = Callable[[str, list[dict[str, Any]]], None]


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser)
    parser.add_argument("--top-k", type=positive_int, metavar="K")
    parser.add_argument("--min-score", type=probability, metavar="SCORE")
    add_pipeline(parser)


def run(args: Namespace) -> None:
    parts = read_texts(args.texts, args.column)
    from gatonegro import pipeline

    options = {"top_k": args.top_k or 1, "min_score": args.min_score, **options_of(args)}
    classify = pipeline("sentiment-analysis", args.model, **options)
    show: Show = _as_tabs
    if args.json:
        show = partial(_as_json, args.top_k is not None)
    elif sys.stdout.isatty():
        show = _terminal_printer(classify.running.config.id2label.values())
    for text, answers in with_answers(args.texts, parts, classify.stream):
        show(text, NO_ANSWER if answers is None else answers)


def _as_json(several: bool, text: str, answers: list[dict[str, Any]]) -> None:
    labels = [] if answers is NO_ANSWER else answers
    print_json({"text": text, **answers[0]} | ({"labels": labels} if several else {}))


def _as_tabs(text: str, answers: list[dict[str, Any]]) -> None:
    if answers is NO_ANSWER:
        print_tabs("", "", text)
        return
    values = [v for answer in answers for v in (answer["label"] + "?" * ("unsure" in answer), f"{answer['score']:.4f}")]
    print_tabs(*values, text)


def _terminal_printer(labels: Iterable[str]) -> Show:
    """Return a function that prints a text with its labels and scores in a terminal."""
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max(cell_len(one_line(label)) for label in labels)

    def show(text: str, answers: list[dict[str, Any]]) -> None:
        if answers is NO_ANSWER:
            console.print(Text(f"   {'':{width}}        {localized('(empty)', '(vacío)')}", "dim"))
            return
        for i, answer in enumerate(answers):
            label = one_line(answer["label"])
            sign, colour = LABEL_STYLES.get(LABEL_ALIASES.get(label.upper(), label.upper()), (" ", "cyan"))
            line = Text.assemble(
                (f" {sign} {set_cell_size(label, width)}", f"{'' if i else 'bold '}{colour}"),
                f"  {format_number(answer['score'], 2)!s:<4}",
                ("?", "bold") if "unsure" in answer else " ",
                "" if i else " ",
                "" if i else one_line(text),
            )
            console.print(line, overflow="ellipsis", no_wrap=True)

    return show
