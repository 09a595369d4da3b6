"""The command line: what people, pipes and terminals get, and what becomes of bad input.

What concerns a process (signals, pipes, terminals, encodings) is seen on real ones; the rest calls `cli.main`.
"""

import argparse
import gc
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import warnings
from contextlib import contextmanager, suppress
from functools import partial

import pytest
import torch
from generative import make
from rich.cells import cell_len
from safetensors.torch import load_file

from gatonegro import AutoTokenizer, __version__, cli, hub, pipeline
from gatonegro.cli import input as cli_input
from gatonegro.cli import parsing
from gatonegro.cli.terminal import print_message
from gatonegro.errors import GatonegroWarning, InputError, RowError
from gatonegro.i18n import override_language, set_language, user_language

posix = pytest.mark.skipif(os.name == "nt", reason="has no such pipes, signals or terminals")
LONG = "el gato es bueno y el perro no es nada " * 20
TEXTS = ["El profesor es bueno, todo será sencillo", "", "¿una clase 😀 mala?", "no\0no", "el gato y el perro"]
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


@pytest.fixture
def run(capsys, monkeypatch):
    """`run(*arguments, stdin=bytes, status=0)` → what it printed on stdout and on stderr."""

    def run(*arguments, stdin: bytes = b"", status: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        assert cli.main([str(argument) for argument in arguments]) == status
        return tuple(capsys.readouterr())

    return run


@pytest.fixture
def refused(run):
    """`refused(*arguments, …)` → the one line that it says on stderr, nothing else being printed."""

    def refused(*arguments, printed: str | None = "", **options) -> str:
        out, err = run(*arguments, status=1, **options)
        # a score's last digits differ with the company in which its text was read
        assert printed is None or re.sub(r"(0\.\d{5})\d*", r"\1", out) == re.sub(r"(0\.\d{5})\d*", r"\1", printed)
        assert err.startswith("gatonegro: ") and err.endswith("\n") and err.count("\n") == 1, err
        return err

    return refused


@pytest.fixture
def terminal(monkeypatch, run):
    """`terminal(width, *arguments, colours=False, …)` → the lines that a terminal of that width gets."""

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
def built_in(tmp_path, monkeypatch, tiny):
    """`built_in(whole)`: the data distribution is installed, with its weights or with nothing but the card."""

    def install(whole: bool):
        folder = tmp_path / "site" / "gatonegro_models" / "sentiment-es-en"
        shutil.copytree(tiny, folder) if whole else folder.mkdir(parents=True)
        (folder / "README.md").write_text(CARD, encoding="utf-8")
        (folder.parent / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path / "site")
        return folder

    return install


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def labels(texts: list[str], folder, **options) -> list:
    return pipeline("sentiment-analysis", model=folder, **options)(texts)


# texts in


def test_arguments_and_lines_get_the_answers_of_the_pipeline(tiny, run):
    expected = [{"text": text, **one} for text, one in zip(TEXTS, labels(TEXTS, tiny), strict=True)]
    expected[1] |= {"label": None, "score": None}  # the empty text, which has no sentiment
    for arguments, stdin in ((TEXTS, b"not read"), ([], "\n".join(TEXTS).encode())):
        out, err = run("sentiment", "--json", "-m", tiny, *arguments, stdin=stdin)
        found = lines(out)
        assert [list(one) for one in found] == [["text", "label", "score"]] * len(TEXTS)
        for one, other in zip(found, expected, strict=True):
            assert one == {**other, "score": other["score"] and pytest.approx(other["score"], abs=1e-5)}
        assert err == ""


@pytest.mark.parametrize(
    ("stdin", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"\r\n", [""]),
        (b"uno", ["uno"]),
        (b"uno\n\ndos\n", ["uno", "", "dos"]),
        (b"uno\r\n \r\ndos", ["uno", " ", "dos"]),
        (b"\xef\xbb\xbfuno\n\xef\xbb\xbfdos", ["uno", "\ufeffdos"]),
        (b"\xef\xbb\xbf", [""]),
        (b"a\0b\n\0\n", ["a\0b", "\0"]),
        ("a\u2028b\x85c\x0cd\n".encode(), ["a\u2028b\x85c\x0cd"]),
        ("¿qué?\n😀😀\n".encode(), ["¿qué?", "😀😀"]),
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 1 << 17])
def test_lines_of_standard_input(monkeypatch, stdin, expected, chunk):
    monkeypatch.setattr(cli_input, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    assert [text for part in cli_input.read_texts([]) for text in part] == expected


@pytest.mark.parametrize("command", ["sentiment", "tokens"])
def test_empty_standard_input_is_no_text(tiny, run, command):
    assert run(command, "-m", tiny) == ("", "")
    assert len(run(command, "-m", tiny, "--json", stdin=b"\n")[0].splitlines()) == 1


@pytest.mark.parametrize("command", ["sentiment", "tokens"])
@pytest.mark.parametrize("chunk", [4, 1 << 17])
def test_nothing_is_lost_at_a_line_that_is_not_utf8(tiny, refused, run, monkeypatch, command, chunk):
    monkeypatch.setattr(cli_input, "CHUNK_BYTES", chunk)
    good = run(command, "--json", "-m", tiny, "uno", "dos", "")[0]
    said = refused(command, "--json", "-m", tiny, stdin=b"uno\ndos\n\ncaf\xe9\nmore\n", printed=good)
    assert "line 4 of standard input is not UTF-8 (character 4)" in said and "iconv -f latin1" in said


def test_utf16_is_told_from_latin1(tiny, refused):
    assert "iconv -f utf-16" in refused("tokens", "-m", tiny, stdin="hola\n".encode("utf-16"))


@pytest.mark.parametrize("command", ["sentiment", "tokens"])
def test_arguments_that_are_not_utf8(refused, command):
    # before any model is looked for
    assert "text 2 is not UTF-8 (character 4)" in refused(command, "-m", "./nowhere", "uno", "caf\udce9", "tres")


def test_no_standard_input(refused, tiny, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["tokens", "-m", str(tiny)]) == 1
    assert "there is no standard input" in capsys.readouterr().err


def test_lines_are_answered_before_more_are_asked_for(tiny):
    asked = []

    def parts():
        for part in (["uno", "dos"], [], ["tres"]):
            asked.append(part)
            yield part

    answers = pipeline("sentiment-analysis", model=tiny).stream(parts())
    for count, parts_asked_for in ((1, 1), (2, 1), (3, 3)):
        assert next(answers)["label"]
        assert len(asked) == parts_asked_for, count
    assert list(answers) == []


# answers out


def test_json_of_several_labels(tiny, run):
    (one,) = lines(run("sentiment", "--json", "--top-k", "2", "-m", tiny, "el gato")[0])
    (found,) = labels(["el gato"], tiny, top_k=2)
    assert one == {"text": "el gato", **found[0], "labels": found}
    (one,) = lines(run("sentiment", "--json", "--top-k", "99", "-m", tiny, "el gato")[0])
    assert len(one["labels"]) == 3


def test_tabs_for_a_pipe(tiny, run):
    out, _ = run("sentiment", "-m", tiny, "el gato", "dos\nlíneas\ty\r\n un tabulador")
    (best,) = labels(["el gato"], tiny)
    first, second = out.splitlines()
    assert first == f"{best['label']}\t{best['score']:.4f}\tel gato"
    assert second.split("\t")[2:] == ["dos líneas y   un tabulador"]  # no column more
    out, _ = run("sentiment", "-m", tiny, "--top-k", "3", "el gato", "")
    assert [len(line.split("\t")) for line in out.split("\n")] == [7, 3, 1]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "utf_8"])
