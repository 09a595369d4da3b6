"""The command line. What a command needs is imported when it runs, torch above all."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from gatonegro.cli.commands import COMMANDS, LANG
from gatonegro.i18n import language, localized, use

# What argparse itself says, which it asks gettext for.
ARGPARSE = {
    "usage: ": "uso: ",
    "positional arguments": "argumentos",
    "options": "opciones",
    "show this help message and exit": "mostrar esta ayuda",
    "argument %(argument_name)s: %(message)s": "argumento %(argument_name)s: %(message)s",
    "the following arguments are required: %s": "faltan estos argumentos: %s",
    "expected one argument": "le falta un valor",
    "invalid choice: %(value)r (choose from %(choices)s)": "%(value)r no vale (elige entre %(choices)s)",
    "invalid choice: %(value)r, maybe you meant %(closest)r? (choose from %(choices)s)": "%(value)r no vale; ¿quizá "
    "%(closest)r? (elige entre %(choices)s)",
    "ignored explicit argument %r": "no lleva valor, y se le dio %r",
    "unknown parser %(parser_name)r (choices: %(choices)s)": "no existe la orden %(parser_name)r (hay: %(choices)s)",
    "invalid %(type)s value: %(value)r": "valor que no vale (%(type)s): %(value)r",
}
argparse._ = lambda text: ARGPARSE.get(text, text) if language() == "es" else text  # type: ignore[attr-defined]


class Parser(argparse.ArgumentParser):
    """argparse, which also says what a mistyped option may have meant, under the usage of the command it was for."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        from difflib import get_close_matches

        close = get_close_matches(str(value), list(action.choices or ()), 1)
        if action.choices is not None and value not in action.choices and close:
            raise argparse.ArgumentError(
                None,
                localized(
                    f"there is no {value!r}; did you mean {close[0]}?", f"no hay {value!r}; ¿querías decir {close[0]}?"
                ),
            )
        super()._check_value(action, value)

    def unknown(self, words: Sequence[str]) -> None:
        """End with the words that no argument takes, and what they may have meant."""
        from difflib import get_close_matches

        word = next((word for word in words if word.startswith("-")), words[0])
        options = [flag for action in self._actions for flag in action.option_strings]
        close = get_close_matches(word.partition("=")[0], options, 1)
        hint = localized(f"; did you mean {close[0]}?", f"; ¿querías decir {close[0]}?") if close else ""
        if not close and word.startswith("-"):
            hint = localized(
                f"; for a text that begins with a dash, write -- before it: {self.prog} -- {word!r}",
                f"; si es un texto que empieza por guion, escribe antes --: {self.prog} -- {word!r}",
            )
        self.error(
            localized(
                f"unrecognized arguments: {' '.join(words)}{hint}",
                f"argumentos que no existen: {' '.join(words)}{hint}",
            )
        )


def parser() -> Parser:
    top = Parser(
        prog="gatonegro",
        allow_abbrev=False,
        description=localized(
            "Transformer text models in Spanish and English: offline, on an ordinary CPU, open to view.",
            "Modelos Transformer de texto en español e inglés: sin red, en una CPU corriente, a la vista.",
        ),
        epilog=localized(
            "gatonegro COMMAND --help says more about each.",
            "gatonegro ORDEN --help dice más de cada una.",
        ),
    )
    top.add_argument(
        "-V",
        "--version",
        action="store_true",
        help=localized("print the version and leave", "mostrar la versión y salir"),
    )
    top.add_argument(*LANG[0], **{**LANG[1], "help": localized(*LANG[1]["help"])})
    commands = top.add_subparsers(
        dest="command",
        metavar=localized("COMMAND", "ORDEN"),
        title=localized("commands", "órdenes"),
        parser_class=Parser,
    )
    for name, command in COMMANDS.items():
        text = localized(*command.help)
        sub = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"{localized('examples', 'ejemplos')}:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for flags, settings in (*command.arguments, LANG):
            chosen: dict[str, Any] = dict(settings)
            chosen |= {key: localized(*chosen[key]) for key in ("help", "metavar") if key in chosen}
            sub.add_argument(*flags, **chosen)
        sub.set_defaults(parser=sub)
    return top


def language_asked(words: Sequence[str]) -> str | None:
    """The value of `--lang`, before anything is parsed, since what the parser says depends on it."""
    for i, word in enumerate(words):
        if word == "--":
            break
        value = words[i + 1] if word == "--lang" and i + 1 < len(words) else word.removeprefix("--lang=")
        if word.startswith("--lang") and value in ("es", "en"):
            return value
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. 0: done; 1: an error that the user can mend, said on stderr; 2: wrong usage; 130: Ctrl-C."""
    gc.set_threshold(50_000)  # imports make many objects that stay, which would be searched through again and again
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # someone else's, or none
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # no emoji is worth an error
    use(language_asked(sys.argv[1:] if argv is None else argv))
    top = parser()
    args, rest = top.parse_known_args(argv)
    if rest:
        getattr(args, "parser", top).unknown(rest)
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
        say(
            localized(
                "standard output is closed, so there is nowhere to print to.",
                "la salida estándar está cerrada, así que no hay dónde escribir.",
            )
        )
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
            say(
                localized(
                    f"reading or writing failed: {error}. Is the disk full, or the place not yours?",
                    f"no se pudo leer o escribir: {error}. ¿Está lleno el disco, o no es tuyo el sitio?",
                )
            )
            return 1
    return 0
