"""`gatonegro bench`: measure the speed of a model on this machine in each precision."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Any

from gatonegro.cli.arguments import MESSAGES, add_backend, add_model, add_source, source_of
from gatonegro.cli.terminal import print_json, print_message, print_tabs, table
from gatonegro.errors import CheckpointError, OptionError, message_of
from gatonegro.hub import DEFAULT_MODELS
from gatonegro.i18n import format_number, localized

BENCH_SENTENCES = (
    "El profesor es bueno, todo será sencillo.",
    "No volvería a este hotel ni aunque me pagaran: la cama crujía, el baño olía mal y nadie cogía el teléfono.",
    "The food was bad.",
    "Genial",
    "La clase empieza a las nueve en el aula tres, y quien llegue tarde espera fuera hasta el descanso.",
    "I have been waiting for a course like this all my life, and it was worth every minute of it!",
)
N_COPIES = 24  # copies of the sentences, numbered so that no two texts are equal
N_ROUNDS = 3  # measured rounds; the fastest counts


def add_arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_backend(parser)
    parser.add_argument("--tune", action="store_true")
    add_source(parser)


def run(args: Namespace) -> None:
    from gatonegro import pipeline
    from gatonegro.operators import tuned_precision
    from gatonegro.operators.processor import cores, fast_precisions
    from gatonegro.pipelines.backend import auto_precision

    texts = [f"{i}. {sentence}" for i in range(N_COPIES) for sentence in BENCH_SENTENCES]
    model = args.model or DEFAULT_MODELS["text-classification"]
    precisions = [p for p in ("fp32", "bf16", "int8") if p != "bf16" or "bf16" in fast_precisions()]
    print_message(MESSAGES["bench"].format(precisions=", ".join(precisions), cores=cores()))
    options = {"device": "cpu", "language_check": "off", "backend": args.backend, **source_of(args)}
    engines = {p: pipeline(model=model, precision=p, **options) for p in precisions}
    if engines["fp32"].task == "fill-mask":
        texts = [f"{text} {engines['fp32'].tokenizer.mask_token}" for text in texts]
    best: dict[str, list[float]] = {p: [float("inf")] * 2 for p in precisions}
    for _ in range(N_ROUNDS + 1):  # the first round warms up and is never the fastest
        for precision, engine in engines.items():  # in turns, so that other load affects all alike
            for i, batch in enumerate((texts, texts[:1])):
                start = time.perf_counter()
                engine(batch)
                best[precision][i] = min(best[precision][i], time.perf_counter() - start)
    backend, chosen = auto_precision(engines["fp32"].running)
    rows = [
        {
            "precision": precision,
            "texts_per_s": round(len(texts) / batch_s, 1),
            "ms_for_one": round(one_s * 1000, 1),
            "auto": precision == chosen,
        }
        for precision, (batch_s, one_s) in best.items()
    ]
    if args.json:
        print_json({"model": str(model), "cores": cores(), "texts": len(texts), "precisions": rows})
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        for row in rows:
            print_tabs(row["precision"], row["texts_per_s"], row["ms_for_one"], "auto" if row["auto"] else "")
    if args.tune:
        by_speed = sorted(precisions, key=lambda p: best[p][0])
        exact = next(p for p in by_speed if p != "int8")
        try:
            path = tuned_precision.save_fastest(backend, by_speed[0], exact)
        except CheckpointError as error:
            raise OptionError(*MESSAGES["not_saved"].format(why=message_of(error))) from None
        print_message(MESSAGES["tuned"].format(fastest=by_speed[0], exact=exact, path=path))


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console

    shown = table(
        (localized("precision", "precisión"), "left"),
        (localized("texts/s", "textos/s"), "right"),
        (localized("ms for one", "ms para uno"), "right"),
        ("", "left"),
    )
    for row in rows:
        numbers = (str(format_number(row[name], 1)) for name in ("texts_per_s", "ms_for_one"))
        shown.add_row(row["precision"], *numbers, "← auto" if row["auto"] else "")
    Console(highlight=False).print(shown)