def test_what_the_encoding_lacks_is_escaped(tiny, monkeypatch, encoding):
    text = "¿Qué tal? 😀"
    printed = []
    for form in (["--json"], []):
        stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main(["sentiment", "-m", str(tiny), *form, text]) == 0
        printed.append(stdout.buffer.getvalue())
    assert json.loads(printed[0].decode())["text"] == text  # JSON is UTF-8, whatever the rest is
    with pytest.raises(SystemExit):
        cli.main(["sentiment", "--help"])  # which has "será"
    shown = printed[1].decode(encoding).rstrip("\r\n").split("\t")[2]
    assert shown == text.encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.parametrize("width", [30, 60, 110])
@pytest.mark.parametrize("options", [(), ("--top-k", "3")])
def test_table(tiny, terminal, width, options):
    texts = [*TEXTS, "👩‍👩‍👧 " * 40, LONG[:200], "dos\n\tlíneas", "\x1b[31mrojo\x07\x9b2J\x7f"]
    table = terminal(width, "sentiment", "-m", tiny, *options, *texts)
    every = 3 if options else 1
    assert table.pop(every).strip() == "(empty)"  # one line, whatever is asked for
    assert len(table) == every * (len(texts) - 1)
    assert all(cell_len(line.rstrip()) <= width for line in table)
    for line in table:
        sign, label, score = line[:12].split()
        assert {"POS": "+", "NEG": "−", "NEU": "·"}[label] == sign
        assert line[:12] == f" {sign} {label}  {float(score):.2f}"
    first = [line[14:].rstrip() for line in table[::every]]
    assert all(line[12:].strip() == "" for i, line in enumerate(table) if i % every)
    assert first[2] == "no␀no" and first[-2] == "dos líneas"
    assert first[4].endswith("…") and first[5].endswith("…") == (width < 200)
    if width == 60:
        assert first[0] == TEXTS[0] and first[-1] == "␛[31mrojo␇�2J␡"


