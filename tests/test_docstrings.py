"""The public API is documented: everything in `gatonegro.__all__`, and the public methods of its classes."""

import inspect
from collections.abc import Iterator
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


def problems(thing: Any) -> list[str]:
    """Return the arguments that a docstring lacks, names twice, or names without need."""
    text = inspect.getdoc(thing)
    if not text:
        return ["there is no docstring"]
    if isinstance(thing, type) or "\n" not in text:
        return []
    parameters = list(inspect.signature(thing).parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        del parameters[0]
    wanted = {parameter.name for parameter in parameters}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    described = [
        name.strip(" *`")
        for parameter in parse(text, DocstringStyle.GOOGLE).params
        for name in parameter.arg_name.split(",")
    ]
    missing, others = wanted - {*described}, {*described} - wanted
    found = [f"Args: does not name {name}" for name in sorted(missing)]
    found += [f"Args: names {name}, which is no argument" for name in sorted(others) if not open_ended]
    return found + [f"Args: names {name} twice" for name in {*described} if described.count(name) > 1]


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

    assert problems(short) == problems(right) == []
    assert problems(wrong) == ["Args: does not name times", "Args: names length, which is no argument"]
    assert problems(bare) == ["there is no docstring"]
