"""Fixtures of the tests in tests/hub/."""

import socket
import threading
import time

import huggingface_hub
import pytest
from hub_server import Hub, point
from huggingface_hub import constants


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Set an empty cache, no retries, and no access to other machines."""
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


@pytest.fixture
def no_socket(monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def server(monkeypatch):
    with Hub() as server:
        point(monkeypatch, server.endpoint)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
