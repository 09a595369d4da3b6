"""`gatonegro diagnose`: report whether a model fits the language of a text."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from textwrap import fill, indent

from gatonegro.cli.arguments import add_model, add_source, add_texts, source_of
from gatonegro.cli.input import flattened, read_texts
from gatonegro.cli.terminal import CONTROL_PICTURES, one_line, print_json


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser)
    add_source(parser)


def run(args: Namespace) -> None:
    from gatonegro.glassbox.diagnose import diagnose

    for text in flattened(read_texts(args.texts, args.column), apart=not args.json):
        diagnosis = diagnose(text, args.model, **source_of(args))
        if args.json:
            print_json(diagnosis.to_dict())
            continue
        title, *lines = str(diagnosis).split("\n  ")
        lines = [line.translate(CONTROL_PICTURES) for line in lines]
        if not sys.stdout.isatty():
            print(one_line(title), *lines, sep="\n  ", flush=True)
            continue
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False)
        console.print(Text(one_line(title), "italic"))
        for line in lines:
            hanging = indent(fill(line, console.width - 6, drop_whitespace=False, subsequent_indent="  "), "  ")
            console.print(Text(hanging, "bold" if line.startswith("→") else ""))
