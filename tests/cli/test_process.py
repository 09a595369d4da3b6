"""The process of a command: its own state, closed and full streams, Ctrl-C, sockets, light imports."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial

import pytest
from commands import posix, process, start

from gatonegro import cli
from gatonegro.i18n import set_language

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("chosen", [None, "en", "es"])
@pytest.mark.parametrize(
    "words",
    ["--lang es --help", "--lang es", "-V --lang es", "models --lang=en", "models --lang es --bogus",
     "tokens --lang es hola -m {tiny}", "sentiment --lang es hola -m {tiny}", "tokens --lang es hola -m ./nowhere"],
)  # fmt: skip
def test_main_leaves_the_process_as_it_was(tiny, capsys, words, chosen):
    set_language(chosen)
    try:
        before = process()
        with suppress(SystemExit):
            cli.main(words.format(tiny=tiny).split())
        assert process() == before
    finally:
        set_language(None)
    assert before["usage"].startswith("usage: ") and "".join(capsys.readouterr())


def test_within_main_the_process_is_a_commands_own(monkeypatch, capsys):
    outside, inside = process(), {}
    monkeypatch.setattr("gatonegro.cli.models.run", lambda args: inside.update(process()))
    assert cli.main(["models", "--lang", "es"]) == 0
    assert {name for name in outside if inside[name] != outside[name]} == set(outside) - {"environment"}
    assert process() == outside


def test_importing_the_command_line_changes_nothing(python):
    code = (
        "import argparse, gc, sys, warnings\n"
        "def state(): return argparse._, gc.get_threshold(), sys.stdout.errors, warnings.filters[:]\n"
        "before = state()\n"
        "from gatonegro import cli\n"
        "cli.parser()\n"
        "assert state() == before\n"
        "print(argparse.ArgumentParser('other').format_usage())"
    )
    done = python("-c", code, env={"GATONEGRO_LANG": "es"})
    assert done.stdout.startswith(b"usage: other") and done.stderr == b""


def test_help_and_light_commands_import_little(python, tiny):
    code = (
        "import sys; from gatonegro import cli\n"
        "for command in ({}):\n"
        "    try: cli.main(command)\n"
        "    except SystemExit: pass\n"
        "print([m for m in {}.split() if m in sys.modules], file=sys.stderr)"
    )
    heavy = "torch numpy rich huggingface_hub tokenizers safetensors"
    done = python("-c", code.format("['--help'], ['sentiment', '--help'], ['-V']", repr(heavy)))
    assert done.stdout.startswith(b"usage: gatonegro") and done.stderr == b"[]\n"
    done = python("-c", code.format("['--help'], ['-V']", "'gatonegro.hub gatonegro.cli.sentiment rich'"))
    assert done.stderr == b"[]\n"
    done = python("-c", code.format(f"['tokens', '-m', {str(tiny)!r}, 'hola'], ['models']", "'torch numpy'"))
    assert b"[CLS]" in done.stdout and done.stderr == b"[]\n"


@pytest.mark.parametrize(
    "env",
    [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii:strict"}, {"PYTHONIOENCODING": "", "LC_ALL": "C"}],
)
def test_encodings_of_a_process(python, tiny, env):
    done = python("-m", "gatonegro", "tokens", "-m", tiny, "--json", "ñandú 😀", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["text"] == "ñandú 😀"


@posix
def test_bytes_in_an_argument(python, tiny):
    done = python("-m", "gatonegro", "tokens", "-m", tiny, "caf\udce9")  # is passed as the byte E9
    assert done.returncode == 1 and done.stderr.startswith(b"gatonegro: text 1 is not UTF-8 (character 4)")


@posix
@pytest.mark.parametrize(
    ("redirect", "message"),
    [
        ("<&-", "there is no standard input"),
        (">&-", "standard output is closed"),
        pytest.param(
            "> /dev/full",
            "No space left on device",
            marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full"),  # noqa: PTH110
        ),
    ],
)
def test_streams_that_are_closed_or_full(tiny, redirect, message):
    text = [] if redirect == "<&-" else ["hola"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m gatonegro tokens "$@" {redirect}', sys.executable, "-m", tiny, *text],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("gatonegro: ") and message in done.stderr and done.stderr.count("\n") == 1


full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110


@posix
@full
@pytest.mark.case("S14")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("redirect", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("words", ["--version", "--help", "sentiment --help", "models", "models --json"])
def test_nothing_can_be_printed(words, redirect, unbuffered):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m gatonegro {words} {redirect}', sys.executable],
        capture_output=True, text=True, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("gatonegro: ") and done.stderr.count("\n") == 1


@pytest.mark.case("S14")
@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (MemoryError(), 1, "out of memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
            1,
            "out of memory",
        ),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object", name="torch._C"), 1, "out of memory"),
        (ImportError("libcudart.so.12: cannot open shared object file", name="torch._C"), 1, "--force-reinstall"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_the_machine(monkeypatch, capsys, error, status, message):
    def run(args):
        raise error

    monkeypatch.setattr("gatonegro.cli.models.run", run)
    assert cli.main(["models", "--lang", "en"]) == status
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == bool(message) and "Traceback" not in shown


def test_an_error_of_the_program_is_not_hidden(monkeypatch):
    def run(args):
        from gatonegro.cli import nothing  # noqa: F401

    for faulty, error in ((lambda args: [][0], IndexError), (run, ImportError)):
        monkeypatch.setattr("gatonegro.cli.models.run", faulty)
        with pytest.raises(error):
            cli.main(["models"])


@posix
def test_answers_come_before_input_ends_and_ctrl_c_is_no_accident(tiny):
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs are started deaf to it
    with start("sentiment", "--json", "-m", tiny, preexec_fn=heard) as process:
        for text in ("hola", "adiós"):
            process.stdin.write(f"{text}\n".encode())
            assert json.loads(process.stdout.readline())["text"] == text
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stdout.read() == b"" and process.stderr.read() == b""


@posix
def test_a_reader_that_has_seen_enough(tiny):
    with start("sentiment", "-m", tiny) as process:
        process.stdin.write(b"hola\n")
        assert process.stdout.readline().endswith(b"\thola\n")
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.write(b"hola\n" * 1000)
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


def test_no_socket_is_opened(python, tiny, tmp_path):
    code = (
        "import sys\n"
        "from gatonegro import cli\n"
        "sys.addaudithook(lambda event, rest: event.startswith('socket.') and print(event, rest))\n"
        "folder, out = sys.argv[1:]\n"
        "for command in (['sentiment', '-m', folder, 'hola'], ['tokens', '-m', folder, 'hola'], ['models'],\n"
        "                ['convert', folder, '-o', out], ['sentiment', '-m', out, 'hola']):\n"
        "    assert cli.main(command) == 0\n"
    )
    done = python("-c", code, tiny, tmp_path / "out", env={"HF_HUB_OFFLINE": "0"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"socket." not in done.stdout
