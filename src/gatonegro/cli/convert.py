"""`gatonegro convert`: the same weights, written anew."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from gatonegro.cli.screen import say
from gatonegro.i18n import localized


def run(args: Namespace) -> None:
    from gatonegro import checkpoints, hub, storage
    from gatonegro.errors import CheckpointError, TokenizerError
    from gatonegro.models import load_config
    from gatonegro.tokenization import AutoTokenizer

    out = Path(args.output)
    if not args.output or out.is_file():
        raise CheckpointError(
            f"{args.output!r} is no folder to write to; name one, new or old.",
            f"{args.output!r} no es una carpeta donde escribir; nombra una, nueva o no.",
        )
    where = {"revision": args.revision, "local_files_only": args.offline}
    source = hub.locate(args.name, **where)
    load_config(source)
    config = source.file("config.json")
    assert config is not None  # load_config has just read it
    tensors = checkpoints.read(source, allow_pickle=True)
    checkpoints.write(out, checkpoints.pack_int8(tensors) if args.int8 else tensors)
    form = "int8" if args.int8 else ", ".join(sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()}))
    data = json.loads(config.read_text(encoding="utf-8"))
    storage.write_text(out / "config.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    try:
        AutoTokenizer.from_pretrained(args.name, **where).save_pretrained(out)
    except TokenizerError as error:
        say(localized(f"no tokenizer was written: {error}", f"no se escribió ningún tokenizador: {error}"))
    if (habits := source.file("generation_config.json")) is not None:  # how it writes
        storage.copy(habits, out / "generation_config.json")
    card = source.file("README.md")
    if card is not None and not (out / "README.md").exists():  # a README that stands there is its owner's
        storage.copy(card, out / "README.md")
    megabytes = sum(file.stat().st_size for file in out.glob("*.safetensors")) / 1e6
    if sys.stderr.isatty():
        say(
            localized(
                f"{megabytes:.1f} MB of weights, {form}, in {out}", f"{megabytes:.1f} MB de pesos, {form}, en {out}"
            )
        )
    print(out)
