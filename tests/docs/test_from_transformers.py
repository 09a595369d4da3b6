"""The pages on what changes with the import are those that the tables give."""

import sys
from importlib.metadata import version

import pytest
from small import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import from_transformers


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_pages_are_written_from_the_tables(lang):
    text = from_transformers.TARGETS[lang].read_text(encoding="utf-8")
    if f"`transformers` {version('transformers')}." not in text:
        pytest.skip("the page was written with another version of transformers")
    assert text == from_transformers.page(lang), "run scripts/from_transformers.py"


def test_the_pages_have_every_row():
    text = from_transformers.TARGETS["en"].read_text(encoding="utf-8")
    for rows in from_transformers.ARGUMENTS.values():
        for name in rows:
            assert f"`{name}`" in text or f"`{name}=`" in text, name
