"""The command line. What a command needs is imported when it runs, torch above all."""

from __future__ import annotations

import gc
import io
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

from gatonegro.cli.parsing import COMMANDS, asked_language, localized_argparse, parser
from gatonegro.i18n import override_language

__all__ = ["COMMANDS", "main", "parser"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Return 0: done; 1: an error that the user can mend, on stderr; 2: wrong usage; 130: Ctrl-C."""
    words = sys.argv[1:] if argv is None else argv
    with _process(), override_language(asked_language(words)), localized_argparse():
        top = parser(words)
        args, rest = top.parse_known_args(words)
        if rest:
            getattr(args, "parser", top).unknown(rest)
        if args.version:
            from gatonegro import __version__

            print(f"gatonegro {__version__}")
            return 0
        if args.command is None:
            top.print_help(sys.stderr)
            return 2
        return _run(args)


@contextmanager
def _process() -> Iterator[None]:
    """Set the process up for a command, and restore it at the end, since `main` may be called from Python."""
    threshold = gc.get_threshold()
    streams = {stream: stream.errors for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)}
    gc.set_threshold(50_000)  # imports make many lasting objects, which each collection would search through
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")  # no emoji is worth an error
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        for stream, errors in streams.items():
            with suppress(OSError, ValueError):  # a full disk, or a stream that was closed
                stream.reconfigure(errors=errors)


def _run(args: Namespace) -> int:
    from gatonegro.cli.terminal import print_message
    from gatonegro.errors import GatonegroError, OptionError

    try:
        if sys.stdout is None:
            raise OptionError(
                "standard output is closed, so there is nowhere to print to.",
                "la salida estándar está cerrada, así que no hay dónde escribir.",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = lambda message, *place, **more: print_message(message)
            import_module(f"gatonegro.cli.{args.command}").run(args)
        sys.stdout.flush()
    except GatonegroError as error:
        print_message(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # the rest has nowhere to go; without this, Python would print an error as it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # from `head`, say, which has read enough
            print_message(
                f"reading or writing failed: {error}. Is the disk full, or do you lack permission?",
                f"no se pudo leer o escribir: {error}. ¿Está lleno el disco, o te falta permiso?",
            )
            return 1
    return 0
