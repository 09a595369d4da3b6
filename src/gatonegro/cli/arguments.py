"""Command-line arguments shared by several commands, and the texts of all commands from `help.json` and others."""

from __future__ import annotations

import math
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gatonegro.i18n import catalog

HELP, MESSAGES = (catalog(Path(__file__).with_name(f"{name}.json")) for name in ("help", "messages"))
LANGUAGE_CHECKS = ("warn", "error", "route", "off")
LANGUAGE_CODES = {
    **dict.fromkeys(("español", "espanol", "castellano", "spanish", "es"), "es"),
    **dict.fromkeys(("inglés", "ingles", "english", "en"), "en"),
}


def add_texts(parser: ArgumentParser) -> None:
    parser.add_argument("texts", nargs="*", metavar="TEXT")
    parser.add_argument("--column", metavar="NAME")


def add_model(parser: ArgumentParser, task: str = "text-classification", key: str = "--model") -> None:
    from gatonegro.hub import DEFAULT_MODELS  # imported here: `gatonegro --help` needs no hub

    parser.add_argument("-m", "--model", metavar="NAME", help=str(HELP[key].format(default=DEFAULT_MODELS[task])))


def add_source(parser: ArgumentParser, json: bool = True) -> None:
    if json:
        parser.add_argument("--json", action="store_true")
    parser.add_argument("--revision", metavar="REV")
    parser.add_argument("--offline", action="store_true")


def add_pipeline(parser: ArgumentParser) -> None:
    parser.add_argument("--device", type=device, default="auto", metavar="DEVICE")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16", "int8"), default="auto")
    add_backend(parser)
    parser.add_argument("--language-check", choices=LANGUAGE_CHECKS, default="warn")
    add_source(parser)


def add_backend(parser: ArgumentParser) -> None:
    parser.add_argument("--backend", choices=("auto", "torch", "numpy"), default="auto")


def add_lang(parser: ArgumentParser) -> None:
    parser.add_argument("--lang", choices=("es", "en"), default=SUPPRESS)


def options_of(args: Namespace) -> dict[str, Any]:
    """Return the arguments of `add_pipeline` as keyword arguments of `pipeline`."""
    names = ("device", "precision", "backend", "language_check")
    return {name: getattr(args, name) for name in names} | source_of(args)


def source_of(args: Namespace) -> dict[str, Any]:
    """Return `--revision` and `--offline` as keyword arguments of `from_pretrained` and `pipeline`."""
    return {"revision": args.revision, "local_files_only": args.offline}


def parsed(text: str, kind: type, low: float, high: float, key: str) -> Any:
    """Parse a command-line argument that must be a number from `low` to `high`; `key` is that of the error message."""
    with suppress(ValueError):
        if low <= (value := kind(text)) <= high:
            return value
    raise ArgumentTypeError(str(MESSAGES[key].format(text=text)))


positive_int = partial(parsed, kind=int, low=1, high=math.inf, key="positive_int")
probability = partial(parsed, kind=float, low=0, high=1, key="probability")


def language(text: str) -> str:
    """Return the code of a language that is given by name, such as "es" for "Español", or else the text."""
    return LANGUAGE_CODES.get(text.lower(), text)


def device(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text
