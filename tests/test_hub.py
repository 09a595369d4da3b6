"""Where files come from. A small server on this machine speaks as much of the hub's protocol as is needed.

https://huggingface.co/docs/huggingface_hub/package_reference/file_download
"""

import errno
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from gatonegro import hub
from gatonegro.errors import ConfigError, GatonegroWarning, HubError, OptionError

NAME = "alguien/modelo"
OLD, NEW = "a" * 40, "b" * 40
FILES = {"config.json": b'{"model_type": "bert"}', "onnx/model.onnx": b"0123456789"}


class Hub(ThreadingHTTPServer):
    """Branches, commits, files; and how it answers instead, if it does: `refuse = status, headers`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.branches = {"main": OLD}
        self.commits = {OLD: dict(FILES), NEW: {**FILES, "config.json": b'{"new": 1}', "vocab.txt": b"new"}}
        self.refuse: tuple[int, dict] | None = None
        self.seen: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.seen.append(f"{self.command} {self.path}")
        if self.server.refuse:
            return self.answer(*self.server.refuse)
        name, _, rest = self.path.lstrip("/").partition("/resolve/")
        revision, _, filename = rest.partition("/")
        commit = self.server.branches.get(revision, revision)
        if name != NAME:
            return self.answer(404, {"X-Error-Code": "RepoNotFound"})
        if commit not in self.server.commits:
            return self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        body = self.server.commits[commit].get(filename)
        if body is None:
            return self.answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        self.answer(200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(body).hexdigest()}"'}, body)

    def answer(self, status: int, headers: dict, body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """An empty cache, no waiting, and no way to any other machine."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    connect = socket.socket.connect

    def local(self, address):
        assert address[0] == "127.0.0.1", f"a test asked the network: {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local)
    if hasattr(huggingface_hub, "close_session"):  # a client remembers the proxies of its first day
        huggingface_hub.close_session()


