"""`gatonegro translate`: directions, layout, models without a decoder."""

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
