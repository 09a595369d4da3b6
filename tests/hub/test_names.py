"""Names, folders and built-in models, before any network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatonegro import hub
from gatonegro.errors import ConfigError, HubError, OptionError

NAME = "alguien/modelo"


def test_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for name in (tmp_path, str(tmp_path)):
        source = hub.locate(name)
        assert (source.name, source.folder, source.revision) == (str(tmp_path), tmp_path, None)
        assert source.file("config.json") == tmp_path / "config.json"
        assert source.file("model.safetensors") is None
        assert str(tmp_path) in str(source.location)


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "modelo").mkdir()
    assert hub.locate("~/modelo").folder == tmp_path / "modelo"


@pytest.mark.parametrize(
    "filename", ["../x", "a/../../x", "/etc/passwd", "..\\x", "C:x", "C:/x", "", ".", "a\0b", "..", "x:y"]
)
def test_no_file_leads_out(tmp_path, filename, no_socket):
    (tmp_path.parent / "x").write_text("secret")
    for source in (hub.locate(tmp_path), hub.locate(NAME)):
        with pytest.raises(HubError, match="is outside"):
            source.file(filename)


@pytest.mark.parametrize("name", ["./modelo", "/no/such", "C:\\x", "..", "a/b/c", "~/none", "modelo/", "m.safetensors"])
def test_path_that_is_not_there(tmp_path, monkeypatch, name, no_socket):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    if name == "..":
        assert hub.locate(name).folder == Path("..")
        return
    with pytest.raises(HubError, match="no such folder"):
        hub.locate(name)


def test_a_path_object_is_never_a_hub_name(no_socket):
    with pytest.raises(HubError, match="no such folder"):
        hub.locate(Path(NAME))


def test_file_instead_of_folder(tmp_path):
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(HubError, match=r"is a file; pass the folder"):
        hub.locate(file)


@pytest.mark.parametrize("name", ["", "a b", "a--b", ".hidden/../x", "x" * 5000, "a\0b", "modelo.git", "¿qué?"])
def test_name_of_wrong_form(name, no_socket):
    with pytest.raises(HubError, match=r"nor a hub name|no such folder"):
        hub.locate(name)


@pytest.mark.parametrize("name", [None, 3, b"modelo", ["modelo"]])
def test_name_of_wrong_type(name):
    with pytest.raises(OptionError, match="must be text or a path"):
        hub.locate(name)


@pytest.mark.parametrize("revision", ["../x", "/etc/passwd", "", "a\\b"])
def test_revision_of_wrong_form(revision, no_socket):
    with pytest.raises(HubError, match="cannot be a revision"):
        hub.locate(NAME, revision=revision)


@pytest.fixture
def data_package(tmp_path, monkeypatch):
    """Install the weights' distribution with the named models."""
    root = tmp_path / "site"

    def install(*names):
        package = root / "gatonegro_models"
        for name in names:
            (package / name).mkdir(parents=True)
            (package / name / "config.json").write_text("{}")
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        return package

    monkeypatch.syspath_prepend(root)
    return install


def test_built_in(data_package, monkeypatch, tmp_path, no_socket):
    package = data_package("sentiment-es-en", "unknown")
    assert hub.built_in_models() == {"sentiment-es-en": package / "sentiment-es-en"}
    source = hub.locate("sentiment-es-en")
    assert source.folder == package / "sentiment-es-en"
    assert source.file("config.json") == source.folder / "config.json"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sentiment-es-en").mkdir()
    assert hub.locate("sentiment-es-en").folder == package / "sentiment-es-en"  # the folder has no model
    (tmp_path / "sentiment-es-en" / "config.json").touch()
    assert hub.locate("sentiment-es-en").folder == Path("sentiment-es-en")  # a folder with one wins


@pytest.mark.parametrize("older", [False, True])
def test_built_in_not_installed(data_package, monkeypatch, older, no_socket):
    if older:
        data_package()  # without this model
    else:
        monkeypatch.setattr(hub, "WEIGHTS_PACKAGE", "gatonegro_models_that_nobody_has")
    assert hub.built_in_models() == {}
    with pytest.raises(HubError, match=r"pip install -U gatonegro-models .*pip install \./models"):
        hub.locate("sentiment-es-en")


@pytest.mark.slow
def test_imports_are_light(tmp_path):
    code = (
        "import sys; from gatonegro import hub; hub.locate(sys.argv[1]).file('x'); hub.built_in_models();"
        "print([m for m in ('torch', 'huggingface_hub', 'httpx', 'requests') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["sentiment-en-es", "sentiment_es_en", "demo_en"])
def test_a_built_in_name_that_is_nearly_right(name, no_socket):
    with pytest.raises(HubError, match=r"did you mean '(sentiment-es-en|demo-en)'"):
        hub.locate(name)


def test_a_json_file_is_an_object_or_an_error(tmp_path):
    source = hub.locate(tmp_path)
    assert source.json("config.json") is None
    for text, value in (('{"ñ": "\\u00f1"}', {"ñ": "ñ"}), ('{"gato": "\\ud83d\\udc08"}', {"gato": "🐈"})):
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        assert source.json("config.json") == value
    for data, message in (
        (b"{", "is not valid JSON"),
        (b"[1]", "should be a JSON object, but is a list"),
        (b'{"a": "\\uD83d"}', "is not valid JSON"),  # half of a character, which no file can hold
        (b'"\xff"', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
    ):
        (tmp_path / "config.json").write_bytes(data)
        with pytest.raises(ConfigError, match=message) as error:
            source.json("config.json")
        assert str(tmp_path / "config.json") in error.value.in_("es")


@pytest.mark.case("S8")
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("HF_ENDPOINT=http://[", "Check HF_ENDPOINT"),
        ("HF_ENDPOINT=http://a..b", "Check HF_ENDPOINT"),
        ("HF_ENDPOINT=http://127.0.0.1:99999", "Check HF_ENDPOINT"),
        ("HF_ENDPOINT=127.0.0.1", "Check HF_ENDPOINT"),
        ("HF_TOKEN=ñ中secret", "correct HF_TOKEN"),
        ("HF_TOKEN=a\x01secret", "correct HF_TOKEN"),
        ("HF_HUB_DOWNLOAD_TIMEOUT=x", "such as HF_HUB_DOWNLOAD_TIMEOUT"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_named_error(tmp_path, setting, message):
    """A token is never shown."""
    code = "from gatonegro import hub; hub.locate('a/b').file('config.json')"
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(tmp_path), "GATONEGRO_LANG": "en"}
    env |= dict([setting.split("=", 1)])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env})
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("gatonegro.errors.HubError: 'a/b': ") and message in last
    assert "secret" not in done.stderr


def test_the_default_models_are_built_in():
    assert {hub.BUILT_IN[name]: name for name in hub.DEFAULT_MODELS.values()} == hub.DEFAULT_MODELS
