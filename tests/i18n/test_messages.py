"""Every message exists in English and Spanish, with the same fields."""

import ast
import json
import re
import string
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers.models import WordLevel

import gatonegro
from gatonegro import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    errors,
    hub,
    packing,
)
from gatonegro.checkpoints import reading
from gatonegro.config import FIELD_CHECKS, Config
from gatonegro.errors import CheckpointError, ConfigError, HubError, InputError, MissingHeadError, PickleRefusedError
from gatonegro.i18n import catalog, set_language
from gatonegro.models import model
from gatonegro.nn import loss
from gatonegro.tasks import task
from gatonegro.tokenization import Tokenizer, TruncationWarning, inputs

PACKAGE = Path(gatonegro.__file__).parent

TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}

# packages in which every error and warning has a Spanish text
PACKAGES = (
    "hub", "checkpoints", "models", "packing", "config", "tokenization", "families", "nn", "preprocessing", "tasks",
    "training", "cli", "engine",
)  # fmt: skip

# the built-in errors that also reach the user, in parentheses
OURS = {name for name in vars(errors) if name.endswith("Error")} | {"ValueError", "TypeError", "AttributeError"}

WARN = ("warn", "_warn")


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) in names:
            yield node


def letters(node):
    """Return True if an expression contains text that is not chosen by `localized`."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and any(char.isalpha() for char in node.value)
    if isinstance(node, ast.FormattedValue):
        return letters(node.value)
    if isinstance(node, ast.Call):  # of `" and ".join(…)` only the words between
        return isinstance(node.func, ast.Attribute) and letters(node.func.value)
    if isinstance(node, ast.Compare | ast.Subscript | ast.Attribute):
        return False
    parts = (node.body, node.orelse) if isinstance(node, ast.IfExp) else ast.iter_child_nodes(node)
    return any(letters(part) for part in parts)


def inserted(node):
    """Yield the expressions inside an f-string."""
    values = (ast.unparse(part.value) for part in ast.walk(node) if isinstance(part, ast.FormattedValue))
    return {re.sub(r"\.(en|es)\b|\b(en|es)\.", "", value) for value in values}


def place(path, node):
    return f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)[:100]}"


def pairs():
    """Yield calls with a text in both languages; of errors, those with both arguments."""
    return [
        (path, node)
        for path, tree in TREES.items()
        for node in (*calls(tree, "localized", "Message"), *calls(tree, *OURS))
        if len(node.args) > 1 or getattr(node.func, "id", "") in ("localized", "Message")
    ]


def test_every_pair_is_two_texts_with_the_same_things_in_them():
    assert len(pairs()) > 100
    for path, node in pairs():
        if len(node.args) == 1 and isinstance(node.args[0], ast.Starred):  # a pair from a table
            continue
        if any(word.arg is None for word in node.keywords):  # an entry of a file
            continue
        assert len(node.args) == 2 and {word.arg for word in node.keywords} <= {"item"}, place(path, node)
        en, es = node.args
        assert ast.unparse(en) != ast.unparse(es) or path.stem == "i18n", place(path, node)
        left, right = inserted(en) - {"en"}, inserted(es) - {"es"}  # names for words of the language itself
        left = {re.sub(r"\.en\b|\.in_\('en'\)", "", part) for part in left}  # `hint.en` is `hint.es` there
        right = {re.sub(r"\.es\b|\.in_\('es'\)", "", part) for part in right}
        assert left == right, f"{place(path, node)}: {left ^ right}"
        for text in (en, es):
            assert not isinstance(text, ast.Constant) or text.value.strip() or path.stem == "i18n", place(path, node)
            put_in = [part for part in ast.walk(text) if isinstance(part, ast.FormattedValue)]
            assert not any(letters(part) for part in put_in), place(path, node)


def test_no_variable_hides_localized():
    for path, tree in TREES.items():
        if path.stem != "i18n":
            for node in ast.walk(tree):
                taken = isinstance(node, ast.Name) and node.id == "localized" and not isinstance(node.ctx, ast.Load)
                assert not taken and getattr(node, "arg", None) != "localized", place(path, node)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_error_and_no_warning_is_in_english_alone(package):
    trees = {
        path: tree for path, tree in TREES.items() if path.relative_to(PACKAGE).with_suffix("").parts[0] == package
    }
    assert trees
    for path, tree in trees.items():
        for node in calls(tree, *OURS, *WARN):
            assert len(node.args) != 1 or not letters(node.args[0]), place(path, node)


TABLES = (
    hub.MESSAGES,
    task.NOTICES,
    task.MESSAGES,
    packing.MESSAGES,
    model.MESSAGES,
    loss.MESSAGES,
    inputs.MESSAGES,
    reading.MESSAGES,
    reading.FILE_SIGNATURES,
    reading.UNSUPPORTED_WEIGHTS,
)

PAIRS = dict.fromkeys(
    [
        *(pair for table in TABLES for pair in table.values()),
        *(inputs.PASS_TEXTS, inputs.PASS_WORDS),
        *(check.expected for check in FIELD_CHECKS.values()),
    ]
)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0][:40])
def test_tables_of_messages_are_pairs_with_the_same_things_in_them(pair):
    en, es = pair
    assert en and es and (en != es)
    fields = [
        {re.sub(r"\.(en|es)$", "", name) for _, name, _, _ in string.Formatter().parse(text) if name} for text in pair
    ]
    assert fields[0] == fields[1]


def is_catalog(path):
    values = json.loads(path.read_text(encoding="utf-8")).values()
    return all(isinstance(value, dict) and value.keys() == {"en", "es"} for value in values)


CATALOGS = list(filter(is_catalog, sorted(PACKAGE.rglob("*.json"))))


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: "/".join(path.parts[-2:]))
def test_messages_of_a_file_have_the_same_things_in_them(path):
    for key, message in catalog(path).items():
        assert all(text.strip() for text in message), key
        en, es = (sorted(re.findall(r"%(?:\(\w+\))?[a-z]|\{\w*", text)) for text in message)
        assert en == es, key


def test_a_missing_folder(spanish):
    with pytest.raises(HubError, match=r"'\./no-hay': no existe esa carpeta \(desde .*Comprueba que esté bien escrita"):
        AutoTokenizer.from_pretrained("./no-hay")
    with pytest.raises(HubError, match=r"no es una carpeta local ni un nombre del hub"):
        AutoTokenizer.from_pretrained("a b")


def test_nothing_in_the_cache_and_no_network(spanish, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        HubError, match=r"config\.json no está en la caché .*no se permite usar la red.*pasa una carpeta"
    ):
        hub.locate("nadie/nada", local_files_only=True).file("config.json")


def test_a_missing_head(spanish, tiny):
    with pytest.raises(MissingHeadError) as caught:
        AutoModelForMaskedLM.from_pretrained(tiny)
    message = str(caught.value)
    assert "el checkpoint no tiene pesos para una cabeza masked-lm" in message
    assert "tiene: sequence-classification. Indica un checkpoint que se haya entrenado para la tarea." in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "el texto es None, quizá un valor que falta: pasa un str, una lista de str"),
        (["gato", float("nan")], r"el texto 1 es un float \(nan\), quizá un valor que falta: pasa un str"),
        (["gato", 3], "el texto 1 es un int, 3: pasa un str"),
        (["gato", ["a", "b", "c"]], "el texto 1 es de tipo list de 3 elementos: pasa un str"),
        (["gato", ("a", "b")], "el texto 1 es un par, y el texto 0 no: pasa un str"),
        ("gato\ud800", "el texto 0 tiene un surrogate suelto.*codificación correcta"),
    ],
)
def test_what_is_no_text(spanish, tiny, text, message):
    with pytest.raises(InputError, match=message):
        AutoTokenizer.from_pretrained(tiny)(text)


def test_pairs_that_do_not_match(spanish, tiny):
    with pytest.raises(InputError, match="text y text_pair no casan: 2 en una lista y uno; pasa tantos de uno como"):
        AutoTokenizer.from_pretrained(tiny)(["a", "b"], "c")


def test_warnings(spanish):
    backend = Backend(WordLevel({"gato": 0}, "gato"))
    tokenizer = Tokenizer(backend, special_tokens={}, model_max_length=2, position_limit=2)
    tokenizer.backend_tokenizer.add_tokens(["a", "b", "c"])
    with pytest.warns(TruncationWarning, match="un texto tiene 3 tokens y el modelo admite 2: no se ha cortado"):
        tokenizer("abc")
    with pytest.warns(TruncationWarning, match="cortados a 2 tokens, no a max_length=9: 1 de 1; el modelo tiene 2 pos"):
        tokenizer("abc", truncation=True, max_length=9)


def test_models_and_their_files(spanish, tiny, make_folder, tmp_path):
    ours = AutoModelForSequenceClassification.from_pretrained(tiny)
    with pytest.raises(InputError, match=r"input_ids contiene 999, pero solo puede contener .*otro tokenizador"):
        ours(torch.tensor([[999]]))
    with pytest.raises(InputError, match="input_ids debe ser un tensor de torch corriente, no un list; con return_"):
        ours([[1]])
    with pytest.raises(InputError, match="labels debe contener números enteros, de forma"):
        ours(torch.tensor([[1]]), labels=torch.tensor([7]))
    with pytest.raises(
        ConfigError, match="num_hidden_layers debe ser un número entero positivo menor que 10\xa0000, no 0"
    ):
        make_folder(num_hidden_layers=0)
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    with pytest.raises(CheckpointError, match=r"no hay pesos en la carpeta .*; se han buscado .* y pytorch_model\.bin"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "tf_model.h5").touch()
    (tmp_path / "flax_model.msgpack").touch()
    with pytest.raises(CheckpointError, match=r"Solo tiene pesos de TensorFlow \(tf_model\.h5\) y pesos de Flax"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(
        PickleRefusedError, match=r"solo tiene sus pesos como pytorch_model\.bin.*puede ejecutar código"
    ):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match="no es un archivo safetensors completo: es una página web, no los pesos"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="no es JSON válido"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)


def test_the_tree_of_a_model_speaks_the_language(monkeypatch):
    from gatonegro.nn import describe

    ours = {kind.__name__ for kind in describe.SHAPES if kind.__module__.startswith("gatonegro")}
    assert ours <= set(describe.PARTS)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    model = AutoModel.from_config(Config("bert", 30, max_position_embeddings=8, **sizes))
    monkeypatch.setenv("GATONEGRO_LANG", "es")
    assert "parámetros" in repr(model) and "Capa tras capa." in repr(model) and "Layer after" not in repr(model)


def test_what_is_raised_in_one_language_can_be_shown_in_the_other(tiny, tmp_path):
    """No part of a message is chosen when it is raised."""
    set_language("en")
    (tmp_path / "config.json").write_bytes((tiny / "config.json").read_bytes())
    (tmp_path / "tf_model.h5").touch()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    for call, es, en in (
        (lambda: tokenizer(["a", "b"], "c"), "2 en una lista y uno", "2 in a list and one"),
        (lambda: tokenizer(["gato", None]), "el texto 1 es None, quizá un valor", "text 1 is None, perhaps a missing"),
        (lambda: tokenizer.decode([-100]), "el id 0 es un int, -100.*las etiquetas", "id 0 is int -100.*marks labels"),
        (lambda: AutoModelForMaskedLM.from_pretrained(tiny), "cabeza masked-lm.*; tiene:", "masked-lm head.*; it has:"),
        (lambda: AutoModelForMaskedLM.from_pretrained(tmp_path), r"en la carpeta .*Solo tiene", "in the folder .*only"),
        (lambda: hub.locate("nadie/nada", local_files_only=True).file("x"), "no está en la caché", "not in the cache"),
        (lambda: AutoModel.from_config(Config("bert", 9, 8, 1, 2, 8, 8, layer_norm_eps=2)), "de 0 a 1", "from 0 to 1"),
    ):
        with pytest.raises(errors.GatonegroError) as caught:
            call()
        assert re.search(es, caught.value.in_("es")) and re.search(en, caught.value.in_("en")), caught.value
        assert str(caught.value) == caught.value.in_("en")
    set_language(None)
