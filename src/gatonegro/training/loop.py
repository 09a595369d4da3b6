"""The training loop: AdamW, warm-up and linear decay, gradient clipping, R-Drop, a log, and resuming."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from gatonegro.batching import plan as plan_batches
from gatonegro.checks import Check, number, optional, whole
from gatonegro.engine.processor import keep_memory
from gatonegro.errors import OptionError
from gatonegro.storage import atomic_write

Batch = TypeVar("Batch")
M = TypeVar("M", bound=nn.Module)

SORT_WINDOW = 4096  # texts sorted by length together


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Set the seeds of Python's, NumPy's and PyTorch's random numbers.

    Args:
        seed: the seed of all three.
        deterministic: let PyTorch refuse operations whose results differ from run to run.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # of all devices
    if deterministic:
        torch.use_deterministic_algorithms(True)


def length_grouped_batches(lengths: Sequence[int], tokens: int, rng: random.Random) -> list[list[int]]:
    """Group texts of similar length into batches of at most `tokens` tokens, in random order, as lists of indices."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    out = []
    for start in range(0, len(order), SORT_WINDOW):
        chunk = order[start : start + SORT_WINDOW]
        out += [[chunk[i] for i in batch] for batch in plan_batches([lengths[i] for i in chunk], tokens)]
    rng.shuffle(out)
    return out


class UnfusedAttention(nn.Module):
    """Attention by separate PyTorch operators in fp32, without dropout, which trains faster on a CPU.

    On a CPU, the gradients of the fused operator take more than twice as long for short texts. In bf16, PyTorch would
    compile kernels for each new pair of lengths.
    """

    def __init__(self, attend: nn.Module):
        super().__init__()
        self.attend = attend
        attend.dropout = 0.0  # type: ignore[assignment]

    def forward(self, q: Tensor, k: Tensor, v: Tensor, *others: Any) -> Tensor:
        with torch.autocast("cpu", enabled=False), sdpa_kernel(SDPBackend.MATH):
            return self.attend(q.float(), k.float(), v.float(), *others).to(q.dtype)


class ByteDropout(nn.Dropout):
    """Dropout that draws one random byte per element, and so rounds its rate to a multiple of 1/256.

    PyTorch's dropout takes a sixth of a training step on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        threshold = round(self.p * 256)
        if not self.training or not threshold:
            return x
        random = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
        keep = random[: x.numel()].view(x.shape) >= threshold
        return x * keep.to(x.dtype).mul_(256 / (256 - threshold))


def optimize_for_training(model: M) -> M:
    """Replace a model's attention and dropout by modules that train faster on a CPU, and return the model."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if name == "attend":
                setattr(module, name, UnfusedAttention(child))
            elif type(child) is nn.Dropout:
                setattr(module, name, ByteDropout(child.p))
    return model


