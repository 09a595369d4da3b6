"""How long a cold command takes: whole processes, in turn, the best of each.

    python benchmarks/start.py --rounds 5

Writes `benchmarks/results/start.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
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
    torch = min(seconds['python -c "import torch"'])
    rows = {name: {"best": min(s), "all": s, "times_torch": round(min(s) / torch, 2)} for name, s in seconds.items()}
    result = {"command": f"python benchmarks/start.py --rounds {args.rounds}", "commands": rows}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    lines = [f"`{result['command']}`", "", "| command | best, s | × `import torch` |", "|---|---:|---:|"]
    lines += [f"| `{name}` | {row['best']:.2f} | {row['times_torch']:.2f} |" for name, row in rows.items()]
    args.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    print(args.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