def test_labels_of_any_width_stand_in_columns(make_folder, terminal):
    names = ["1 star", "22 stars", "数数数数数数", "\x1b[7mNEG\n", "positive"]
    folder = make_folder(id2label=dict(enumerate(names)))
    table = terminal(80, "sentiment", "-m", folder, "--top-k", "5", "uno", "dos")
    ends = {cell_len(line[: line.index("0.")]) for line in table}
    assert ends == {3 + 12 + 2}
    signs = {line[3:9].strip(): line[1] for line in table}
    assert signs["positi"] == "+" and signs["1 star"] == " "
    assert any("␛[7mNEG" in line for line in table)


def test_colours_help_and_no_color_is_respected(tiny, terminal, monkeypatch):
    plain = terminal(80, "sentiment", "-m", tiny, *TEXTS)
    colour = re.compile(r"\x1b\[(\d+;)*3\d")
    shown = "\n".join(terminal(80, "sentiment", "-m", tiny, *TEXTS, colours=True))
    assert len(colour.findall(shown)) == len(TEXTS) - 1  # one is empty
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search("\n".join(terminal(80, "sentiment", "-m", tiny, *TEXTS, colours=True)))
    assert terminal(80, "sentiment", "-m", tiny, *TEXTS) == plain  # nothing is told by colour alone


def test_a_long_text_is_said_once_and_plainly(tiny, run, monkeypatch):
    monkeypatch.setattr(cli_input, "CHUNK_BYTES", 16)  # so that it is in another part than the first
    out, err = run("sentiment", "-m", tiny, stdin=f"uno\ndos\ntres\n{LONG}\n{LONG}\n".encode())
    assert len(out.splitlines()) == 5
    assert err.startswith("gatonegro: text 4 is longer than the 64 tokens") and err.count("\n") == 1


# tokens


def test_tokens(tiny, run, terminal):
    text = "El gato negro, ¿qué? 😀"
    batch = AutoTokenizer.from_pretrained(tiny)([text], return_offsets_mapping=True)
    ids, tokens, offsets = batch["input_ids"][0], batch.tokens(0), [list(at) for at in batch["offset_mapping"][0]]
    (one,) = lines(run("tokens", "--json", "-m", tiny, text)[0])
    assert one == {"text": text, "tokens": tokens, "ids": ids, "offsets": offsets}
    rows = [f"{i}\t{token}\t{a}\t{b}" for i, token, (a, b) in zip(ids, tokens, offsets, strict=True)]
    out, err = run("tokens", "-m", tiny, stdin=f"{text}\n{text}\n".encode())
    assert out.splitlines() == [*rows, "", *rows]  # an empty line between texts
    assert err == ""
    for width in (40, 100):
        table = terminal(width, "tokens", "-m", tiny, text)
        assert table[0] == text and table[1].split() == ["#", "id", "token", "in", "the", "text"]
        assert [row.split()[1:3] for row in table[2:]] == [[str(i), t] for i, t in zip(ids, tokens, strict=True)]
        assert table[3].strip() == f"1  {ids[1]}  el     'El' 0–2"


