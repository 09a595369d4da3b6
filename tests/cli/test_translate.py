"""`gatonegro translate`: directions, layout, models without a decoder."""

import pytest
from commands import lines


def test_translate(run, translator):
    text = "El gato negro duerme."
    line = run("translate", "-m", translator, text)[0]
    assert line.count("\n") == 1
    (record,) = lines(run("translate", "-m", translator, "--json", "--align", "--from", "es", "--to", "en", text)[0])
    assert record["text"] == text and record["translation"] + "\n" == line
    assert (record["from"], record["to"]) == ("es", "en")
    assert record["score"] < 0 and all(link["source"] in text for link in record["alignments"])
    (three,) = lines(run("translate", "-m", translator, "--json", "--nbest", "3", text)[0])
    assert three["translations"][0]["translation"] == record["translation"]
    lines_ = run("translate", "-m", translator, "--nbest", "3", "--beam", "6", text)[0].splitlines()
    scores = [float(line.split("\t")[0]) for line in lines_]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_translate_keeps_its_lines(run, translator):
    out = run("translate", "-m", translator, stdin="El gato.\n\n-\n🐈\nhttps://ejemplo.org\n".encode())[0]
    assert out.splitlines()[1:] == ["", "-", "🐈", "https://ejemplo.org"]


def test_translate_writes_numbers_by_the_rules_of_the_language_or_keeps_them(run, translator):
    arguments = ("translate", "-m", translator, "--from", "es", "--to", "en", "1.250,5 € y 12.000 €")
    assert run(*arguments)[0].startswith("1,250.5 €")
    assert run(*arguments, "--numbers", "keep")[0].startswith("1.250,5 €")


def test_translate_with_a_model_without_a_decoder(run, tiny):
    assert "seq2seq" in run("translate", "-m", tiny, "hola", status=1)[1]


@pytest.mark.case("F12")
@pytest.mark.parametrize(
    "text",
    [
        "-\r\n🐈\r\n",
        "-\n🐈",
        "-\n🐈\n",
        "-\r\n\r\n🐈",
        "\n\n-",
        "12\r\nhttps://ejemplo.org\n-\n",
        "",
        "```py\ngato = 'El gato negro duerme.'\n```\n",
        "-\n  ~~~\r\n  el gato\r\n  ~~~\r\n",
        "|---|---|\r\n| 1 | 2 |",
    ],
)
def test_translate_keeps_line_ends(run, translator, text):
    for arguments in ((), ("-",)):
        assert run("translate", "-m", translator, *arguments, stdin=text.encode())[0] == text


@pytest.mark.case("F12")
def test_only_a_document_has_its_own_line_ends(run, translator):
    out = run("translate", "-m", translator, stdin=b"El gato.\r\nEl perro")[0]
    assert out.count("\r\n") == out.count("\n") == 1 and not out.endswith("\n")
    assert [line["text"] for line in lines(run("translate", "-m", translator, "--json", stdin=b"a\r\nb")[0])] == [
        "a",
        "b",
    ]
    assert run("translate", "-m", translator, "-")[0] == ""
    assert run("translate", "-m", translator, "🐈")[0] == "🐈\n"


@pytest.mark.case("F6")
@pytest.mark.parametrize("end", ["\n", "", "x\n" * 1001])
def test_a_code_block_without_an_end_is_text(run, translator, end):
    out = run("translate", "-m", translator, stdin=f"```\n-\n{end}".encode())[0]
    assert out.startswith("```\n-\n") and out.count("\n") == 2 + end.count("\n")
