"""Measure the time of a cold command: whole processes, in turns, best of several.

    python benchmarks/start.py --rounds 5

Writes `benchmarks/results/start.json` and `.md`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from material import HERE, machine, save

N_IMPORTS = 10  # slowest imports in the table
CLI = [sys.executable, "-m", "gatonegro"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "gatonegro --help": [*CLI, "--help"],
    'python -c "import torch"': [sys.executable, "-c", "import torch"],
    'gatonegro sentiment "El profesor es bueno"': [*CLI, "sentiment", "El profesor es bueno"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "start")
    args = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(args.rounds):
        for name, command in COMMANDS.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
            seconds[name].append(round(time.perf_counter() - begun, 3))
    program = "from gatonegro import pipeline; pipeline('sentiment-analysis')('El profesor es bueno')"
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], check=True, capture_output=True, text=True
    ).stderr
    imports = [(int(us) // 1000, name) for us, name in re.findall(r"\| +(\d+) \| ( *\S+)$", told, re.MULTILINE)]
    imports = sorted(((ms, name.strip()) for ms, name in imports if "." not in name), reverse=True)[:N_IMPORTS]
    torch = min(seconds['python -c "import torch"'])
    rows = {name: {"best": min(s), "all": s, "times_torch": round(min(s) / torch, 2)} for name, s in seconds.items()}
    command = f"python benchmarks/start.py --rounds {args.rounds}"
    result = {"command": command, "machine": machine(), "commands": rows, "imports_ms": imports}
    lines = ["", "| command | best, s | × `import torch` |", "|---|---:|---:|"]
    lines += [f"| `{name}` | {row['best']:.2f} | {row['times_torch']:.2f} |" for name, row in rows.items()]
    lines += ["", "What took longest to import, each with what it imports first, by `-X importtime`:", ""]
    lines += ["| module | ms |", "|---|---:|", *(f"| `{name}` | {ms} |" for ms, name in imports)]
    save(args.out, result, lines)


if __name__ == "__main__":
    main()
