"""The file that stores which precision `gatonegro bench --tune` measured to be fastest on this machine."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from gatonegro.operators import kernels
from gatonegro.operators.processor import fast_precisions
from gatonegro.storage import write_text


def tuned_path() -> Path:
    """Return the path of the file that stores fastest precisions, in `GATONEGRO_CACHE` or the user's cache folder."""
    if folder := os.environ.get("GATONEGRO_CACHE"):
        return Path(folder) / "tuned.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "gatonegro" / "tuned.json"


def machine_key(backend: str) -> str:
    """Return a text that identifies this machine and what computes: host, processor, precisions, backend, kernels."""
    import platform  # here, for a light start

    precisions = "+".join(sorted(fast_precisions())) or "plain"
    compiled = f", {kernels.kernel_isa()} kernels" if kernels.available() else ""
    return f"{platform.node()} {platform.machine()} {precisions} {backend}{compiled}"


def save_fastest(backend: str, fastest: str, fastest_exact: str) -> Path:
    """Save a backend's fastest precision on this machine, and its fastest one other than int8; return the file's path.

    Raises:
        CheckpointError: the file cannot be written.
    """
    path = tuned_path()
    entries = _read(path) | {machine_key(backend): {"fastest": fastest, "exact": fastest_exact}}
    write_text(path, json.dumps(entries, indent=2))
    return path


def load_fastest(backend: str, stored_int8: bool) -> str | None:
    """Return the precision that was measured to be a backend's fastest on this machine, or None if none was."""
    try:
        entries = _read(tuned_path())
        measured = entries.get(machine_key(backend)) if entries else None
    except RuntimeError:  # the user has no home folder
        return None
    choice = measured.get("fastest" if stored_int8 else "exact") if isinstance(measured, dict) else None
    return choice if choice in ("fp32", "bf16", "int8") else None


def _read(path: Path) -> dict:
    with suppress(OSError, ValueError, RecursionError):  # a missing or damaged file counts as empty
        if path.is_file() and isinstance(data := json.loads(path.read_text(encoding="utf-8")), dict):  # no pipe
            return data
    return {}