def test_tokens_of_a_long_text_are_all_shown(tiny, run):
    out, err = run("tokens", "-m", tiny, LONG)
    assert len(out.splitlines()) == len(LONG.split()) + 2 and err == ""


def test_tokens_in_a_terminal_move_no_cursor(tiny, terminal):
    table = "\n".join(terminal(80, "tokens", "-m", tiny, "uno\x1b[2J\ndos"))
    assert "\x1b" not in table and "uno␛[2J dos" in table


# models


def test_models(built_in, run, terminal, no_socket):
    folder = built_in(True)
    one, *others = lines(run("models", "--json")[0])
    tasks = {"translate-es-en": "translation", "demo-en": "text-classification"}
    assert others == [{"name": name, "task": task, "installed": False} for name, task in tasks.items()]
    size = round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1)
    assert one == {
        "name": "sentiment-es-en",
        "task": "text-classification",
        "installed": True,
        "languages": ["es", "en"],
        "licence": "some-terms",
        "mb": size,
        "figures": {"UMSAB es, macro-F1": 0.71234, "OpeNER hotels es, accuracy": 0.95},
    }
    expected = [
        "sentiment-es-en",
        "  task       text-classification",
        "  languages  es en",
        "  licence    some-terms",
        f"  size       {size} MB",
        "  figures    UMSAB es, macro-F1          0.712",
        "             OpeNER hotels es, accuracy  0.950",
    ]
    assert run("models")[0].splitlines()[: len(expected)] == expected
    assert [line.rstrip() for line in terminal(60, "models")][: len(expected)] == expected


@pytest.mark.parametrize("card", [False, True])
def test_without_the_weights_it_says_how_to_get_them(built_in, run, refused, monkeypatch, tmp_path, card):
    if card:
        built_in(False)
    else:
        monkeypatch.setattr(hub, "WEIGHTS_PACKAGE", "gatonegro_models_that_nobody_has")
    _, err = run("sentiment", "hola", status=1)
    assert "pip install -U gatonegro-models (from a checkout: pip install ./models)" in err.splitlines()[-1]
    for arguments in (["tokens", "hola"], ["convert", "sentiment-es-en", "-o", tmp_path / "out"]):
        assert "pip install -U gatonegro-models" in refused(*arguments)
    assert not (tmp_path / "out").exists()
    assert lines(run("models", "--json")[0])[0]["installed"] is False
    assert "not installed: pip install gatonegro-models" in run("models")[0]


def test_the_built_in_is_named_and_opens_no_socket(built_in, run, no_socket):
    built_in(True)
    out, err = run("sentiment", "--json", "el gato")
    assert lines(out)[0]["label"] and err == "gatonegro: no model was named, so this is the built-in sentiment-es-en.\n"
    assert run("tokens", "el gato")[1] == ""


# convert


@pytest.fixture
def wide(make_folder):
    """A folder whose matrices are large enough for int8, with a card."""
    folder = make_folder(hidden_size=64, intermediate_size=128)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return folder


def answers(run, folder) -> list[float]:
    return [one["score"] for one in lines(run("sentiment", "--json", "-m", folder, *TEXTS)[0])]


def same_tensors(a, b) -> None:
    a, b = load_file(a), load_file(b)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_convert_to_int8_and_back(wide, run, tmp_path, no_socket):
    small, back, again = tmp_path / "new" / "small", tmp_path / "back", tmp_path / "again"
    assert run("convert", wide, "-o", small, "--int8") == (f"{small}\n", "")
    assert run("convert", small, "-o", back) == (f"{back}\n", "")
    assert run("convert", back, "-o", again, "--int8") == (f"{again}\n", "")
    weights = [folder / "model.safetensors" for folder in (wide, small, back, again)]
    size = [file.stat().st_size for file in weights]
    assert size[1] < 0.5 * size[0] and abs(size[2] - size[0]) < 2000
    same_tensors(weights[1], weights[3])
    assert answers(run, small) == pytest.approx(answers(run, wide), abs=0.1)
    assert answers(run, small) == pytest.approx(answers(run, back), abs=1e-6)
    assert (back / "README.md").read_text(encoding="utf-8") == CARD
    assert json.loads((back / "config.json").read_text()) == json.loads((wide / "config.json").read_text())


