"""CSV and TSV files on standard input: recognised without `--column`, read with it. Blank texts."""

import pytest
from commands import lines

from gatonegro.cli import input as cli_input

TABLES = {
    "csv": b'id,texto,nota\n1,"el gato, bueno",5\n2,,3\n3,"muy\nmalo",1\n4,la casa,2\n',
    "tsv": b"id\ttexto\tnota\n1\tel gato, bueno\t5\n2\t\t3\n3\t\"muy\nmalo\"\t1\n4\tla casa\t2\n",
    "semicolons": b'id;texto;nota\n1;el gato, bueno;5\n2;;3\n3;"muy\nmalo";1\n4;la casa;2\n',
    "excel": b'\xef\xbb\xbfid,texto,nota\r\n1,"el gato, bueno",5\r\n2,,3\r\n3,"muy\nmalo",1\r\n4,la casa,2\r\n',
    "pandas": b',texto,nota\n0,"el gato, bueno",5\n1,,3\n2,"muy\nmalo",1\n3,la casa,2\n',
    "no last break": b'texto,id\n"el gato, bueno",1\n,2\n"muy\nmalo",3\nla casa,4',
    "old Mac": b'id,texto\r1,"el gato, bueno"\r2,\r3,"muy\nmalo"\r4,la casa\r',
    "a line break in the header": b'"the\nid",texto\n1,"el gato, bueno"\n2,\n3,"muy\nmalo"\n4,la casa\n',
    "another delimiter in the header": b'"a,b\nc,d";"texto"\n1;"el gato, bueno"\n2;\n3;"muy\nmalo"\n4;la casa\n',
    "delimiter named": b'sep=;\r\ntexto;x\r\nel gato, bueno;1\r\n;2\r\n"muy\nmalo";3\r\nla casa;4\r\n',
    "one column": b'\n\ntexto\n"el gato, bueno"\n\n"muy\nmalo"\nla casa\n',
    "short rows": b'id,texto\n1,"el gato, bueno"\n2\n3,"muy\nmalo"\n\n4,la casa,more\n',
}  # fmt: skip
TEXTS = ["el gato, bueno", "", "muy\nmalo", "la casa"]


@pytest.mark.case("N5")
@pytest.mark.parametrize("name", TABLES)
def test_a_column_of_a_table(tiny, run, name):
    records = lines(run("sentiment", "--json", "-m", tiny, "--column", "texto", stdin=TABLES[name])[0])
    assert [record["text"] for record in records] == TEXTS
    assert [record["label"] is None for record in records] == [not text for text in TEXTS]


@pytest.mark.parametrize("command", ["tokens", "diagnose", "explain", "translate"])
def test_every_command_that_reads_texts_reads_a_column(tiny, translator, run, command):
    model = translator if command == "translate" else tiny
    table, texts = b"x,texto\n1,el gato\n2,la casa\n", b"el gato\nla casa\n"
    out = run(command, "-m", model, "--column", "texto", stdin=table)[0]
    assert out and out == run(command, "-m", model, stdin=texts)[0]


@pytest.mark.case("N5")
@pytest.mark.parametrize("name", [*list(TABLES)[:6], "delimiter named"])
def test_a_table_is_recognised(tiny, run, name):
    out, err = run("sentiment", "-m", tiny, stdin=TABLES[name])
    assert "looks like a table with the columns" in err and "--column 'texto'" in err and err.count("\n") == 1
    assert len(out.splitlines()) >= 5


@pytest.mark.parametrize(
    "text",
    [
        "Sí, claro\nNo, gracias\nBueno, vale",
        "Hola\nadiós",
        "El hotel, muy bien; la cena, mal.\nNo volvería, la verdad; ni loco.",
        '{"text":"hola","label":1}\n{"text":"no","label":2}',
        "1,5 euros\n2,5 euros",
        "| a | b |\n| - | - |",
        "Compré pan, leche y huevos.\nLuego, a casa, cené.",
        "https://ejemplo.org/a,b\nhttps://ejemplo.org/c,d",
        "¿Qué,cómo?\n¡Esto,así!",
        "Vale;)\nVale;)",
        "texto,nota",
        "",
        "a,a\nb,b",
    ],
)
def test_prose_is_no_table(text):
    assert cli_input.find_columns(text.split("\n")) is None


@pytest.mark.case("N5")
@pytest.mark.parametrize("lang", ["en", "es"])
def test_a_column_that_is_not_there(tiny, refused, lang):
    message = refused("sentiment", "-m", tiny, "--lang", lang, "--column", "text", stdin=TABLES["semicolons"])
    assert "'text'" in message and "id, texto, nota" in message
    assert "--column" in refused("sentiment", "-m", tiny, "--column", "texto", "hola")
    assert "''" in refused("sentiment", "-m", tiny, "--column", "", stdin=b"t,u\n")


