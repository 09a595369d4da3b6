"""The public API is documented: everything in `gatonegro.__all__`, and the public methods of its classes."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from docstring_parser import DocstringStyle, parse

import gatonegro


def public() -> Iterator[tuple[str, Any]]:
    """Yield the public objects and methods by name, without those that a class inherits from other packages."""
    for name in gatonegro.__all__:
        thing = getattr(gatonegro, name)
        yield name, thing
        if isinstance(thing, type):
            for attribute in dir(thing):
                member = inspect.getattr_static(thing, attribute)
                member = getattr(member, "__func__", getattr(member, "fget", member))
                ours = str(getattr(member, "__module__", "")).startswith("gatonegro")
                if ours and not attribute.startswith("_") and callable(member):
                    yield f"{name}.{attribute}", member


PUBLIC = dict(public())


def raised(function: Any) -> set[str]:
    """Return the names of the exceptions that a function's own `raise` statements create."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node.exc.func for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    return {call.id for call in calls if isinstance(call, ast.Name) and call.id.endswith("Error")}


def problems(thing: Any) -> list[str]:
    """Return the arguments that a docstring lacks, names twice, or names without need."""
    text = inspect.getdoc(thing)
    if not text:
        return ["there is no docstring"]
    if isinstance(thing, type | ModuleType):
        return []
    parameters = list(inspect.signature(thing).parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        del parameters[0]
    docstring = parse(text, DocstringStyle.GOOGLE)
    documented = {error.type_name for error in docstring.raises}
    messages = [f"Raises: does not name {name}" for name in sorted(raised(thing) - documented)]
    if "\n" not in text and len(parameters) < 2:
        return messages
    documentable = {parameter.name for parameter in parameters}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    described = [name.strip(" *`") for parameter in docstring.params for name in parameter.arg_name.split(",")]
    missing, others = documentable - {*described}, {*described} - documentable
    messages += [f"Args: does not name {name}" for name in sorted(missing)]
    messages += [f"Args: names {name}, which is no argument" for name in sorted(others) if not open_ended]
    return messages + [f"Args: names {name} twice" for name in {*described} if described.count(name) > 1]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring(name):
    assert not problems(PUBLIC[name])


def test_a_wrong_docstring_is_found():
    def short(text):
        """Return it."""

    def right(text, *, times=1, **options):
        """Return it.

        Args:
            text: what is returned.
            times: how often.
            **options: as of `other`.
        """

    def wrong(text, times):
        """Return it.

        Args:
            text: what is returned.
            length: of what is returned.
        """

    def bare(text): ...

    def raising(text):
        """Return it."""
        raise ValueError("never")

    assert problems(short) == problems(right) == []
    assert problems(raising) == ["Raises: does not name ValueError"]
    assert problems(wrong) == ["Args: does not name times", "Args: names length, which is no argument"]
    assert problems(bare) == ["there is no docstring"]
