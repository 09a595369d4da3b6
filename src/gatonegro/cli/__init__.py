"""Command line of gatonegro, which imports heavy modules such as torch only for the commands that need them."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

from gatonegro.cli.arguments import MESSAGES
from gatonegro.cli.parsing import COMMANDS, localized_argparse, parser, requested_language
from gatonegro.i18n import override_language

__all__ = ["COMMANDS", "main", "parser"]

OUT_OF_MEMORY = re.compile("allocate memory|failed to map segment from shared object(?!:)")  # of PyTorch, of the linker


def main(argv: Sequence[str] | None = None) -> int:
    """Run a `gatonegro` command and return its exit status.

    It is 0; 1 for an error; 2 for wrong usage; 130 for Ctrl-C; 141, without a message, if the reader of its output,
    such as `head`, has closed the pipe.
    """
    words = sys.argv[1:] if argv is None else argv
    with _process(), override_language(requested_language(words)), localized_argparse():
        return _with_exit_status(words)


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


def _with_exit_status(words: Sequence[str]) -> int:
    """Run a command, and return its exit status after a message for each error that a user can meet."""
    try:
        try:
            if sys.stdout is None:
                from gatonegro.errors import OptionError

                raise OptionError(*MESSAGES["no_stdout"])
            return _run(words)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # within reach of the clauses below, also for --help, which exits
    except KeyboardInterrupt:
        return 130
    except (Exception, MemoryError) as error:
        return _report(error)


def _report(error: Exception) -> int:
    """Print the message of an error that a user can meet, and return the exit status; raise any other error."""
    from gatonegro.cli.terminal import print_message
    from gatonegro.errors import GatonegroError

    with suppress(OSError, AttributeError):  # AttributeError: it is None
        try:
            sys.stdout.flush()
        except OSError:  # without this, Python would print another error at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 141
    if isinstance(error, GatonegroError):
        print_message(error)
    elif isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
        print_message(MESSAGES["out_of_memory"])
    elif isinstance(error, ImportError) and not (error.name or "").startswith("gatonegro"):  # a broken installation
        print_message(MESSAGES["not_imported"].format(error=error))
    elif isinstance(error, OSError):
        print_message(MESSAGES["not_read"].format(error=error))
    else:
        raise error
    return 1


def _run(words: Sequence[str]) -> int:
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
    from gatonegro.cli.terminal import print_message

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *place, **more: print_message(message)
        from gatonegro.torch_extra import requires_torch

        option = " --backend torch" if getattr(args, "backend", None) == "torch" else ""
        with requires_torch(f"gatonegro {args.command}{option}"):
            import_module(f"gatonegro.cli.{args.command}").run(args)
    return 0
