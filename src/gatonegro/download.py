"""Requests to a hub for a model's files: redirects, repeated requests, resumed downloads, digests."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

HEX = re.compile("[0-9a-fA-F]+")
PASSING_STATUSES = (429, 500, 502, 503, 504)
MAX_RETRIES, MAX_WAIT, MAX_REDIRECTS = 2, 5, 8  # of a request; seconds between two; MAX_REDIRECTS includes retries


class InvalidURL(ValueError):
    """An address that cannot be requested; httpx and requests have classes of this name, but do not find all."""


def request(method: str, url: str, start: int = 0, token: str | bool | None = None) -> tuple[Any, str]:
    """Send a request to the hub; return the headers, or for "GET" the open response, and the address of the contents.

    `token` is as in `hub.locate`, and sent to the hub alone. Statuses that may pass are tried again, as soon as the hub
    says, or not at all.
    """
    from huggingface_hub import constants, get_session, get_token
    from huggingface_hub.errors import FileMetadataError, LocalTokenNotFoundError
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    # without the library's own headers, for which it asks the hub what program this runs in, and sends the answer
    headers = {"User-Agent": "gatonegro", "Accept-Encoding": "identity"} | (
        {"Range": f"bytes={start}-"} if start else {}
    )
    if token is True or (token is None and not constants.HF_HUB_DISABLE_IMPLICIT_TOKEN):
        token = get_token()
    if token and not (token.isascii() and token.isprintable()):
        raise LocalTokenNotFoundError  # the HTTP libraries' own errors would quote it
    session: Any = get_session()
    failures, parts = 0, _split(url)
    for _ in range(MAX_REDIRECTS):
        is_hub = parts[:2] == urlsplit(constants.ENDPOINT)[:2]
        sent = headers | ({"Authorization": f"Bearer {token}"} if token and is_hub else {})
        if hasattr(session, "build_request"):  # httpx
            built = session.build_request(method, url, headers=sent, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
            response = session.send(built, stream=True, follow_redirects=False)
        else:  # requests
            options = {"stream": True, "allow_redirects": False, "timeout": constants.HF_HUB_DOWNLOAD_TIMEOUT}
            response = session.request(method, url, headers=sent, **options)
        with ExitStack() as stack:
            stack.callback(response.close)
            if response.status_code in PASSING_STATUSES and failures < MAX_RETRIES:
                wait = response.headers.get("Retry-After") or "1"
                if not wait.isdecimal() or len(wait) > 9 or int(wait) <= MAX_WAIT:
                    failures += 1
                    time.sleep(int(wait) if wait.isdecimal() else 1)
                    continue
            hf_raise_for_status(response)
            target = response.headers.get("Location") if response.status_code // 100 == 3 else None
            old, parts = parts, _split(target or "", url)
            url = parts.geturl()
            if target and not (method == "HEAD" and parts[:2] != old[:2]):
                continue
            if method == "HEAD":  # another host has the contents; what the hub knows of them comes with the redirect
                return response.headers, url
            stack.pop_all()
            return response, url
    raise FileMetadataError("too many redirects")


def _split(url: str, base: str = "") -> SplitResult:
    """Return the parts of an absolute address, or of one relative to `base`; raise InvalidURL if it is none."""
    try:
        parts = urlsplit(urljoin(base, url))
        if parts.scheme in ("http", "https") and (parts.hostname or "").encode("idna") and parts.port != 0:
            return parts
    except ValueError:  # also for the port, and for a name's encoding
        pass
    raise InvalidURL(f"{url[:80]!r} is no address")


def chunks(url: str, start: int, token: str | bool | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file from a position on; the first chunk is empty if the server starts at the beginning."""
    from huggingface_hub.errors import FileMetadataError

    response, _ = request("GET", url, start, token)
    with closing(response):
        encoding = response.headers.get("Content-Encoding", "identity")
        if response.status_code not in (200, 206) or encoding != "identity":  # a small body may inflate to any size
            raise FileMetadataError(f"status {response.status_code}, encoding {encoding:.20}")
        if response.status_code == 200:
            yield b""
        yield from response.iter_bytes() if hasattr(response, "iter_bytes") else response.iter_content(2**16)


def has_digest(path: Path, etag: str) -> bool:
    """Return True unless an ETag is a digest, and not the one of a file: SHA-256, a Git blob's SHA-1, or SHA-1."""
    names = {64: ["sha256"], 40: ["sha1", "sha1"]}.get(len(etag), []) if HEX.fullmatch(etag) else []
    import hashlib  # here, for a light start

    digests = [hashlib.new(name, usedforsecurity=False) for name in names]
    for digest in digests[1:]:
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while digests and (chunk := file.read(2**20)):
            for digest in digests:
                digest.update(chunk)
    return not digests or etag.lower() in [digest.hexdigest() for digest in digests]
