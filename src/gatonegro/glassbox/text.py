"""An explanation as text: for a file, a pipe, a terminal with colours."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gatonegro.glassbox.explanation import Array, Explanation, Step

NUMBERS = 4  # of a vector, that are shown
PLACES = 40  # of a text, for which the likeliest words are told
WIDE = 12  # tokens, up to which a table of attention is shown whole
SHADES = " ░▒▓█"


def plain(explanation: Explanation, layers: int | None = None, width: int = 100) -> str:
    """Without colours."""
    from rich.console import Console

    out = StringIO()
    show(explanation, Console(file=out, width=width, color_system=None, highlight=False), layers)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def printable(text: str) -> str:
    """With nothing in it that could move a cursor."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def show(explanation: Explanation, console: Any, layers: int | None = None) -> None:
    """Print the steps, of the first layers if so many are named."""
    from rich.text import Text

    es = explanation.lang == "es"
    console.print(Text(printable(explanation.text), "bold"))
    console.print(Text(("modelo: " if es else "model: ") + printable(explanation.model or "?"), "dim"))
    for note in explanation.notes:
        console.print(Text("! " + note[es], "yellow"))
    if explanation.fit is not None and explanation.fit.fits is False:
        console.print(Text("! " + explanation.fit.advices[es], "yellow"))
    for step in explanation.steps:
        if layers is None or step.layer is None or step.layer < layers:
            _step(step, explanation, console)
    if explanation.answer:
        label, score = explanation.answer[0]
        console.print(Text(f"→ {printable(label)} {score:.3f}", "bold green"))
    if explanation.written:
        console.print(Text(printable("→ " + explanation.text_written), "bold green"))


def _step(step: Step, explanation: Explanation, console: Any) -> None:
    from rich.padding import Padding
    from rich.text import Text

    es = explanation.lang == "es"
    where = "" if step.layer is None else (" · capa " if es else " · layer ") + str(step.layer + 1)
    console.print()
    console.print(Text(f"{step.number}. {step.title}{where}", "bold cyan"))
    console.print(Padding(Text(step.text), (0, 0, 0, 3)))
    console.print(Padding(Text(step.formula, "italic"), (0, 0, 0, 3)))
    for line in step.work:
        console.print(Padding(Text(line[es]), (0, 0, 0, 5)))
    if step.weights and not step.work:
        shapes = "  ".join(f"{name} ({'×'.join(map(str, x.shape))})" for name, x in step.weights.items())
        console.print(Padding(Text(("pesos: " if es else "weights: ") + shapes, "dim"), (0, 0, 0, 5)))
    if not step.work:
        for name, x in step.tensors.items():
            console.print(Padding(_tensor(name, x, step, explanation), (0, 0, 0, 5)))
    for note in step.notes:
        console.print(Padding(Text("✎ " + note[es], "yellow"), (0, 0, 0, 3)))


def _tensor(name: str, x: Array, step: Step, explanation: Explanation) -> Any:
    """A tensor's name and shape, and a few of its numbers; attention, averaged over the heads, as a table."""
    from rich.console import Group
    from rich.text import Text

    shape = f"({'×'.join(map(str, x.shape))})" if x.ndim else ""
    head = Text.assemble((f"{name} ", "bold"), (shape, "dim"))
    if name == "probs" and x.ndim == 3 and max(x.shape[1:]) <= WIDE:
        if len(x) > 1:
            es = explanation.lang == "es"
            head.append(f" · media de {len(x)} cabezas" if es else f" · mean of {len(x)} heads", "dim")
        return Group(head, _attention(x.mean(0), step))
    if name == "likeliest":
        return Group(head, _words(step, explanation))
    if name == "ids" and step.rows:
        pairs = zip(step.rows, x.tolist(), strict=True)
        return Text.assemble(head, "  ", "  ".join(f"{printable(token)} {number}" for token, number in pairs))
    if name == "attribution":
        return Group(head, _signed(explanation.tokens, x))
    if x.ndim == 0:
        return Text.assemble(head, f"  {float(x):.4f}")
    if x.ndim == 1 and x.dtype.kind == "f" and explanation.answer and len(x) == len(explanation.answer):
        return Text.assemble(head, "  ", "  ".join(f"{n:.4f}" for n in x))
    return Text.assemble(head, "  ", _some(x))


def _words(step: Step, explanation: Explanation) -> Any:
    """The likeliest words, or labels, of the first places."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for token, some in zip(step.rows[:PLACES], explanation.likeliest(step), strict=False):
        table.add_row(Text(f"{printable(token)} →"), *(Text(f"{printable(word)} {p:.2f}") for word, p in some))
    return table


def _signed(tokens: Iterable[str], x: Array) -> Any:
    """Words with what each adds, those that speak against in another colour and with a minus."""
    from rich.text import Text

    most = float(np.abs(x).max()) or 1.0
    out = Text()
    for token, n in zip(tokens, x.tolist(), strict=True):
        style = "" if abs(n) < most / 10 else "green" if n > 0 else "magenta"
        out.append(f"{printable(token)} {n:+.2f}   ", style + (" bold" if abs(n) > most / 2 else ""))
    return out


def _some(x: Array) -> str:
    """The first numbers of the first vector."""
    first = x
    while first.ndim > 1:
        first = first[0]
    numbers = [f"{n:.3f}" if x.dtype.kind == "f" else str(n) for n in first[:NUMBERS].tolist()]
    return "[" + ", ".join(numbers) + (", …" if len(first) > NUMBERS or x.ndim > 1 else "") + "]"


def _attention(probs: Array, step: Step) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for token in step.columns:
        table.add_column(Text(printable(token)), justify="right")
    for token, row in zip(step.rows, probs, strict=True):
        table.add_row(Text(printable(token)), *(_cell(float(p)) for p in np.nan_to_num(row)))
    return table


def _cell(p: float) -> Any:
    from rich.text import Text

    shade = SHADES[min(len(SHADES) - 1, int(p * len(SHADES)))]
    return Text(f"{shade}{p:.2f}", "bold" if p >= 0.3 else "")
