"""`gatonegro diagnose`: does a model fit the language of a text?"""

from __future__ import annotations

import sys
from argparse import Namespace
from itertools import chain
from textwrap import fill, indent

from gatonegro.cli.screen import PICTURES, print_json, texts, visible


def run(args: Namespace) -> None:
    from gatonegro.glassbox.diagnosing import diagnose

    for n, text in enumerate(chain.from_iterable(texts(args.texts))):
        found = diagnose(text, args.model, revision=args.revision, local_files_only=args.offline)
        if args.json:
            print_json(found.to_dict())
            continue
        if n:
            print()  # an empty line between texts
        title, *lines = str(found).split("\n  ")
        lines = [line.translate(PICTURES) for line in lines]
        if not sys.stdout.isatty():
            print(visible(title), *lines, sep="\n  ", flush=True)
            continue
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False)
        console.print(Text(visible(title), "italic"))
        for line in lines:
            hanging = indent(fill(line, console.width - 6, drop_whitespace=False, subsequent_indent="  "), "  ")
            console.print(Text(hanging, "bold" if line.startswith("→") else ""))
