"""`gatonegro explain`: show every computation of a model from a text to its answer."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from gatonegro.cli.arguments import MESSAGES, add_model, add_source, add_texts, positive_int, source_of
from gatonegro.cli.input import flattened, read_texts
from gatonegro.cli.terminal import print_json, print_message
from gatonegro.errors import OptionError


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser, key="explain --model")
    parser.add_argument("-o", "--output", metavar="FILE")
    parser.add_argument("--layers", type=positive_int, metavar="N")
    parser.add_argument("--max-new-tokens", type=positive_int, metavar="N", default=64)
    add_source(parser)


def run(args: Namespace) -> None:
    parts = read_texts(args.texts, args.column)
    from gatonegro.glassbox.explain import explain
    from gatonegro.glassbox.explanation import saver_of
    from gatonegro.glassbox.text import show, to_text

    if args.output is not None:
        if len(args.texts) != 1 or args.texts == ["-"]:
            raise OptionError(*MESSAGES["one_text"].format(output=args.output))
        saver_of(args.output)  # raises for a wrong suffix or folder, before the model runs
    for text in flattened(parts, apart=not args.json):
        explanation = explain(text, args.model, max_new_tokens=args.max_new_tokens, **source_of(args))
        if args.output is not None:
            path = explanation.save(args.output)
            print_message(MESSAGES["written"].format(path=path))
        elif args.json:
            print_json(explanation.to_dict())
        elif sys.stdout.isatty():
            from rich.console import Console

            show(explanation, Console(highlight=False), args.layers)
        else:
            print(to_text(explanation, args.layers), flush=True)
