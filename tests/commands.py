"""How tests run commands."""

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager, suppress

import pytest

from gatonegro.i18n import user_language

# source of a process that kills itself in a call of a `counted` function, after `left` calls
COUNTED = """def counted(real):
    def step(*a, **k):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*a, **k)
    return step
"""
CARD = """---
language: [es, en]
license: other
license_name: some-terms
model-index:
- name: sentiment-es-en
  results:
  - task: {type: text-classification}
    dataset: {type: umsab, name: UMSAB es}
    metrics: [{type: f1, name: macro-F1, value: 0.71234}]
  - task: {type: text-classification}
    dataset: {type: opener, name: OpeNER hotels es}
    metrics: [{type: accuracy, name: accuracy, value: 0.95}]
---
A card.
"""


def process() -> dict:
    """Return the settings that a command changes in its process."""
    return {
        "argparse": argparse._,
        "usage": argparse.ArgumentParser("other").format_help(),
        "gc": gc.get_threshold(),
        "streams": [(stream, stream.errors) for stream in (sys.stdout, sys.stderr)],
        "warnings": (warnings.filters[:], warnings.showwarning),
        "language": user_language(),
        "environment": dict(os.environ),
    }


@contextmanager
def start(*arguments, **streams):
    """Run gatonegro in a process within the `with` block."""
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color"}
    settings.pop("NO_COLOR", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-m", "gatonegro", *map(str, arguments)]
    with subprocess.Popen(command, bufsize=0, env=settings, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def terminal_output(*arguments) -> str:
    """Return what a command shows on a terminal: both of its streams, without colours."""
    import pty  # POSIX only

    ours, its = pty.openpty()
    with start(*arguments, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        shown = b""
        with suppress(OSError):  # EIO: the terminal is closed
            while part := os.read(ours, 4096):
                shown += part
        process.wait()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode().replace("\r\n", "\n"))


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


TEXTS = ["El profesor es bueno, todo será sencillo", "", "¿una clase 😀 mala?", "no\0no", "el gato y el perro"]


def answers(run, folder) -> list[float]:
    return [answer["score"] for answer in lines(run("sentiment", "--json", "-m", folder, *TEXTS)[0])]


LONG = "el gato es bueno y el perro no es nada " * 20


posix = pytest.mark.skipif(os.name == "nt", reason="has no such pipes, signals or terminals")
