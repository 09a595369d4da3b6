"""`gatonegro convert`: the same weights, written anew."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

from gatonegro.cli.screen import say


def run(args: Namespace) -> None:
    from gatonegro import checkpoints, hub
    from gatonegro.errors import CheckpointError, TokenizerError
    from gatonegro.models import load_config
    from gatonegro.tokenization import AutoTokenizer

    out = Path(args.output)
    if not args.output or out.is_file():
        raise CheckpointError(f"{args.output!r} is no folder to write to; name one, new or old.")
    where = {"revision": args.revision, "local_files_only": args.offline}
    source = hub.locate(args.name, **where)
    load_config(source)
    config = source.file("config.json")
    assert config is not None  # load_config has just read it
    tensors = checkpoints.read(source, allow_pickle=True)
    checkpoints.write(out, checkpoints.pack_int8(tensors) if args.int8 else tensors)
    data = json.loads(config.read_text(encoding="utf-8"))
    checkpoints.write_text(out / "config.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    try:
        AutoTokenizer.from_pretrained(args.name, **where).save_pretrained(out)
    except TokenizerError as error:
        say(f"no tokenizer was written: {error}")
    card = source.file("README.md")
    if card is not None and card.resolve() != (out / "README.md").resolve():
        shutil.copyfile(card, out / "README.md")
    print(out)
