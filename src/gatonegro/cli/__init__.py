"""The command line: one table of commands. What a command needs is imported when it runs, torch above all."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Argument = tuple[tuple[str, ...], Mapping[str, Any]]

TEXTS: Argument = (("texts",), {"nargs": "*", "metavar": "TEXT", "help": "texts; without any, lines of standard input"})
JSON: Argument = (("--json",), {"action": "store_true", "help": "one JSON object a line"})
OFFLINE: Argument = (("--offline",), {"action": "store_true", "help": "never ask the network"})
REVISION: Argument = (("--revision",), {"metavar": "REV", "help": "branch, tag or commit on the hub"})


def model(text: str = "folder, built-in name or hub name (default: the built-in sentiment-es-en)") -> Argument:
    return (("-m", "--model"), {"metavar": "NAME", "help": text})


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def device(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text


@dataclass(frozen=True)
class Command:
    """What `--help` says and which arguments there are; `gatonegro.cli.NAME.run(args)` does the work."""

    help: str
    arguments: Sequence[Argument]
    example: str


COMMANDS: dict[str, Command] = {
    "sentiment": Command(
        "whether a text is negative, neutral or positive",
        (
            TEXTS,
            model(),
            (("--top-k",), {"type": count, "metavar": "K", "help": "the K best labels, not only the first"}),
            (("--device",), {"type": device, "default": "auto", "help": "cpu, cuda, mps, a GPU's number or auto"}),
            JSON,
            REVISION,
            OFFLINE,
        ),
        'gatonegro sentiment "El profesor es bueno, todo será sencillo"\n  gatonegro sentiment --json < texts.txt',
    ),
    "tokens": Command(
        "the tokens of a text, their ids and where they stand",
        (TEXTS, model(), JSON, REVISION, OFFLINE),
        'gatonegro tokens "El gato negro"\n  gatonegro tokens "El gato negro" --model ./modelo --json',
    ),
    "models": Command(
        "the built-in models: task, languages, licence, size, figures",
        (JSON,),
        "gatonegro models",
    ),
    "convert": Command(
        "write a model anew as safetensors: from pickled weights, to or from int8, for transformers to read",
        (
            (("name",), {"metavar": "NAME", "help": "folder, built-in name or hub name"}),
            (("-o", "--output"), {"metavar": "FOLDER", "required": True, "help": "where to write"}),
            (("--int8",), {"action": "store_true", "help": "matrices as int8 rows, a quarter of the size"}),
            REVISION,
            OFFLINE,
        ),
        "gatonegro convert sentiment-es-en -o ./modelo",
    ),
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="gatonegro",
        description="Transformer text models in Spanish and English: offline, on an ordinary CPU, open to view.",
        epilog="gatonegro COMMAND --help says more about each.",
    )
    top.add_argument("-V", "--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.help,
            description=command.help[0].upper() + command.help[1:] + ".",
            epilog=f"examples:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for flags, settings in command.arguments:
            sub.add_argument(*flags, **settings)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. 0: done; 1: an error that the user can mend, said on stderr; 2: wrong usage; 130: Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # someone else's, or none
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # no emoji is worth an error
    top = parser()
    args = top.parse_args(argv)
    if args.version:
        from gatonegro import __version__

        print(f"gatonegro {__version__}")
        return 0
    if args.command is None:
        top.print_help(sys.stderr)
        return 2
    from gatonegro.cli.screen import say
    from gatonegro.errors import GatonegroError

    if sys.stdout is None:
        say("standard output is closed, so there is nowhere to print to.")
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = lambda message, *place, **more: say(message)
            import_module(f"gatonegro.cli.{args.command}").run(args)
        sys.stdout.flush()
    except GatonegroError as error:
        say(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # what is left has nowhere to go, and Python would say so as it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader, `head` say, has seen enough
            say(f"reading or writing failed: {error}. Is the disk full, or the place not yours?")
            return 1
    return 0
