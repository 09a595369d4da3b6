"""`gatonegro models`: what is shipped, from each model's own card."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from gatonegro.cli.screen import print_json, say
from gatonegro.errors import OptionError
from gatonegro.hub import BUILT_IN, built_in_models, distribution_of
from gatonegro.wording import both


def run(args: Namespace) -> None:
    if args.get is not None:
        return get(args)
    if args.to is not None:
        raise OptionError(both("--to is for --get NAME; name a model.", "--to es para --get NOMBRE; nombra un modelo."))
    installed = built_in_models()
    records = [
        {"name": name, "task": task, "installed": name in installed}
        | (_card(installed[name]) if name in installed else {})
        for name, task in BUILT_IN.items()
    ]
    for record in records:
        print_json(record) if args.json else _show(record)


def get(args: Namespace) -> None:
    """Copy a model into a folder of its own below `--to`, from which `--model` reads it without a network."""
    from gatonegro.models import copy_to

    name = Path(args.get).name
    if name in ("", ".."):  # a folder under a name that says nothing
        name = Path(args.get).resolve().name
    to = Path(args.to or ".") / name
    files = copy_to(to, args.get, revision=args.revision, local_files_only=args.offline)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    what = both(
        f"{args.get}: {len(files)} files, {megabytes:.1f} MB. ",
        f"{args.get}: {len(files)} archivos, {megabytes:.1f} MB. ",
    )
    if any(path.suffix == ".bin" for path in files):
        what += both(
            f"Its weights are pickled, and are not read so. Write them anew: gatonegro convert {to} -o FOLDER",
            f"Sus pesos están en pickle, y así no se leen. Escríbelos de nuevo: gatonegro convert {to} -o CARPETA",
        )
    else:
        what += both(f"To use it, without a network: -m {to}", f"Para usarlo, sin red: -m {to}")
    say(what)
    print(to)


def _show(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    rows = [(both("task", "tarea"), record["task"])]
    if record["installed"]:
        rows += [(both("languages", "idiomas"), " ".join(record["languages"]))]
        rows += [(both("licence", "licencia"), record["licence"]), (both("size", "tamaño"), f"{record['mb']} MB")]
        width = max(map(len, record["figures"]), default=0)
        title = both("figures", "cifras")
        for name, value in record["figures"].items():
            shown = f"{value:.{3 if abs(value) <= 1 else 1}f}" if isinstance(value, float) else value
            rows.append((title, f"{name:<{width}}  {shown}"))
            title = ""
    else:
        missing, source = distribution_of(record["name"])
        rows.append(
            (
                both("weights", "pesos"),
                both(
                    f"not installed: pip install {missing} (from a checkout: pip install {source})",
                    f"sin instalar: pip install {missing} (desde una copia del repositorio: pip install {source})",
                ),
            )
        )
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(Text(record["name"], "bold"))
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<9}  ", "dim"), str(value)))


def _card(folder: Path) -> dict[str, Any]:
    """Languages, licence and figures from the front matter of the card; size from the files."""
    from huggingface_hub import ModelCard, ModelCardData

    card = folder / "README.md"
    data = ModelCard.load(card).data if card.is_file() else ModelCardData()
    return {
        "languages": [data.language] if isinstance(data.language, str) else data.language or [],
        "licence": data.get("license_name") or data.license,
        "mb": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1),
        "figures": {f"{r.dataset_name}, {r.metric_name}": r.metric_value for r in data.eval_results or ()},
    }
