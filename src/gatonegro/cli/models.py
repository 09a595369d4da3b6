"""`gatonegro models`: list the built-in models with the metrics of their model cards, or copy a model to a folder."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from gatonegro.cli.arguments import MESSAGES, add_source, source_of
from gatonegro.cli.terminal import megabytes_of, print_json, print_message
from gatonegro.errors import OptionError
from gatonegro.hub import BUILT_IN, WEIGHTS_DISTRIBUTION, built_in_models
from gatonegro.i18n import format_number, localized


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--get", metavar="NAME")
    parser.add_argument("--to", metavar="DIR")
    add_source(parser)


def run(args: Namespace) -> None:
    if args.get is not None:
        return get(args)
    if args.to is not None:
        raise OptionError(*MESSAGES["to_without_get"])
    installed = built_in_models()
    records = [
        {"name": name, "task": task, "installed": name in installed}
        | (_card(installed[name]) if name in installed else {})
        for name, task in BUILT_IN.items()
    ]
    for record in records:
        print_json(record) if args.json else _show(record)


def get(args: Namespace) -> None:
    """Copy a model's files into a new subfolder of the folder given by `--to`, for use without a network."""
    from gatonegro.families.loading import copy_to

    name = Path(args.get).name
    if name in ("", ".."):  # a path such as `.` does not end in the folder's name
        name = Path(args.get).resolve().name
    to = Path(args.to or ".") / name
    files = copy_to(to, args.get, **source_of(args))
    shown = f"./{to}" if len(to.parts) == 1 else str(to)  # a path, where a name may be that of a built-in model
    next_step = MESSAGES["to_use"].format(shown=shown)
    if any(path.suffix == ".bin" for path in files):
        next_step = MESSAGES["to_convert"].format(to=to)
    size = megabytes_of(files)
    print_message(MESSAGES["copied"].format(name=args.get, count=len(files), megabytes=size, hint=next_step))
    print(to)


def _show(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    rows = [(localized("task", "tarea"), record["task"])]
    if record["installed"]:
        rows += [
            (localized("languages", "idiomas"), " ".join(record["languages"])),
            (localized("licence", "licencia"), record["licence"]),
            (localized("size", "tamaño"), f"{format_number(record['mb'], 1)} MB"),
        ]
        width = max(map(len, record["figures"]), default=0)
        title = localized("figures", "cifras")
        for name, value in record["figures"].items():
            shown = format_number(value, 3 if abs(value) <= 1 else 1) if isinstance(value, float) else value
            rows.append((title, f"{name:<{width}}  {shown}"))
            title = ""
    else:
        hint = str(MESSAGES["not_installed"].format(distribution=WEIGHTS_DISTRIBUTION))
        rows.append((localized("weights", "pesos"), hint))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(Text(record["name"], "bold"))
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<9}  ", "dim"), str(value)))


def _card(folder: Path) -> dict[str, Any]:
    """Return a built-in model's languages, licence and metrics from its model card, and its size in MB."""
    from huggingface_hub import ModelCard, ModelCardData

    card = folder / "README.md"
    data = ModelCard.load(card).data if card.is_file() else ModelCardData()
    return {
        "languages": [data.language] if isinstance(data.language, str) else data.language or [],
        "licence": data.get("license_name") or data.license,
        "mb": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1),
        "figures": {
            f"{r.dataset_name}, {r.metric_name}" + f" ({r.dataset_split})" * bool(r.dataset_split): r.metric_value
            for r in data.eval_results or ()
        },
    }
