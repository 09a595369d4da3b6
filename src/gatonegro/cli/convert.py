"""`gatonegro convert`: convert a model to safetensors, in its stored precision or in int8."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gatonegro.cli.arguments import MESSAGES, add_source, source_of
from gatonegro.cli.terminal import megabytes_of, print_message


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True)
    parser.add_argument("--int8", action="store_true")
    add_source(parser, json=False)


def run(args: Namespace) -> None:
    from gatonegro import checkpoints, hub, storage
    from gatonegro.errors import CheckpointError, TokenizerError
    from gatonegro.models import load_config
    from gatonegro.tokenization import AutoTokenizer

    out = Path(args.output)
    if not args.output or out.is_file():
        raise CheckpointError(*MESSAGES["no_folder"].format(folder=args.output))
    source = hub.locate(args.name, **source_of(args))
    if source.folder is not None and out.is_dir() and out.samefile(source.folder):
        raise CheckpointError(*MESSAGES["own_folder"].format(folder=args.output))
    config = load_config(source).extra  # raises if the source is not a model
    tensors = checkpoints.read(source, allow_pickle=True, save_id=config.get(checkpoints.SAVE_ID))
    with storage.lock_folder(out):
        state = checkpoints.pack_int8(tensors) if args.int8 else tensors
        generation = source.json("generation_config.json")
        others = {} if generation is None else {"generation_config.json": generation}
        checkpoints.write(out, state, files={**others, "config.json": config})
        try:
            AutoTokenizer.from_pretrained(args.name, **source_of(args)).save_pretrained(out)
        except TokenizerError as error:
            print_message(error.within(*MESSAGES["no_tokenizer"]))
        card = source.file("README.md")
        if card is not None and not (out / "README.md").exists():  # never overwrite the user's README
            with storage.replace_files(out) as staging:
                staging.copy(card)
    form = "int8" if args.int8 else ", ".join(sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()}))
    megabytes = megabytes_of(out.glob("*.safetensors"))
    if sys.stderr.isatty():
        print_message(MESSAGES["converted"].format(megabytes=megabytes, form=form, folder=out))
    print(out)
