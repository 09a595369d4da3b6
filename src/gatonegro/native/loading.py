"""Loading of a `NativeModel` by name or from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatonegro.checks import one_of
from gatonegro.compat import accepts
from gatonegro.errors import GatonegroError
from gatonegro.families.loading import open_checkpoint
from gatonegro.native.model import NativeModel
from gatonegro.native.weights import DTYPES
from gatonegro.operators import kernels
from gatonegro.operators.processor import fast_precisions, trim_memory
from gatonegro.operators.tuned_precision import load_fastest

BACKEND = "numpy"


def best_precision(stored_int8: bool) -> str:
    """Return the precision that `precision="auto"` stands for: this machine's in `tuned.json`, else by a table.

    It is the first of int8 and bf16 that the processor has instructions for; int8 is for models stored as int8, whose
    accuracy in int8 was measured when they were made. Without compiled kernels it is fp32, which numpy computes.
    """
    if not kernels.available():
        return "fp32"
    if (best := load_fastest(BACKEND, stored_int8)) is not None:
        return best
    choices = ("int8", "bf16") if stored_int8 else ("bf16",)
    return next((kind for kind in choices if kind in fast_precisions() and kernels.is_fast(kind)), "fp32")


@accepts("AutoModel.from_pretrained")
def load(name: str | Path, head: str, *, precision: str = "auto", **options: Any) -> NativeModel:
    """Load a model by name or from a folder, with the options of `families.loading.open_checkpoint`.

    Raises:
        OptionError: the precision is none of these, or needs PyTorch.
    """
    one_of("auto", *DTYPES)("precision", precision)
    checkpoint = open_checkpoint(name, head, "np", **{"allow_fresh_head": False, **options})
    config, head, state, _ = checkpoint.assemble()
    precision = best_precision(checkpoint.stored_int8) if precision == "auto" else precision
    try:
        model = NativeModel(config, head, state, precision)
    except GatonegroError as error:
        raise error.within(checkpoint.source.name) from None
    model.generation_files = checkpoint.generation
    if model.generates:
        _ = model.generation_config  # raises if it is damaged
    model.name_or_path, model.stored_int8 = checkpoint.source.name, checkpoint.stored_int8
    trim_memory()
    return model
