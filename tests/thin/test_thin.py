"""Answers without PyTorch, in processes that cannot import it, or that can and must not.

Nothing here needs PyTorch or the fixtures of tests/conftest.py: where PyTorch is not installed, run

    python -m pytest --confcutdir tests/thin tests/thin
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_checkpoints import make
from small_encoders import make_encoder

pytestmark = pytest.mark.thin

SOURCE = Path(__file__).resolve().parents[2] / "src"
REFUSE = """
import sys

class NoTorch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch)
"""
LINE = 'needs PyTorch, which is not installed. To install it: pip install "gatonegro[torch]"'


def run(code: str, *arguments, refuse: bool = True, lang: str = "en") -> subprocess.CompletedProcess:
    """Run a program; with `refuse`, as on a machine without PyTorch."""
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-c", (REFUSE if refuse else "") + code, *map(str, arguments)],
        capture_output=True, encoding="utf-8", timeout=120, env=settings | {"GATONEGRO_LANG": lang},
    )  # fmt: skip


def output(code: str, *arguments, refuse: bool = True):
    """Return what a program prints last, read as JSON."""
    done = run(code, *arguments, refuse=refuse)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[list[str]]:
    """Return tasks, and a small model for each."""
    place = tmp_path_factory.mktemp("thin")
    encoders = {
        "zero-shot-classification": ("roberta", "sequence-classification"),
        "question-answering": ("distilbert", "question-answering"),
        "ner": ("roberta", "token-classification"),
        "fill-mask": ("bert", "masked-lm"),
    }
    made = {
        task: make_encoder(*encoder, place / task, **({"id2label": {"0": "O", "1": "B-PER"}} if task == "ner" else {}))
        for task, encoder in encoders.items()
    }
    made |= {"feature-extraction": made["zero-shot-classification"], "text-generation": make("gpt2", place / "gpt2")}
    made |= {"sentiment-analysis": made["zero-shot-classification"]}
    return [[task, str(folder)] for task, folder in made.items()]


CALLS = """
import json, sys
from gatonegro import pipeline

CALLS = {
    "zero-shot-classification": (["el gato", ["perro", "gato"]], {}),
    "question-answering": ([], {"question": "¿qué?", "context": "el gato"}),
    "fill-mask": (["el [MASK]"], {}),
    "text-generation": (["el gato"], {"max_new_tokens": 3, "do_sample": False}),
}
answers = {}
for task, folder in json.loads(sys.argv[1]):
    pipe = pipeline(task, folder, backend="numpy")
    arguments, options = CALLS.get(task, (["el gato"], {}))
    answers[task] = pipe(*arguments, **options)
    assert "numpy" in repr(pipe), repr(pipe)
print(json.dumps([answers, "torch" in sys.modules]))
"""


@pytest.mark.parametrize("refuse", [True, False])
def test_every_task_answers_and_imports_no_torch(folders, refuse):
    answers, imported = output(CALLS, json.dumps(folders), refuse=refuse)
    assert not imported
    assert answers.keys() == {task for task, _ in folders} and all(
        answer for task, answer in answers.items() if task != "ner"
    )


BUILT_IN = """
import json, sys
from gatonegro import pipeline
options = {"backend": "numpy"} if sys.argv[1] == "asked" else {}
label = pipeline("sentiment-analysis", **options)("El profesor es bueno, todo será sencillo")[0]["label"]
text = pipeline("translation", **options)("El gato duerme.", num_beams=2)[0]["translation_text"]
print(json.dumps([label, text, sorted({"torch", "markdown_it", "emoji", "huggingface_hub"} & {*sys.modules})]))
"""


@pytest.mark.parametrize("refuse", [True, False])
def test_the_built_in_models_answer(refuse):
    pytest.importorskip("gatonegro_models")
    label, text, imported = output(BUILT_IN, "" if refuse else "asked", refuse=refuse)
    assert label == "POS" and "cat" in text and imported == []


LIGHT = """
import json, sys
import gatonegro, gatonegro.cli, gatonegro.pipelines, gatonegro.tasks
for name in ("AutoTokenizer", "AutoConfig", "Config", "GenerationConfig", "BertConfig", "diagnose", "pipeline"):
    getattr(gatonegro, name)
