"""Tests of the package's structure: the rules in `docs/architecture.md` hold in the code."""

import ast
from pathlib import Path

import pytest
import torch
from small import ENCODERS, ROOT, model
from torch import nn

import gatonegro
from gatonegro import AutoModelForSequenceClassification
from gatonegro.families import FAMILIES
from gatonegro.families.configuration import read_config
from gatonegro.models import build
from gatonegro.nn.decoder import DecoderLayer
from gatonegro.nn.encoder import EncoderLayer

PACKAGE = Path(gatonegro.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def classes():
    return [(path, node) for path, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("family", ENCODERS)
def test_every_linear_of_the_encoder_sees_each_token_once_and_nothing_else(family):
    ours = model(family)
    rows = {}
    for name, part in ours.encoder.named_modules():
        if isinstance(part, nn.Linear):
            part.register_forward_hook(lambda _, args, out, name=name: rows.setdefault(name, []).append(args[0].shape))
    mask = torch.zeros(5, 19, dtype=torch.long)
    for row, length in zip(mask, (19, 7, 1, 12, 3), strict=True):
        row[:length] = 1
    ours(torch.randint(3, 60, mask.shape) * mask + ours.config.pad_token_id * (1 - mask), mask)
    assert len(rows) == 6 * ours.config.num_hidden_layers
    assert {shape[:-1] for shapes in rows.values() for shape in shapes} == {(19 + 7 + 1 + 12 + 3,)}
    assert all(len(shapes) == 1 for shapes in rows.values())


def test_one_encoder_layer_and_one_decoder_layer_serve_all_families():
    assert sorted(node.name for _, node in classes() if node.name.endswith("Layer")) == ["DecoderLayer", "EncoderLayer"]
    for family in ENCODERS:
        assert {type(layer) for layer in model(family).encoder.layers} == {EncoderLayer}
    for family in FAMILIES.keys() - set(ENCODERS):
        with torch.device("meta"):
            made = build(read_config(FAMILIES[family], {"model_type": family}), "none")
        assert {type(layer) for layer in made.decoder.layers} == {DecoderLayer}
        if made.config.decoder is not None:
            assert {type(layer) for layer in made.encoder.layers} == {EncoderLayer}


def test_families_are_values_and_names():
    for path in (PACKAGE / "families").glob("*.py"):
        names = {alias.name for node in ast.walk(TREES[path]) if isinstance(node, ast.Import) for alias in node.names}
        sources = {str(node.module) for node in ast.walk(TREES[path]) if isinstance(node, ast.ImportFrom)}
        assert not any(".nn" in name for name in names | sources), path
        made = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ClassDef)]
        assert not any("Module" in ast.unparse(base) for node in made for base in node.bases), path
        functions = {node.name for node in ast.walk(TREES[path]) if isinstance(node, ast.FunctionDef)}
        assert "forward" not in functions, path


def test_no_file_is_longer_than_one_sitting():
    for path in [*TREES, *(ROOT / "tests").rglob("*.py")]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_no_module_is_called_for_what_is_left_over():
    assert not {path.stem for path in TREES} & {"util", "utils", "helpers", "misc", "common"}


@pytest.mark.parametrize("pre_norm", [False, True])
def test_values_can_differ_from_layer_to_layer(pre_norm):
    """Every layer is built from its own values, and what the values say is what it computes."""
    widths = ({"intermediate_size": 8}, {"intermediate_size": 16, "hidden_act": "relu"}, {"pre_norm": True})
    ours = model("bert", pre_norm=pre_norm, per_layer=widths)
    assert [layer.feed_forward.up.out_features for layer in ours.encoder.layers] == [8, 16, 40]
    assert [layer.feed_forward.activation.name for layer in ours.encoder.layers] == ["gelu", "relu", "gelu"]
    assert [layer.attention_add.pre_norm for layer in ours.encoder.layers] == [pre_norm, pre_norm, True]
    layer, x = ours.encoder.layers[2], torch.randn(1, 24)
    layout = gatonegro.packing.Layout((1,), (1,))
    attended = x + layer.attention(layer.attention_add.norm(x), layout)
    expected = attended + layer.feed_forward(layer.feed_forward_add.norm(attended))
    torch.testing.assert_close(layer(x, layout), expected)


def test_printing_a_model_tells_each_part_and_its_shapes():
    ours = model("bert")
    printed = str(ours)
    first, key, *tree = printed.splitlines()
    assert f"{ours.num_parameters():,} parameters" in first and "t: tokens" in key
    parts = [line for line in tree if line.lstrip().startswith("(")]
    assert len(parts) == len([line for line in nn.Module.__repr__(ours).splitlines() if "): " in line])
    assert all(" # " in line for line in parts if "ModuleList" not in line), printed
    (query,) = (line for line in parts if line.lstrip().startswith("(query)"))
    assert "(…, 24) → (…, 24)" in query
    (head,) = (line for line in parts if line.startswith("  (head)"))
    assert "(t, 24) → (n, 2)" in head and "a score per label" in head


