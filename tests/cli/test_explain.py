"""`gatonegro explain -o`: where an explanation is written."""

import pytest


@pytest.mark.parametrize(
    ("path", "lang", "part"),
    [
        ("new/x.html", "en", "there is no folder new"),
        ("new/x.html", "es", "no existe la carpeta new"),
        ("", "en", "is a folder"),
        (".", "es", "es una carpeta"),
        ("x.pdf", "en", "is saved as .html"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(refused, tmp_path, monkeypatch, path, lang, part):
    monkeypatch.chdir(tmp_path)
    assert part in refused("explain", "--lang", lang, "-m", "toy", "El gato negro", "-o", path)
    assert not [*tmp_path.iterdir()]


def test_an_explanation_is_written_to_a_file(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("explain", "--lang", "en", "-m", "toy", "El gato negro", "-o", "x.txt") == (
        "", "gatonegro: written to x.txt\n",
    )  # fmt: skip
    assert "gato" in (tmp_path / "x.txt").read_text(encoding="utf-8")
