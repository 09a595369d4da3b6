"""Help, warnings and errors of the command line, in both languages."""

import os
import re
import shutil
import warnings

import pytest
from commands import LONG, lines

from gatonegro import __version__, cli
from gatonegro.cli import parsing
from gatonegro.cli.terminal import print_message
from gatonegro.errors import GatonegroWarning, InputError, RowError
from gatonegro.i18n import override_language


@pytest.mark.parametrize(
    ("message", "en", "es"),
    [
        (RowError("is empty", "está vacío", item=3), "text 4 is empty", "el texto 4 está vacío"),
        (InputError("no text", "no es texto", item=0), "text 1: no text", "el texto 1: no es texto"),
        (GatonegroWarning("is cut", "se corta", item=9), "text 10 is cut", "el texto 10 se corta"),
        (InputError("item 3 of ours", "el elemento 3"), "item 3 of ours", "el elemento 3"),
        (UserWarning("item 3\nof theirs\x1b"), "item 3 of theirs␛", "item 3 of theirs␛"),
    ],
)
def test_messages_count_texts_from_1(capsys, message, en, es):
    for lang, expected in (("en", en), ("es", es)):
        with override_language(lang):
            print_message(message)
        assert capsys.readouterr().err == f"gatonegro: {expected}\n"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_warnings_and_errors_of_a_command_name_their_text(monkeypatch, run, lang):
    def command(args):
        warnings.warn(GatonegroWarning("is long", "es largo", item=1), stacklevel=1)
        raise RowError("is empty", "está vacío", item=2)

    monkeypatch.setattr("gatonegro.cli.models.run", command)
    expected = {"en": "text 2 is long, text 3 is empty", "es": "el texto 2 es largo, el texto 3 está vacío"}[lang]
    _, err = run("models", "--lang", lang, status=1)
    assert err.splitlines() == [f"gatonegro: {line}" for line in expected.split(", ")]


def test_every_text_of_the_help_is_used(monkeypatch):
    used = set()

    class Recorded(dict):
        def get(self, key, default=None):
            used.add(key)
            return super().get(key, default)

        def __getitem__(self, key):
            used.add(key)
            return super().__getitem__(key)

    recorded = Recorded(parsing.HELP)
    monkeypatch.setattr("gatonegro.cli.arguments.HELP", recorded)
    monkeypatch.setattr(parsing, "HELP", recorded)
    cli.parser()
    assert recorded.keys() <= used


