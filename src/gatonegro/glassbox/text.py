"""Text output of an explanation, for a file, a pipe or a terminal with colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import StringIO

import numpy as np
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gatonegro.glassbox.labels import PAGE_TEXTS, symbols, tensor_caption
from gatonegro.glassbox.steps import Array, Record, Step
from gatonegro.i18n import Message, format_number, format_vector

N_SHOWN_NUMBERS = 4  # first numbers of a vector
MAX_POSITIONS = 40  # tokens with their likeliest words
MAX_TABLE_TOKENS = 12  # longest text with tables of attention, which fit into 80 columns
GAP = (0, 2)  # between columns; as many items go side by side as fit whole
SHADES = " ░▒▓█"


def to_text(record: Record, layers: int | None = None, width: int = 100) -> str:
    """Return an explanation as plain text, limited to the model's first `layers` layers if that is given."""
    out = StringIO()
    show(record, Console(file=out, width=width, color_system=None, highlight=False), layers)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def printable(text: str) -> str:
    """Replace a text's unprintable characters, such as escape characters, which a terminal would interpret."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def show(record: Record, console: Console, layers: int | None = None) -> None:
    """Print an explanation to a `rich` console, limited to the model's first `layers` layers if that is given."""
    console.print(Text(printable(record.text), "bold"))
    answer = [f"{label} {format_number(score).in_(record.lang)}" for label, score in record.answer[:1]]
    for line in (*answer, *([record.text_written] if record.written else [])):
        console.print(Text(printable("→ " + line), "bold green"))
    console.print(Text(Message("model: ", "modelo: ").in_(record.lang) + printable(record.model or "?"), "dim"))
    for note in (*record.notes, *([record.mismatch.advice_message] if record.mismatch else [])):
        console.print(Text("! " + note.in_(record.lang), "yellow"))
    for step in record.steps:
        if layers is None or step.layer is None or step.layer < layers:
            _step(step, record, console)


def _step(step: Step, record: Record, console: Console) -> None:
    def show(line: RenderableType, indent: int) -> None:
        console.print(Padding(line, (0, 0, 0, indent)))

    console.print()
    console.print(Text(f"{_place(step, record)}. {step.title}", "bold cyan"))
    show(Text(step.text), 3)
    show(Columns((Text(formula, "italic") for formula in re.split("(?<=,)  ", step.formula)), GAP), 3)
    for line in step.work:
        show(Text(line.in_(step.lang)), 5)
    if step.weights and not step.work:
        sizes = {symbols(name).in_(step.lang): "×".join(map(str, x.shape)) for name, x in step.weights.items()}
        weights = (Text(f"{name} ({size})", "dim") for name, size in sizes.items())
        show(_listed(Text(PAGE_TEXTS["weights"].in_(step.lang), "bold"), weights), 5)
    for name, x in step.tensors.items():
        if not step.work and name != "spans":
            show(_tensor(name, x, step, record), 5)
    for note in step.notes:
        show(Text("✎ " + note.in_(step.lang), "yellow"), 3)


def _place(step: Step, record: Record) -> str:
    """Return where a step belongs, such as "Decoder, layer 1, cross-attention, step 4"; layers count from 1."""
    *keys, _ = step.name.split(".")
    keys = keys if any(each.name == "decoder.vectorization" for each in record.steps) else keys[1:]
    keys += ["settled"] * (step.kind == "norm" and step.layer is None)
    words = [PAGE_TEXTS["layer" if key.isdigit() else key].in_(step.lang).lower() for key in keys]
    parts = [f"{word} {int(key) + 1}" if key.isdigit() else word for key, word in zip(keys, words, strict=True)]
    place = ", ".join([*parts, f"{Message('step', 'paso').in_(step.lang)} {step.number}"])
    return place[0].upper() + place[1:]


def _listed(head: Text, items: Iterable[Text]) -> RenderableType:
    return Group(head, Padding(Columns(items, GAP), (0, 0, 0, 2)))


def _tensor(name: str, x: Array, step: Step, record: Record) -> RenderableType:
    """Render a tensor for a terminal: its name, shape and first numbers, or a table of attention probabilities."""
    shape = f"({'×'.join(map(str, x.shape))})" if x.ndim else ""
    head = Text.assemble((f"{tensor_caption(step, name)} ", "bold"), (shape, "dim"))
    if name == "probs" and x.ndim == 3 and max(x.shape[1:]) <= MAX_TABLE_TOKENS:
        mean = Message(f" · mean of {len(x)} heads", f" · media de {len(x)} cabezas").in_(record.lang)
        head.append(mean if len(x) > 1 else "", "dim")
        return Group(head, _attention(x.mean(0), step))
    if name == "likeliest":
        return Group(head, _words(step, record))
    if name == "ids" and step.rows:
        return _listed(head, (Text(f"{printable(t)} {n}") for t, n in zip(step.rows, x.tolist(), strict=True)))
    if name == "attribution":
        return _listed(head, _signed(step, x))
    if x.ndim == 0:
        return Text.assemble(head, "  ", format_number(float(x)).in_(record.lang))
    if x.ndim == 1 and x.dtype.kind == "f" and record.answer and len(x) == len(record.answer):
        ranked = zip(record.answer, sorted(x.tolist(), reverse=True), strict=True)  # by logits as by probabilities
        return _listed(head, (Text(f"{printable(of)} {format_number(n).in_(record.lang)}") for (of, _), n in ranked))
    first = x.reshape(-1, x.shape[-1])[:1].ravel()
    numbers = format_vector(first[:N_SHOWN_NUMBERS].tolist(), len(first) > N_SHOWN_NUMBERS or x.ndim > 1)
    return Columns([head, Text(numbers.in_(record.lang))], GAP)


def _words(step: Step, record: Record) -> RenderableType:
    """Return a table of the words or labels that the model finds likeliest at each of the first tokens."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for token, words in zip(step.rows[:MAX_POSITIONS], record.likeliest(step), strict=False):
        shares = (f"{printable(word)} {format_number(p, 2).in_(record.lang)}" for word, p in words)
        table.add_row(Text(f"{printable(token)} →"), *map(Text, shares))
    return table


def _signed(step: Step, x: Array) -> Iterator[Text]:
    """Render words with their attributions, in different colours for positive and negative ones."""
    largest = float(np.abs(x).max(initial=0.0)) or 1.0
    for word, n in zip(step.rows, x.tolist(), strict=True):
        style = "" if abs(n) < largest / 10 else "green" if n > 0 else "magenta"
        number = format_number(n, 2, sign=True).in_(step.lang)
        yield Text(f"{printable(word)} {number}", style + (" bold" if abs(n) > largest / 2 else ""))


def _attention(probs: Array, step: Step) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=0, header_style="dim")
    for token in ("", *step.columns):  # long tokens are cut where there is no room
        head = Text(f" {printable(token)}", no_wrap=True, overflow="ellipsis")
        table.add_column(head, justify="right" if token else "left", min_width=step.share_decimals + 3)
    for token, row in zip(step.rows, probs, strict=True):
        shares = [(p, SHADES[min(len(SHADES) - 1, int(p * len(SHADES)))]) for p in np.nan_to_num(row).tolist()]
        numbers = [(p, shade + format_number(p, step.share_decimals).in_(step.lang)) for p, shade in shares]
        cells = (Text(number, "bold" if p >= 0.3 else "") for p, number in numbers)
        table.add_row(Text(f"{printable(token)} ", no_wrap=True, overflow="ellipsis"), *cells)
    return table