def test_convert_of_a_pickled_model(wide, run, refused, tmp_path):
    before = answers(run, wide)
    torch.save(
        {name: tensor.clone() for name, tensor in load_file(wide / "model.safetensors").items()},
        wide / "pytorch_model.bin",
    )
    (wide / "model.safetensors").unlink()
    assert f"gatonegro convert {wide} -o FOLDER" in refused("sentiment", "-m", wide, "hola")
    run("convert", wide, "-o", tmp_path / "out")
    run("convert", wide, "-o", wide)  # onto its own folder
    assert answers(run, tmp_path / "out") == answers(run, wide) == before


def test_convert_onto_its_own_folder(wide, run, tmp_path):
    before = answers(run, wide)
    run("convert", wide, "-o", wide)
    assert answers(run, wide) == before
    run("convert", wide, "-o", wide, "--int8")
    once = shutil.copy(wide / "model.safetensors", tmp_path)
    run("convert", wide, "-o", wide, "--int8")
    same_tensors(wide / "model.safetensors", once)
    assert answers(run, wide) == pytest.approx(before, abs=0.1)
    assert (wide / "README.md").read_text(encoding="utf-8") == CARD


def test_convert_without_a_tokenizer(wide, run, tmp_path):
    for name in ("vocab.txt", "tokenizer_config.json"):
        (wide / name).unlink()
    out, err = run("convert", wide, "-o", tmp_path / "out")
    assert out == f"{tmp_path / 'out'}\n"
    assert err.startswith("gatonegro: no tokenizer was written: ") and err.count("\n") == 1
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_convert_to_where_nothing_can_be_written(tiny, refused, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    assert "is no folder to write to" in refused("convert", tiny, "-o", file)
    assert "is no folder to write to" in refused("convert", tiny, "-o", "")
    assert "cannot be written" in refused("convert", tiny, "-o", file / "below")
    assert file.read_text() == "mine"


# a class without a network


def test_get_copies_a_model_that_is_then_used_from_there(wide, run, tmp_path, no_socket):
    out, err = run("models", "--get", wide, "--to", tmp_path / "usb")
    folder = tmp_path / "usb" / wide.name
    assert out == f"{folder}\n" and f"-m {folder}" in err and err.count("\n") == 1
    assert answers(run, folder) == answers(run, wide)
    assert (folder / "README.md").read_text(encoding="utf-8") == CARD
    assert not list(folder.glob(".*"))  # nothing half written
    assert run("models", "--get", wide, "--to", tmp_path / "usb")[0] == out  # and again


def test_get_keeps_what_a_name_told(tiny, run, tmp_path):
    shutil.copytree(tiny, tmp_path / "robertuito-x")
    (folder,) = run("models", "--get", tmp_path / "robertuito-x", "--to", tmp_path / "usb")[0].splitlines()
    shutil.move(folder, tmp_path / "other")
    assert pipeline("sentiment-analysis", model=tmp_path / "other").preprocess is not None
    assert pipeline("sentiment-analysis", model=tiny).preprocess is None


def test_get_does_not_mix_two_models(wide, tiny, run, refused, tmp_path):
    shutil.copytree(wide, tmp_path / "other" / "x")
    (folder,) = run("models", "--get", tmp_path / "other" / "x", "--to", tmp_path / "usb")[0].splitlines()
    shutil.copytree(tiny, tmp_path / "x")
    (tmp_path / "x" / "model.safetensors").rename(tmp_path / "x" / "pytorch_model.bin")
    assert "holds something else (model.safetensors)" in refused(
        "models", "--get", tmp_path / "x", "--to", tmp_path / "usb"
    )
    assert answers(run, folder) == answers(run, wide)


def test_get_keeps_what_is_not_a_models(wide, run, refused, tmp_path):
    theirs = tmp_path / "usb" / wide.name / "README.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    assert "holds something else (README.md)" in refused("models", "--get", wide, "--to", tmp_path / "usb")
    assert theirs.read_text() == "mine"


def test_get_says_of_a_pickle_that_it_must_be_written_anew(tiny, run, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(tiny, folder)
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    _, err = run("models", "--get", folder, "--to", tmp_path / "usb")
    assert "gatonegro convert" in err and "To use it" not in err


def test_get_by_a_path_that_ends_in_dots_stays_below(tiny, run, tmp_path):
    (tmp_path / "m" / "sub").mkdir(parents=True)
    for path in tiny.iterdir():
        shutil.copy(path, tmp_path / "m")
    out, _ = run("models", "--get", tmp_path / "m" / "sub" / "..", "--to", tmp_path / "usb")
    assert out == f"{tmp_path / 'usb' / 'm'}\n"


def test_get_refuses_what_is_no_model_or_no_place(tiny, refused, tmp_path):
    assert "no such folder" in refused("models", "--get", "./nowhere", "--to", tmp_path)
    assert "is the model itself" in refused("models", "--get", tiny, "--to", tiny.parent)
    (tmp_path / "file").touch()
    assert "cannot be written" in refused("models", "--get", tiny, "--to", tmp_path / "file")
    assert "name a model" in refused("models", "--to", tmp_path)


# called from Python


def process() -> dict:
    """What a command sets for itself, and what another program would see of it."""
    return {
        "argparse": argparse._,
        "usage": argparse.ArgumentParser("other").format_help(),
        "gc": gc.get_threshold(),
        "streams": [(stream, stream.errors) for stream in (sys.stdout, sys.stderr)],
        "warnings": (warnings.filters[:], warnings.showwarning),
        "language": user_language(),
        "environment": dict(os.environ),
    }


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


# messages


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
    for lang, wanted in (("en", en), ("es", es)):
        with override_language(lang):
            print_message(message)
        assert capsys.readouterr().err == f"gatonegro: {wanted}\n"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_warnings_and_errors_of_a_command_name_their_text(monkeypatch, run, lang):
    def command(args):
        warnings.warn(GatonegroWarning("is long", "es largo", item=1), stacklevel=1)
        raise RowError("is empty", "está vacío", item=2)

    monkeypatch.setattr("gatonegro.cli.models.run", command)
    wanted = {"en": "text 2 is long, text 3 is empty", "es": "el texto 2 es largo, el texto 3 está vacío"}[lang]
    _, err = run("models", "--lang", lang, status=1)
    assert err.splitlines() == [f"gatonegro: {line}" for line in wanted.split(", ")]


# in Spanish


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
        "align", "auto", "beam", "bench", "commit", "convert", "cuda", "device", "diagnose", "error", "explain",
        "float", "from", "gatonegro", "help", "html", "json", "lang", "layers", "matrices", "model", "models",
        "nbest", "offline", "output", "pickle", "precision", "ransformer", "revision", "safetensors", "score",
        "sentiment", "text", "tokens", "transformers", "translate", "tune", "version",
    }, same  # fmt: skip


def test_errors_in_spanish(run, tiny, monkeypatch):
    monkeypatch.setenv("GATONEGRO_LANG", "es")
    assert "no existe esa carpeta" in run("sentiment", "-m", "./nada", "hola", status=1)[1]
    assert run("sentiment", "-m", tiny, stdin=f"uno\n{LONG}\n".encode())[1].startswith("gatonegro: el texto 2 pasa de")


# what people mean


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sentiment", "--jsn", "x"], "did you mean --json?"),
        (["sentiment", "--topk", "2", "x"], "did you mean --top-k?"),
        (["sentiment", "-Hola"], "write -- before it"),
        (["tokens", "--min-score", "1", "x"], "unrecognized arguments: --min-score"),
        (["sentiment", "--min-score", "2", "x"], "must be a number from 0 to 1"),
    ],
)
def test_what_a_mistyped_option_may_have_meant(arguments, said, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    shown = capsys.readouterr().err
    assert end.value.code == 2 and said in shown and shown.startswith(f"usage: gatonegro {arguments[0]}")


def test_the_name_of_a_file_is_a_text_and_this_is_said(tiny, run, tmp_path, monkeypatch):
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


# what is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sentiment", "--top-k", "0", "x"], "--top-k: must be a whole number of at least 1, not '0'"),
        (["sentiment", "--top-k", "-1", "x"], "--top-k: must be a whole number of at least 1, not '-1'"),
        (["sentiment", "--top-k", "abc", "x"], "--top-k: must be a whole number of at least 1, not 'abc'"),
        (["sentiment", "--top-k", "²", "x"], "--top-k: must be"),
        (["sentiment", "--top-k", "9" * 5000, "x"], "--top-k: invalid"),
        (["sentiment", "--bogus", "x"], "unrecognized arguments: --bogus"),
        (["sentiment", "x", "-m"], "expected one argument"),
        (["convert", "x"], "required: -o/--output"),
        (["convert", "-o", "x"], "required: NAME"),
        (["sentimento", "x"], "there is no 'sentimento'; did you mean sentiment?"),
    ],
)
def test_wrong_usage(arguments, said, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert left.value.code == 2 and out == ""
    assert "usage: gatonegro" in err and said in err.splitlines()[-1]


def test_no_command(run):
    out, err = run(status=2)
    assert out == "" and "usage: gatonegro" in err
    for flag in ("--version", "-V"):
        assert run(flag) == (f"gatonegro {__version__}\n", "")


@pytest.mark.parametrize("command", ["sentiment", "tokens", "convert"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./nowhere", "no such folder"),
        ("", "no folder here"),
        ("no such/model", "no name on the hub"),
        ("caf\udce9", "no name on the hub"),
        ("nobody/nothing", "the network may not be asked"),
    ],
)
def test_unknown_model(refused, no_socket, tmp_path, command, name, said):
    more = ["-o", tmp_path / "out"] if command == "convert" else ["hola"]
    first = [name] if command == "convert" else ["-m", name]
    assert said in refused(command, *first, "--offline", *more)
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
    assert "there are no weights" in refused("sentiment", "-m", tmp_path, "hola")
    (tmp_path / "model.safetensors").write_bytes((tiny / "model.safetensors").read_bytes()[:-9])
    assert "is no whole safetensors file" in refused("sentiment", "-m", tmp_path, "hola")
    assert "is a file" in refused("sentiment", "-m", tiny / "config.json", "hola")
    assert "head" in refused("sentiment", "-m", make_folder("masked-lm"), "hola")


@pytest.mark.parametrize("device", ["foo", "meta", "cuda:99", "99", "9" * 30, "²", "", "\udce9", "mps:\n"])
def test_devices_that_are_not_here(tiny, refused, device):
    assert "cannot be used here" in refused("sentiment", "-m", tiny, "--device", device, "hola")


@pytest.mark.parametrize("device", ["cpu", "-1", "auto"])
def test_devices_that_are_here(tiny, run, device):
    assert run("sentiment", "-m", tiny, "--device", device, "hola")[0]


# real processes


@contextmanager
def start(*arguments, **streams):
    """A gatonegro that runs beside us, for as long as the `with` lasts."""
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color"}
    settings.pop("NO_COLOR", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-m", "gatonegro", *map(str, arguments)]
    with subprocess.Popen(command, bufsize=0, env=settings, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


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
    ("redirect", "said"),
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
def test_streams_that_are_closed_or_full(tiny, redirect, said):
    text = [] if redirect == "<&-" else ["hola"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m gatonegro tokens "$@" {redirect}', sys.executable, "-m", tiny, *text],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("gatonegro: ") and said in done.stderr and done.stderr.count("\n") == 1


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
        assert process.wait(60) == 0
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


class Screen:
    """A terminal: what a process shows there, and what a person types."""

    def __init__(self, columns: int = 80):
        import fcntl
        import pty
        import struct
        import termios

        self.person, self.process = pty.openpty()
        fcntl.ioctl(self.process, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.unread = ""

    def until(self, text: str) -> str:
        """Read on until that is shown; returns what was shown before it, since the last time."""
        while text not in self.unread:
            self.unread += os.read(self.person, 4096).decode(errors="replace")  # OSError: the process has ended
        before, _, self.unread = self.unread.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.person, text.encode())


@pytest.fixture
def tty():
    screen = Screen()
    yield screen
    os.close(screen.person)


@posix
def test_a_person_at_a_terminal(tiny, tty):
    end = tty.process
    with start("sentiment", "-m", tiny, stdin=end, stdout=end, stderr=end, start_new_session=True) as process:
        os.close(end)
        tty.until("Ctrl-D ends")
        tty.type("el gato\n")
        tty.until("el gato")  # the echo
        assert "\x1b[1;3" in tty.until("el gato")  # bold, and of a colour
        tty.type("\x04")
        assert process.wait(60) == 0


@posix
def test_progress_of_a_file(tiny, tty, tmp_path):
    source, out = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    source.write_text("el gato\nel perro\n" * 50)
    with (
        source.open("rb") as stdin,
        out.open("wb") as stdout,
        start("sentiment", "--json", "-m", tiny, stdin=stdin, stdout=stdout, stderr=tty.process) as process,
    ):
        os.close(tty.process)
        tty.until("100%")
        assert process.wait(60) == 0
    assert len(lines(out.read_text())) == 100


def test_bench_says_how_fast_each_precision_is_and_keeps_the_fastest(tiny, run, tmp_path, monkeypatch):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path))
    found = json.loads(run("bench", "-m", tiny, "--json")[0])
    rows = {row["precision"]: row for row in found["precisions"]}
    assert {"fp32", "int8"} <= set(rows) and all(
        row["texts_per_s"] > 0 and row["ms_for_one"] > 0 for row in rows.values()
    )
    assert [row["precision"] for row in rows.values() if row["auto"]] == [pipeline(model=tiny).model.precision]
    assert not list(tmp_path.iterdir())
    out, err = run("bench", "-m", tiny, "--tune")
    assert len(out.splitlines()) == len(rows) and str(tmp_path / "tuned.json") in err
    assert (tmp_path / "tuned.json").exists()


def test_bench_where_nothing_can_be_kept(tiny, run, monkeypatch):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tiny / "vocab.txt"))
    assert "set GATONEGRO_CACHE to another folder" in run("bench", "-m", tiny, "--tune", status=1)[1]


