"""The choice between the two backends that run a model: "torch", PyTorch, and "numpy", which needs no PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.checks import one_of
from gatonegro.errors import OptionError
from gatonegro.operators import kernels
from gatonegro.pipelines.loop import MESSAGES
from gatonegro.tasks import Task
from gatonegro.text_model import TextModel
from gatonegro.torch_extra import has_torch, missing_torch

BACKEND_CHECK = one_of("auto", "torch", "numpy")
TORCH_ONLY = "dtype", "generation_config", "ignore_mismatched_sizes"  # arguments of `from_pretrained`
GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of Nvidia, of AMD, of the host of Windows' Linux


def choose_backend(
    backend: str, task: Task, model: Any, device: Any, precision: str | None, loading: Mapping[str, Any]
) -> str:
    """Return the backend, "torch" or "numpy", for the arguments of `pipeline`.

    What only PyTorch can do, it does. For the rest, "auto" is numpy where its kernels are compiled; without kernels
    PyTorch is faster, if it is installed. A task's own function for a model may be written for PyTorch.

    `loading` has the arguments of `from_pretrained` for the model.

    Raises:
        OptionError: the backend is unknown, or is "numpy" for what only PyTorch can do.
        MissingExtraError: PyTorch is needed and not installed.
    """
    BACKEND_CHECK("backend", backend)
    is_numpy_model = isinstance(model, TextModel) and not runs_in_torch(model)
    reason = _torch_reason(model, device, precision, loading)
    if reason is None and backend == "torch":
        reason = "backend='torch'"
    if reason is not None:
        if backend == "numpy" or is_numpy_model:
            raise OptionError(*MESSAGES["numpy_cannot"].format(what=reason))
        if not has_torch():
            raise missing_torch(reason)
        return "torch"
    if backend == "numpy" or is_numpy_model or not has_torch():
        return "numpy"
    if callable(task.predict):
        return "torch"
    if device in (None, "auto") and any(Path(driver).exists() for driver in GPU_DRIVERS):
        return "torch"  # which finds out whether it can use the GPU
    return "numpy" if kernels.available() else "torch"


def _torch_reason(model: Any, device: Any, precision: str | None, loading: Mapping[str, Any]) -> str | None:
    """Return the argument of `pipeline` that only PyTorch can fulfil, for error messages, or None."""
    if runs_in_torch(model):
        return "model"
    if (name := next((name for name in TORCH_ONLY if _is_given(loading.get(name))), None)) is not None:
        return f"{name}={str(loading[name]).removeprefix('torch.')!r:.40}"
    is_cpu = str(device).partition(":")[0] in ("None", "-1", "auto", "cpu")
    if not is_cpu:
        return f"device={str(device) if isinstance(device, int) else repr(str(device)):.40}"
    return "precision='fp16'" if str(precision) == "fp16" else None


def _is_given(value: Any) -> bool:
    return value is not None and value is not False


def runs_in_torch(model: Any) -> bool:
    """Return True for a model of PyTorch."""
    # another thread may be importing torch, which then lacks the class
    return isinstance(model, getattr(sys.modules.get("torch.nn"), "Module", ()))


def place_of(model: Any) -> tuple[Any, Any]:
    """Return a model's device and data type: PyTorch's objects where it is installed, else "cpu" and numpy's type."""
    if runs_in_torch(model):
        return model.device, model.dtype
    if not has_torch():
        return "cpu", np.dtype(np.float32)
    import torch

    return torch.device("cpu"), torch.float32


def auto_precision(model: Any) -> tuple[str, str]:
    """Return the name under which a model's backend stores its fastest precision, and what "auto" means for it."""
    if runs_in_torch(model):
        from gatonegro.engine import optimize

        return optimize.BACKEND, optimize.best_precision(model.device, model.stored_int8)
    from gatonegro.native import loading

    return loading.BACKEND, loading.best_precision(model.stored_int8)


def describe_backend(model: Any) -> str:
    """Return a short description of what runs a model: its device, backend, kernels and precision."""
    is_torch = runs_in_torch(model)
    device = str(model.device) if is_torch else "cpu"
    precision = model.precision or str(model.dtype).removeprefix("torch.")
    with_kernels = device == "cpu" and model.precision and kernels.available()
    backend = ("torch" if is_torch else "numpy") + (" with kernels" if with_kernels else "")
    return f"{device}, {backend}, {precision}"