@pytest.mark.parametrize("how", ["--lang es models --help", "models --lang es --help", "models --lang=es --help"])
def test_help_in_spanish(how, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(how.split())
    shown = capsys.readouterr().out
    assert end.value.code == 0 and shown.startswith("uso: ") and "opciones:" in shown and "usage" not in shown
    with pytest.raises(SystemExit):
        cli.main(["--lang", "en", "models", "--help"])
    assert "options:" in capsys.readouterr().out  # and back, in the same process


def test_all_of_the_help_is_in_two_languages(monkeypatch, capsys):
    """Line by line, no English in the Spanish help of any command."""
    texts = {}
    for lang in ("en", "es"):
        monkeypatch.setenv("GATONEGRO_LANG", lang)
        for command in ([], *([name] for name in cli.COMMANDS)):
            with pytest.raises(SystemExit):
                cli.main([*command, "--help"])
            words = re.findall(r"[a-záéíóúñ]{4,}", capsys.readouterr().out.split("ejemplos")[0].split("examples")[0])
            texts.setdefault(lang, set()).update(words)
    same = texts["en"] & texts["es"]
    assert same <= {
        "align", "auto", "backend", "beam", "bench", "check", "column", "commit", "convert", "cuda", "device",
        "diagnose", "error", "explain", "float", "from", "gatonegro", "help", "html", "json", "keep", "lang",
        "language", "layers", "matrices", "model", "models", "nbest", "numbers", "numpy", "offline", "orch", "output",
        "pickle", "precision", "ransformer", "revision", "route", "safetensors", "score", "sentiment", "text",
        "tokens", "torch", "transformers", "translate", "tune", "version", "warn",
    }, same  # fmt: skip


def test_errors_in_spanish(run, tiny, monkeypatch):
    monkeypatch.setenv("GATONEGRO_LANG", "es")
    assert "no existe esa carpeta" in run("sentiment", "-m", "./nada", "hola", status=1)[1]
    assert run("sentiment", "-m", tiny, stdin=f"uno\n{LONG}\n".encode())[1].startswith("gatonegro: el texto 2 pasa de")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sentiment", "--jsn", "x"], "did you mean --json?"),
        (["sentiment", "--topk", "2", "x"], "did you mean --top-k?"),
        (["sentiment", "-Hola"], "write -- before it"),
        (["tokens", "--min-score", "1", "x"], "unrecognized arguments: --min-score"),
        (["sentiment", "--min-score", "2", "x"], "must be a number from 0 to 1"),
    ],
)
def test_what_a_mistyped_option_may_have_meant(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    shown = capsys.readouterr().err
    assert end.value.code == 2 and message in shown and shown.startswith(f"usage: gatonegro {arguments[0]}")


def test_the_name_of_a_file_is_a_text_and_gives_a_hint(tiny, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "textos.txt").write_text("hola")
    out, err = run("sentiment", "--json", "-m", tiny, "textos.txt")
    assert lines(out)[0]["text"] == "textos.txt" and "< textos.txt" in err
    assert lines(run("sentiment", "--json", "-m", tiny, "-", stdin=b"hola\n")[0])[0]["text"] == "hola"


def test_unsure_answers_are_marked(tiny, run, terminal):
    (sure,) = lines(run("sentiment", "--json", "-m", tiny, "el gato")[0])
    (unsure,) = lines(run("sentiment", "--json", "-m", tiny, "--min-score", "0.999", "el gato")[0])
    assert "unsure" not in sure and unsure == {**sure, "unsure": True}
    assert run("sentiment", "-m", tiny, "--min-score", "0.999", "el gato")[0].split("\t")[0].endswith("?")
    (line,) = terminal(60, "sentiment", "-m", tiny, "--min-score", "0.999", "el gato")
    assert "? el gato" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sentiment", "--top-k", "0", "x"], "--top-k: must be a whole number of at least 1, not '0'"),
        (["sentiment", "--top-k", "-1", "x"], "--top-k: must be a whole number of at least 1, not '-1'"),
        (["sentiment", "--top-k", "abc", "x"], "--top-k: must be a whole number of at least 1, not 'abc'"),
        (["sentiment", "--top-k", "²", "x"], "--top-k: must be"),
        (["sentiment", "--top-k", "9" * 5000, "x"], "--top-k: must be a whole number of at least 1, not '9999"),
        (["sentiment", "--bogus", "x"], "unrecognized arguments: --bogus"),
        (["sentiment", "x", "-m"], "expected one argument"),
        (["convert", "x"], "required: -o/--output"),
        (["convert", "-o", "x"], "required: NAME"),
        (["sentimento", "x"], "there is no 'sentimento'; did you mean sentiment?"),
        *(
            ([word], f"there is no {word!r}; did you mean {command}?")
            for word, command in (
                ("sentimiento", "sentiment"),
                ("traducir", "translate"),
                ("translation", "translate"),
                ("list", "models"),
                ("tokenize", "tokens"),
                ("text-classification", "sentiment"),
            )
        ),
        *(
            ([word], f'there is no command for {word!r}; in Python: gatonegro.pipeline("{task}", model=…)')
            for word, task in (
                ("ner", "ner"),
                ("embeddings", "feature-extraction"),
                ("fill-mask", "fill-mask"),
                ("resumir", "summarization"),
                ("generate", "text-generation"),
            )
        ),
        *((["sentiment", flag, "x"], "--column NAME < FILE") for flag in ("--file", "--csv", "--input", "-f", "-i")),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert left.value.code == 2 and out == ""
    assert "usage: gatonegro" in err and message in err.splitlines()[-1]


def test_no_command(run):
    out, err = run(status=2)
    assert out == "" and "usage: gatonegro" in err
    for flag in ("--version", "-V"):
        assert run(flag) == (f"gatonegro {__version__}\n", "")


@pytest.mark.parametrize("command", ["sentiment", "tokens", "convert"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", "no such folder"),
        ("", "neither a local folder"),
        ("no such/model", "nor a hub name"),
        ("caf\udce9", "nor a hub name"),
        ("nobody/nothing", "network access is off"),
    ],
)
def test_unknown_model(refused, no_socket, tmp_path, command, name, message):
    more = ["-o", tmp_path / "out"] if command == "convert" else ["hola"]
    first = [name] if command == "convert" else ["-m", name]
    assert message in refused(command, *first, "--offline", *more)
    assert not (tmp_path / "out").exists()


def test_offline_leaves_no_trace(refused, no_socket, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    refused("tokens", "-m", "nobody/nothing", "--offline", "hola")
    assert "HF_HUB_OFFLINE" not in os.environ


def test_folders_that_are_no_model(tiny, make_folder, refused, tmp_path):
    assert "has no config.json" in refused("sentiment", "-m", tmp_path, "hola")
    assert "has no config.json" in refused("convert", tmp_path, "-o", tmp_path / "out")
    assert "has no tokenizer" in refused("tokens", "-m", tmp_path, "hola")
    (tmp_path / "config.json").write_text('{"model_type":\n')
    assert "is not valid JSON" in refused("sentiment", "-m", tmp_path, "hola")
    shutil.copy(tiny / "config.json", tmp_path)
    assert "found no weights" in refused("sentiment", "-m", tmp_path, "hola")
    (tmp_path / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes()[:-9])
    assert "is not a complete safetensors file" in refused("sentiment", "-m", tmp_path, "hola")
    assert "is a file" in refused("sentiment", "-m", tiny / "config.json", "hola")
    assert "head" in refused("sentiment", "-m", make_folder("masked-lm"), "hola")


@pytest.mark.parametrize("device", ["foo", "meta", "cuda:99", "99", "9" * 30, "²", "", "\udce9", "mps:\n"])
def test_devices_that_are_not_here(tiny, refused, device):
    assert "cannot be used here" in refused("sentiment", "-m", tiny, "--device", device, "hola")


@pytest.mark.parametrize("device", ["cpu", "-1", "auto"])
def test_devices_that_are_here(tiny, run, device):
    assert run("sentiment", "-m", tiny, "--device", device, "hola")[0]
