#!/usr/bin/env python
"""Run tests of `transformers` against this library.

    python scripts/transformers_tests.py --tests DIR [-k EXPR] [--json FILE]

DIR is the folder `tests` of a source distribution or of a checkout of `transformers`, of the version that is installed
beside pytest and parameterized. A source distribution holds the common mixins only: `transformers_cases.py` gives them
small models, configurations and tokenizers of our families. Of a checkout, the tests of our families are run as well.

Each test runs under `transformers` itself and, if it holds there, with this library standing in for `transformers`:
names that we have are ours, other classes raise when they are used, functions and constants that help to test are
those of `transformers`. A worker process runs the tests; where it dies or stalls, a new one goes on with the next.
"""

import argparse
import builtins
import collections
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
SIDES = ("transformers", "gatonegro")
CASES = "test_gatonegro_cases.py"
FAMILIES = ["bert", "roberta", "xlm_roberta", "camembert", "distilbert", "gpt2", "bart", "marian", "t5", "mt5"]
FILES = [f"models/{family}/test_*.py" for family in FAMILIES]
FILES += ["generation/test_*.py", "tokenization/test_*.py", "models/auto/test_*.py", "utils/test_model_output.py"]
FILES += [
    "pipelines/test_pipelines_common.py",
    "pipelines/test_pipelines_*cla*.py",
    "pipelines/test_pipelines_*text*.py",
]
FILES += [f"pipelines/test_pipelines_{task}.py" for task in ("fill_mask", "feature_extraction", "translation")]
# modules whose classes are not the API of models, tokenizers and pipelines
HELPERS = "conversion_mapping core_model_loading file_utils integrations pytorch_utils testing_utils utils"
TEXT = "The quick brown fox jumps over the lazy dog.\n\nEl gato negro duerme en la casa vieja.\n"
COMMON = {"output_hidden_states": True, "output_attentions": True, "return_dict": False, "is_encoder_decoder": True}
COMMON |= {"architectures": ["Any"], "id2label": {0: "no", 1: "yes"}, "problem_type": "regression"}
COMMON |= {"bos_token_id": 6, "pad_token_id": 7, "eos_token_id": 8}
STUBS = {  # files of the whole tree that the mixins import, where DIR lacks them
    "__init__.py": "",
    "fixtures/sample_text.txt": TEXT * 20,
    "exporters/__init__.py": "",
    "exporters/test_export.py": "class ExportTesterMixin:\n    pass\n",
    "generation/__init__.py": "",
    "generation/test_utils.py": "class GenerationTesterMixin:\n    pass\n",
    "utils/__init__.py": "",
    "utils/test_configuration_utils.py": f"config_common_kwargs = {COMMON}\n",
}
MISSING = ("AttributeError", "ImportError", "ModuleNotFoundError", "NotImplementedError", "Missing")
CLASSES = {"bart": "BartTokenizer", "gpt2": "GPT2Tokenizer", "t5": "T5Tokenizer", "t5-v1.1": "T5Tokenizer"}
FAMILY = re.compile(r"\b(?:Bert|DistilBert|Roberta|XLMRoberta|Camembert|GPT2|Bart|Marian|M?T5)(?=[A-Z])")
KINDS = ("refused", "missing", "different", "ended")


# ---- this library as transformers


class Missing(Exception):
    """A name of `transformers` that this library does not have was used."""


class Refused(Missing):
    """A name of `transformers` that this library refuses, saying what to use instead, was used."""


class AbsentClass(type):
    """Class of the classes that we do not have, which can be imported and compared but not used."""

    def __call__(cls, *args, **options):
        raise cls.error

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise cls.error


class StandIn(ModuleType):
    """A module whose names are ours where we have them."""

    def __getattr__(self, name):
        real = importlib.import_module(self.__name__)
        value = getattr(real, name)
        if name == "set_config_for_less_flaky_test":
            return widen_norms
        if name.startswith("__") or self.__name__ == "transformers.testing_utils":
            return value
        if (found := ours(name)) is not None:
            return found
        refusal = importlib.import_module("gatonegro.compat").refusal(name)
        error = Missing(f"{name} is not here") if refusal is None else Refused(str(refusal))
        if isinstance(value, ModuleType):
            return StandIn(value.__name__) if value.__name__.startswith("transformers") else value
        if type(value).__name__ == "_LazyAutoMapping":
            pairs = ((value._config_mapping[key], models) for key, models in value._model_mapping.items())
            return {ours(config): ours(models) for config, models in pairs if ours(config) and ours(models)}
        if isinstance(value, type) and value.__module__.split(".")[1] not in HELPERS.split():
            return AbsentClass(name, (), {"error": error})
        return value


def widen_norms(config):
    """Set the epsilon of norms by its name in the family; the helper of `transformers` sets all names of any family."""
    config.update({name: 1.0 for name in config.to_dict() if name.endswith(("norm_eps", "norm_epsilon"))})


