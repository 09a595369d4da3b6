"""The file that stores which precision `gatonegro bench --tune` measured to be fastest on this machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import torch

from gatonegro.engine import kernels
from gatonegro.engine.processor import fast_precisions
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


def machine_key() -> str:
    """Return a text that identifies this machine: host, processor, instruction sets, and PyTorch's version."""
    precisions = "+".join(sorted(fast_precisions())) or "plain"
    isa = torch.backends.cpu.get_cpu_capability()
    compiled = f", {kernels.kernel_isa()} kernels" if kernels.available() else ""
    return f"{platform.node()} {platform.machine()} {isa} {precisions} torch {torch.__version__}{compiled}"


def save_fastest(fastest: str, fastest_exact: str) -> Path:
    """Save this machine's fastest precision, and its fastest one other than int8; return the file's path.

    Raises:
        CheckpointError: the file cannot be written.
    """
    path = tuned_path()
    entries = _read(path) | {machine_key(): {"fastest": fastest, "exact": fastest_exact}}
    write_text(path, json.dumps(entries, indent=2))
    return path


def load_fastest(stored_int8: bool) -> str | None:
    """Return the precision that was measured to be fastest on this machine, or None if none was measured."""
    try:
        measured = _read(tuned_path()).get(machine_key())
    except RuntimeError:  # the user has no home folder
        return None
    choice = measured.get("fastest" if stored_int8 else "exact") if isinstance(measured, dict) else None
    return choice if choice in ("fp32", "bf16", "int8") else None


def _read(path: Path) -> dict:
    with suppress(OSError, ValueError, RecursionError):  # a missing or damaged file counts as empty
        if path.is_file() and isinstance(data := json.loads(path.read_text(encoding="utf-8")), dict):  # no pipe
            return data
    return {}
