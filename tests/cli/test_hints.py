"""Words that people type, and messages that name the options of the command line."""

import re
import shutil
from pathlib import Path

import pytest
from commands import lines
from rows import BUILT_IN

import gatonegro
from gatonegro import hub
from gatonegro.cli import arguments, terminal
from gatonegro.cli.terminal import print_message
from gatonegro.errors import GatonegroWarning, OptionError
from gatonegro.pipelines.language_check import MODES


@pytest.mark.case("N19")
@pytest.mark.parametrize(
    ("word", "code"),
    [("español", "es"), ("Español", "es"), ("ESPAÑOL", "es"), ("espanol", "es"), ("spanish", "es"),
     ("castellano", "es"), ("es", "es"), ("ES", "es"), ("english", "en"), ("English", "en"), ("inglés", "en"),
     ("Ingles", "en"), ("en", "en"), ("fr", "fr"), ("zh_CN", "zh_CN"), ("", "")],
)  # fmt: skip
def test_names_of_languages(word, code):
    assert arguments.language(word) == code


@pytest.mark.case("N19")
@BUILT_IN
@pytest.mark.parametrize("word", ["español", "Spanish", "castellano"])
def test_translation_into_a_language_by_name(run, word):
    assert run("translate", "--to", word, "--from", "inglés", "--beam", "1", "The black cat")[0] == "El gato negro\n"


@pytest.mark.case("N19")
@BUILT_IN
@pytest.mark.parametrize(("option", "lang"), [("--to", "en"), ("--from", "en"), ("--to", "es")])
def test_another_language_is_refused_by_the_name_of_the_option(run, option, lang):
    _, err = run("translate", option, "fr", "--lang", lang, "hola", status=1)
    assert f"{option} fr" in err and "es, en" in err and "_lang" not in err


@pytest.mark.case("N19")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tgt_lang='fr' is not supported", "--to fr is not supported"),
        ('pass language_check="off", or src_lang="es".', "pass --language-check off, or --from es."),
        ("device='cuda' cannot", "--device cuda cannot"),
        ("pass precision=, top_k=None or num_beams=3", "pass precision=, --top-k None or --beam 3"),
        ("(HF_HUB_OFFLINE or local_files_only) local_files_only=True.", "(HF_HUB_OFFLINE or --offline) --offline."),
        ("gatonegro.diagnose(text, model=…) shows", "gatonegro diagnose shows"),
        ("the model and its device; min_score", "the model and its device; --min-score"),
        ("the model=that and my_device='x'", "the --model that and my_device='x'"),
    ],
)
def test_options_in_messages_are_those_of_the_shell(capsys, text, shown):
    for message in (OptionError(text), GatonegroWarning(text)):
        print_message(message)
        assert capsys.readouterr().err == f"gatonegro: {shown}\n"


@pytest.mark.case("N19")
@BUILT_IN
def test_the_language_check_is_an_option(run):
    text = "El profesor es bueno, todo será sencillo"
    out, err = run("sentiment", "-m", "demo-en", "--json", text)
    assert "--language-check off" in err and "language_check" not in err and "model=" not in err
    assert run("sentiment", "-m", "demo-en", "--language-check", "off", "--json", text) == (out, "")
    out, err = run("sentiment", "-m", "demo-en", "--language-check", "route", "--json", text)
    assert lines(out)[0]["model"] == "sentiment-es-en" and err == ""
    assert "Spanish" in run("sentiment", "-m", "demo-en", "--language-check", "error", text, status=1)[1]


@pytest.mark.case("N19")
def test_messages_of_the_library_name_no_option_of_the_shell():
    found = [file for file in Path(gatonegro.__file__).parent.rglob("*.json") if file.parent.name != "cli"]
    named = {flag for file in found for flag in re.findall(r"--[a-z-]+", file.read_text("utf-8"))}
    assert found and named.isdisjoint(terminal.FLAGS.values())


def test_the_modes_of_the_language_check_are_those_of_pipelines():
    assert arguments.LANGUAGE_CHECKS == MODES
    assert all(flag.startswith("--") for flag in terminal.FLAGS.values())


@pytest.mark.case("N19")
def test_fewer_translations_than_were_asked_for_are_said(run, translator, monkeypatch):
    unique = run("translate", "-m", translator, "--nbest", "3", "--json", "El gato.")
    assert len(lines(unique[0])[0]["translations"]) == 3 or "fewer than 3" in unique[1]
    from gatonegro.tasks import document

    monkeypatch.setattr(document, "decode_text", lambda *args: "the same")
    for arguments_, count in ((["El gato.", "La casa.", ""], 2), (["El gato."], 1)):
        out, err = run("translate", "-m", translator, "--nbest", "3", "--json", *arguments_)
        assert [len(record["translations"]) for record in lines(out)][:1] == [1]
        assert err.startswith(f"gatonegro: {count} of the texts have fewer than 3 different translations")
        assert "--beam" in err


@pytest.mark.case("N19")
def test_bench_says_what_it_does(tiny, run, monkeypatch):
    monkeypatch.setattr("gatonegro.cli.bench.N_ROUNDS", 1)
    monkeypatch.setattr("gatonegro.cli.bench.N_COPIES", 1)
    _, err = run("bench", "-m", tiny, "--json")
    assert err.startswith("gatonegro: measuring fp32,") and "about a minute" in err.splitlines()[0]
    if "demo-en" in hub.built_in_models():
        assert run("bench", "-m", "demo-en", "--json")[1].count("\n") == 1  # no word on its own Spanish sentences


@pytest.mark.case("N19")
@BUILT_IN
@pytest.mark.parametrize("name", ["sentiment-es-en", "demo-en"])
def test_a_folder_without_a_model_hides_no_built_in(run, refused, tmp_path, monkeypatch, tiny, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").touch()
    assert hub.locate(name).folder == hub.built_in_models()[name]
    assert run("tokens", "-m", name, "hola")[0]
    assert "has no tokenizer" in refused("tokens", "-m", f"./{name}", "hola")
    shutil.copytree(tiny, tmp_path / name, dirs_exist_ok=True)
    assert hub.locate(name).folder == hub.locate(f"./{name}").folder  # with a config.json, it is meant


@pytest.mark.case("N19")
def test_get_names_a_path_and_no_built_in(run, tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, err = run("models", "--get", tiny)
    assert out == f"{tiny.name}\n" and f"-m ./{tiny.name}" in err
