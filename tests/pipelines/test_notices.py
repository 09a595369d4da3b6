"""Warnings of pipelines: once per pipeline and kind, and plain output in a notebook."""

import copy
import os
import pickle
import re
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from rows import LONG

from gatonegro import errors, pipeline
from gatonegro.errors import GatonegroWarning


@pytest.fixture
def clf(tiny):
    return pipeline("sentiment-analysis", tiny)


def shown(caught):
    return [str(warning.message) for warning in caught if issubclass(warning.category, GatonegroWarning)]


CALLERS = {
    "two lines": lambda clf: (clf(LONG), clf(LONG)),
    "a loop": lambda clf: [clf(LONG) for _ in range(3)],
    "a call, a generator and a stream": lambda clf: (clf([LONG]), list(clf(iter([LONG]))), list(clf.stream([[LONG]]))),
    "a table": lambda clf: (clf.to_frame([LONG]), clf(LONG)),
    "a copy": lambda clf: (clf(LONG), copy.deepcopy(clf)(LONG), copy.copy(clf)(LONG)),
    "copies before the first call": lambda clf: [
        other(LONG) for other in (copy.deepcopy(clf), copy.deepcopy(clf), clf)
    ],
    "pickles": lambda clf: [other(LONG) for other in map(pickle.loads, [pickle.dumps(clf)] * 3)],
    "exec": lambda clf: [exec(f"{chr(10) * n}clf(LONG)", {"clf": clf, "LONG": LONG}) for n in range(3)],
}


@pytest.mark.case("N6")
@pytest.mark.parametrize("action", ["default", "always", "module", "once"])
@pytest.mark.parametrize("name", CALLERS)
def test_a_warning_comes_once_per_pipeline_and_kind(clf, name, action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        CALLERS[name](clf)
        assert len(shown(caught)) == 1
        clf({"text": "no", "text_pair": LONG})  # another kind
        assert len(shown(caught)) == 2


@pytest.mark.case("N6")
def test_a_warning_comes_once_from_many_threads(clf):
    start = threading.Barrier(8)

    def work(_):
        start.wait()
        return [clf(LONG) for _ in range(3)]

    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("always")
        list(pool.map(work, range(8)))
    assert len(shown(caught)) == 1


@pytest.mark.case("N6")
def test_another_pipeline_warns_again(tiny, clf):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for pipe in (clf, pipeline("sentiment-analysis", tiny)):
            pipe(LONG)
    assert len(shown(caught)) == 2


def test_a_warning_that_is_an_error_is_raised_each_time(clf):
    with warnings.catch_warnings():
        warnings.simplefilter("error", GatonegroWarning)
        for _ in range(2):
            with pytest.raises(GatonegroWarning):
                clf(LONG)


def test_a_warning_names_the_line_that_called(clf):
    with pytest.warns(GatonegroWarning) as caught:
        clf(LONG)
    assert caught[0].filename == __file__
    with pytest.warns(GatonegroWarning) as caught:
        errors.warn(GatonegroWarning("a", "b"))
    assert caught[0].filename == __file__


CELLS = {
    "import": "import warnings, sys, logging\nfrom gatonegro import pipeline\nLONG = 'el gato es bueno ' * 40",
    "calm": "clf = pipeline('sentiment-analysis', FOLDER)\nanswer = clf(LONG)",
    "once": "answer = clf(LONG)\nanswer = clf([LONG])",
    "ignored": "with warnings.catch_warnings():\n    warnings.filterwarnings('ignore', category=UserWarning)\n"
    "    answer = new()(LONG)",
    "error": "with warnings.catch_warnings():\n    warnings.simplefilter('error')\n    try:\n        new()(LONG)\n"
    "    except UserWarning as warning:\n        print('raised')",
    "recorded": "with warnings.catch_warnings(record=True) as caught:\n    answer = new()(LONG)\nprint(len(caught))",
    "replaced": "before, warnings.showwarning = warnings.showwarning, lambda *of, **how: print('mine')\n"
    "answer = new()(LONG)\nwarnings.showwarning = before",
    "Spanish": "from gatonegro.i18n import set_language\nset_language('es')\nanswer = new()(LONG)\nset_language('en')",
    "markup": "from gatonegro.errors import GatonegroWarning, warn\nwarn(GatonegroWarning('<b>a & b</b>'))",
    "default model": "clf = pipeline('sentiment-analysis')",
}


@pytest.mark.slow
@pytest.mark.case("N18")
def test_notices_in_a_notebook_are_plain_output(tiny, tmp_path):
    client, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()])
    new = f"\nFOLDER = {str(tiny)!r}\ndef new(): return pipeline('sentiment-analysis', FOLDER)"
    notebook.cells[0].source += new
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GATONEGRO_LANG": "en"}
    where = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where, allow_errors=True).execute(
        env=environment
    )
    outputs = dict(zip(CELLS, (cell.outputs for cell in notebook.cells), strict=True))
    for name, cell in outputs.items():
        assert not [output for output in cell if output.get("name") == "stderr"], (name, cell)
        if name != "default model":
            assert not [output for output in cell if output.output_type == "error"], (name, cell)
    for name, text in (("calm", "item 0 is longer"), ("Spanish", "el elemento 0 pasa de"), ("markup", "<b>a & b</b>")):
        (display,) = outputs[name]
        assert display.output_type == "display_data" and text in display.data["text/plain"], name
        assert not re.search("<b>", display.data["text/html"]) and "gatonegro: " in display.data["text/html"]
    assert outputs["once"] == outputs["ignored"] == []
    printed = ["".join(output.text for output in outputs[name]) for name in ("error", "recorded", "replaced")]
    assert printed == ["raised\n", "1\n", "mine\n"]
