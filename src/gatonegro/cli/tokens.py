"""`gatonegro tokens`: how a model's tokenizer cuts a text."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from itertools import chain

from gatonegro.cli.screen import print_json, print_tabs, texts, visible
from gatonegro.i18n import localized


def run(args: Namespace) -> None:
    source = texts(args.texts)
    from gatonegro.tokenization import AutoTokenizer

    name = "sentiment-es-en" if args.model is None else args.model
    tokenizer = AutoTokenizer.from_pretrained(name, revision=args.revision, local_files_only=args.offline)
    for n, text in enumerate(chain.from_iterable(source)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a long text is to be seen whole, and is fed to no model
            batch = tokenizer([text], return_offsets_mapping=True)
        ids, tokens, offsets = batch["input_ids"][0], batch.tokens(0), batch["offset_mapping"][0]
        if args.json:
            print_json({"text": text, "tokens": tokens, "ids": ids, "offsets": offsets})
            continue
        if n:
            print()  # an empty line between texts
        if sys.stdout.isatty():
            _table(text, tokens, ids, offsets)
        else:
            for i, token, (a, b) in zip(ids, tokens, offsets, strict=True):
                print_tabs(i, token, a, b)


def _table(text: str, tokens: list[str], ids: list[int], offsets: list[tuple[int, int]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name, side in (
        ("#", "right"),
        ("id", "right"),
        ("token", "left"),
        (localized("in the text", "en el texto"), "left"),
    ):
        table.add_column(name, justify=side, header_style="bold")  # type: ignore[arg-type]
    for n, (i, token, (a, b)) in enumerate(zip(ids, tokens, offsets, strict=True)):
        place = Text(f"{text[a:b]!r} {a}–{b}" if b > a else "—", "dim")
        table.add_row(str(n), str(i), Text(visible(token), "cyan"), place)
    console = Console(highlight=False)
    console.print(Text(visible(text), "italic"))
    console.print(table)
