"""`gatonegro models`: the list, and `--get`."""

import shutil

import pytest
import torch
from commands import CARD, answers, lines

from gatonegro import hub, pipeline


@pytest.fixture
def built_in(tmp_path, monkeypatch, tiny):
    """Return `built_in(whole)`, which installs the weights' distribution, with the weights or with the card only."""

    def install(whole: bool):
        folder = tmp_path / "site" / "gatonegro_models" / "sentiment-es-en"
        shutil.copytree(tiny, folder) if whole else folder.mkdir(parents=True)
        (folder / "README.md").write_text(CARD, encoding="utf-8")
        (folder.parent / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path / "site")
        return folder

    return install


def test_models(built_in, run, terminal, no_socket):
    folder = built_in(True)
    first, *others = lines(run("models", "--json")[0])
    tasks = {"translate-es-en": "translation", "demo-en": "text-classification"}
    assert others == [{"name": name, "task": task, "installed": False} for name, task in tasks.items()]
    size = round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1)
    assert first == {
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


def test_get_copies_a_model_that_is_then_used_from_there(wide, run, tmp_path, no_socket):
    out, err = run("models", "--get", wide, "--to", tmp_path / "usb")
    folder = tmp_path / "usb" / wide.name
    assert out == f"{folder}\n" and f"-m {folder}" in err and err.count("\n") == 1
    assert answers(run, folder) == answers(run, wide)
    assert (folder / "README.md").read_text(encoding="utf-8") == CARD
    assert not list(folder.glob(".*"))  # nothing half written
    assert run("models", "--get", wide, "--to", tmp_path / "usb")[0] == out  # and again


def test_get_keeps_the_preprocessing_that_a_name_implied(tiny, run, tmp_path):
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
    assert "holds other files (model.safetensors)" in refused(
        "models", "--get", tmp_path / "x", "--to", tmp_path / "usb"
    )
    assert answers(run, folder) == answers(run, wide)


def test_get_keeps_what_is_not_a_models(wide, run, refused, tmp_path):
    theirs = tmp_path / "usb" / wide.name / "README.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    assert "holds other files (README.md)" in refused("models", "--get", wide, "--to", tmp_path / "usb")
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