def ours(name):
    """Return what this library has under a name, None if nothing."""
    try:
        return getattr(importlib.import_module("gatonegro"), name) if isinstance(name, str) else None
    except (AttributeError, ImportError):
        return None


def stand_in():
    """Give modules of the test tree this library where they import `transformers`; others import as before."""
    python_import = builtins.__import__

    def import_(name, globals=None, locals=None, fromlist=(), level=0):
        module = str((globals or {}).get("__name__"))
        if level == 0 and name.partition(".")[0] == "transformers" and module.startswith("tests."):
            importlib.import_module(name)  # an error if there is no such module
            return StandIn(name if fromlist else "transformers")
        return python_import(name, globals, locals, fromlist, level)

    builtins.__import__ = import_


# ---- worker


class Recorder:
    """A plugin of pytest which appends to a file when a test begins, and how it ended."""

    def __init__(self, log, only, limit):
        self.log, self.only, self.limit, self.result = log, only, limit, ("passed", "")

    def write(self, *row):
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def pytest_collection_modifyitems(self, items):
        if self.only is not None:
            items[:] = [item for item in items if item.nodeid in self.only]

    def pytest_collection_finish(self, session):
        self.write("collected", [item.nodeid for item in session.items])

    def pytest_collectreport(self, report):
        if report.failed:
            self.write(report.nodeid, "failed", last_line(report.longreprtext))

    def pytest_runtest_logstart(self, nodeid):
        self.result = "passed", ""
        self.write(nodeid, "ended", "the process died or the test took too long")
        signal.alarm(self.limit)  # whose default action ends this process

    def pytest_runtest_logreport(self, report):
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.result = "failed", first_line(crash.message if crash else report.longreprtext)
        elif report.skipped and self.result[0] == "passed":
            self.result = "skipped", ""

    def pytest_runtest_logfinish(self, nodeid):
        signal.alarm(0)
        self.write(nodeid, *self.result)


def first_line(text):
    """Return the first line of a text that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:300]


def last_line(text):
    """Return the last line of a text that is not blank."""
    return first_line("\n".join(reversed(text.splitlines())))


def work(settings):
    """Run the tests of a folder in this process, with one side as `transformers`."""
    import pytest

    tree = Path(settings["tree"])
    os.chdir(tree.parent)
    sys.path.insert(0, str(tree.parent))
    real = importlib.import_module("transformers")
    for module in ("transformers.utils", "transformers.utils.import_utils"):
        importlib.import_module(module).direct_transformers_import = lambda path, file=None: real
    if settings["side"] == "gatonegro":
        stand_in()
    files = [CASES, *(path.relative_to(tree) for pattern in FILES for path in sorted(tree.glob(pattern)))]
    arguments = [f"tests/{file}" for file in dict.fromkeys(map(str, files))]
    arguments += ["-q", "--noconftest", "-p", "no:cacheprovider", "-c", "pytest.ini", "-W", "ignore", "--tb=short"]
    arguments += ["-k", settings["k"]] if settings["k"] else []
    only = None if settings["only"] is None else set(settings["only"])
    return pytest.main(arguments, [Recorder(Path(settings["log"]), only, settings["limit"])])


# ---- runner


def make_tree(folder, tests):
    """Make a folder `tests` with links to what DIR holds, our cases, and the stubs that it lacks."""
    tree = folder / "tests"
    tree.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for path in tests.iterdir():
        (tree / path.name).symlink_to(path.resolve())
    (tree / CASES).symlink_to(ROOT / "scripts" / "transformers_cases.py")
    for name, text in STUBS.items():
        top = tree / Path(name).parts[0]
        if not top.is_symlink() and not (tree / name).exists():
            (tree / name).parent.mkdir(exist_ok=True)
            (tree / name).write_text(text, encoding="utf-8")
    return tree


def make_tokenizers(folder):
    """Write the small tokenizers of this repository's tests, one folder per family."""
    sys.path.append(str(ROOT / "tests"))
    import small_checkpoints
    import small_encoders

    for kind, write in {**small_checkpoints.TOKENIZERS, **small_encoders.TOKENIZERS}.items():
        (folder / kind).mkdir(parents=True)
        write(folder / kind)
        settings = folder / kind / "tokenizer_config.json"
        values = {"tokenizer_class": CLASSES.get(kind, "MarianTokenizer")}  # where the files do not say it
        values |= json.loads(settings.read_text(encoding="utf-8")) | {"model_max_length": 512}
        settings.write_text(json.dumps(values), encoding="utf-8")


