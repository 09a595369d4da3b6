"""Fixtures of the tests in tests/cli/."""

import io
import re
import socket
import sys

import pytest
from commands import CARD
from small_checkpoints import make

from gatonegro import cli


@pytest.fixture
def run(capsys, monkeypatch):
    """Return `run(*arguments, stdin=bytes, status=0)`, which returns the output on stdout and stderr."""

    def run(*arguments, stdin: bytes = b"", status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        assert cli.main([str(argument) for argument in arguments]) == status
        return tuple(capsys.readouterr())

    return run


@pytest.fixture
def refused(run):
    """Return `refused(*arguments, …)`, which returns the single line on stderr; stdout must be empty."""

    def refused(*arguments, printed: str | None = "", **options) -> str:
        out, err = run(*arguments, status=1, **options)
        # a score's last digits differ with the company in which its text was read
        assert printed is None or re.sub(r"(0\.\d{5})\d*", r"\1", out) == re.sub(r"(0\.\d{5})\d*", r"\1", printed)
        assert err.startswith("gatonegro: ") and err.endswith("\n") and err.count("\n") == 1, err
        return err

    return refused


@pytest.fixture
def terminal(monkeypatch, run):
    """Return `terminal(width, *arguments, colours=False, …)`, which returns the lines on a terminal of that width."""

    def terminal(width: int, *arguments, colours: bool = False, **options) -> list[str]:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(width))
        shown = run(*arguments, **options)[0]
        return (shown if colours else re.sub(r"\x1b\[[0-9;]*m", "", shown)).splitlines()

    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


@pytest.fixture
def no_socket(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def wide(make_folder):
    """Return a folder whose matrices are large enough for int8, with a card."""
    folder = make_folder(hidden_size=64, intermediate_size=128)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def translator(tmp_path_factory):
    return make("marian", tmp_path_factory.mktemp("marian"))
