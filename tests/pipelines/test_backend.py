"""Which backend runs a pipeline's model, by what is installed and asked, and what a pipeline tells of it."""

import copy
import pickle
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, models, native, pipeline
from gatonegro.errors import MissingExtraError, OptionError
from gatonegro.pipelines import backend as backends
from gatonegro.tasks import TASKS

TASK = TASKS["text-classification"]


@pytest.fixture
def machine(monkeypatch):
    """Return `machine(torch=…, kernels=…, gpu=…)`, which pretends that these are there."""

    def pretend(torch=True, kernels=True, gpu=False):
        monkeypatch.setattr(backends, "has_torch", lambda: torch)
        monkeypatch.setattr(backends.kernels, "available", lambda: kernels)
        monkeypatch.setattr(backends, "GPU_DRIVERS", ("/",) if gpu else ())

    return pretend


def choose(backend="auto", model="name", device=None, precision=None, task=TASK, **loading):
    return backends.choose_backend(backend, task, model, device, precision, loading)


def test_what_is_installed_decides(machine):
    for with_torch, with_kernels, expected in (
        (True, True, "numpy"), (True, False, "torch"), (False, True, "numpy"), (False, False, "numpy"),
    ):  # fmt: skip
        machine(torch=with_torch, kernels=with_kernels)
        assert choose() == choose(device="cpu") == choose(device=-1) == choose(device=torch.device("cpu")) == expected
        assert choose("numpy") == "numpy"


def test_torch_runs_what_only_it_can(machine):
    machine()
    assert choose("torch") == "torch"
    assert choose(dtype="bfloat16") == choose(dtype=torch.float32) == choose(ignore_mismatched_sizes=True) == "torch"
    assert choose(device="cuda:1") == choose(device=0) == choose(device=torch.device("mps")) == "torch"
    assert choose(precision="fp16") == "torch"
    assert choose(task=replace(TASK, predict=lambda *_: [])) == "torch"
    machine(gpu=True)
    assert choose() == choose(device="auto") == "torch" and choose(device="cpu") == "numpy"
    machine(torch=False)
    for options, what in (({"device": "cuda"}, "device='cuda'"), ({"dtype": torch.bfloat16}, "dtype='bfloat16'"),
                          ({"backend": "torch"}, "backend='torch'")):  # fmt: skip
        with pytest.raises(MissingExtraError, match=f"^{what} needs PyTorch.*gatonegro"):
            choose(**options)


def test_wrong_requests(machine, tiny):
    machine()
    with pytest.raises(OptionError, match="backend must be 'auto', 'torch' or 'numpy', not 'jax'"):
        pipeline("sentiment-analysis", tiny, backend="jax")
    with pytest.raises(OptionError, match="the numpy backend cannot take device=0, which needs PyTorch"):
        choose("numpy", device=0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny)
    with pytest.raises(OptionError, match="the numpy backend cannot take model, which needs PyTorch"):
        pipeline("sentiment-analysis", model, AutoTokenizer.from_pretrained(tiny), backend="numpy")


def test_both_backends_answer_alike_and_say_which_they_are(tiny):
    numpy, torch_ = (pipeline("sentiment-analysis", tiny, backend=name, top_k=None) for name in ("numpy", "torch"))
    for ours, theirs in zip(*(pipe(["el gato"])[0] for pipe in (numpy, torch_)), strict=True):
        assert ours["label"] == theirs["label"] and ours["score"] == pytest.approx(theirs["score"], abs=1e-5)
    assert "cpu, numpy" in repr(numpy) and "cpu, torch" in repr(torch_) and "fp32)" in repr(numpy)
    for name in ("device", "dtype", "framework"):
        assert getattr(numpy, name) == getattr(torch_, name)
    assert isinstance(numpy.running, native.NativeModel) and isinstance(torch_.running, models.Model)


def test_the_model_of_a_numpy_pipeline_is_that_of_torch_which_it_then_runs(tiny):
    pipe = pipeline("sentiment-analysis", tiny, backend="numpy")
    before, seen = pipe("el gato"), []
    hook = pipe.model.embeddings.register_forward_hook(lambda *_: seen.append(1))
    after = pipe("el gato")
    assert after[0]["label"] == before[0]["label"] and after[0]["score"] == pytest.approx(before[0]["score"], abs=1e-5)
    assert seen and pipe.model is pipe.running and "torch" in repr(pipe)
    hook.remove()


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_copies_keep_the_backend(tiny, name):
    pipe = pipeline("sentiment-analysis", tiny, backend=name)
    for twin in (copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe))):
        assert repr(twin) == repr(pipe) and twin("el gato") == pipe("el gato")


def test_a_numpy_model_can_be_passed(tiny):
    made = pipeline("sentiment-analysis", tiny, backend="numpy")
    pipe = pipeline("sentiment-analysis", made.running, made.tokenizer)
    assert pipe.running is made.running and pipe("el gato") == made("el gato")
    with pytest.raises(OptionError, match="cannot take device='cuda', which needs PyTorch"):
        pipeline("sentiment-analysis", made.running, made.tokenizer, device="cuda")
    with pytest.raises(OptionError, match="computes in fp32, which cannot be changed"):
        pipeline("sentiment-analysis", made.running, made.tokenizer, precision="int8")


def test_torch_while_another_thread_imports_it(tiny, monkeypatch):
    """It is in sys.modules, and lacks its classes still."""
    pipe = pipeline("sentiment-analysis", tiny, backend="numpy")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "torch.nn", SimpleNamespace())
    assert pipe("el gato") and not backends.runs_in_torch(pipe.running)


def test_several_threads_get_the_same_model(tiny):
    pipe, both, found = pipeline("sentiment-analysis", tiny, backend="numpy"), threading.Barrier(2, timeout=60), []
    load = pipe._torch_model

    def load_together():
        both.wait()  # both threads are here before one has loaded
        return load()

    pipe._torch_model = load_together
    threads = [threading.Thread(target=lambda: found.append(pipe.model)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1] is pipe.running
