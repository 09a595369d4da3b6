"""Command line of gatonegro, which imports heavy modules such as torch only for the commands that need them."""

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

from gatonegro.cli.parsing import COMMANDS, localized_argparse, parser, requested_language
from gatonegro.i18n import override_language

__all__ = ["COMMANDS", "main", "parser"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a `gatonegro` command and return its exit status: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    words = sys.argv[1:] if argv is None else argv
    with _process(), override_language(requested_language(words)), localized_argparse():
        top = parser(words)
        args, rest = top.parse_known_args(words)
        if rest:
            getattr(args, "parser", top).exit_unknown(rest)
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
    """Set up garbage collection and output streams for a command, and restore them when the command ends."""
    threshold = gc.get_threshold()
    streams = {stream: stream.errors for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)}
    gc.set_threshold(50_000)  # imports create many objects that stay, and each collection would visit them
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")  # for emoji on terminals without UTF-8
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
                "standard output is closed, so nothing can be printed.",
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
        except OSError:  # without this, Python would print another error at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader, such as `head`, has closed the pipe
            print_message(
                f"reading or writing failed: {error}. Is the disk full, or do you lack permission?",
                f"no se pudo leer o escribir: {error}. ¿Está lleno el disco, o te falta permiso?",
            )
            return 1
    return 0
