"""What was measured to be fastest on this machine, where somebody has measured it: `gatonegro bench --tune`."""

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
    """Where the choice is kept: `GATONEGRO_CACHE`, else the user's folder for such things."""
    if folder := os.environ.get("GATONEGRO_CACHE"):
        return Path(folder) / "tuned.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "gatonegro" / "tuned.json"


def machine() -> str:
    """What a choice is good for: this processor, with what it may use, and this PyTorch."""
    able = "+".join(sorted(abilities())) or "plain"
    level = torch.backends.cpu.get_cpu_capability()
    own = f", {kernels.level()} kernels" if kernels.available() else ""
    return f"{platform.node()} {platform.machine()} {level} {able} torch {torch.__version__}{own}"


def remember(fastest: str, fastest_exact: str) -> Path:
    """Keep the fastest precision, and the fastest of those that are not int8. Returns where.

    Raises:
        CheckpointError: it cannot be written there.
    """
    path = place()
    known = _read(path) | {machine(): {"fastest": fastest, "exact": fastest_exact}}
    write_text(path, json.dumps(known, indent=2))
    return path


def recall(stored_int8: bool) -> str | None:
    """The precision that was fastest here, int8 only for models that are stored so; None if nobody has measured."""
    try:
        found = _read(place()).get(machine())
    except RuntimeError:  # there is no home
        return None
    choice = found.get("fastest" if stored_int8 else "exact") if isinstance(found, dict) else None
    return choice if choice in ("fp32", "bf16", "int8") else None


def _read(path: Path) -> dict:
    with suppress(OSError, ValueError, RecursionError):  # not there, or damaged: as if nobody had measured
        if not path.is_file():  # a pipe, or a device, which may never end
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}
