"""A hub that lies in one point of its protocol."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fuzzing.damage import damage_bytes

ETAGS = [
    '"../../../x"', '"/tmp/x"', "../x", 'W/"a"', "", '""', '"a/b"', f'"{"a" * 300}"', '"\\\\x"', '".."', '"."', "'a'",
]  # fmt: skip
COMMITS = ["../../x", "/tmp/x", "", "main", "..", "a" * 300, "é", "a b", "c" * 40, "..\\x", "."]
LENGTHS = ["-1", "1e3", str(10**15), "x", "", "0", "5", str(2**70), "1, 2"]
PLACES = [
    "/x", "//127.0.0.1:1/x", "http://127.0.0.1:1/", "file:///etc/passwd", "", "::", "ftp://x", "http://[", "http://[::1",
    "//[", "http://[x]/", "http://／/", "http://a℀b/", "http://a..b/", f"http://{'a' * 70}.b/", "http://127.0.0.1:70000/",
]  # fmt: skip
LIES = ["etag", "linked", "commit", "length", "status", "half", "redirect", "body", "header", "close", "sha", "good"]


def start_hub(cache: Path) -> Any:
    """Start a server that speaks the hub's protocol, but for one lie, and point the library to it."""
    from huggingface_hub import constants

    body = b'{"model_type": "bert"}'

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            r, lie = self.server.random, self.server.lie  # type: ignore[attr-defined]
            status, sent = 200, body
            blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            headers = {"X-Repo-Commit": "c" * 40, "ETag": f'"{blob}"'}
            headers["Content-Length"] = str(len(body))
            if lie == "etag":
                headers["ETag"] = r.choice(ETAGS)
            elif lie == "linked":
                headers["X-Linked-Etag"] = r.choice(ETAGS)
                headers["X-Linked-Size"] = r.choice(LENGTHS)
            elif lie == "commit":
                headers["X-Repo-Commit"] = r.choice(COMMITS)
            elif lie == "length":
                headers["Content-Length"] = r.choice(LENGTHS)
            elif lie == "status":
                status = r.choice(
                    [100, 204, 206, 300, 301, 304, 400, 401, 403, 404, 410, 416, 418, 429, 500, 502, 503, 599]
                )
                headers["Retry-After"] = r.choice(["0", "1", "-5", "x", "99999999"])
                headers["X-Error-Code"] = r.choice(["EntryNotFound", "RepoNotFound", "RevisionNotFound", "é", ""])
            elif lie == "half":
                sent = body[: r.randrange(len(body))]
            elif lie == "redirect":
                status = r.choice([301, 302, 307, 308])
                headers["Location"] = r.choice([*PLACES, self.path]).encode().decode("latin-1")  # sent as UTF-8
            elif lie == "body":
                sent = damage_bytes(r, body)
                headers["Content-Length"] = str(len(sent))
            elif lie == "header":
                name = r.choice(list(headers))
                headers[name] = r.choice(["", "x" * 70_000, "\xff", "a\tb", "0"])
            elif lie == "sha":
                headers["ETag"] = f'"{r.randbytes(32).hex()}"'
            elif lie == "close":
                self.close_connection = True
                return self.wfile.write(r.randbytes(30)) and None
            self.send_response(status)
            for key, val in headers.items():
                self.send_header(key, val)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(sent)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    constants.ENDPOINT, constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = endpoint, str(cache), False
    constants.HUGGINGFACE_CO_URL_TEMPLATE = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    return server
