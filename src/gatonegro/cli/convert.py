"""`gatonegro convert`: the same weights, written anew."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path


def run(args: Namespace) -> None:
    from gatonegro import checkpoints, hub
    from gatonegro.errors import CheckpointError, TokenizerError
    from gatonegro.models import load_config
    from gatonegro.tokenization import AutoTokenizer

    source = hub.locate(args.name, revision=args.revision, local_files_only=args.offline)
    load_config(source)
    config = source.file("config.json")
    assert config is not None  # load_config has just read it
    tensors = checkpoints.read(source, allow_pickle=True)
    out = Path(args.output)
    if out.exists() and not out.is_dir():
        raise CheckpointError(f"{out} is a file; name a folder, which may exist.")
    checkpoints.write(
        out,
        checkpoints.pack_int8(tensors) if args.int8 else tensors,
        metadata={"gatonegro": "int8"} if args.int8 else None,
    )
    data = json.loads(config.read_text(encoding="utf-8"))
    checkpoints.write_text(out / "config.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    try:
        AutoTokenizer.from_pretrained(args.name, revision=args.revision).save_pretrained(out)
    except TokenizerError as error:
        print(f"gatonegro: no tokenizer was written: {error}", file=sys.stderr)
    card = source.file("README.md")
    if card is not None and card.resolve() != (out / "README.md").resolve():
        shutil.copyfile(card, out / "README.md")
    print(out)
