"""Tests of hubs that lie: in names that become paths, in contents, in lengths and statuses."""

import socket
import time

import pytest
from hub_server import FILES, NAME, NEW, OLD, blob_id
from huggingface_hub import constants

from gatonegro import hub, i18n
from gatonegro.errors import HubError

CONNECT = socket.socket.connect  # before the fixtures allow one address alone
NOT_RIGHT, NO_HUB = "can be right, so nothing was written", "not like a hub"
UTF8_PLACES = [place.encode().decode("latin-1") for place in ("http://／/", "http://a℀b/")]  # as the server sends them
NO_ADDRESS = "redirects to something that is no address"


def headers_with(**changed):
    """Return a lie: other headers, whose names are written with _."""
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    return lambda handler, status, headers, body: (status, {**headers, **names}, body)


def only(method, lie):
    return lambda handler, *answer: lie(handler, *answer) if handler.command == method else answer


def body_of(change):
    return lambda handler, status, headers, body: (status, headers, change(body))


def status_of(status, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _, __, body: (status, {"Content-Length": "0", **names}, b"")


LIES = {
    **{f"etag {tag[:12]}": (headers_with(ETag=tag), NOT_RIGHT) for tag in (
        '"../../../x"', "../x", '"/tmp/x"', 'W/"../x"', '"a/b"', '"..\\\\x"', '".."', '""', "", '"a b"', '"ñ"',
        '"' + "a" * 300 + '"',
    )},
    **{f"linked {tag}": (headers_with(X_Linked_Etag=tag), NOT_RIGHT) for tag in ('"../../x"', "a:b", '"C:x"')},
    **{f"commit {name[:12]}": (headers_with(X_Repo_Commit=name), NOT_RIGHT) for name in (
        "../../x", "..", "/tmp/x", "a/b", "..\\x", "a" * 300, "a b", "\xe9",
    )},
    "no commit": (headers_with(X_Repo_Commit=""), NO_HUB),
    "another content": (body_of(lambda body: body[::-1]), "another size or digest"),
    "one bit": (body_of(lambda body: bytes([body[0] ^ 1]) + body[1:]), "another size or digest"),
    "another sha256": (headers_with(ETag='"' + "a" * 64 + '"'), "another size or digest"),
    "another linked sha256": (headers_with(X_Linked_Etag='"' + "a" * 64 + '"'), "another size or digest"),
    "more than is said": (headers_with(X_Linked_Size="3"), "another size or digest"),
    "less than is said": (headers_with(X_Linked_Size="3000"), "could not be fetched"),
    "a petabyte": (headers_with(Content_Length=str(10**15)), "larger on"),
    "a linked petabyte": (headers_with(X_Linked_Size=str(10**15)), "larger on"),
    "no length at all": (headers_with(Content_Length=""), NO_HUB),
    "a body that inflates": (only("GET", headers_with(Content_Encoding="gzip")), NO_HUB),
    "half a body": (only("GET", body_of(lambda body: body[: len(body) // 2])), f"could not be fetched|{NO_HUB}"),
    "no length": (headers_with(Content_Length="x"), f"{NO_HUB}|cannot be reached"),
    "redirect to a file": (status_of(302, Location="file:///etc/passwd"), NO_ADDRESS),
    "redirect to nothing": (status_of(302, Location="http://"), NO_HUB),
    **{f"redirect to {place[:12]}": (status_of(302, Location=place), NO_ADDRESS) for place in (
        "http://[", "http://[::1", "//[", "http://[x]/", *UTF8_PLACES, "http://a..b/",
        f"http://{'a' * 70}.b/", "http://a:70000/", "http://a:x/",
    )},
    "redirect to itself": (status_of(302, Location=""), NO_HUB),
    "redirect around": (lambda h, *_: (302, {"Location": h.path + "x", "Content-Length": "0"}, b""), NO_HUB),
    "redirect elsewhere": (status_of(302, Location="http://127.0.0.1:9/x"), NO_HUB),
    "redirect of the body to a file": (only("GET", status_of(302, Location="ftp://127.0.0.1/x")), NO_ADDRESS),
    "no body": (only("GET", status_of(204)), NO_HUB),
    "304": (status_of(304), NO_HUB),
    "418": (status_of(418), "status 418"),
    "500": (status_of(500), "status 500"),
    "500 for the body": (only("GET", status_of(500)), "status 500"),
    "429": (status_of(429), "too many requests"),
    "429, wait a year": (status_of(429, Retry_After="31536000"), "too many requests"),
    "429, no number": (status_of(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), "too many requests"),
    "429 with -5": (status_of(429, Retry_After="-5"), "too many requests"),
}  # fmt: skip


@pytest.mark.case("S7")
@pytest.mark.case("S8")
@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_a_named_error_and_leaves_nothing(server, tmp_path, monkeypatch, capfd, caplog, name):
    """Also: it takes few requests and ten seconds of waiting at most, and says nothing in another language."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.lie, message = LIES[name]
    with pytest.raises(HubError, match=message) as caught:
        hub.locate(NAME).file("config.json")
    assert NAME in str(caught.value) and len(str(caught.value)) < 1000
    assert sum(waits) <= 10 and len(server.seen) <= 10
    out = capfd.readouterr()
    assert not out.out and not out.err and not caplog.records
    assert [path.name for path in tmp_path.iterdir()] in ([], ["cache"])
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name not in ("refs", "main")]
    assert not files
    with i18n.override_language("es"):
        assert "'alguien/modelo': " in str(caught.value) and "returned" not in str(caught.value)
    server.lie = None
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]


@pytest.mark.case("S8")
def test_weights_larger_than_the_disk(server):
    """Weights have no largest size of their own."""
    server.commits[OLD]["model.safetensors"] = b"x"
    server.lie = headers_with(Content_Length=str(10**15))
    with pytest.raises(HubError, match="disk is full"):
        hub.locate(NAME).file("model.safetensors")


@pytest.mark.case("S7")
@pytest.mark.parametrize("etag", ['"{}"', 'W/"{}"', "{}"])
def test_etags_as_they_are_written(server, etag):
    body = FILES["config.json"]
    server.lie = headers_with(ETag=etag.format(blob_id(body)))
    assert hub.locate(NAME).file("config.json").read_bytes() == body
    server.lie = headers_with(ETag=etag.format("any-name_1"))  # no digest: a mirror's own
    assert hub.locate(NAME).file("onnx/model.onnx").read_bytes() == FILES["onnx/model.onnx"]


@pytest.mark.case("S7")
def test_another_answer_to_the_second_question(server, tmp_path):
    """The hub names another ETag each time that it is asked; what was checked is what is used."""
    tags = iter([f'"{blob_id(FILES["config.json"])}"', *['"../../../x"'] * 20])
    server.lie = lambda handler, status, headers, body: (status, {**headers, "ETag": next(tags)}, body)
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]
    with pytest.raises(HubError, match=NOT_RIGHT):
        hub.locate(NAME).file("onnx/model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.case("S7")
def test_another_commit_than_the_one_asked_for(server):
    server.lie = headers_with(X_Repo_Commit=NEW)
    with pytest.raises(HubError, match=NOT_RIGHT):
        hub.locate(NAME, revision=OLD).file("config.json")
    with pytest.raises(HubError, match=NOT_RIGHT):
        hub.locate(NAME, revision=OLD).file("missing.json")


@pytest.mark.case("S7")
@pytest.mark.parametrize("commit", ["../../../..", "a/b", "", "é"])
def test_a_reference_in_the_cache_that_leads_out(server, tmp_path, commit):
    reference = tmp_path / "cache/models--alguien--modelo/refs/main"
    reference.parent.mkdir(parents=True)
    reference.write_text(commit, encoding="utf-8")
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]
    assert reference.read_text() == OLD


@pytest.mark.case("S8")
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_is_busy_once(server, monkeypatch, status):
    """It is asked again when it says, up to five seconds; without a time, after one."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answers = iter([{"Retry-After": "4"}, {}])

    def lie(handler, real_status, headers, body):
        busy = next(answers, None)
        return (real_status, headers, body) if busy is None else (status, {"Content-Length": "0", **busy}, b"")

    server.lie = lie
    assert hub.locate(NAME).file("config.json").read_bytes() == FILES["config.json"]
    assert waits == [4, 1]


@pytest.mark.case("S8")
def test_a_connection_that_breaks_is_resumed(server):
    """The server sends half of a body, and the rest when it is asked for it."""
    whole = FILES["onnx/model.onnx"]

    def lie(handler, status, headers, body):
        if handler.command == "HEAD" or not body:
            return status, headers, body
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        part = body[start : start + 5]
        return (206 if start else 200), {**headers, "Content-Length": str(len(part))}, part

    server.lie = lie
    assert hub.locate(NAME).file("onnx/model.onnx").read_bytes() == whole


@pytest.mark.parametrize("token", [None, "hf_secret"], ids=["stored", "passed"])
def test_contents_on_another_host_get_no_token(server, monkeypatch, token):
    """Large files lie elsewhere: the hub's redirect names their digest, and the token is the hub's alone."""
    monkeypatch.setenv("HF_TOKEN", "hf_other" if token else "hf_secret")
    elsewhere = server.endpoint.replace("127.0.0.1", "localhost")

    def lie(handler, status, headers, body):
        if handler.path.startswith("/cdn"):
            return 200, {"Content-Length": "10"}, FILES["onnx/model.onnx"]
        place = {"Location": f"{elsewhere}/cdn", "X-Linked-Etag": headers["ETag"], "X-Linked-Size": "10"}
        return 302, {**headers, **place, "Content-Length": "0"}, b""

    server.lie = lie
    monkeypatch.setattr("socket.socket.connect", CONNECT)
    assert hub.locate(NAME, token=token).file("onnx/model.onnx").read_bytes() == FILES["onnx/model.onnx"]
    sent = [headers.get("authorization") for headers in server.headers]
    assert sent == ["Bearer hf_secret", None]


@pytest.mark.case("S9")
def test_one_load_asks_for_its_files_alone(server, monkeypatch):
    """No telemetry, nothing about the program: each request is for a file, and its headers name nobody."""
    monkeypatch.setenv("AI_AGENT", "something")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    source = hub.locate(NAME)
    for name in ("config.json", "tokenizer.json", "vocab.txt", "onnx/model.onnx", "config.json"):
        source.file(name)
    place = f"/{NAME}/resolve"
    assert server.seen == [
        f"HEAD {place}/main/config.json", f"GET {place}/main/config.json", f"HEAD {place}/{OLD}/tokenizer.json",
        f"HEAD {place}/{OLD}/vocab.txt", f"HEAD {place}/{OLD}/onnx/model.onnx", f"GET {place}/{OLD}/onnx/model.onnx",
    ]  # fmt: skip
    assert {headers["user-agent"] for headers in server.headers} == {"gatonegro"}
    assert constants.HF_HUB_DISABLE_TELEMETRY is False, "the user's own calls are the user's"
