"""Downloads from a small local server that speaks the hub's protocol: revisions, refusals, failures."""

import errno
import os
import socket

import pytest
from hub_server import FILES, NAME, NEW, OLD, Handler, point
from huggingface_hub import constants

from gatonegro import hub
from gatonegro.errors import GatonegroWarning, HubError


@pytest.fixture
def no_network(monkeypatch):
    """Point the hub's address at a closed port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        point(monkeypatch, f"http://127.0.0.1:{probe.getsockname()[1]}")
        yield


def keep(tmp_path, filename="config.json", body=b"{}", commit=OLD, branch="main") -> None:
    """Write files into the cache as another program does."""
    root = tmp_path / "cache" / "models--alguien--modelo"
    for path, data in ((root / "refs" / branch, commit.encode()), (root / "snapshots" / commit / filename, body)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_second_load_asks_nothing(server):
    def load():
        source = hub.locate(NAME)
        assert source.file("config.json").read_bytes() == FILES["config.json"]
        assert source.file("onnx/model.onnx").read_bytes() == FILES["onnx/model.onnx"]
        assert source.file("vocab.txt") is None
        assert source.commit == OLD

    load()
    requests = [request for request in server.seen if "/resolve/" in request]
    assert len(requests) == 5  # two files, HEAD and GET; HEAD of what is not there
    server.seen.clear()
    load()
    assert server.seen == []


def test_a_disk_without_symbolic_links(server, monkeypatch):
    """On Windows without developer mode, the cache has copies; simulated."""

    def refuse(*_, **__):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refuse)
    path = hub.locate(NAME).file("config.json")
    assert path is not None and not path.is_symlink() and path.read_bytes() == FILES["config.json"]
    num_requests = len(server.seen)
    assert hub.locate(NAME).file("config.json") == path and len(server.seen) == num_requests


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
    assert "network was not used" in str(source.location)
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
    "token": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "requires a valid token"),
    "mirror": (401, {}, "requires a valid token"),
    "forbidden": (403, {"X-Error-Message": "No"}, "no permission to read it"),
    "too many": (429, {}, "too many requests"),
    "down": (500, {}, r"returned status 500"),
    "down for now": (503, {}, r"returned status 503"),
    "no hub": (200, {}, "not like a hub"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(server, case):
    status, headers, text = REFUSALS[case]
    server.refuse = status, headers
    with pytest.raises(HubError, match=text) as caught:
        hub.locate(NAME).file("config.json")
    assert NAME in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_repository_whose_history_was_written_anew(server, tmp_path):
    keep(tmp_path, commit="c" * 40)
    with pytest.raises(HubError, match=r"history was rewritten: delete .*models--alguien--modelo"):
        hub.locate(NAME).file("vocab.txt")


def fail(monkeypatch, error):
    def download(*_, **__):
        raise error

    monkeypatch.setattr(hub.HubSource, "_download", download)


@pytest.mark.parametrize(
    ("number", "text"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot be written"), (errno.EIO, "Try again")]
)
def test_disk(server, monkeypatch, number, text):
    fail(monkeypatch, OSError(number, os.strerror(number)))
    with pytest.raises(HubError, match=text):
        hub.locate(NAME).file("config.json")


class SSLError(OSError):
    """Class with the name that the library `requests` uses."""


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
    """The server sends less than announced: the part is not used, and the file is downloaded in full later."""
    answer = Handler.answer

    def cut(self, status, headers, body=b""):
        longer = {"Content-Length": str(len(body) + 5)} if self.command == "HEAD" else {}
        answer(self, status, headers | longer, body)

    monkeypatch.setattr(Handler, "answer", cut)
    with pytest.raises(HubError, match=r"config\.json could not be fetched"):
        hub.locate(NAME).file("config.json")
    monkeypatch.setattr(Handler, "answer", answer)
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]
