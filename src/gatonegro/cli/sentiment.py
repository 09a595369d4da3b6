"""`gatonegro sentiment`: a label and a score a text."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator

from gatonegro.cli.screen import print_json, say_warnings_plainly, texts

# A label is told by its word and its sign; the colour only helps.
LOOKS = {"POS": ("+", "green"), "NEG": ("−", "red"), "NEU": ("·", "yellow")}
ALSO = {"POSITIVE": "POS", "NEGATIVE": "NEG", "NEUTRAL": "NEU"}


def run(args: Namespace) -> None:
    from gatonegro import pipeline

    say_warnings_plainly()
    classify = pipeline(
        "sentiment-analysis",
        args.model,
        device=int(args.device) if args.device.lstrip("-").isdigit() else args.device,
        revision=args.revision,
        local_files_only=args.offline,
        top_k=args.top_k or 1,
    )
    seen: list[str] = []

    def source() -> Iterator[str]:
        for text in texts(args.texts):
            seen.append(text)
            yield text

    show = None if args.json else _printer()
    for found in classify(source()):
        text = seen.pop(0)
        if show is not None:
            show(text, found)
        else:
            best = {"text": text, **found[0]}
            print_json(best if args.top_k is None else best | {"labels": found})


def _printer():
    """How to show an answer: tab-separated for a pipe, in columns for a person."""
    if not sys.stdout.isatty():
        return lambda text, found: print(
            *(f"{one['label']}\t{one['score']:.4f}" for one in found), text, sep="\t", flush=True
        )
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def show(text: str, found: list[dict]) -> None:
        for i, one in enumerate(found):
            sign, colour = LOOKS.get(ALSO.get(one["label"].upper(), one["label"].upper()), (" ", "cyan"))
            line = Text.assemble(
                (f" {sign} {one['label']:<4}", f"bold {colour}"),
                f" {one['score']:.2f}  ",
                (" ".join(text.split()) if i == 0 else "", "default"),
            )
            console.print(line, overflow="ellipsis", no_wrap=True)

    return show
