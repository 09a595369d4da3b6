"""`logging`'s functions and `set_seed`, by the names and with the effects that they have in transformers."""

import logging as python_logging
import random
import warnings

import numpy as np
import pytest
import torch
import transformers as hf

import gatonegro
from gatonegro import AutoTokenizer, logging
from gatonegro.errors import GatonegroWarning
from gatonegro.pipelines.progress import ProgressBar


@pytest.fixture(autouse=True)
def verbosity():
    """Restore what the functions change, and begin with the defaults of both libraries."""
    level = hf.logging.get_verbosity()
    hf.logging.set_verbosity_warning()
    python_logging.getLogger("gatonegro").setLevel(python_logging.NOTSET)
    yield
    hf.logging.set_verbosity(level)
    python_logging.getLogger("gatonegro").setLevel(python_logging.NOTSET)
    logging.enable_progress_bar()


def test_levels_are_those_of_transformers():
    assert logging.get_verbosity() == hf.logging.get_verbosity() == logging.WARNING
    for name in ("debug", "info", "warning", "error"):
        getattr(logging, f"set_verbosity_{name}")()
        assert logging.get_verbosity() == getattr(hf.logging, name.upper())
    logging.set_verbosity(logging.CRITICAL)
    assert logging.get_verbosity() == hf.logging.CRITICAL
    assert logging.get_logger("x") is python_logging.getLogger("x")
    assert logging.enable_explicit_format() is logging.enable_default_handler() is None
    from gatonegro.utils import logging as same

    assert gatonegro.utils.logging is same is logging


def test_errors_only_means_no_warnings(folders):
    tokenizer = AutoTokenizer.from_pretrained(folders["gpt2"])
    logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenizer.add_tokens(["<nuevo>"])
    logging.set_verbosity_info()
    with pytest.warns(GatonegroWarning, match="embeddings"):
        tokenizer.add_tokens(["<otro>"])


def test_progress_bars(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert logging.is_progress_bar_enabled() and ProgressBar("x", None).allowed
    logging.disable_progress_bar()
    assert not logging.is_progress_bar_enabled() and not ProgressBar("x", None).allowed
    assert ProgressBar("x", True).allowed


def test_a_seed_sets_all_random_numbers():
    numbers = []
    for function in (hf.set_seed, gatonegro.set_seed):
        function(7)
        numbers.append([random.random(), float(np.random.rand()), torch.rand(3).tolist()])
    assert numbers[0] == numbers[1]
    gatonegro.set_seed(7, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    with pytest.raises(ImportError, match="deterministic=True"):
        from gatonegro import enable_full_determinism  # noqa: F401
