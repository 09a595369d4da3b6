"""Measure cold commands: the time and the memory of whole processes, in turns, best of several; and an install's size.

    python benchmarks/start.py --rounds 9 --install

With `--install`, the package, its models and its kernels are installed into a folder of their own, without PyTorch; the
commands run from there, so that their time is that of a machine without PyTorch. Writes `benchmarks/results/start.json`
and `.md`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import HERE, machine, save

N_IMPORTS = 10  # slowest imports in the table
TORCH = 'python -c "import torch"'
PARTS = (".", "./models", "./kernels")  # distributions, from the repository's root
COMMANDS = {  # without the interpreter
    "python -c pass": ["-c", "pass"],
    'python -c "import numpy"': ["-c", "import numpy"],
    TORCH: ["-c", "import torch"],
    "gatonegro --help": ["-m", "gatonegro", "--help"],
    'gatonegro sentiment "El profesor es bueno"': ["-m", "gatonegro", "sentiment", "El profesor es bueno"],
    'gatonegro translate "El profesor es bueno"': ["-m", "gatonegro", "translate", "El profesor es bueno"],
}


def install(folder: Path) -> dict[str, float]:
    """Install the package without PyTorch into a folder; return the size in megabytes of each part, largest first."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "-c", "constraints.txt", "--target", str(folder), *PARTS]
    subprocess.run(pip, check=True, cwd=HERE.parent)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=False)
    sizes: dict[str, float] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            part = path.relative_to(folder).parts[0].removesuffix(".libs").partition("-")[0]
            sizes[part] = sizes.get(part, 0) + path.stat().st_size / 1e6
    return dict(sorted(((part, round(size, 1)) for part, size in sizes.items()), key=lambda entry: -entry[1]))


# In a process of its own: a child's peak includes the memory of the process that started it, here PyTorch's.
LAUNCHER = """
import os, sys, time
begun, quiet = time.perf_counter(), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[quiet])
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - begun, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def run(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Run a command; return its seconds, and the most memory in megabytes that it held at a time."""
    launch = [sys.executable, "-S", "-c", LAUNCHER, sys.executable, *command]
    told = subprocess.run(launch, check=True, capture_output=True, text=True, env=env).stdout
    seconds, peak, status = told.split()
    if status != "0":
        raise SystemExit(f"{command} failed with status {status}")
    return float(seconds), float(peak) / (1e6 if sys.platform == "darwin" else 1e3)


def imports(env: dict[str, str]) -> list[tuple[int, str]]:
    """Return what takes longest to import for a first answer, in milliseconds."""
    program = "from gatonegro import pipeline; pipeline('sentiment-analysis')('El profesor es bueno')"
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], check=True, capture_output=True, text=True, env=env
    ).stderr
    found = [(int(us) // 1000, name) for us, name in re.findall(r"\| +(\d+) \| ( *\S+)$", told, re.MULTILINE)]
    return sorted(((ms, name.strip()) for ms, name in found if "." not in name), reverse=True)[:N_IMPORTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--install", action="store_true", help="measure an install without PyTorch")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "start")
    args = parser.parse_args()
    env, sizes = {**os.environ, "HF_HUB_OFFLINE": "1"}, {}
    with tempfile.TemporaryDirectory() as folder:
        thin = env
        if args.install:
            sizes = install(Path(folder))
            # -S hides the packages beside the interpreter, PyTorch among them
            thin = {**env, "PYTHONPATH": folder}
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        memory: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(args.rounds):
            for name, command in COMMANDS.items():
                is_thin = args.install and name != TORCH
                took, held = run([*(["-S"] if is_thin else []), *command], thin if is_thin else env)
                seconds[name].append(round(took, 3))
                memory[name].append(round(held))
        slowest = imports(thin)
    torch = min(seconds[TORCH])
    rows = {
        name: {"best": min(s), "all": s, "times_torch": round(min(s) / torch, 2), "memory_mb": min(memory[name])}
        for name, s in seconds.items()
    }
    command = f"python benchmarks/start.py --rounds {args.rounds}{' --install' * args.install}"
    result = {"command": command, "machine": machine(), "commands": rows, "imports_ms": slowest, "install_mb": sizes}
    lines = ["", "| command | best, s | × `import torch` | memory, MB |", "|---|---:|---:|---:|"]
    lines += [
        f"| `{name}` | {row['best']:.2f} | {row['times_torch']:.2f} | {row['memory_mb']} |"
        for name, row in rows.items()
    ]
    if sizes:
        lines += [
            "",
            f"The install: {sum(sizes.values()):.0f} MB, with compiled bytecode.",
            "",
            "| part | MB |",
            "|---|---:|",
        ]
        lines += [f"| {part} | {size:.1f} |" for part, size in sizes.items() if size >= 1]
    lines += ["", "What took longest to import, each with what it imports first, by `-X importtime`:", ""]
    lines += ["| module | ms |", "|---|---:|", *(f"| `{name}` | {ms} |" for ms, name in slowest)]
    save(args.out, result, lines)


if __name__ == "__main__":
    main()