[*gatonegro.tasks.TASKS.values()]
heavy = {"torch", "huggingface_hub", "rich", "emoji", "jinja2", "markdown_it", "requests", "httpx"}
print(json.dumps(sorted(heavy & {*sys.modules})))
"""


def test_imports_are_light():
    assert output(LIGHT, refuse=False) == []


REFUSED = """
import json, pickle, sys
import gatonegro
from gatonegro import pipeline
from gatonegro.errors import GatonegroError

def message(action):
    try:
        action()
    except (GatonegroError, ImportError) as error:
        return f"{type(error).__name__}: {error}"

def imported(name):
    return lambda: __import__(name)

messages = {name: message(lambda: getattr(gatonegro, name)) for name in sys.argv[2:]}
messages |= {name: message(imported(name)) for name in ("gatonegro.models", "gatonegro.training")}
folder = sys.argv[1]
options = [{"device": "cuda"}, {"device": 0}, {"dtype": "float32"}, {"backend": "torch"}, {"precision": "fp16"}]
for some in options:
    ((name, value),) = some.items()
    messages[f"{name}={value!r}"] = message(lambda: pipeline("sentiment-analysis", folder, **some))
pipe = pipeline("feature-extraction", folder)
messages["save_pretrained"] = message(lambda: pipe.save_pretrained("nowhere"))
messages["return_tensors"] = message(lambda: pipe("gato", return_tensors=True))
messages["return_tensors='pt'"] = message(lambda: pipe.tokenizer("gato", return_tensors="pt"))
messages["numpy and dtype"] = message(lambda: pipeline("ner", folder, dtype="float32", backend="numpy"))
copy = pickle.loads(pickle.dumps(pipe))
assert copy("gato") == pipe("gato") and repr(copy) == repr(pipe)
values = [str(pipe.device), str(pipe.dtype), pipe.framework, type(pipe.model).__name__]
print(json.dumps([messages, values, hasattr(gatonegro, "NoSuchModel")]))
"""
NEED_TORCH = ["AutoModel", "AutoModelForSeq2SeqLM", "BertModel", "MaskedLMOutput", "ModelOutput", "explain", "set_seed"]


def test_what_needs_torch_says_so_in_one_sentence(folders):
    messages, values, found = output(REFUSED, dict(folders)["feature-extraction"], *NEED_TORCH)
    other = messages.pop("numpy and dtype")
    assert (
        other.startswith("OptionError: the numpy backend cannot take dtype='float32', which needs PyTorch")
        and 'backend="torch"' in other
    )
    for name, message in messages.items():
        assert message == f"MissingExtraError: {'gatonegro.' * (name in NEED_TORCH)}{name} {LINE}"
    assert values == ["cpu", "float32", "np", "NativeModel"]
    assert not found


COMMANDS = """
import sys
from gatonegro.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("sentiment --json -m {} gato", '"label"'),
        ("sentiment --backend numpy -m {} gato", "gato"),
        ("diagnose --json -m {} gato", '"fits"'),
        ("tokens --json -m {} gato", '"offsets"'),
        ("models --json", "sentiment-es-en"),
        ("bench --json -m {}", '"precisions"'),
        ("models --get {} --to {}/copies", "copies"),
    ],
)
def test_commands(folders, command, printed):
    folder = dict(folders)["sentiment-analysis"]
    done = run(COMMANDS, *command.replace("{}", folder).split())
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["explain -m {} gato", "convert {} -o {}/out"])
def test_commands_that_need_torch(folders, command):
    words = command.replace("{}", dict(folders)["sentiment-analysis"]).split()
    done = run(COMMANDS, *words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"gatonegro: gatonegro {words[0]} {LINE}\n")
    assert "necesita PyTorch" in run(COMMANDS, *words, lang="es").stderr