def layerwise_lr_groups(
    model: nn.Module, lr: float, head_lr: float, *, decay: float = 1.0, weight_decay: float = 0.01
) -> list[dict[str, Any]]:
    """Return parameter groups for AdamW, with learning rates that fall from a model's top layer down.

    The encoder's top layer has the rate `lr`, each layer below, and the embeddings last, `decay` times the rate above.
    Parameters outside the encoder have the rate `head_lr`. Biases and norms have no weight decay.
    """
    named = [(name, p) for name, p in nn.Module.named_parameters(model) if p.requires_grad]
    depths = [_depth(name) for name, _ in named]
    top = max((depth for depth in depths if depth is not None), default=0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for (_, p), depth in zip(named, depths, strict=True):
        rate = head_lr if depth is None else lr * decay ** (top - depth)
        groups.setdefault((rate, weight_decay if p.dim() > 1 else 0.0), []).append(p)
    return [{"params": params, "lr": rate, "weight_decay": wd} for (rate, wd), params in groups.items()]


def _depth(name: str) -> int | None:
    """Return the depth of a named parameter: 0 for embeddings, n + 1 for encoder layer n, None for others."""
    parts = name.split(".")
    if "encoder" in parts and "layers" in parts:
        return int(parts[parts.index("layers") + 1]) + 1
    return 0 if "embeddings" in parts or "encoder" in parts else None


def symmetric_kl(logits: Tensor, other: Tensor) -> Tensor:
    """Compute the symmetric Kullback-Leibler divergence of two sets of logits (n, labels), averaged over the rows.

    This is the second term of R-Drop, https://arxiv.org/abs/2106.14448.
    """
    p, q = logits.float().log_softmax(-1), other.float().log_softmax(-1)
    forward, backward = (F.kl_div(a, b, reduction="batchmean", log_target=True) for a, b in ((p, q), (q, p)))
    return (forward + backward) / 2


FIT_CHECKS: dict[str, Check] = {
    "seed": whole(0, 2**40),
    "warmup_ratio": number(0, 1),
    **dict.fromkeys(("max_grad_norm", "rdrop"), number(0)),
    **dict.fromkeys(("save_every", "evaluate_every"), whole(1)),
    "ema_decay": number(0, 1),
    "stop_after": optional(whole(0)),
}


def fit(
    model: nn.Module,
    batches: Sequence[Batch],
    loss: Callable[[Batch], Tensor | tuple[Tensor, Tensor]],
    groups: Sequence[dict[str, Any]],
    *,
    out: Path,
    seed: int,
    warmup_ratio: float = 0.06,
    max_grad_norm: float = 1.0,
    save_every: int = 200,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 1000,
    ema_decay: float = 0.0,
    rdrop: float = 0.0,
    stop_after: int | None = None,
) -> None:
    """Train a model once on each batch, with one optimizer step per batch.

    The random state of a step depends on `seed` and the step's number alone, so that a killed and resumed run computes
    the same as an unbroken one. `out/state.pt` has weights, optimizer and step; `out/log.jsonl` a line per 50 steps.

    Args:
        model: the model, trained in place.
        batches: one item per step, passed to `loss`.
        loss: batch → scalar, or, where `rdrop` is set, (scalar, logits of the rows (n, labels)); it may be random.
        groups: parameter groups for AdamW, each with its peak `lr`.
        out: folder of the state and the log; a state of the same run there is resumed.
        seed: seed of the random state.
        warmup_ratio: share of the steps in which the rate rises; it then falls linearly to 0.
        max_grad_norm: norm to which gradients are clipped.
        save_every: steps between saved states.
        evaluate: returns values for the log, by name.
        evaluate_every: steps between calls of `evaluate`.
        ema_decay: decay of an exponential moving average of the weights, which replaces them at the end; 0: none.
        rdrop: weight of R-Drop: each batch passes through the model twice, with other dropout, and the `symmetric_kl`
            of the two, times this weight, is added to the mean of their losses; 0: none.
        stop_after: stop after this step, as if killed there (for tests and inspection).

    Raises:
        OptionError: an option has an invalid value, or the state in `out` is of another run.
    """
    options = locals()
    for name, check in FIT_CHECKS.items():
        check(name, options[name])
    out.mkdir(parents=True, exist_ok=True)
    keep_memory()
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)
    peaks = [group["lr"] for group in optimizer.param_groups]
    # identifies a run, so that no other resumes from its state
    plan = {"steps": len(batches), "seed": seed, "peaks": peaks, "average": ema_decay, "rdrop": rdrop}
    first, state = 0, out / "state.pt"
    weights = list(model.parameters())
    mean_weights = [w.detach().clone() for w in weights] if ema_decay else []
    if state.exists():
        first, mean_weights = _resume(state, plan, model, optimizer)
    total, rise = len(batches), max(1, round(warmup_ratio * len(batches)))
    last = min(total, stop_after if stop_after is not None else total)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("training", total=total, completed=first)
        total_loss, started, logged = 0.0, time.perf_counter(), first
        for step in range(first, last):
            torch.manual_seed(seed * 1_000_003 + step)
            rate = min((step + 1) / rise, (total - step) / max(1, total - rise))
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate
            value = _step(model, optimizer, loss, batches[step], max_grad_norm, rdrop)
            if ema_decay:
                torch._foreach_lerp_(mean_weights, [w.detach() for w in weights], 1 - ema_decay)
            total_loss += value
            progress.update(bar, advance=1, description=f"loss {value:.3f}")
            done = step + 1
            if ema_decay and done == total:
                for w, m in zip(weights, mean_weights, strict=True):
                    w.data.copy_(m)
            if done % 50 == 0 or done == last:
                n = done - logged
                record = {"step": done, "loss": total_loss / n, "s_per_step": (time.perf_counter() - started) / n}
                _log(out, model, record, evaluate if done % evaluate_every == 0 or done == total else None)
                total_loss, started, logged = 0.0, time.perf_counter(), done
            if done % save_every == 0 or done == last:
                saved = {"average": mean_weights, "step": done, "plan": plan}
                with atomic_write(state) as temporary:
                    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), **saved}, temporary)
    model.eval()


def _resume(
    state: Path, plan: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[Tensor]]:
    """Load the saved state of a training run into model and optimizer, and return its step and mean weights."""
    saved = torch.load(state, weights_only=True, mmap=True)
    if saved["plan"] != plan:
        raise OptionError(
            f"{state} belongs to another run ({saved['plan']}; this one is {plan}); name another folder, or delete it.",
            f"{state} es de otro entrenamiento ({saved['plan']}, y este es {plan}); nombra otra carpeta, o bórralo.",
        )
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return saved["step"], [w.clone() for w in saved["average"]]


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Batch], Tensor | tuple[Tensor, Tensor]],
    batch: Batch,
    max_grad_norm: float,
    rdrop: float,
) -> float:
    """Train a model for one step on a batch, and return the loss before the step."""
    model.train()
    result = loss(batch)
    if rdrop:
        (value, logits), (second_value, second_logits) = result, loss(batch)
        value = (value + second_value) / 2 + rdrop * symmetric_kl(logits, second_logits)
    else:
        value = result[0] if isinstance(result, tuple) else result
    value.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(value.detach())


def _log(
    out: Path, model: nn.Module, record: dict[str, float], evaluate: Callable[[], Mapping[str, float]] | None
) -> None:
    """Append a record to the training log, with the values of `evaluate` if it is given."""
    if evaluate is not None:
        model.eval()
        with torch.inference_mode():
            record |= evaluate()
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({k: round(v, 5) for k, v in record.items()}) + "\n")