def point(monkeypatch, endpoint: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def server(monkeypatch):
    with Hub() as server:
        point(monkeypatch, server.endpoint)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def no_network(monkeypatch):
    """The hub's address leads nowhere: nothing listens at that port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        point(monkeypatch, f"http://127.0.0.1:{probe.getsockname()[1]}")
        yield


@pytest.fixture
def no_socket(monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def keep(tmp_path, filename="config.json", body=b"{}", commit=OLD, branch="main") -> None:
    """What another program left in the cache."""
    root = tmp_path / "cache" / "models--alguien--modelo"
    for path, data in ((root / "refs" / branch, commit.encode()), (root / "snapshots" / commit / filename, body)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


# folders and built-in models


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
        with pytest.raises(HubError, match="leads out"):
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
    with pytest.raises(HubError, match=r"no name on the hub|no such folder"):
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
    """Installs the data distribution, with the models that are named."""
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
    assert hub.locate("sentiment-es-en").folder == Path("sentiment-es-en")  # an existing folder wins


@pytest.mark.parametrize("older", [False, True])
def test_built_in_not_installed(data_package, monkeypatch, older, no_socket):
    if older:
        data_package()  # without this model
    else:
        monkeypatch.setattr(hub, "WEIGHTS_PACKAGE", "gatonegro_models_that_nobody_has")
    assert hub.built_in_models() == {}
    with pytest.raises(HubError, match=r"pip install -U gatonegro-models .*pip install \./models"):
        hub.locate("sentiment-es-en")


def test_imports_are_light(tmp_path):
    code = (
        "import sys; from gatonegro import hub; hub.locate(sys.argv[1]).file('x'); hub.built_in_models();"
        "print([m for m in ('torch', 'huggingface_hub', 'httpx', 'requests') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# the hub


def test_second_load_asks_nothing(server):
    def load():
        source = hub.locate(NAME)
        assert source.file("config.json").read_bytes() == FILES["config.json"]
        assert source.file("onnx/model.onnx").read_bytes() == FILES["onnx/model.onnx"]
        assert source.file("vocab.txt") is None
        assert source.commit == OLD

    load()
    asked = [request for request in server.seen if "/resolve/" in request]
    assert len(asked) == 6  # can it be reached; two files, HEAD and GET; HEAD of what is not there
    server.seen.clear()
    load()
    assert server.seen == []


def test_a_disk_without_symbolic_links(server, monkeypatch):
    """As on Windows without developer mode: the cache keeps copies."""

    def refuse(*_, **__):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refuse)
    monkeypatch.setattr(huggingface_hub.file_download, "_are_symlinks_supported_in_dir", {})
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS_WARNING", "1")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS_WARNING", True)
    path = hub.locate(NAME).file("config.json")
    assert path is not None and not path.is_symlink() and path.read_bytes() == FILES["config.json"]
    asked = len(server.seen)
    assert hub.locate(NAME).file("config.json") == path and len(server.seen) == asked


@pytest.mark.parametrize("name", ["sentiment-en-es", "sentiment_es_en", "demo_en"])
def test_a_built_in_name_that_is_nearly_right(name, no_socket):
    with pytest.raises(HubError, match=r"did you mean '(sentiment-es-en|demo-en)'"):
        hub.locate(name)


def test_all_files_of_one_commit(server):
    """The branch moves between the first file and the second."""
    source = hub.locate(NAME)
    assert source.file("config.json").read_bytes() == FILES["config.json"]
    server.branches["main"] = NEW
    assert source.file("vocab.txt") is None  # the newer commit has one
    assert source.file("onnx/model.onnx").parent.parent.name == OLD


def test_the_absence_of_a_file_fixes_the_commit_too(server):
    source = hub.locate(NAME)
    assert source.file("vocab.txt") is None
    server.branches["main"] = NEW
    assert source.file("config.json").read_bytes() == FILES["config.json"]


def test_revision(server):
    server.branches["v2"] = NEW
    for revision in ("v2", NEW):
        source = hub.locate(NAME, revision=revision)
        assert source.revision == revision
        assert source.file("vocab.txt").read_bytes() == b"new"
    assert hub.locate(NAME).file("vocab.txt") is None


def test_a_damaged_reference_is_fetched_anew(server, tmp_path):
    keep(tmp_path, commit="c" * 40)
    (tmp_path / "cache/models--alguien--modelo/refs/main").write_bytes(b"")
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]


@pytest.mark.parametrize("offline", ["constant", "argument"])
def test_offline(tmp_path, monkeypatch, offline, no_socket):
    if offline == "constant":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    keep(tmp_path)
    source = hub.locate(NAME, local_files_only=offline == "argument")
    assert source.file("config.json").read_bytes() == b"{}"
    assert source.file("tokenizer.json") is None  # not known to be absent; other programs keep only what they need
    assert "network was not asked" in str(source.location)
    with pytest.raises(HubError, match=r"config\.json is not in the cache .*HF_HUB_OFFLINE"):
        hub.locate("otra/cosa", local_files_only=offline == "argument").file("config.json")
    with pytest.raises(HubError, match="not in the cache"):
        hub.locate(NAME, revision="v2", local_files_only=offline == "argument").file("config.json")


def test_no_network(no_network):
    with pytest.raises(HubError, match=r"config\.json is not in the cache .* Connect once") as caught:
        hub.locate(NAME).file("config.json")
    assert caught.value.__suppress_context__  # no traceback of the HTTP library above it
    assert isinstance(caught.value, OSError)


def test_no_network_but_a_cache(no_network, tmp_path):
    keep(tmp_path)
    source = hub.locate(NAME)
    assert source.file("config.json")
    with pytest.warns(GatonegroWarning, match=r"cannot be reached.*tokenizer\.json"):
        assert source.file("tokenizer.json") is None
    assert source.file("vocab.txt") is None  # said once


REFUSALS = {
    "repo": (404, {"X-Error-Code": "RepoNotFound"}, r"nothing on http.*spelling.*hf auth login"),
    "private": (401, {"X-Error-Code": "RepoNotFound"}, r"nothing on http.*unless it is private"),
    "gated": (403, {"X-Error-Code": "GatedRepo"}, r"Accept their terms on http://127.*/alguien/modelo"),
    "disabled": (403, {"X-Error-Message": "Access to this resource is disabled."}, "disabled"),
    "revision": (404, {"X-Error-Code": "RevisionNotFound"}, r"no revision 'main'"),
    "token": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "wants a valid token"),
    "mirror": (401, {}, "wants a valid token"),
    "forbidden": (403, {"X-Error-Message": "No"}, "may not read it"),
    "too many": (429, {}, "too many requests"),
    "down": (500, {}, r"in trouble \(status 500\)"),
    "down for now": (503, {}, r"in trouble \(status 503\)"),
    "no hub": (200, {}, "not as a hub does"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(server, case):
    status, headers, text = REFUSALS[case]
    server.refuse = status, headers
    with pytest.raises(HubError, match=text) as caught:
        hub.locate(NAME).file("config.json")
    assert NAME in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_repository_whose_history_was_written_anew(server, tmp_path):
    keep(tmp_path, commit="c" * 40)
    with pytest.raises(HubError, match=r"history was written anew: delete .*models--alguien--modelo"):
        hub.locate(NAME).file("vocab.txt")


def fail(monkeypatch, error):
    def download(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)


@pytest.mark.parametrize(
    ("number", "text"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot be written"), (errno.EIO, "Try again")]
)
def test_disk(server, monkeypatch, number, text):
    fail(monkeypatch, OSError(number, os.strerror(number)))
    with pytest.raises(HubError, match=text):
        hub.locate(NAME).file("config.json")


class SSLError(OSError):
    """As the library `requests` calls it."""


class ProxyError(OSError):
    pass


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SSLError("no"), "certificate"),
        (ConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "SSL_CERT_FILE"),
        (ProxyError("407"), "HTTPS_PROXY"),
        (TimeoutError("too slow"), "cannot be reached"),
        (socket.gaierror(-2, "Name or service not known"), "cannot be reached"),
    ],
)
def test_connection(server, monkeypatch, error, text):
    fail(monkeypatch, error)
    with pytest.raises(HubError, match=text):
        hub.locate(NAME).file("config.json")


def test_a_mistake_is_not_called_a_failing_network(server, monkeypatch):
    fail(monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        hub.locate(NAME).file("config.json")


def test_cut_off_download_leaves_nothing(server, monkeypatch):
    """The server promises more than it sends: what came is not taken for the file, which is fetched whole later."""
    answer = Handler.answer

    def cut(self, status, headers, body=b""):
        longer = {"Content-Length": str(len(body) + 5)} if self.command == "HEAD" else {}
        answer(self, status, headers | longer, body)

    monkeypatch.setattr(Handler, "answer", cut)
    with pytest.raises(HubError, match=r"config\.json could not be fetched"):
        hub.locate(NAME).file("config.json")
    monkeypatch.setattr(Handler, "answer", answer)
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]


def test_a_json_file_is_an_object_or_an_error(tmp_path):
    source = hub.locate(tmp_path)
    assert source.json("config.json") is None
    for text, value in (('{"ñ": "\\u00f1"}', {"ñ": "ñ"}), ('{"gato": "\\ud83d\\udc08"}', {"gato": "🐈"})):
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        assert source.json("config.json") == value
    for data, said in (
        (b"{", "is not valid JSON"),
        (b"[1]", "should be a JSON object, and is a list"),
        (b'{"a": "\\uD83d"}', "is not valid JSON"),  # half of a character, which no file can hold
        (b'"\xff"', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
    ):
        (tmp_path / "config.json").write_bytes(data)
        with pytest.raises(ConfigError, match=said) as error:
            source.json("config.json")
        assert str(tmp_path / "config.json") in error.value.in_("es")


def test_the_default_models_are_built_in():
    assert {hub.BUILT_IN[name]: name for name in hub.DEFAULT_MODELS.values()} == hub.DEFAULT_MODELS
