"""The file of the fastest precisions: per machine and backend, and where it is damaged."""

import json
import os

import pytest

from gatonegro.operators import kernels, tuned_precision


def test_what_was_measured_here_is_heeded(monkeypatch, tmp_path):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path / "new" / "folder"))
    assert tuned_precision.load_fastest("numpy", True) is None
    path = tuned_precision.save_fastest("numpy", "int8", "fp32")
    assert tuned_precision.load_fastest("numpy", True) == "int8"
    assert tuned_precision.load_fastest("numpy", False) == "fp32"
    assert [file.name for file in path.parent.iterdir()] == ["tuned.json"]
    key = tuned_precision.machine_key("numpy")
    for damaged in ("", "[]", "{", '{"x": 1}', json.dumps({key: ["int8"]}),
                    json.dumps({key: {"fastest": "int3", "exact": 5}})):  # fmt: skip
        path.write_text(damaged)
        assert tuned_precision.load_fastest("numpy", True) is None
        tuned_precision.save_fastest("numpy", "bf16", "bf16")
        assert tuned_precision.load_fastest("numpy", False) == "bf16"
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert tuned_precision.load_fastest("numpy", True) is None  # and does not wait for somebody to write


def test_each_backend_and_each_library_has_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path))
    for available in (True, False):
        monkeypatch.setattr(kernels, "available", lambda available=available: available)
        tuned_precision.save_fastest("numpy", "int8" if available else "fp32", "fp32")
    tuned_precision.save_fastest("torch 2.0", "bf16", "bf16")
    assert tuned_precision.load_fastest("numpy", True) == "fp32"
    assert tuned_precision.load_fastest("torch 2.0", True) == "bf16"
    assert tuned_precision.load_fastest("torch 3.0", True) is None  # another PyTorch may be otherwise
    monkeypatch.setattr(kernels, "available", lambda: True)
    assert tuned_precision.load_fastest("numpy", True) == "int8"
    assert tuned_precision.load_fastest("torch 2.0", True) is None


@pytest.mark.parametrize(
    ("platform", "names", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/gatonegro/tuned.json"),
        ("linux", {"HOME": "/h"}, "/h/.cache/gatonegro/tuned.json"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/gatonegro/tuned.json"),
    ],
)
def test_where_it_is_kept(monkeypatch, platform, names, expected):
    for name in ("GATONEGRO_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert tuned_precision.tuned_path().as_posix() == expected
