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
    sys.path.insert(0, str(RECIPE))  # `data` asks for `handwritten`
    for name in ("data", "vocabulary", "back_translation", "variation"):
        spec = spec_from_file_location(f"translation_{name}", RECIPE / f"{name}.py")
        module = sys.modules[spec.name] = module_from_spec(spec)
        if name == "back_translation":  # which asks for `data`, as `variation` does
            sys.modules["data"] = made[0]
        spec.loader.exec_module(module)
        made.append(module)
    sys.modules.pop("data")
    sys.path.remove(str(RECIPE))
    if others is not None:
        sys.modules["data"] = others
    return made


@pytest.fixture(scope="module")
def data(recipe):
    return recipe[0]


@pytest.fixture(scope="module")
def vocabulary(recipe):
    return recipe[1]


@pytest.fixture(scope="module")
def variation(recipe):
    return recipe[3]
