"""`gatonegro tokens`: show how a model's tokenizer splits a text."""

from __future__ import annotations

import sys
import warnings
from argparse import ArgumentParser, Namespace

from gatonegro.cli.arguments import add_model, add_source, add_texts, source_of
from gatonegro.cli.input import flattened, read_texts
from gatonegro.cli.terminal import one_line, print_json, print_tabs, table
from gatonegro.hub import DEFAULT_MODELS
from gatonegro.i18n import localized


def add_arguments(parser: ArgumentParser) -> None:
    add_texts(parser)
    add_model(parser)
    add_source(parser)


def run(args: Namespace) -> None:
    source = read_texts(args.texts, args.column)
    from gatonegro.tokenization import AutoTokenizer

    name = DEFAULT_MODELS["text-classification"] if args.model is None else args.model
    tokenizer = AutoTokenizer.from_pretrained(name, **source_of(args))
    for text in flattened(source, apart=not args.json):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # texts longer than the model's limit are shown in full
            batch = tokenizer([text], return_offsets_mapping=True)
        ids, tokens, offsets = batch["input_ids"][0], batch.tokens(0), batch["offset_mapping"][0]
        if args.json:
            print_json({"text": text, "tokens": tokens, "ids": ids, "offsets": offsets})
            continue
        if sys.stdout.isatty():
            _print_table(text, tokens, ids, offsets)
        else:
            for i, token, (a, b) in zip(ids, tokens, offsets, strict=True):
                print_tabs(i, token, a, b)


def _print_table(text: str, tokens: list[str], ids: list[int], offsets: list[tuple[int, int]]) -> None:
    from rich.console import Console
    from rich.text import Text

    span_title = localized("in the text", "en el texto")
    shown = table(("#", "right"), ("id", "right"), ("token", "left"), (span_title, "left"))
    for n, (i, token, (a, b)) in enumerate(zip(ids, tokens, offsets, strict=True)):
        span = Text(f"{text[a:b]!r} {a}–{b}" if b > a else "—", "dim")
        shown.add_row(str(n), str(i), Text(one_line(token), "cyan"), span)
    console = Console(highlight=False)
    console.print(Text(one_line(text), "italic"))
    console.print(shown)