@pytest.mark.parametrize("head", ["ModelForSequenceClassification", "ModelForMaskedLM"])
def test_parameters_are_counted_as_transformers_does(head, tmp_path):
    hf = pytest.importorskip("transformers")
    theirs = getattr(hf, "Auto" + head).from_config(
        hf.BertConfig(vocab_size=99, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40)
    )
    theirs.save_pretrained(tmp_path)
    ours = getattr(gatonegro, "Auto" + head).from_pretrained(tmp_path)
    assert ours.num_parameters() == theirs.num_parameters()
    for p in ours.embeddings.parameters():
        p.requires_grad_(False)
    rest = theirs.num_parameters() - sum(p.numel() for p in theirs.bert.embeddings.parameters())
    assert ours.num_parameters(only_trainable=True) == rest


def test_importing_the_package_is_light(python):
    code = (
        "import sys, gatonegro; dir(gatonegro); "
        "print(sorted({'torch', 'numpy', 'tokenizers', 'rich', 'huggingface_hub', 'safetensors'} & {*sys.modules}))"
    )
    assert python("-c", code).stdout.strip() == b"[]"


def test_every_public_name_is_there():
    assert all(getattr(gatonegro, name) is not None for name in gatonegro.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gatonegro.nothing  # noqa: B018


WITHOUT_COMPILER = """
import sys
from gatonegro import pipeline
print(pipeline("sentiment-analysis", model=sys.argv[1])("el gato es bueno")[0]["label"])
heavy = {"torch._dynamo", "torch._inductor", "sympy", "transformers", "pandas", "scipy", "sklearn", "requests",
         "gatonegro.documents", "markdown_it"}
print(sorted(heavy & {*sys.modules}))
"""


def test_a_first_answer_imports_no_compiler_and_no_documents(python, tiny):
    output = python("-c", WITHOUT_COMPILER, tiny)
    label, heavy = output.stdout.decode().split("\n")[:2]
    assert label in ("NEG", "NEU", "POS"), output.stderr.decode()
    assert heavy == "[]"


SOCKETS = """
import sys, socket
def refuse(event, args):
    if event.startswith("socket."):
        raise SystemExit(f"{event} {args}")
sys.addaudithook(refuse)
from gatonegro import pipeline
print(pipeline("sentiment-analysis", model=sys.argv[1])("el gato es bueno")[0]["label"])
"""


def test_a_folder_opens_no_socket(python, tiny):
    output = python("-c", SOCKETS, tiny, env={"HF_HUB_OFFLINE": "0"})
    assert output.stdout.strip() in (b"NEG", b"NEU", b"POS"), output.stderr.decode()


@pytest.mark.skipif(
    "sentiment-es-en" not in gatonegro.hub.built_in_models(), reason="the built-in model is not installed"
)
def test_the_built_in_model_opens_no_socket(python):
    output = python("-c", SOCKETS, "sentiment-es-en", env={"HF_HUB_OFFLINE": "0"})
    assert output.stdout.strip() in (b"NEG", b"NEU", b"POS"), output.stderr.decode()


def test_a_model_is_trained_as_any_module(tiny):
    """`model(**batch, labels=…).loss.backward()` and an optimizer train a model, as in notebooks."""
    ours = AutoModelForSequenceClassification.from_pretrained(tiny)
    x, y = torch.randint(5, 60, (4, 9)), torch.tensor([0, 1, 2, 1])
    optimizer = torch.optim.AdamW(ours.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        loss = ours(x, labels=y).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


WITH_TORCH = {
    "checkpoints", "families", "packing", "padding", "nn", "engine", "models", "generation", "training", "glassbox",
}  # fmt: skip


def imports_at_run_time(tree):
    """Yield the modules that a module imports, without those under TYPE_CHECKING."""
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) not in hidden and isinstance(node, ast.Import | ast.ImportFrom):
            yield from [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


def test_only_models_and_what_is_below_them_import_torch():
    importing = {
        path.relative_to(PACKAGE)
        for path, tree in TREES.items()
        if any(name.split(".")[0] == "torch" for name in imports_at_run_time(tree))
    }
    others = {path.as_posix() for path in importing if path.with_suffix("").parts[0] not in WITH_TORCH}
    # inside functions, for return_tensors="pt" and the `device` of a pipeline
    assert others == {"pipelines/backend.py", "scores.py", "tokenization/batch.py"}


def test_no_function_of_the_pipelines_is_longer_than_60_lines():
    for path in (PACKAGE / "pipelines").glob("*.py"):
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.FunctionDef):
                doc = node.body[0].end_lineno - node.body[0].lineno + 1 if ast.get_docstring(node) else 0
                assert node.end_lineno - node.lineno + 1 - doc <= 60, node.name
