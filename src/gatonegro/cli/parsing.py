"""Command-line parser: argparse in English and Spanish, with suggestions for mistyped words."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from gatonegro.cli.arguments import HELP, MESSAGES, add_lang
from gatonegro.i18n import MAX_MESSAGE, catalog, localized, shorten, user_language

# each is a module of this package with `add_arguments(parser)` and `run(args)`; its texts are in help.json
COMMANDS = ("sentiment", "translate", "diagnose", "explain", "tokens", "models", "bench", "convert")

# words of other programs for a command, the commands for tasks, and names of options for a file
COMMAND_WORDS = {"tokenize": "tokens", "list": "models", "download": "models", "export": "convert"}
COMMAND_OF_TASK = {"sentiment-analysis": "sentiment", "text-classification": "sentiment", "translation": "translate"}
FILE_FLAGS = ("--file", "--input", "--csv", "--path", "-f", "-i")


class Parser(argparse.ArgumentParser):
    """Argument parser that takes its help texts from `help.json` and suggests corrections of mistyped words."""

    def add_argument(self, *flags: str, **settings: Any) -> argparse.Action:
        """Add an argument whose help text and translated metavar are looked up in `help.json`."""
        flag, metavar = flags[-1], settings.get("metavar")
        if "help" not in settings:
            command = self.prog.partition(" ")[2]
            settings["help"] = str(HELP.get(f"{command} {flag}") or HELP[flag])
        if isinstance(metavar, str) and metavar in HELP:
            settings["metavar"] = str(HELP[metavar])
        return super().add_argument(*flags, **settings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        close = close_matches(str(value), action.choices or ())
        if action.dest == "command" and value not in COMMANDS:
            words = json.loads((Path(__file__).parents[1] / "tasks" / "words.json").read_text(encoding="utf-8"))
            task = next((task for task in words if value.lower() in (task, *words[task])), None)
            if task is not None and task not in COMMAND_OF_TASK:
                raise argparse.ArgumentError(None, str(MESSAGES["python_task"].format(word=value, task=task)))
            known = COMMAND_WORDS.get(value) or COMMAND_OF_TASK.get(str(task))
            close = [known] if known else close
        if action.choices is not None and value not in action.choices and close:
            raise argparse.ArgumentError(None, str(MESSAGES["no_word"].format(word=value, close=close[0])))
        super()._check_value(action, value)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or usage; argparse's own method hides that a disk is full."""
        if message and file is not None:
            file.write(message)

    def error(self, message: str) -> NoReturn:
        """Exit with a usage error, whose message may quote an argument of any length."""
        super().error(shorten(message, MAX_MESSAGE))

    def exit_unknown(self, words: Sequence[str]) -> None:
        """Exit with an error that lists unrecognized command-line words and suggests a correction."""
        word = next((word for word in words if word.startswith("-")), words[0])
        options = [flag for action in self._actions for flag in action.option_strings]
        close = close_matches(word.partition("=")[0], options)
        hint = str(MESSAGES["did_you_mean"].format(close=close[0])) if close else ""
        if word.partition("=")[0] in FILE_FLAGS:
            hint = str(MESSAGES["file_flag"].format(prog=self.prog))
        elif not close and word.startswith("-"):
            hint = str(MESSAGES["dash"].format(prog=self.prog, word=word))
        what = localized("unrecognized arguments", "argumentos que no existen")
        self.error(f"{what}: {' '.join(words)}{hint}")


def close_matches(word: str, known: Iterable[str]) -> list[str]:
    """Return a list with the known word closest to a mistyped one, or an empty list."""
    from difflib import get_close_matches

    return get_close_matches(word, list(known), 1)


def parser(words: Sequence[str] = COMMANDS) -> Parser:
    """Return the command-line parser in the user's language, importing only the commands named in `words`."""
    top = Parser(
        prog="gatonegro", allow_abbrev=False, description=str(HELP["gatonegro"]), epilog=str(HELP["gatonegro more"])
    )
    top.add_argument("-V", "--version", action="store_true")
    add_lang(top)
    commands = top.add_subparsers(
        dest="command", metavar=str(HELP["COMMAND"]), title=str(HELP["commands"]), parser_class=Parser
    )
    for name in COMMANDS:
        text = str(HELP[name])
        sub = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"{HELP['examples']}:\n  {HELP[f'{name} examples']}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name in words:
            import_module(f"gatonegro.cli.{name}").add_arguments(sub)
        add_lang(sub)
        sub.set_defaults(parser=sub)
    return top


def requested_language(words: Sequence[str]) -> str | None:
    """Return the value of `--lang` in unparsed arguments, since the parser's own messages depend on it."""
    for i, word in enumerate(words):
        if word == "--":
            break
        value = words[i + 1] if word == "--lang" and i + 1 < len(words) else word.removeprefix("--lang=")
        if word.startswith("--lang") and value in ("es", "en"):
            return value
    return None


@contextmanager
def localized_argparse() -> Iterator[None]:
    """Translate argparse's own messages into the user's language within a `with` block."""
    gettext = argparse._  # type: ignore[attr-defined]
    if user_language() == "es":
        spanish = {message.en: message.es for message in catalog(Path(__file__).with_name("argparse.json")).values()}
        argparse._ = lambda text: spanish.get(text, text)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        argparse._ = gettext  # type: ignore[attr-defined]
