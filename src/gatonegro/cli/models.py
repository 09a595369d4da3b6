"""`gatonegro models`: what is shipped, from each model's own card."""

from __future__ import annotations

import sys
from argparse import Namespace

from gatonegro.cli.screen import print_json
from gatonegro.hub import BUILT_IN, built_in_models


def run(args: Namespace) -> None:
    installed = built_in_models()
    records = []
    for name, task in BUILT_IN.items():
        record = {"name": name, "task": task, "installed": name in installed}
        if name in installed:
            record |= _card(installed[name])
        records.append(record)
    if args.json:
        for record in records:
            print_json(record)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("model", "task", "languages", "licence", "MB", "figures"):
        table.add_column(title, justify="right" if title == "MB" else "left", header_style="bold")
    for r in records:
        if r["installed"]:
            figures = "\n".join(f"{k} {v}" for k, v in r["figures"].items())
            table.add_row(r["name"], r["task"], " ".join(r["languages"]), r["licence"], f"{r['mb']:.0f}", figures)
        else:
            table.add_row(r["name"], r["task"], "", "", "", "not installed: pip install gatonegro-models")
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)


def _card(folder) -> dict:
    """Languages, licence and figures from the front matter of the card; size from the files."""
    from huggingface_hub import ModelCard

    data = ModelCard.load(folder / "README.md").data
    languages = data.language if isinstance(data.language, list) else [data.language]
    return {
        "languages": languages,
        "licence": data.get("license_name") or data.license,
        "mb": sum(f.stat().st_size for f in folder.iterdir()) / 1e6,
        "figures": {f"{r.dataset_name}, {r.metric_name}": r.metric_value for r in data.eval_results or ()},
    }