def test_sentiment_in_a_precision(tiny, run):
    labels = [run("sentiment", "-m", tiny, "--precision", p, "el gato")[0].split("\t")[0] for p in ("fp32", "int8")]
    assert labels[0] == labels[1]
    with pytest.raises(SystemExit):
        run("sentiment", "-m", tiny, "--precision", "int4", "el gato")


@pytest.fixture(scope="session")
def translator(tmp_path_factory):
    return make("marian", tmp_path_factory.mktemp("marian"))


def test_translate(run, translator):
    text = "El gato negro duerme."
    line = run("translate", "-m", translator, text)[0]
    assert line.count("\n") == 1
    (one,) = lines(run("translate", "-m", translator, "--json", "--align", "--from", "es", "--to", "en", text)[0])
    assert one["text"] == text and one["translation"] + "\n" == line and (one["from"], one["to"]) == ("es", "en")
    assert one["score"] < 0 and all(link["source"] in text for link in one["alignments"])
    (three,) = lines(run("translate", "-m", translator, "--json", "--nbest", "3", text)[0])
    assert three["translations"][0]["translation"] == one["translation"]
    lines_ = run("translate", "-m", translator, "--nbest", "3", "--beam", "6", text)[0].splitlines()
    scores = [float(line.split("\t")[0]) for line in lines_]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_translate_keeps_its_lines(run, translator):
    out = run("translate", "-m", translator, stdin="El gato.\n\n-\n🐈\nhttps://ejemplo.org\n".encode())[0]
    assert out.splitlines()[1:] == ["", "-", "🐈", "https://ejemplo.org"]


def test_translate_with_a_model_without_a_decoder(run, tiny):
    assert "seq2seq" in run("translate", "-m", tiny, "hola", status=1)[1]


def test_convert_keeps_how_a_model_writes(run, translator, tmp_path):
    run("convert", translator, "-o", tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "generation_config.json").read_text(encoding="utf-8"))
    assert kept == json.loads((translator / "generation_config.json").read_text(encoding="utf-8"))
