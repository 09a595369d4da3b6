"""Small local server that speaks the hub's protocol: revisions, refusals, lies."""

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from huggingface_hub import constants

NAME = "alguien/modelo"

OLD, NEW = "a" * 40, "b" * 40

FILES = {"config.json": b'{"model_type": "bert"}', "onnx/model.onnx": b"0123456789"}


def blob_id(body: bytes) -> str:
    """Return Git's name of a file's contents, which the hub sends as its ETag."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


class Hub(ThreadingHTTPServer):
    """State of the fake hub: branches, commits, files; `refuse = status, headers` makes it refuse, `lie` lie."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.branches = {"main": OLD}
        self.commits = {OLD: dict(FILES), NEW: {**FILES, "config.json": b'{"new": 1}', "vocab.txt": b"new"}}
        self.refuse: tuple[int, dict] | None = None
        self.lie: Callable[[Handler, int, dict, bytes], tuple[int, dict, bytes]] | None = None
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.seen.append(f"{self.command} {self.path}")
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
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
        self.answer(200, {"X-Repo-Commit": commit, "ETag": f'"{blob_id(body)}"'}, body)

    def answer(self, status: int, headers: dict, body: bytes = b"") -> None:
        if self.server.lie:
            status, headers, body = self.server.lie(self, status, headers, body)
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def point(monkeypatch, endpoint: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
