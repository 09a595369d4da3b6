"""Fixtures of the tests in tests/recipes/."""

import sys

import pytest
from small import ROOT

RECIPE = ROOT / "recipes" / "translation"


@pytest.fixture(scope="module")
def recipe():
    """Return the recipe's modules under other names: another recipe has a `data` too."""
    from importlib.util import module_from_spec, spec_from_file_location

    made, others = [], sys.modules.pop("data", None)
    sys.path.insert(0, str(RECIPE))  # `data` asks for `own`
    for name in ("data", "vocabulary", "back"):
        spec = spec_from_file_location(f"translation_{name}", RECIPE / f"{name}.py")
        module = sys.modules[spec.name] = module_from_spec(spec)
        if name == "back":  # which asks for `data`
            sys.modules["data"] = made[0]
        spec.loader.exec_module(module)
        made.append(module)
    sys.modules.pop("data")
    sys.path.remove(str(RECIPE))
    if others is not None:
        sys.modules["data"] = others
    return made
