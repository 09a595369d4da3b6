"""Fixtures of all tests: the research data, and small models with random weights."""

import os

os.environ["GATONEGRO_LANG"] = "en"  # whatever the locale, tests read English; child processes inherit it
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait for each other must not keep the cores busy

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from weakref import WeakSet

import pytest
import torch
from hypothesis import settings
from small_checkpoints import KINDS, make

import gatonegro
from gatonegro import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, Config
from gatonegro.engine import optimize
from gatonegro.models import Model, init_weights
from gatonegro.native import loading
from gatonegro.operators import tuned_precision
from gatonegro.pipelines import Pipeline

# "auto" means fp32 to the tests, in processes of their own too: most compare numbers, and machines differ in what they
# do fast. GATONEGRO_TEST_AUTO=1 leaves it as it is; all but comparisons of numbers must then pass as well.
os.environ["GATONEGRO_CACHE"] = tempfile.mkdtemp(prefix="gatonegro-tests-")
atexit.register(shutil.rmtree, os.environ["GATONEGRO_CACHE"], ignore_errors=True)
if not os.environ.get("GATONEGRO_TEST_AUTO"):
    for backend in (loading.BACKEND, optimize.BACKEND):
        tuned_precision.save_fastest(backend, "fp32", "fp32")

# the same examples on every machine, however slow it is
settings.register_profile("deterministic", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("deterministic")

SOURCE = Path(gatonegro.__file__).resolve().parents[1]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyzáéíóúüñ0123456789"
WORDS = "el la un una gato perro casa profesor clase película hotel es fue será muy nada bueno malo todo sencillo no y"
VOCABULARY = [*SPECIAL, *".,;:!?¡¿()'\"-", *LETTERS, *("##" + letter for letter in LETTERS), *WORDS.split()]


def pytest_collection_modifyitems(items):
    """Mark tests as slow that start another interpreter or read the research data."""
    for item in items:
        if "python" in getattr(item, "fixturenames", ()) or item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.slow)


NO_DATA = "the research data (../shared) is not beside this checkout"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Give all skips for lack of research data one place, so that the summary counts them in one line."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NO_DATA in report.longrepr[2]:
        report.longrepr = (__file__, 0, report.longrepr[2])
    return report


PIPELINES: WeakSet[Pipeline] = WeakSet()
original_init = Pipeline.__init__


def record_pipeline(self, *args, **options):
    original_init(self, *args, **options)
    PIPELINES.add(self)


Pipeline.__init__ = record_pipeline


@pytest.fixture(autouse=True)
def reset_warnings():
    """Reset the kinds that pipelines have warned of, since several tests share pipelines."""
    for pipe in PIPELINES:
        pipe.warned_kinds.clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of research data beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(NO_DATA)
    return folder


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory):
    """Return `make_folder(head, **config)`, which writes a checkpoint as `save_pretrained` does.

    It is a random BERT of 64 positions, with weights large enough for its answers to differ, and the vocabulary of a
    lower-case WordPiece tokenizer.
    """

    def make(head: str = "sequence-classification", seed: int = 0, **config) -> Path:
        folder = tmp_path_factory.mktemp("model")
        values = {
            "model_type": "bert",
            "vocab_size": len(VOCABULARY),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "type_vocab_size": 2,
            "id2label": {0: "NEG", 1: "NEU", 2: "POS"},
        }
        model = Model(Config(**values | config), head)
        torch.manual_seed(seed)
        init_weights(model, 0.3)
        model.save_pretrained(folder)
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
        settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 64}))
        return folder

    return make


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Return a small checkpoint of each kind of generative model."""
    return {kind: make(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(scope="session")
def parts(folders):
    """Return a model and its tokenizer of each generative kind."""
    loaded = {}
    for kind, folder in folders.items():
        auto = AutoModelForCausalLM if kind == "gpt2" else AutoModelForSeq2SeqLM
        loaded[kind] = auto.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return loaded


@pytest.fixture(scope="session")
def tiny(make_folder) -> Path:
    """Return the folder of a random sentiment classifier: NEG, NEU, POS."""
    return make_folder()


@pytest.fixture(scope="session")
def python():
    """Return `python(*arguments, input=bytes, env={…})`, which runs this interpreter with the tested package."""

    def run(*arguments, input: bytes = b"", env: dict | None = None) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
        settings = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", **(env or {})}
        return subprocess.run(
            [sys.executable, *map(str, arguments)], input=input, capture_output=True, env=settings, timeout=120
        )

    return run
