"""Scripts beside the package: benchmarks, recipes and pictures can be imported, and the names that they use exist."""

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from small import ROOT

SCRIPTS = sorted(
    path for pattern in ("benchmarks/*.py", "docs/img/*.py", "recipes/*/*.py") for path in ROOT.glob(pattern)
)


def is_ours(name: str, folder) -> bool:
    return name.partition(".")[0] in {"gatonegro", "gatonegro_models", *(path.stem for path in folder.glob("*.py"))}


def imported(tree: ast.AST, folder):
    """Yield (name in the script, object) of what is imported from our own modules, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and is_ours(node.module, folder):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                yield alias.asname or alias.name, getattr(module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if is_ours(alias.name, folder):
                    module = importlib.import_module(alias.name)
                    yield alias.asname or alias.name, module


def forget_scripts():
    """Remove scripts from the imported modules, since another folder may have one of the same name."""
    folders = {path.parent for path in SCRIPTS}
    for name, module in [*sys.modules.items()]:
        if Path(getattr(module, "__file__", None) or "").parent in folders:
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.filterwarnings("ignore:PyTorch's fast operator for bfloat16")  # on processors without it
def test_names_that_a_script_uses_exist(script, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])  # to which scripts add folders
    forget_scripts()
    tree = ast.parse(script.read_text(encoding="utf-8"))
    try:
        if script.stem != "__main__":
            importlib.import_module(script.stem)
        modules = {name: value for name, value in imported(tree, script.parent) if isinstance(value, ModuleType)}
    except ModuleNotFoundError as error:
        assert not is_ours(error.name, script.parent), f"{error.name} does not exist"
        pytest.skip(f"needs {error.name}")
    finally:
        forget_scripts()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr} does not exist"
