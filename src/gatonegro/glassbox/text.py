"""Text output of an explanation, for a file, a pipe or a terminal with colours."""

from __future__ import annotations

from io import StringIO

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gatonegro.glassbox.labels import symbols, tensor_caption
from gatonegro.glassbox.steps import Array, Record, Step
from gatonegro.i18n import Message, format_number, format_vector

N_SHOWN_NUMBERS = 4  # first numbers of a vector
MAX_POSITIONS = 40  # tokens with their likeliest words
MAX_TABLE_TOKENS = 12  # longest text with tables of attention
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
    model = Message("model: ", "modelo: ").in_(record.lang)
    console.print(Text(model + printable(record.model or "?"), "dim"))
    for note in (*record.notes, *([record.mismatch.advice_message] if record.mismatch else [])):
        console.print(Text("! " + note.in_(record.lang), "yellow"))
    for step in record.steps:
        if layers is None or step.layer is None or step.layer < layers:
            _step(step, record, console)
    if record.answer:
        label, score = record.answer[0]
        console.print(Text(f"→ {printable(label)} {format_number(score).in_(record.lang)}", "bold green"))
    if record.written:
        console.print(Text(printable("→ " + record.text_written), "bold green"))


def _step(step: Step, record: Record, console: Console) -> None:
    def show(line: RenderableType, indent: int) -> None:
        console.print(Padding(line, (0, 0, 0, indent)))

    layer = "" if step.layer is None else Message(" · layer ", " · capa ").in_(step.lang) + str(step.layer + 1)
    console.print()
    console.print(Text(f"{step.number}. {step.title}{layer}", "bold cyan"))
    show(Text(step.text), 3)
    show(Text(step.formula, "italic"), 3)
    for line in step.work:
        show(Text(line.in_(step.lang)), 5)
    if step.weights and not step.work:
        sizes = {symbols(name).in_(step.lang): "×".join(map(str, x.shape)) for name, x in step.weights.items()}
        shapes = "  ".join(f"{name} ({size})" for name, size in sizes.items())
        show(Text(Message("weights: ", "pesos: ").in_(step.lang) + shapes, "dim"), 5)
    if not step.work:
        for name, x in step.tensors.items():
            show(_tensor(name, x, step, record), 5)
    for note in step.notes:
        show(Text("✎ " + note.in_(step.lang), "yellow"), 3)


def _tensor(name: str, x: Array, step: Step, record: Record) -> RenderableType:
    """Render a tensor for a terminal: its name, shape and first numbers, or a table of attention probabilities."""
    shape = f"({'×'.join(map(str, x.shape))})" if x.ndim else ""
    head = Text.assemble((f"{tensor_caption(step, name)} ", "bold"), (shape, "dim"))
    if name == "probs" and x.ndim == 3 and max(x.shape[1:]) <= MAX_TABLE_TOKENS:
        if len(x) > 1:
            mean = Message(f" · mean of {len(x)} heads", f" · media de {len(x)} cabezas")
            head.append(mean.in_(record.lang), "dim")
        return Group(head, _attention(x.mean(0), step))
    if name == "likeliest":
        return Group(head, _words(step, record))
    if name == "ids" and step.rows:
        pairs = zip(step.rows, x.tolist(), strict=True)
        return Text.assemble(head, "  ", "  ".join(f"{printable(token)} {number}" for token, number in pairs))
    if name == "attribution":
        return Group(head, _signed(step, x))
    if x.ndim == 0:
        return Text.assemble(head, "  ", format_number(float(x)).in_(record.lang))
    if x.ndim == 1 and x.dtype.kind == "f" and record.answer and len(x) == len(record.answer):
        return Text.assemble(head, "  ", "  ".join(format_number(n).in_(record.lang) for n in x.tolist()))
    return Text.assemble(head, "  ", _first_numbers(x).in_(record.lang))


def _words(step: Step, record: Record) -> RenderableType:
    """Return a table of the words or labels that the model finds likeliest at each of the first tokens."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for token, words in zip(step.rows[:MAX_POSITIONS], record.likeliest(step), strict=False):
        shares = ((printable(word), format_number(p, 2).in_(record.lang)) for word, p in words)
        table.add_row(Text(f"{printable(token)} →"), *(Text(f"{word} {share}") for word, share in shares))
    return table


def _signed(step: Step, x: Array) -> RenderableType:
    """Render words with their attributions, in different colours for positive and negative ones."""
    largest = float(np.abs(x).max(initial=0.0)) or 1.0
    out = Text()
    for word, n in zip(step.rows, x.tolist(), strict=True):
        style = "" if abs(n) < largest / 10 else "green" if n > 0 else "magenta"
        number = format_number(n, 2, sign=True).in_(step.lang)
        out.append(f"{printable(word)} {number}   ", style + (" bold" if abs(n) > largest / 2 else ""))
    return out


def _first_numbers(x: Array) -> Message:
    """Format the first few numbers of a tensor's first vector as text."""
    first = x.reshape(-1, x.shape[-1])[:1].ravel()
    return format_vector(first[:N_SHOWN_NUMBERS].tolist(), len(first) > N_SHOWN_NUMBERS or x.ndim > 1)


def _attention(probs: Array, step: Step) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for token in step.columns:
        table.add_column(Text(printable(token)), justify="right")
    for token, row in zip(step.rows, probs, strict=True):
        shares = [(p, SHADES[min(len(SHADES) - 1, int(p * len(SHADES)))]) for p in np.nan_to_num(row).tolist()]
        numbers = [(p, shade + format_number(p, step.share_decimals).in_(step.lang)) for p, shade in shares]
        cells = (Text(number, "bold" if p >= 0.3 else "") for p, number in numbers)
        table.add_row(Text(printable(token)), *cells)
    return table
