"""`gatonegro translate`: directions, layout, models without a decoder."""

import io

import pytest
from commands import lines
from rows import BUILT_IN

from gatonegro.cli import input as cli_input


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
        "<!--\nEl perro duerme en la casa.\n-->\n",
        "<pre>\r\nla casa es grande\r\n</pre>",
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


DOCUMENT = "# Uno\n\n```\nla casa\n\nla mesa\n```\n\n- dos\n\n- tres\n\n<!--\ncuatro\n\ncinco\n-->\n\nseis\n"


@pytest.mark.parametrize("limit", range(1, len(DOCUMENT), 3))
def test_a_long_document_is_cut_between_its_blocks(monkeypatch, limit):
    monkeypatch.setattr(cli_input, "MAX_DOCUMENT_CHARS", limit)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT.encode())))
    texts = [text for part in cli_input.read_texts([], as_document=True) for text in part]
    assert "".join(texts) == DOCUMENT and (len(texts) > 1) == (limit < len(DOCUMENT))
    assert all(text.endswith("\n") for text in texts if text)
    for block in DOCUMENT[7:32], DOCUMENT[48:71]:  # code, comment
        assert len(block) > limit or any(block.strip() in text for text in texts)


def test_the_lines_before_one_that_is_not_utf8_are_a_document(refused, translator):
    message = refused(
        "translate", "-m", translator, stdin=b"```\nla casa\n```\ncaf\xe9\n", printed="```\nla casa\n```\n"
    )
    assert "line 4" in message


def test_in_a_terminal_a_document_keeps_its_code_and_typed_lines_are_texts(terminal, translator, monkeypatch):
    text = b"```\nel gato\n```\n"
    assert terminal(80, "translate", "-m", translator, stdin=text)[1].rstrip() == "el gato"
    monkeypatch.setattr(io, "TextIOWrapper", type("Typed", (io.TextIOWrapper,), {"isatty": lambda self: True}))
    shown = terminal(80, "translate", "-m", translator, "--from", "es", "--to", "en", stdin=text)
    assert len(shown) == 3 and "el gato" not in shown[1]


@BUILT_IN
def test_standard_input_is_one_document_but_a_line_is_a_text_in_json(run):
    text = "El **gato\nnegro** duerme.\n\n| precio | otro |\n|---|---|\n| 1.234 | 2.500,75 |\n"
    out = run("translate", stdin=text.encode())[0]
    assert out.startswith("The **") and out.split("\n\n")[0].count("**") == 2 and out.count("\n") == text.count("\n")
    assert out.endswith("| 1,234 | 2,500.75 |\n")
    assert [line["text"] for line in lines(run("translate", "--json", stdin=text.encode())[0])] == text.splitlines()


@BUILT_IN
def test_a_single_doubtful_translation_is_said_with_its_reason(run, monkeypatch):
    reason = {"copied": "it repeats words of the source: gato"}
    answer = {"translation_text": "El gato", "src_lang": "es", "tgt_lang": "en", "score": -1.0}
    answers = [[answer | {"doubtful": True, "doubt": reason}], [answer]]
    monkeypatch.setattr(
        "gatonegro.cli.translate.with_answers", lambda texts, *_: zip(texts, answers[: len(texts)], strict=True)
    )
    assert run("translate", "--lang", "en", "-m", "translate-es-en", "El gato")[1].splitlines() == [
        "gatonegro: the translation may be wrong: it repeats words of the source: gato."
    ]
    assert "1 of 2 translations may" in run("translate", "--lang", "en", "-m", "translate-es-en", "El gato", "x")[1]
