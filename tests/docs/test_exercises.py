"""Tests of the exercises: unsolved, solved and wrong answers are told apart."""

import json
import os
import re

import pytest
from small import ROOT

from gatonegro import hub

NOTEBOOK = ROOT / "examples" / "ejercicios.ipynb"

NEEDED = {"sentiment-es-en", "demo-en", "translate-es-en"}

SOLUTIONS = re.compile(r"<details><summary>(\d+)\..*?```python\n(.*?)\n```", re.DOTALL)

# wrong answers, by exercise, with the reason that `comprobar` gives
WRONG = {
    1: {"[2, 1, 2]": "el número 1 no es ese", "[4, 2]": "tiene 3 números, y has dado 2", "'4, 2, 4'": "una lista"},
    2: {"18": "falta dividir por √3", "6": "has dividido por 3", "'diez'": "no lo es",
        "10,3": "da al menos dos decimales", "'12,5'": "12,50 es demasiado grande", "7": "7,00 es demasiado pequeño"},
    3: {"lambda x, y: x": "TypeError", "lambda x: x / x.sum()": "e veces", "np.exp": "suma 30,19, y no 1",
        "lambda x: 1": "de 3 números han de salir 3"},
    4: {"7": "se espera una función", "lambda r: r - r.mean()": "la desviación", "lambda r: r": "la media",
        "lambda r: -(r - r.mean()) / r.std()": "los números no son esos"},
    5: {"0": "son más de 0", "99": "son menos de 99", "'tres'": "se espera un número", "2.5": "entero",
        "[4]": "se espera un número"},
    6: {"0": "de la 1 a la 12", "13": "de la 1 a la 12", "None": "se espera un número"},
    7: {"1.0": "la forma es ()", "[1] * 12": "la forma es (12,)", "np.zeros((12, len(frase.tokens)))": "suman 1"},
    8: {"'POSITIVE'": "se espera una de", "2": "se espera una de"},
    9: {"3": "se espera una lista", "[0, 2]": "del 1 al 4, y has dado 0", "[1]": "falta alguna",
        "[1, 2, 3]": "con la frase 2 no hay nada en contra"},
    10: {"'negro'": "uno de los tokens leídos", "'▁El'": "hay otro al que mira más", "3": "uno de los tokens leídos"},
}  # fmt: skip

# other ways to write what is right
RIGHT = {
    1: ["(4, 2, 4)", "np.array([4.0, 2, 4])"],
    2: ["10,39", "'10,39'", "10.39", "'10.3923'", "10,3923"],
    9: ["(3, 1)", "{1, 3}", "np.array([1, 3])"],
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hub.built_in_models().keys() >= NEEDED, reason="the built-in models are not installed: pip install ./models"
    ),
]


def assigned(code: str) -> str:
    """Assign the last line of some code to `respuesta`."""
    *before, last = code.splitlines()
    return "\n".join([*before, f"respuesta = {last}"])


def solutions() -> dict[int, str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return {int(n): code for n, code in SOLUTIONS.findall("".join(cells[-1]["source"]))}


def run(tmp_path, answers) -> list[list[str]]:
    """Return the verdicts of `comprobar` on some answers, per exercise."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if "respuesta = ..." in cell.source]
    assert len(cells) == 10
    for n, cell in enumerate(cells, 1):
        before, check = cell.source.split("respuesta = ...")
        check = check.partition("\n")[2]  # without the comment
        cell.source = before + "\n".join(f"{assigned(code)}\n{check}" for code in answers.get(n, ["..."]))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "no cache")}
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute(env=environment)
    return ["".join(output.get("text", "") for output in cell.outputs).splitlines() for cell in cells]


def test_unsolved_they_say_so(tmp_path):
    assert all("todavía no" in line for (line,) in run(tmp_path, {}))


@pytest.mark.case("N16")
def test_solved_they_are_right(tmp_path):
    """Also with a decimal comma, as a tuple, an array or a text."""
    answers = {n: [code, *RIGHT.get(n, [])] for n, code in solutions().items()}
    outputs = run(tmp_path, answers)
    for n, codes in answers.items():
        assert outputs[n - 1] == [f"{n}: ¡bien!"] * len(codes), dict(zip(codes, outputs[n - 1], strict=True))


@pytest.mark.case("N16")
def test_wrong_answers_are_told_why(tmp_path):
    outputs = run(tmp_path, WRONG)
    for n, reasons in WRONG.items():
        for output, (code, reason) in zip(outputs[n - 1], reasons.items(), strict=True):
            assert output.startswith(f"{n}: no es eso: ") and f"pista({n}) ayuda" in output, (code, output)
            assert reason in output, (code, output)


@pytest.mark.case("N16")
def test_no_answer_stands_above_its_exercise():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    above = ["".join(cell["source"]) for cell in cells if "## Soluciones" not in "".join(cell["source"])]
    assert len(above) == len(cells) - 1 and "## Soluciones" in "".join(cells[-1]["source"])
    assert sorted(solutions()) == list(range(1, 11)) and "".join(cells[-1]["source"]).count("<details>") == 10
    for text in above:
        assert not re.search(r"4, 2, 4|10[.,]39|18 ?/|0[.,]09|0[.,]24|\[0, 2\]|\[1, 3\]|fits is False\]", text), text
    (checks,) = [cell for cell in cells if "def comprobar" in "".join(cell["source"])]
    assert checks["metadata"]["jupyter"]["source_hidden"] and checks["metadata"]["cellView"] == "form"
    hints = "".join(checks["source"]).split("class Motivo")[0]
    assert not re.search(r"\d, \d", hints)  # nor in a hint of another exercise


@pytest.mark.case("N15")
def test_exercises_count_from_1():
    """And say so where Python counts from 0."""
    text = "\n".join("".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"])
    assert "contando desde 0" not in text and "contando desde 1" in text
    assert "Cuenta desde 1, como la página; en\nPython, que cuenta desde 0" in text
