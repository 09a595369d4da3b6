"""The training loop: it learns, logs, resumes; a killed run ends as an unbroken one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from gatonegro import AutoModelForSequenceClassification
from gatonegro.errors import OptionError
from gatonegro.training import fit, layerwise_lr_groups, optimize_for_training, symmetric_kl
from gatonegro.training.loop import ByteDropout

STEPS = 40


def run(out: Path, *, kill_at: int | None = None, stop_after: int | None = None, seed: int = 11) -> nn.Module:
    """Learn the sign of a sum, with dropout, so that the random state of each step matters."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 2))
    made = torch.Generator().manual_seed(3)
    batches = [torch.randn(32, 6, generator=made) for _ in range(STEPS)]
    met = 0

    def loss(x):
        nonlocal met
        met += 1
        if met == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        noise = 0.01 * torch.randn_like(x)
        return nn.functional.cross_entropy(model(x + noise), (x.sum(1) > 0).long())

    groups = [{"params": list(model.parameters()), "lr": 0.05, "weight_decay": 0.01}]
    fit(
        model, batches, loss, groups, out=out, seed=seed, save_every=7, stop_after=stop_after,
        evaluate=lambda: {"right": float((model(batches[0]).argmax(1) == (batches[0].sum(1) > 0)).float().mean())},
        evaluate_every=20,
    )  # fmt: skip
    return model


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_it_learns_and_logs(tmp_path):
    model = run(tmp_path)
    assert not model.training
    last = log(tmp_path)[-1]
    assert last["step"] == STEPS and last["right"] > 0.9 and last["loss"] < 0.69
    assert all(group["lr"] < 0.05 / 10 for group in torch.load(tmp_path / "state.pt")["optimizer"]["param_groups"])


@pytest.mark.parametrize("stop", [1, 7, 20, 39])
def test_a_stopped_run_goes_on_where_it_was(tmp_path, stop):
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", stop_after=stop)
    assert same(run(tmp_path / "parts"), whole)
    assert log(tmp_path / "parts")[-1]["step"] == STEPS


def test_a_finished_run_is_left_as_it_is(tmp_path):
    whole = run(tmp_path)
    lines = log(tmp_path)
    assert same(run(tmp_path), whole) and log(tmp_path) == lines


def test_another_run_does_not_go_on_from_this_one(tmp_path):
    run(tmp_path, stop_after=7)
    with pytest.raises(OptionError, match="another run"):
        run(tmp_path, seed=12)
    assert torch.load(tmp_path / "state.pt")["step"] == 7


def test_the_log_has_means_also_after_a_stop(tmp_path):
    """A constant loss is logged as itself, wherever a run was stopped."""
    model = nn.Linear(1, 1)
    groups = [{"params": list(model.parameters()), "lr": 0.0}]
    for stop in (30, 70, 120):
        fit(model, [None] * 120, lambda _: 1 + 0 * model.weight.sum(), groups, out=tmp_path, seed=1, stop_after=stop)
    assert [(line["step"], line["loss"]) for line in log(tmp_path)] == [(s, 1.0) for s in (30, 50, 70, 100, 120)]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_process_loses_only_the_steps_since_its_last_save(tmp_path):
    code = (
        "import runpy, sys, pathlib; sys.path.insert(0, sys.argv[2]); "
        "runpy.run_path(sys.argv[1])['run'](pathlib.Path(sys.argv[3]), kill_at=18)"
    )
    source = str(Path(sys.modules["gatonegro"].__file__).parents[1])
    killed = subprocess.run([sys.executable, "-c", code, __file__, source, str(tmp_path / "killed")], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert torch.load(tmp_path / "killed" / "state.pt")["step"] == 14
    assert same(run(tmp_path / "killed"), run(tmp_path / "whole"))


def test_quick_answers_as_the_model_did_and_learns_the_same(make_folder):
    """Without dropout, plain sums give the answers and gradients of the fused operator."""
    folder = make_folder("pooler", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    plain, fast = (AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3) for _ in range(2))
    fast.load_state_dict(plain.state_dict())
    optimize_for_training(fast)
    ids = torch.tensor([[2, 30, 31, 32, 3]])
    for model in (plain, fast):
        model.train()
        model(input_ids=ids, labels=torch.tensor([1])).loss.backward()
    for (name, expected), actual in zip(plain.named_parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(expected.grad, actual.grad, msg=name)


def test_byte_dropout_drops_its_share_and_keeps_the_mean():
    torch.manual_seed(1)
    layer, x = ByteDropout(0.1), torch.ones(999, 101, requires_grad=True)
    y = layer(x)
    assert abs(float((y == 0).float().mean()) - 0.1) < 0.005 and abs(float(y.detach().mean()) - 1) < 0.005
    y.sum().backward()
    assert torch.equal(x.grad, y)  # what was dropped learns nothing, what was kept as much more
    torch.manual_seed(1)
    assert torch.equal(layer(x), y) and not torch.equal(layer(x), y)
    assert layer.eval()(x) is x


def test_layers_learn_the_slower_the_deeper_they_lie(make_folder):
    model = AutoModelForSequenceClassification.from_pretrained(make_folder("pooler"), num_labels=3)
    groups = layerwise_lr_groups(model, 1e-3, 1e-2, decay=0.5)
    rate = {id(p): g["lr"] for g in groups for p in g["params"]}
    named = dict(nn.Module.named_parameters(model))
    assert len(rate) == len(named)
    expected = {"embeddings.tokens": 25e-5, "encoder.layers.0.": 5e-4, "encoder.layers.1.": 1e-3, "head.": 1e-2}
    for name, p in named.items():
        for start, lr in expected.items():
            if name.startswith(start):
                assert rate[id(p)] == pytest.approx(lr), name
    assert all((g["weight_decay"] == 0) == (p.dim() == 1) for g in groups for p in g["params"])


def test_disagreement_is_none_between_equals_and_the_same_both_ways():
    first, second = torch.randn(2, 5, 3)
    assert float(symmetric_kl(first, first)) == pytest.approx(0, abs=1e-6)
    assert 0.01 < float(symmetric_kl(first, second)) == pytest.approx(float(symmetric_kl(second, first)))
    p, q = first.softmax(1), second.softmax(1)
    by_hand = ((p * (p / q).log()).sum(1) + (q * (q / p).log()).sum(1)).mean() / 2
    assert float(symmetric_kl(first, second)) == pytest.approx(float(by_hand), rel=1e-5)


def test_rdrop_makes_answers_agree(tmp_path):
    """Trained to agree alone, a model answers the same whatever dropout draws; a loss without scores is refused."""

    def spread(rdrop: float) -> float:
        torch.manual_seed(2)
        model = nn.Sequential(nn.Linear(4, 32), nn.Dropout(0.5), nn.Linear(32, 3))
        x = torch.randn(64, 4)
        groups = [{"params": list(model.parameters()), "lr": 0.02}]
        fit(model, [x] * 60, lambda b: (0 * model(b).sum(), model(b)), groups, out=tmp_path / f"{rdrop}", seed=1,
            rdrop=rdrop)  # fmt: skip
        model.train()
        with torch.no_grad():
            return float(symmetric_kl(model(x), model(x)))

    assert spread(1.0) < spread(0.0) / 4
    model = nn.Linear(1, 1)
    with pytest.raises(TypeError):
        fit(model, [0], lambda _: model.weight.sum(), [{"params": [model.weight], "lr": 0.1}], out=tmp_path, seed=1,
            rdrop=1.0)  # fmt: skip
