"""`gatonegro sentiment`: a label and a score a text."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import Any

from gatonegro.cli.screen import answered, print_json, print_tabs, texts, visible
from gatonegro.i18n import localized

# A label is told by its word and its sign; the colour only helps.
LOOKS = {"POS": ("+", "green"), "NEG": ("−", "red"), "NEU": ("·", "yellow")}
ALSO = {"POSITIVE": "POS", "NEGATIVE": "NEG", "NEUTRAL": "NEU"}

NOTHING: list[dict[str, Any]] = [{"label": None, "score": None}]

Show = Callable[[str, list[dict]], None]


def run(args: Namespace) -> None:
    parts = texts(args.texts)
    from gatonegro import pipeline

    classify = pipeline(
        "sentiment-analysis",
        args.model,
        device=args.device,
        precision=args.precision,
        revision=args.revision,
        local_files_only=args.offline,
        top_k=args.top_k or 1,
        min_score=args.min_score,
    )
    if args.json:
        show = _as_json(args.top_k is not None)
    else:
        show = _for_people(classify.model.config.id2label.values()) if sys.stdout.isatty() else _as_tabs
    for text, found in answered(args.texts, parts, classify.stream):
        show(text, found if text.strip() else NOTHING)  # what is blank has no sentiment, whatever a model says


def _as_json(several: bool) -> Show:
    def show(text: str, found: list[dict]) -> None:
        labels = [] if found is NOTHING else found
        print_json({"text": text, **found[0]} | ({"labels": labels} if several else {}))

    return show


def _as_tabs(text: str, found: list[dict]) -> None:
    if found is NOTHING:
        print_tabs("", "", text)
        return
    values = [v for one in found for v in (one["label"] + "?" * ("unsure" in one), f"{one['score']:.4f}")]
    print_tabs(*values, text)


def _for_people(labels: Iterable[str]) -> Show:
    """A text a line, cut to the width of the terminal; further labels below its first."""
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max(cell_len(visible(label)) for label in labels)

    def show(text: str, found: list[dict]) -> None:
        if found is NOTHING:
            console.print(Text(f"   {'':{width}}        {localized('(empty)', '(vacío)')}", "dim"))
            return
        for i, one in enumerate(found):
            label = visible(one["label"])
            sign, colour = LOOKS.get(ALSO.get(label.upper(), label.upper()), (" ", "cyan"))
            line = Text.assemble(
                (f" {sign} {set_cell_size(label, width)}", f"{'' if i else 'bold '}{colour}"),
                f"  {one['score']:.2f}",
                ("?", "bold") if "unsure" in one else " ",
                "" if i else " ",
                "" if i else visible(text),
            )
            console.print(line, overflow="ellipsis", no_wrap=True)

    return show
