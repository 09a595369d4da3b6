"""`gatonegro convert`: convert a model to safetensors, in its stored precision or in int8."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from gatonegro.cli.arguments import MESSAGES, add_source, source_of
from gatonegro.cli.terminal import megabytes_of, print_message


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True)
    parser.add_argument("--int8", action="store_true")
    add_source(parser, json=False)


def run(args: Namespace) -> None:
    from gatonegro import checkpoints, hub
    from gatonegro.errors import CheckpointError, TokenizerError
    from gatonegro.families import load_config
    from gatonegro.tokenization import TOKENIZER_FILES, AutoTokenizer

    out = Path(args.output)
    if not args.output or out.is_file():
        raise CheckpointError(*MESSAGES["no_folder"].format(folder=args.output))
    source = hub.locate(args.name, **source_of(args))
    if source.folder is not None and out.is_dir() and out.samefile(source.folder):
        raise CheckpointError(*MESSAGES["own_folder"].format(folder=args.output))
    config = load_config(source).extra  # raises if the source is not a model
    tensors = checkpoints.read(source, allow_pickle=True, save_id=config.get(checkpoints.SAVE_ID))
    files: dict[str, Any] = {"generation_config.json": source.json("generation_config.json")}
    try:  # a tokenizer of another kind, which the folder may have, would be read instead of this one
        files |= dict.fromkeys(TOKENIZER_FILES) | AutoTokenizer.from_pretrained(args.name, **source_of(args)).files()
    except TokenizerError as error:
        print_message(error.within(*MESSAGES["no_tokenizer"]))
    card = source.file("README.md")
    if card is not None and not (out / "README.md").exists():  # never overwrite the user's README
        files["README.md"] = card.read_bytes()
    # in one save, of which config.json is the last file: the folder is never half of another model
    checkpoints.write(
        out, checkpoints.pack_int8(tensors) if args.int8 else tensors, files={**files, "config.json": config}
    )
    form = "int8" if args.int8 else ", ".join(sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()}))
    megabytes = megabytes_of(out.glob("*.safetensors"))
    if sys.stderr.isatty():
        print_message(MESSAGES["converted"].format(megabytes=megabytes, form=form, folder=out))
    print(out)
