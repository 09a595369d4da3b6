"""The runner of the tests of `transformers`, on a small test tree."""

import json
import subprocess
import sys

import pytest
from small import ROOT

MIXIN = """
from transformers import is_torch_available  # a helper

class ModelTesterMixin:
    all_model_classes = ()

    def test_width(self):
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in self.all_model_classes:
            assert model_class(config).get_input_embeddings().weight.shape == (99, 32) and is_torch_available()
"""
TESTS = """
import os
import unittest

import transformers
from transformers import BertConfig, BertForNextSentencePrediction, Trainer
from transformers.models.bert import modeling_bert

class BertTest(unittest.TestCase):
    def test_holds(self):
        assert modeling_bert.BertModel(BertConfig(num_hidden_layers=1)).config.hidden_size == 768

    def test_never_holds(self):
        assert BertConfig().hidden_size == 1

    def test_ends_here(self):
        if transformers.BertConfig.__module__.startswith("gatonegro"):
            os.abort()

    def test_missing(self):
        BertForNextSentencePrediction._tied_weights_keys

    def test_refused(self):
        Trainer.train

    def test_different(self):
        assert BertConfig.__module__ == "transformers.models.bert.configuration_bert"
"""


@pytest.mark.slow
def test_report_of_a_small_tree(tmp_path):
    tree, report = tmp_path / "tests", tmp_path / "report.json"
    for name, text in {"test_modeling_common.py": MIXIN, "models/bert/test_modeling_bert.py": TESTS}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).with_name("__init__.py").touch()
        (tree / name).write_text(text, encoding="utf-8")
    (tree / "models" / "__init__.py").touch()
    command = [sys.executable, ROOT / "scripts" / "transformers_tests.py", "--tests", tree, "--json", report]
    run = subprocess.run([*command, "-k", "BertTest or GPT2"], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("2 of 6 tests that hold under transformers hold here\n")
    result = json.loads(report.read_text(encoding="utf-8"))
    assert result["kinds"] == {"refused": 2, "missing": 0, "different": 1, "ended": 1}
    names = {name.rpartition("_")[2] for errors in result["failures"].values() for (name,) in errors.values()}
    assert names == {"refused", "missing", "different", "here"}
    assert result["suites: hold here, of"] == {
        "GPT2ModelTest": [1, 1],
        "test_modeling_bert.py::BertTest": [1, 5],
    }