def run_side(side, tree, only, options):
    """Return outcome and first line of the error of each test of a side, by its name."""
    log = tree.parent / f"{side}.jsonl"
    results, names, before = {}, None, -1
    environment = os.environ | {"GATONEGRO_TOKENIZERS": str(tree.parent / "tokenizers"), "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    while before < len(results) and (names is None or names - results.keys()):
        before = len(results)
        log.write_text("", encoding="utf-8")
        left = only if names is None else sorted(names - results.keys())
        settings = {"side": side, "tree": str(tree), "log": str(log), "only": left, "k": options.k}
        (tree.parent / "settings.json").write_text(json.dumps(settings | {"limit": options.timeout}), encoding="utf-8")
        command = [sys.executable, __file__, "--work", str(tree.parent / "settings.json")]
        with (tree.parent / f"{side}.txt").open("w") as output:
            subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
        for name, *result in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
            if name == "collected":
                names = set(result[0])
            else:
                results[name] = result
        if not names and not results:
            sys.exit(f"no test ran under {side}:\n{(tree.parent / f'{side}.txt').read_text()[-3000:]}")
    return results


def kind_of(error):
    """Return the kind of a failure, one of KINDS, by the first line of its error."""
    exception = error.partition(":")[0].rpartition(".")[2]
    if error.startswith("the process died"):
        return "ended"
    if (
        exception == "Refused"
        or "gatonegro has no" in error
        or (error.startswith("gatonegro.errors.") and "no parameter" not in error)
    ):
        return "refused"
    unknown = exception == "TypeError" and re.search("argument|not iterable|not subscriptable|not callable", error)
    return "missing" if exception in MISSING or unknown or "no parameter" in error else "different"


def shorten(error):
    """Return an error's first line without what differs between runs and families, so that equal ones are counted."""
    return re.sub(r"tensor\(.*", "tensor(…", re.sub(r"/tmp/\w+", "DIR", FAMILY.sub("", error)))[:160]


def summarize(results):
    """Return counts, and the failures by kind and by first line, most frequent first, with their tests."""
    holds = sorted(name for name, (outcome, _) in results["transformers"].items() if outcome == "passed")
    outcomes = {name: results["gatonegro"].get(name, ["failed", "ImportError: not collected"]) for name in holds}
    kinds = {kind: collections.defaultdict(collections.Counter) for kind in KINDS}
    suites = collections.defaultdict(lambda: [0, 0])
    for name, (outcome, error) in outcomes.items():
        file, *classes, test = name.split("::")
        file = file.rpartition("/")[2]
        count = suites["::".join(classes if file == CASES else [file, *classes])]
        count[0] += outcome == "passed"
        count[1] += 1
        if outcome != "passed":
            kind = kind_of(error) if outcome == "failed" or error else "different"
            kinds[kind][shorten(error or "skipped")][test if file == CASES else f"{file}::{test}"] += 1
    return {
        "cases": len(results["transformers"]),
        "hold under transformers": len(holds),
        "hold here": sum(outcome == "passed" for outcome, _ in outcomes.values()),
        "kinds": {kind: sum(tests.total() for tests in errors.values()) for kind, errors in kinds.items()},
        "suites: hold here, of": dict(suites),
        "failures": {
            kind: dict(sorted(errors.items(), key=lambda item: -item[1].total())) for kind, errors in kinds.items()
        },
    }


def main():
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=Path, metavar="DIR", help="the folder `tests` of transformers")
    parser.add_argument("-k", metavar="EXPR", help="run the tests that match, as in pytest")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--timeout", type=int, default=120, metavar="N", help="seconds that a test may take")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="keep the results under transformers in a file")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        sys.exit(work(json.loads(Path(options.work).read_text(encoding="utf-8"))))
    if options.tests is None or not options.tests.is_dir():
        parser.error("--tests must be the folder `tests` of a source distribution of transformers")
    with tempfile.TemporaryDirectory() as folder:
        tree = make_tree(Path(folder), options.tests)
        make_tokenizers(Path(folder) / "tokenizers")
        if options.reference and options.reference.exists():
            reference = json.loads(options.reference.read_text(encoding="utf-8"))
        else:
            reference = run_side("transformers", tree, None, options)
            if options.reference:
                options.reference.write_text(json.dumps(reference), encoding="utf-8")
        holds = [name for name, (outcome, _) in reference.items() if outcome == "passed"]
        results = {"transformers": reference, "gatonegro": run_side("gatonegro", tree, holds, options) if holds else {}}
    version = importlib.import_module("importlib.metadata").version("transformers")
    what = f"tests of transformers {version}, first under transformers itself, then under this library"
    command = "python scripts/transformers_tests.py --tests DIR" + (f" -k {options.k!r}" if options.k else "")
    summary = {"what": what, "command": command, **summarize(results)}
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for kind, errors in summary["failures"].items():
        for error, tests in errors.items():
            print(f"{kind:9} {tests.total():4}  {error}")
    print(
        f"{summary['hold here']} of {summary['hold under transformers']} tests that hold under transformers hold here"
    )


if __name__ == "__main__":
    main()
