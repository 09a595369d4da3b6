"""`gatonegro models`: what is shipped, from each model's own card."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from gatonegro.cli.screen import print_json
from gatonegro.hub import BUILT_IN, DISTRIBUTION, built_in_models


def run(args: Namespace) -> None:
    installed = built_in_models()
    records = [
        {"name": name, "task": task, "installed": name in installed}
        | (_card(installed[name]) if name in installed else {})
        for name, task in BUILT_IN.items()
    ]
    for record in records:
        print_json(record) if args.json else _show(record)


def _show(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    rows = [("task", record["task"])]
    if record["installed"]:
        rows += [("languages", " ".join(record["languages"]))]
        rows += [("licence", record["licence"]), ("size", f"{record['mb']} MB")]
        width = max(map(len, record["figures"]), default=0)
        for name, value in record["figures"].items():
            shown = f"{value:.3f}" if isinstance(value, float) else value
            rows.append(("" if rows[-1][0] in ("figures", "") else "figures", f"{name:<{width}}  {shown}"))
    else:
        rows.append(("weights", f"not installed: pip install {DISTRIBUTION} (from a checkout: pip install ./models)"))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(Text(record["name"], "bold"))
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<9}  ", "dim"), str(value)))


def _card(folder: Path) -> dict[str, Any]:
    """Languages, licence and figures from the front matter of the card; size from the files."""
    from huggingface_hub import ModelCard

    data = ModelCard.load(folder / "README.md").data
    return {
        "languages": [data.language] if isinstance(data.language, str) else data.language or [],
        "licence": data.get("license_name") or data.license,
        "mb": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1),
        "figures": {f"{r.dataset_name}, {r.metric_name}": r.metric_value for r in data.eval_results or ()},
    }
