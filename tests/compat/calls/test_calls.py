"""Calls of `transformers` with the import changed: the same answers, or a reason in `differences.py`."""

import contextlib
import io
import re
import warnings

import pytest
import torch
import transformers
from compat.calls.checkpoints import REAL as REAL_FAMILIES
from compat.calls.checkpoints import Checkpoints, Names
from compat.calls.differences import REASONS, REASONS_OF_REAL, listed
from compat.calls.outcomes import comparable, same
from compat.calls.rows import CALLS, REAL

import gatonegro
from gatonegro.errors import GatonegroError

LEAST = 0.95  # of the calls have the same outcome


def rows(real: bool):
    """Yield families and calls."""
    for subject, (families, text) in CALLS.items():
        for family in families:
            if not real or (subject in REAL and family in REAL_FAMILIES):
                for call in text.replace("\\\n", "").strip().splitlines():
                    yield family, call


def outcome(names: Names, call: str):
    """Run a call, and return its value with what it prints, in a form to compare, and its error."""
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = comparable(names.run(call))
        except Exception as error:
            return "an error", error
    return (value, printed.getvalue()), None


PYTHON = re.compile(
    r"has no attribute|unexpected keyword|positional argument|not callable|not subscriptable|not iterable"
)


def is_named(error: Exception) -> bool:
    """Return True if an error says what is refused, unlike Python's own errors."""
    return isinstance(error, GatonegroError) or not PYTHON.search(str(error))


@pytest.fixture(scope="module", params=["made", "real"])
def compared(request, tmp_path_factory):
    """Return the number of calls, and the errors of those that differ, by family and call."""
    real = request.param == "real"
    shared = request.getfixturevalue("shared") if real else None
    checkpoints = Checkpoints(tmp_path_factory.mktemp("calls"), shared)
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    names, different, count = {}, {}, 0
    for family, call in rows(real):
        (a, _), (b, error) = (
            outcome(names.setdefault((library, family), Names(library, family, checkpoints)), call)
            for library in (transformers, gatonegro)
        )
        count += 1
        if not same(a, b):
            different[family, call] = error
    transformers.logging.set_verbosity(verbosity)
    transformers.logging.enable_progress_bar()
    wanted = listed(REASONS) & {*rows(real)} if real else listed(REASONS)
    return count, different, wanted | listed(REASONS_OF_REAL) if real else wanted


@pytest.mark.slow
def test_calls_have_the_same_outcomes(compared):
    count, different, listed = compared
    print(f"{len(different)} of {count} calls differ")
    assert sorted(different.keys() - listed) == [], "calls differ that are not in the list"
    assert sorted(listed - different.keys()) == [], "calls of the list are the same"
    assert len(different) <= (1 - LEAST) * count, f"{len(different)} of {count} differ"


@pytest.mark.slow
def test_what_is_not_supported_is_refused_by_name(compared):
    _, different, _ = compared
    assert not {row: error for row, error in different.items() if error is not None and not is_named(error)}
