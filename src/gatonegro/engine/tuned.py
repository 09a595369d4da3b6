"""The precision that `gatonegro bench --tune` measured to be fastest on this machine, kept in a file."""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import torch

from gatonegro.engine import kernels
from gatonegro.engine.processor import abilities
from gatonegro.storage import write_text


def place() -> Path:
    """Return the path of the file: in `GATONEGRO_CACHE`, else in the user's cache folder."""
    if folder := os.environ.get("GATONEGRO_CACHE"):
        return Path(folder) / "tuned.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "gatonegro" / "tuned.json"


def machine() -> str:
    """Return a key for this machine: its processor, the instructions that PyTorch uses, and PyTorch's version."""
    able = "+".join(sorted(abilities())) or "plain"
    level = torch.backends.cpu.get_cpu_capability()
    compiled = f", {kernels.level()} kernels" if kernels.available() else ""
    return f"{platform.node()} {platform.machine()} {level} {able} torch {torch.__version__}{compiled}"


def remember(fastest: str, fastest_exact: str) -> Path:
    """Keep the fastest precision, and the fastest one without int8; return the path of the file.

    Raises:
        CheckpointError: the file cannot be written.
    """
    path = place()
    known = _read(path) | {machine(): {"fastest": fastest, "exact": fastest_exact}}
    write_text(path, json.dumps(known, indent=2))
    return path


def recall(stored_int8: bool) -> str | None:
    """Return the precision that was fastest here, int8 only for models that are stored so; None if never measured."""
    try:
        measured = _read(place()).get(machine())
    except RuntimeError:  # there is no home
        return None
    choice = measured.get("fastest" if stored_int8 else "exact") if isinstance(measured, dict) else None
    return choice if choice in ("fp32", "bf16", "int8") else None


def _read(path: Path) -> dict:
    with suppress(OSError, ValueError, RecursionError):  # a missing or damaged file counts as empty
        if path.is_file() and isinstance(data := json.loads(path.read_text(encoding="utf-8")), dict):  # no pipe
            return data
    return {}