@pytest.mark.parametrize(("lang", "part"), [("en", "several columns 'a'"), ("es", "varias columnas 'a'")])
def test_a_column_whose_name_another_has(tiny, run, refused, lang, part):
    stdin = b"a,b,a\nuno,dos,tres\n"
    assert part in refused("tokens", "-m", tiny, "--lang", lang, "--column", "a", stdin=stdin)
    assert lines(run("tokens", "--json", "-m", tiny, "--column", "b", stdin=stdin)[0])[0]["text"] == "dos"


@pytest.mark.parametrize("stdin", [b"", b"\xef\xbb\xbf", b"\n\r\n", b"sep=;\n"])
def test_a_table_that_is_empty(tiny, refused, stdin):
    assert "standard input is empty" in refused("sentiment", "-m", tiny, "--column", "texto", stdin=stdin)


def test_a_translated_row_is_a_line(translator, run):
    stdin = b'id,texto\n1,"El gato.\nLa casa."\n2,\n3,El perro.\n4,"\n"\n'
    out = run("translate", "-m", translator, "--column", "texto", stdin=stdin)[0].split("\n")
    rows = lines(run("translate", "--json", "-m", translator, "--column", "texto", stdin=stdin)[0])
    assert len(out) == 5 and out[1] == "" == out[3].strip()
    assert out[0].split() == rows[0]["translation"].split() and "\n" in rows[0]["translation"]


def test_a_table_that_cannot_be_read(tiny, refused):
    message = refused("tokens", "-m", tiny, "--column", "t", printed=None, stdin=b"t,u\nhola,1\ncaf\xe9,2\n")
    assert "row 3 of standard input is not UTF-8 (character 4)" in message


def test_a_cell_may_be_long(tiny, run, refused, monkeypatch):
    long = b"t,u\nhola,1\n" + b"a" * 200_000 + b",2\n"
    records = lines(run("tokens", "--json", "-m", tiny, "--column", "t", stdin=long)[0])
    assert [len(record["text"]) for record in records] == [4, 200_000]
    monkeypatch.setattr(cli_input, "MAX_CELL_CHARS", 100_000)
    message = refused("tokens", "-m", tiny, "--column", "t", printed=None, stdin=long)
    assert "from row 3 on: a cell has more than 100000 characters" in message


@pytest.mark.parametrize(
    ("lang", "part"), [("en", "a quotation mark is not closed"), ("es", "unas comillas no se cierran")]
)
@pytest.mark.parametrize("table", [b'id,texto\n1,"no cierra\n2,bueno\n', b'"id",texto\n"1"x,bueno\n'])
def test_a_quote_that_is_not_closed_is_told(tiny, refused, table, lang, part):
    message = refused("sentiment", "-m", tiny, "--lang", lang, "--column", "texto", stdin=table)
    assert part in message and ("row 2" in message or "fila 2" in message)
    header = refused("sentiment", "-m", tiny, "--lang", lang, "--column", "texto", stdin=b'"id,texto\n1,bueno\n')
    assert part in header and ("row 1" in header or "fila 1" in header)


def test_many_rows_come_in_parts(tiny, monkeypatch, run):
    monkeypatch.setattr("gatonegro.cli.input.CHUNK_ROWS", 3)
    table = "t,n\n" + "".join(f"gato {n},{n}\n" for n in range(8))
    records = lines(run("tokens", "--json", "-m", tiny, "--column", "t", stdin=table.encode())[0])
    assert [record["text"] for record in records] == [f"gato {n}" for n in range(8)]


@pytest.mark.case("N5")
@pytest.mark.parametrize(
    ("name", "hint"),
    [("a.csv", "--column NAME < a.csv"), ("a.TSV", "--column NAME"), ("a.txt", "its lines: < a.txt")],
)
def test_the_name_of_a_table_gives_a_hint(tiny, run, tmp_path, monkeypatch, name, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("hola")
    assert hint in run("tokens", "-m", tiny, name)[1]


@pytest.mark.case("N2")
@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0"])
def test_blank_lines_have_no_answer(tiny, translator, run, blank):
    stdin = f"{blank}\nEl gato.\n{blank}\n".encode()
    records = lines(run("sentiment", "--json", "--top-k", "2", "-m", tiny, stdin=stdin)[0])
    assert [(record["text"], record["label"], record["labels"]) for record in records[::2]] == [(blank, None, [])] * 2
    records = lines(run("translate", "--json", "--nbest", "2", "--align", "-m", translator, stdin=stdin)[0])
    for record in records[::2]:
        assert record["text"] == blank and record["translation"] is record["score"] is record["to"] is None
        assert record["translations"] == record["alignments"] == []
    assert run("translate", "-m", translator, stdin=stdin)[0].split("\n")[::2] == [blank, blank]
