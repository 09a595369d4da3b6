"""Tasks by name, and `pipeline`, which puts one together with its model."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import torch

from gatonegro.errors import InputError, OptionError
from gatonegro.models import Model, load, precision, share
from gatonegro.tasks.loop import Pipeline
from gatonegro.tasks.task import Task
from gatonegro.tasks.text_classification import TEXT_CLASSIFICATION
from gatonegro.tokenization import AutoTokenizer, Tokenizer

TASKS: dict[str, Task] = {task.name: task for task in (TEXT_CLASSIFICATION,)}
ALIASES = {"sentiment-analysis": "text-classification"}


def pipeline(
    task: str | None = None,
    model: str | Path | Model | None = None,
    tokenizer: str | Path | Tokenizer | None = None,
    *,
    device: int | str | torch.device | None = None,
    dtype: torch.dtype | str | None = None,
    torch_dtype: torch.dtype | str | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    allow_pickle: bool = False,
    batch_size: int | None = None,
    **options: Any,
) -> Pipeline:
    """A function from texts to answers.

    Args:
        task: "sentiment-analysis", "text-classification".
        model: a folder, a built-in's short name, a name on the hub, or a model; by default the built-in one.
        tokenizer: the model's own unless given; a model object needs one.
        device: -1 or "cpu", a GPU's number, "cuda", "mps", or "auto" (a GPU where there is one). A model object
            stays where it is unless this is given.
        dtype: as in `from_pretrained`; `torch_dtype` is its older name.
        allow_pickle: as in `from_pretrained`.
        batch_size: at most so many texts at a time; batches are planned by tokens in any case.
        options: the task's own, for every call; a call may change them.

    >>> pipeline("sentiment-analysis")("El profesor es bueno, todo será sencillo")
    [{'label': 'POS', 'score': 0.9…}]
    """
    if task is None:
        if model is None:
            raise OptionError(f"name a task ({', '.join([*ALIASES, *TASKS])}) or a model.")
        task = "text-classification"
    record = TASKS.get(ALIASES.get(task, task)) if isinstance(task, str) else None
    if record is None:
        raise OptionError(f"the task {task!r} is not known; known are {', '.join([*ALIASES, *TASKS])}.")
    record.known(options)
    if model is None:
        model = record.model
        if model is None:
            raise OptionError(f"{task} has no built-in model; pass model= with a folder or a name on the hub.")
        if sys.stderr is not None:  # as under pythonw
            print(f"gatonegro: no model was named, so this is the built-in {model}.", file=sys.stderr)
    if isinstance(model, Model):
        if tokenizer is None:
            raise OptionError("a model object needs its tokenizer: pass tokenizer= too.")
        if model.task_head != record.head:
            raise OptionError(f"{task} needs a model with a {record.head} head, and this one has {model.task_head}.")
        # the user's own object keeps its mode and its place
        asked = dtype if dtype is not None else torch_dtype
        model = share(model) if device is None and asked is None else copy.deepcopy(model)
        if asked is not None:
            model = model.to(precision(asked, model.dtype))
    elif isinstance(model, str | Path):
        tokenizer = model if tokenizer is None else tokenizer
        model = load(
            model,
            record.head,
            revision=revision,
            local_files_only=local_files_only,
            allow_pickle=allow_pickle,
            dtype=dtype if dtype is not None else torch_dtype,
        )
        device = "auto" if device is None else device
    else:
        raise InputError(f"model must be a name, a folder or a model, not a {type(model).__name__}.")
    if not isinstance(tokenizer, Tokenizer):
        tokenizer = AutoTokenizer.from_pretrained(tokenizer, revision=revision, local_files_only=local_files_only)
    if device is not None:
        model = model.to(_device(device))
    return Pipeline(record, model.eval(), tokenizer, batch_size, options)


def _device(device: int | str | torch.device) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if isinstance(device, int) and not isinstance(device, bool):
        device = "cpu" if device < 0 else f"cuda:{device}"
    try:
        if isinstance(device, bool) or not isinstance(device, str | torch.device):
            raise ValueError("it is no name of a device")
        found = torch.device(device)
        torch.zeros(1, device=found).item()  # "meta" gives tensors, and no numbers
    except (RuntimeError, AssertionError, ValueError, ImportError, NotImplementedError) as error:
        raise OptionError(
            f"device={device!r:.80} cannot be used here ({str(error).splitlines()[0]:.150}); use 'cpu', or 'auto'."
        ) from None
    return found


__all__ = ["ALIASES", "TASKS", "Pipeline", "pipeline"]
