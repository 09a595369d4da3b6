"""Fixtures of the tests in tests/models/."""

from functools import cache

import pytest
from reference import reference

import gatonegro


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """`pair(family, head, **config)` → a model of the reference, ours that read what it wrote, and the folder."""

    @cache
    def make(family, head, **config):
        theirs = reference(family, head, **config)
        folder = tmp_path_factory.mktemp(family)
        theirs.save_pretrained(folder)
        return theirs, getattr(gatonegro, "Auto" + head).from_pretrained(folder), folder

    return make
