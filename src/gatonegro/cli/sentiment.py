"""`gatonegro sentiment`: print a label and a score per text."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gatonegro.cli.arguments import add_engine, add_json, add_model, add_source, add_texts, count, source_of
from gatonegro.cli.input import texts
from gatonegro.cli.terminal import one_line, print_json, print_tabs, with_answers
from gatonegro.i18n import localized

# sign and colour of a label; colour alone never tells labels apart
LOOKS = {"POS": ("+", "green"), "NEG": ("−", "red"), "NEU": ("·", "yellow")}
ALSO = {"POSITIVE": "POS", "NEGATIVE": "NEG", "NEUTRAL": "NEU"}
NOTHING: list[dict[str, Any]] = [{"label": None, "score": None}]  # the answer to a blank text
Show = Callable[[str, list[dict[str, Any]]], None]


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser)
    parser.add_argument("--top-k", type=count, metavar="K")
    parser.add_argument("--min-score", type=share, metavar="SCORE")
    add_engine(parser)
    add_json(parser)
    add_source(parser)


def share(text: str) -> float:
    """Return a number from 0 to 1; the type of an argument."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value <= 1:
        return value
    raise ArgumentTypeError(
        localized(f"must be a number from 0 to 1, not {text!r}", f"debe ser un número de 0 a 1, no {text!r}")
    )


def run(args: Namespace) -> None:
    parts = texts(args.texts)
    from gatonegro import pipeline

    classify = pipeline(
        "sentiment-analysis",
        args.model,
        device=args.device,
        precision=args.precision,
        top_k=args.top_k or 1,
        min_score=args.min_score,
        **source_of(args),
    )
    show: Show = _as_tabs
    if args.json:
        show = partial(_as_json, args.top_k is not None)
    elif sys.stdout.isatty():
        show = _for_people(classify.model.config.id2label.values())
    for text, found in with_answers(args.texts, parts, classify.stream):
        show(text, found if text.strip() else NOTHING)  # a blank text has no sentiment


def _as_json(several: bool, text: str, found: list[dict[str, Any]]) -> None:
    labels = [] if found is NOTHING else found
    print_json({"text": text, **found[0]} | ({"labels": labels} if several else {}))


def _as_tabs(text: str, found: list[dict[str, Any]]) -> None:
    if found is NOTHING:
        print_tabs("", "", text)
        return
    values = [v for one in found for v in (one["label"] + "?" * ("unsure" in one), f"{one['score']:.4f}")]
    print_tabs(*values, text)


def _for_people(labels: Iterable[str]) -> Show:
    """Print one text per line, cut to the width of the terminal; further labels go below the first."""
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max(cell_len(one_line(label)) for label in labels)

    def show(text: str, found: list[dict[str, Any]]) -> None:
        if found is NOTHING:
            console.print(Text(f"   {'':{width}}        {localized('(empty)', '(vacío)')}", "dim"))
            return
        for i, one in enumerate(found):
            label = one_line(one["label"])
            sign, colour = LOOKS.get(ALSO.get(label.upper(), label.upper()), (" ", "cyan"))
            line = Text.assemble(
                (f" {sign} {set_cell_size(label, width)}", f"{'' if i else 'bold '}{colour}"),
                f"  {one['score']:.2f}",
                ("?", "bold") if "unsure" in one else " ",
                "" if i else " ",
                "" if i else one_line(text),
            )
            console.print(line, overflow="ellipsis", no_wrap=True)

    return show
