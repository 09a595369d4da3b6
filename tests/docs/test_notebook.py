"""Tests of the course's notebook: every cell runs in a real kernel, without a network."""

import os
import re

import pytest
from small import ROOT

from gatonegro import explain, hub

NOTEBOOK = ROOT / "examples" / "transformer.ipynb"

NEEDED = {"sentiment-es-en", "demo-en"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hub.built_in_models().keys() >= NEEDED, reason="the built-in models are not installed: pip install ./models"
    ),
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, str]:
    """Return the source of each executed cell with its output."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("class")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "no cache")}
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment)
    out = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            pieces = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
            out[cell.source] = "".join(pieces)
    return out


def output(shown: dict[str, str], part: str) -> str:
    (shown_text,) = [text for source, text in shown.items() if part in source]
    return shown_text


def test_every_cell_runs(shown):
    assert len(shown) >= 15 and not any("Error" in text for text in shown.values())


def test_what_is_computed_by_hand_is_what_the_model_does(shown):
    assert output(shown, "atencion = puntos.softmax").endswith("igual que el modelo: True\n")
    assert "igual que el modelo: True" in output(shown, "capa.feed_forward_add.norm")


def test_the_english_model_tears_spanish_words_apart(shown):
    english, spanish = output(shown, "tok_en.tokenize").splitlines()
    assert english.count("##") >= 4 and "##" not in spanish
    assert len(re.findall("'", english)) > 1.5 * len(re.findall("'", spanish))


def test_a_model_is_diagnosed_and_a_text_explained(shown):
    assert "prof·es·or" in output(shown, "diagnose(texto, model=MODELO_EN)")
    assert "Explanation('El gato negro', 'toy', 7" in output(shown, 'model="toy"')
    assert "POS" in output(shown, "print(len(explicacion.steps)")
    table = output(shown, 'explicacion["decoder.1.cross.softmax"]').splitlines()
    heads, row = table[1].split(), next(line.split() for line in table if line.startswith("▁cat"))
    assert heads[max(range(len(heads)), key=lambda i: float(row[i + 1]))] == "▁gato"


def test_the_spanish_model_likes_the_teacher_and_the_english_one_does_not_see_it(shown):
    answers = output(shown, "ingles = pipeline")
    first = answers.split("Me encantan")[0]
    assert "'label': 'POS'" in first and "'label': 'NEGATIVE'" in first


def test_labels_of_the_batch(shown):
    assert "['POS', 'POS']" in output(shown, "torch.argmax")
    second_mask = output(shown, "lote = tok_es(").split("[[")[-1].split("]")[1]
    assert re.sub(r"\W", "", second_mask) == "111111110000", "the shorter text is filled up, and the mask says so"


def test_it_is_saved_with_what_it_shows():
    """Readers of the file see the outputs."""
    nbformat = pytest.importorskip("nbformat")
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.source[:40] for cell in cells if not cell.outputs and "import" not in cell.source] == [
        cell.source[:40] for cell in cells if cell.source.startswith("EN_LA_RED")
    ]


def test_the_saved_page_is_the_page_of_today():
    """Where this fails, run the cell with `model="toy"` again and save the notebook."""
    nbformat = pytest.importorskip("nbformat")
    (cell,) = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if 'model="toy", lang="es"' in cell.source]
    saved = cell.outputs[0]["data"]["text/html"]
    assert saved == explain("El gato negro", model="toy", lang="es")._repr_html_()
