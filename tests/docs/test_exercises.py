"""Tests of the exercises: unsolved, solved and wrong answers are told apart."""

import os

import pytest
from small import ROOT

from gatonegro import hub

NOTEBOOK = ROOT / "examples" / "ejercicios.ipynb"

NEEDED = {"sentiment-es-en", "demo-en", "translate-es-en"}

SOLVED = {
    1: "[4, 2, 4]",
    2: "(2 * 4 + 1 * 2 + 2 * 4) / 3**0.5",
    3: "lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum()",
    4: "lambda r: (r - r.mean()) / np.sqrt(r.var() + 1e-5)",
    5: "len(AutoTokenizer.from_pretrained('sentiment-es-en').tokenize('desafortunadamente'))",
    6: "frase['0.softmax'].tensors['probs'][:, frase.tokens.index('▁negro'), frase.tokens.index('▁gato')].argmax()",
    7: "frase['encoder.0.softmax'].tensors['probs'].sum(-1)",
    8: "modelo.config.id2label[int(torch.softmax(modelo(**lote).logits, dim=-1).argmax())]",
    9: "tuple(i for i, texto in enumerate(frases) if diagnose(texto, model='demo-en').fits is False)",
    10: "'▁negro'",
}

WRONG = {1: "[2, 1, 2]", 3: "lambda x, y: x", 4: "7", 5: "0", 7: "1.0", 9: "3", 10: "'▁El'"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hub.built_in_models().keys() >= NEEDED, reason="the built-in models are not installed: pip install ./models"
    ),
]


def run(tmp_path, answers) -> list[str]:
    """Return the verdict of `comprobar` on some answers, per exercise."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if "respuesta = ..." in cell.source]
    assert len(cells) == 10
    for n, cell in enumerate(cells, 1):
        cell.source = cell.source.replace("respuesta = ...", f"respuesta = {answers.get(n, '...')}")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "no cache")}
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute(env=environment)
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]


def test_unsolved_they_say_so(tmp_path):
    assert all("todavía no" in said for said in run(tmp_path, {}))


def test_solved_they_are_right(tmp_path):
    assert [said.strip() for said in run(tmp_path, SOLVED)] == [f"{n}: ¡bien!" for n in range(1, 11)]


def test_wrong_answers_are_told_apart(tmp_path):
    said = run(tmp_path, WRONG)
    assert all(f"{n}: no es eso" in said[n - 1] for n in WRONG)
