"""The one training loop: AdamW, warm-up and linear decay, clipping, a log, and resuming."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from gatonegro.batching import plan as plan_batches
from gatonegro.engine.processor import keep_memory
from gatonegro.errors import OptionError
from gatonegro.storage import replacing

Batch = TypeVar("Batch")
M = TypeVar("M", bound=nn.Module)

MIXED = 4096  # texts that are sorted by length together


def mixed_batches(lengths: Sequence[int], tokens: int, rng: random.Random) -> list[list[int]]:
    """Return lists of indices, one per step: texts of similar length with at most `tokens` tokens, in random order."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    out = []
    for start in range(0, len(order), MIXED):
        chunk = order[start : start + MIXED]
        out += [[chunk[i] for i in batch] for batch in plan_batches([lengths[i] for i in chunk], tokens)]
    rng.shuffle(out)
    return out


def without_attention_dropout(model: M) -> M:
    """Turn attention dropout off, and return the model: the fused operator has none on a CPU, and the fallback is much
    slower. The residuals keep theirs."""
    for module in model.modules():
        if isinstance(attend := getattr(module, "attend", None), nn.Module):
            attend.dropout = 0.0  # type: ignore[assignment]
    return model


def fit(
    model: nn.Module,
    batches: Sequence[Batch],
    loss: Callable[[Batch], Tensor],
    groups: Sequence[dict[str, Any]],
    *,
    out: Path,
    seed: int,
    warmup: float = 0.06,
    clip: float = 1.0,
    save_every: int = 200,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 1000,
    average: float = 0.0,
    stop_after: int | None = None,
) -> None:
    """Train `model` on `batches`, once through, one step each.

    All randomness comes from `seed` and the step's number, so that a run that was killed and resumed computes the
    same as an unbroken one. `out/state.pt` holds weights, optimizer and step; `out/log.jsonl` one line per 50 steps.

    Args:
        loss: batch → scalar; it may be random.
        groups: parameter groups for AdamW, each with its peak `lr`.
        warmup: share of the steps in which the rate rises; it then falls linearly to 0.
        average: decay of an exponential moving average of the weights, which replaces them at the end; 0 turns it off.
        stop_after: end after this step, as if killed there (for tests and inspection).
    """
    out.mkdir(parents=True, exist_ok=True)
    keep_memory()
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)
    peaks = [group["lr"] for group in optimizer.param_groups]
    # identifies a run, so that another one does not resume from its state
    plan = {"steps": len(batches), "seed": seed, "peaks": peaks, "average": average}
    first, state = 0, out / "state.pt"
    weights = list(model.parameters())
    mean_weights = [w.detach().clone() for w in weights] if average else []
    if state.exists():
        first, mean_weights = _resume(state, plan, model, optimizer)
    total, rise = len(batches), max(1, round(warmup * len(batches)))
    last = min(total, stop_after if stop_after is not None else total)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("training", total=total, completed=first)
        mean, begun, logged = 0.0, time.perf_counter(), first
        for step in range(first, last):
            torch.manual_seed(seed * 1_000_003 + step)
            rate = min((step + 1) / rise, (total - step) / max(1, total - rise))
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate
            value = _step(model, optimizer, loss, batches[step], clip)
            if average:
                torch._foreach_lerp_(mean_weights, [w.detach() for w in weights], 1 - average)
            mean += value
            progress.update(bar, advance=1, description=f"loss {value:.3f}")
            done = step + 1
            if average and done == total:
                for w, m in zip(weights, mean_weights, strict=True):
                    w.data.copy_(m)
            if done % 50 == 0 or done == last:
                n = done - logged
                record = {"step": done, "loss": mean / n, "s_per_step": (time.perf_counter() - begun) / n}
                _log(out, model, record, evaluate if done % evaluate_every == 0 or done == total else None)
                mean, begun, logged = 0.0, time.perf_counter(), done
            if done % save_every == 0 or done == last:
                saved = {"average": mean_weights, "step": done, "plan": plan}
                with replacing(state) as beside:
                    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), **saved}, beside)
    model.eval()


def _resume(
    state: Path, plan: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[Tensor]]:
    """Load a run's state into the model and the optimizer; return its step and mean weights."""
    saved = torch.load(state, weights_only=True, mmap=True)
    if saved["plan"] != plan:
        raise OptionError(
            f"{state} is of another run ({saved['plan']}, and this one is {plan}); name another folder, or delete it.",
            f"{state} es de otro entrenamiento ({saved['plan']}, y este es {plan}); nombra otra carpeta, o bórralo.",
        )
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return saved["step"], [w.clone() for w in saved["average"]]


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[Batch], Tensor], batch: Batch, clip: float
) -> float:
    """Train one step; return the loss before it."""
    model.train()
    value = loss(batch)
    value.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(value.detach())


def _log(
    out: Path, model: nn.Module, record: dict[str, float], evaluate: Callable[[], Mapping[str, float]] | None
) -> None:
    """Write a line into the log, with the values of `evaluate`."""
    if evaluate is not None:
        model.eval()
        with torch.inference_mode():
            record |= evaluate()
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({k: round(v, 5) for k, v in record.items()}) + "\n")
