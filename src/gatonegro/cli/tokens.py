"""`gatonegro tokens`: how a model's tokenizer cuts a text."""

from __future__ import annotations

import sys
from argparse import Namespace

from gatonegro.cli.screen import print_json, say_warnings_plainly, texts


def run(args: Namespace) -> None:
    from gatonegro.tokenization import AutoTokenizer

    say_warnings_plainly()
    name = args.model or "sentiment-es-en"
    tokenizer = AutoTokenizer.from_pretrained(name, revision=args.revision, local_files_only=args.offline)
    for text in texts(args.texts):
        batch = tokenizer([text], return_offsets_mapping=True)
        ids, tokens, offsets = batch["input_ids"][0], batch.tokens(0), batch["offset_mapping"][0]
        if args.json:
            print_json({"text": text, "tokens": tokens, "ids": ids, "offsets": offsets})
        elif sys.stdout.isatty():
            _table(text, tokens, ids, offsets)
        else:
            print(*(f"{i}\t{token}\t{a}\t{b}" for i, token, (a, b) in zip(ids, tokens, offsets, strict=True)), sep="\n")


def _table(text: str, tokens: list[str], ids: list[int], offsets: list[tuple[int, int]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(text), title_justify="left", box=None, pad_edge=False)
    for name, side in (("#", "right"), ("id", "right"), ("token", "left"), ("in the text", "left")):
        table.add_column(name, justify=side, header_style="bold")  # type: ignore[arg-type]
    for n, (i, token, (a, b)) in enumerate(zip(ids, tokens, offsets, strict=True)):
        table.add_row(str(n), str(i), Text(token, "cyan"), Text(f"{text[a:b]!r} {a}–{b}" if b > a else "—", "dim"))
    Console(highlight=False).print(table)
