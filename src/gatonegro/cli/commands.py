"""The commands as a table: what `--help` says of each, and which arguments it takes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatonegro.i18n import Pair, localized

Argument = tuple[tuple[str, ...], Mapping[str, Any]]

TEXTS: Argument = (
    ("texts",),
    {
        "nargs": "*",
        "metavar": ("TEXT", "TEXTO"),
        "help": ("texts; without any, lines of standard input", "textos; si no hay, las líneas de la entrada estándar"),
    },
)
JSON: Argument = (("--json",), {"action": "store_true", "help": ("one JSON object a line", "un objeto JSON por línea")})
OFFLINE: Argument = (
    ("--offline",),
    {"action": "store_true", "help": ("never ask the network", "no usar nunca la red")},
)
REVISION: Argument = (
    ("--revision",),
    {
        "metavar": ("REV", "REV"),
        "help": ("branch, tag or commit on the hub", "rama, etiqueta o commit en el hub"),
    },
)
MODEL: Argument = (
    ("-m", "--model"),
    {
        "metavar": ("NAME", "NOMBRE"),
        "help": (
            "folder, built-in name or hub name (default: the built-in sentiment-es-en)",
            "carpeta, nombre de un modelo incluido o del hub (por defecto, el incluido sentiment-es-en)",
        ),
    },
)
LANG: Argument = (
    ("--lang",),
    {
        "choices": ("es", "en"),
        "default": argparse.SUPPRESS,
        "help": ("language of help and messages", "idioma de la ayuda y los mensajes"),
    },
)


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            localized(
                f"must be a whole number of at least 1, not {text!r}",
                f"debe ser un número entero, 1 o más, no {text!r}",
            )
        )
    return int(text)


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(
            localized(f"must be a number from 0 to 1, not {text!r}", f"debe ser un número de 0 a 1, no {text!r}")
        )
    return value


def device(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text


DEVICE: Argument = (
    ("--device",),
    {
        "type": device,
        "default": "auto",
        "metavar": ("DEVICE", "DISPOSITIVO"),
        "help": ("cpu, cuda, mps, a GPU's number or auto", "cpu, cuda, mps, el número de una GPU o auto"),
    },
)
PRECISION: Argument = (
    ("--precision",),
    {
        "choices": ("auto", "fp32", "bf16", "fp16", "int8"),
        "default": "auto",
        "help": (
            "how exactly to compute: auto is what this machine is made for",
            "con qué precisión calcular: auto es aquella para la que está hecha esta máquina",
        ),
    },
)
TRANSLATOR: Argument = (
    MODEL[0],
    {
        **MODEL[1],
        "help": (
            "folder, built-in name or hub name (default: the built-in translate-es-en)",
            "carpeta, nombre de un modelo incluido o del hub (por defecto, el incluido translate-es-en)",
        ),
    },
)


@dataclass(frozen=True)
class Command:
    """What `--help` says and which arguments there are; `gatonegro.cli.NAME.run(args)` does the work."""

    help: Pair
    arguments: Sequence[Argument]
    example: str


COMMANDS: dict[str, Command] = {
    "sentiment": Command(
        ("whether a text is negative, neutral or positive", "si un texto es negativo, neutro o positivo"),
        (
            TEXTS,
            MODEL,
            (
                ("--top-k",),
                {
                    "type": count,
                    "metavar": ("K", "K"),
                    "help": ("the K best labels, not only the first", "las K mejores etiquetas, no solo la primera"),
                },
            ),
            (
                ("--min-score",),
                {
                    "type": share,
                    "metavar": ("SCORE", "PUNTUACIÓN"),
                    "help": (
                        "mark answers that score less as unsure, with a ? after the label",
                        "marcar como dudosas las que puntúan menos, con ? tras la etiqueta",
                    ),
                },
            ),
            DEVICE,
            PRECISION,
            JSON,
            REVISION,
            OFFLINE,
        ),
        'gatonegro sentiment "El profesor es bueno, todo será sencillo"\n  gatonegro sentiment --json < texts.txt',
    ),
    "translate": Command(
        ("a text in the other language, Spanish or English", "un texto en el otro idioma, español o inglés"),
        (
            TEXTS,
            TRANSLATOR,
            (
                ("--to",),
                {
                    "metavar": ("LANG", "IDIOMA"),
                    "help": (
                        "into this language: es, en (default: the one that the text is not in)",
                        "a este idioma: es, en (por defecto, aquel en que no está el texto)",
                    ),
                },
            ),
            (
                ("--from",),
                {
                    "dest": "source",
                    "metavar": ("LANG", "IDIOMA"),
                    "help": ("from this language (default: found out)", "de este idioma (por defecto, se averigua)"),
                },
            ),
            (
                ("--beam",),
                {
                    "type": count,
                    "metavar": ("N", "N"),
                    "help": (
                        "so many translations side by side, of which the best wins; 1 is fastest (default: the "
                        "model's own, 4 for the built-in one)",
                        "tantas traducciones a la vez, de las que gana la mejor; 1 es lo más rápido (por defecto, lo "
                        "que pide el modelo; 4 en el incluido)",
                    ),
                },
            ),
            (
                ("--nbest",),
                {
                    "type": count,
                    "metavar": ("N", "N"),
                    "help": (
                        "the N best translations, with scores: mean log-probabilities, better the nearer to 0",
                        "las N mejores traducciones, con puntuación: log-probabilidad media, mejor cuanto más cerca de "
                        "0",
                    ),
                },
            ),
            (
                ("--align",),
                {
                    "action": "store_true",
                    "help": ("which word came from which", "qué palabra viene de cuál"),
                },
            ),
            DEVICE,
            PRECISION,
            JSON,
            REVISION,
            OFFLINE,
        ),
        'gatonegro translate "El gato negro duerme."\n  gatonegro translate --nbest 3 --align "El gato negro duerme."\n'
        "  gatonegro translate --to es < letter.txt > carta.txt",
    ),
    "diagnose": Command(
        (
            "whether a model fits the language of a text, with the evidence",
            "si un modelo encaja con el idioma de un texto, y por qué",
        ),
        (TEXTS, MODEL, JSON, REVISION, OFFLINE),
        'gatonegro diagnose -m demo-en "El profesor es bueno, todo será sencillo"',
    ),
    "explain": Command(
        (
            "every step from a text to an answer, with the real numbers",
            "cada paso de un texto a su respuesta, con los números de verdad",
        ),
        (
            TEXTS,
            (
                MODEL[0],
                {
                    **MODEL[1],
                    "help": (
                        'folder, built-in name, hub name, or "toy", the worked example of three words (default: the '
                        "built-in sentiment-es-en)",
                        "carpeta, nombre de un modelo incluido o del hub, o toy, el ejemplo de tres palabras hecho a "
                        "mano (por defecto, el incluido sentiment-es-en)",
                    ),
                },
            ),
            (
                ("-o", "--output"),
                {
                    "metavar": ("FILE", "ARCHIVO"),
                    "help": (
                        "to a file: .html (a page to look at), .json, .safetensors or .npz (the exact tensors), .txt",
                        "a un archivo: .html (una página que mirar), .json, .safetensors o .npz (los tensores "
                        "exactos), .txt",
                    ),
                },
            ),
            (
                ("--layers",),
                {
                    "type": count,
                    "metavar": ("N", "N"),
                    "help": ("print the first N layers only", "mostrar solo las N primeras capas"),
                },
            ),
            (
                ("--max-new-tokens",),
                {
                    "type": count,
                    "metavar": ("N", "N"),
                    "default": 64,
                    "help": (
                        "for models that write: at most so many tokens (default: 64)",
                        "en modelos que escriben: como mucho tantos tokens (por defecto, 64)",
                    ),
                },
            ),
            JSON,
            REVISION,
            OFFLINE,
        ),
        'gatonegro explain --model toy "El gato negro"\n  gatonegro explain "El gato negro duerme" -o gato.html',
    ),
    "tokens": Command(
        (
            "the tokens of a text, their ids and where they stand",
            "los tokens de un texto, sus números y dónde están",
        ),
        (TEXTS, MODEL, JSON, REVISION, OFFLINE),
        'gatonegro tokens "El gato negro"\n  gatonegro tokens "El gato negro" --model ./modelo --json',
    ),
    "models": Command(
        (
            "the built-in models: task, languages, licence, size, figures; or bring one into a folder",
            "los modelos incluidos: tarea, idiomas, licencia, tamaño, cifras; o llevar uno a una carpeta",
        ),
        (
            (
                ("--get",),
                {
                    "metavar": ("NAME", "NOMBRE"),
                    "help": (
                        "fetch a model of the hub, or a built-in one, for a class without a network",
                        "traer un modelo del hub, o uno incluido, para una clase sin red",
                    ),
                },
            ),
            (
                ("--to",),
                {
                    "metavar": ("DIR", "CARPETA"),
                    "help": ("where to put it: a USB stick, say", "dónde ponerlo: una memoria USB, por ejemplo"),
                },
            ),
            JSON,
            REVISION,
            OFFLINE,
        ),
        "gatonegro models\n  gatonegro models --get dccuchile/bert-base-spanish-wwm-cased --to /media/usb",
    ),
    "bench": Command(
        (
            "how fast a model is on this machine, in each precision",
            "lo rápido que va un modelo en esta máquina, en cada precisión",
        ),
        (
            MODEL,
            (
                ("--tune",),
                {
                    "action": "store_true",
                    "help": (
                        "from now on, use the fastest where nobody asks for another",
                        "desde ahora, usar la más rápida cuando no se pida otra",
                    ),
                },
            ),
            JSON,
            REVISION,
            OFFLINE,
        ),
        "gatonegro bench\n  gatonegro bench --tune",
    ),
    "convert": Command(
        (
            "write a model anew as safetensors: from pickled weights, to or from int8, for transformers to read",
            "escribir un modelo de nuevo como safetensors: desde pickle, a int8 o desde int8, para transformers",
        ),
        (
            (
                ("name",),
                {
                    "metavar": ("NAME", "NOMBRE"),
                    "help": (
                        "folder, built-in name or hub name",
                        "carpeta, nombre de un modelo incluido o del hub",
                    ),
                },
            ),
            (
                ("-o", "--output"),
                {"metavar": ("FOLDER", "CARPETA"), "required": True, "help": ("where to write", "dónde escribir")},
            ),
            (
                ("--int8",),
                {
                    "action": "store_true",
                    "help": (
                        "matrices as int8 rows, a quarter of the size",
                        "matrices en filas int8, la cuarta parte de tamaño",
                    ),
                },
            ),
            REVISION,
            OFFLINE,
        ),
        "gatonegro convert sentiment-es-en -o ./modelo",
    ),
}
