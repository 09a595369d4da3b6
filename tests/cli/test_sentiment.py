"""`gatonegro sentiment`: arguments, lines of standard input, encodings, output for people, pipes and machines."""

import io
import json
import re
import sys

import pytest
from commands import LONG, TEXTS, lines
from rich.cells import cell_len

from gatonegro import cli, pipeline
from gatonegro.cli import input as cli_input


def labels(texts: list[str], folder, **options) -> list:
    return pipeline("sentiment-analysis", model=folder, **options)(texts)


def test_arguments_and_lines_get_the_answers_of_the_pipeline(tiny, run):
    expected = [{"text": text, **answer} for text, answer in zip(TEXTS, labels(TEXTS, tiny), strict=True)]
    expected[1] |= {"label": None, "score": None}  # the empty text, which has no sentiment
    for arguments, stdin in ((TEXTS, b"not read"), ([], "\n".join(TEXTS).encode())):
        out, err = run("sentiment", "--json", "-m", tiny, *arguments, stdin=stdin)
        records = lines(out)
        assert [list(answer) for answer in records] == [["text", "label", "score"]] * len(TEXTS)
        for answer, other in zip(records, expected, strict=True):
            assert answer == {**other, "score": other["score"] and pytest.approx(other["score"], abs=1e-5)}
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
    message = refused(command, "--json", "-m", tiny, stdin=b"uno\ndos\n\ncaf\xe9\nmore\n", printed=good)
    assert "line 4 of standard input is not UTF-8 (character 4)" in message and "iconv -f latin1" in message


@pytest.mark.parametrize("column", [[], ["--column", "texto"]])
@pytest.mark.parametrize("name", ["utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be", "latin1"])
def test_the_encoding_of_a_file_is_guessed(tiny, refused, name, column):
    text = "texto,año\n«qué»,1\n"
    assert f"iconv -f {name} -t utf-8" in refused("sentiment", "-m", tiny, *column, stdin=text.encode(name))
    if name in ("utf-16", "utf-32"):  # with its other mark
        stdin = f"\ufeff{text}".encode(f"{name}be")
        assert f"iconv -f {name} -t" in refused("sentiment", "-m", tiny, *column, stdin=stdin)


@pytest.mark.parametrize("column", [[], ["--column", "texto"]])
@pytest.mark.parametrize(
    ("stdin", "encoding"),
    [
        ("«¿Él?», texto\n".encode("latin1"), "latin1"),
        ("“Sí”, —texto: 10 €\n".encode("cp1252"), "windows-1252"),
        ("αβγ δε\n".encode("utf-16le"), None),
        ("中文, 這是\n".encode("utf-16be"), None),
        ("привет, мир\n".encode("koi8-r"), None),
        ("你好世界\n".encode("gbk"), None),
        (b"hola \xed\xa0\xbd\xed\xb8\xad\n", None),
        (b"hola \xed\xa0\xbd\n", None),
        ("año caf\n".encode().replace(b"f", b"f\xe9"), None),
    ],
)
def test_an_encoding_is_named_where_it_is_likely(tiny, refused, stdin, encoding, column):
    message = refused("sentiment", "-m", tiny, *column, stdin=stdin)
    assert (f"iconv -f {encoding} -t utf-8" if encoding else "save it as UTF-8") in message
    assert encoding or "iconv" not in message


def test_a_null_character_is_no_sign_of_another_encoding(tiny, run):
    for stdin in (b"\0hola\n", b"a\0\n", b"uno\0dos\0\n"):
        assert len(run("sentiment", "--json", "-m", tiny, stdin=stdin)[0].splitlines()) == 1


@pytest.mark.parametrize("command", ["sentiment", "tokens"])
def test_arguments_that_are_not_utf8(refused, command):
    # before any model is looked for
    assert "text 2 is not UTF-8 (character 4)" in refused(command, "-m", "./nowhere", "uno", "caf\udce9", "tres")


def test_no_standard_input(refused, tiny, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["tokens", "-m", str(tiny)]) == 1
    assert "there is no standard input" in capsys.readouterr().err


def test_lines_are_answered_before_more_are_read(tiny):
    requested = []

    def parts():
        for part in (["uno", "dos"], [], ["tres"]):
            requested.append(part)
            yield part

    answers = pipeline("sentiment-analysis", model=tiny).stream(parts())
    for count, parts_asked_for in ((1, 1), (2, 1), (3, 3)):
        assert next(answers)["label"]
        assert len(requested) == parts_asked_for, count
    assert list(answers) == []


def test_json_of_several_labels(tiny, run):
    (record,) = lines(run("sentiment", "--json", "--top-k", "2", "-m", tiny, "el gato")[0])
    (answer,) = labels(["el gato"], tiny, top_k=2)
    assert record == {"text": "el gato", **answer[0], "labels": answer}
    (record,) = lines(run("sentiment", "--json", "--top-k", "99", "-m", tiny, "el gato")[0])
    assert len(record["labels"]) == 3


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


def test_a_long_text_gives_one_plain_warning(tiny, run, monkeypatch):
    monkeypatch.setattr(cli_input, "CHUNK_BYTES", 16)  # so that it is in another part than the first
    out, err = run("sentiment", "-m", tiny, stdin=f"uno\ndos\ntres\n{LONG}\n{LONG}\n".encode())
    assert len(out.splitlines()) == 5
    assert err.startswith("gatonegro: text 4 is longer than the 64 tokens") and err.count("\n") == 1


def test_sentiment_in_a_precision(tiny, run):
    labels = [run("sentiment", "-m", tiny, "--precision", p, "el gato")[0].split("\t")[0] for p in ("fp32", "int8")]
    assert labels[0] == labels[1]
    with pytest.raises(SystemExit):
        run("sentiment", "-m", tiny, "--precision", "int4", "el gato")
