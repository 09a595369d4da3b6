"""State dicts to write and compare."""

from pathlib import Path

import numpy as np
import torch

from gatonegro import hub
from gatonegro.checkpoints import Int8Rows, read


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return {
        "embeddings.weight": torch.randn(70, 64, generator=made),
        "dense.weight": torch.randn(64, 64, generator=made).half(),
        "dense.bias": torch.randn(64, generator=made).bfloat16(),
        "position_ids": torch.arange(8)[None],
        "scalar": torch.tensor(1.5),
        "none": torch.zeros(0, 4),
    }


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(
        a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and torch.equal(a[n], b[n]) for n in a
    )


def load(folder, framework="pt", **options):
    """Return the tensors of a checkpoint, as tensors whichever framework reads them."""
    tensors = read(hub.locate(folder), framework, **options)
    return {name: as_tensor(x) for name, x in tensors.items()} if framework == "np" else tensors


def as_tensor(x) -> torch.Tensor:
    """Return an array, bits of bf16 or `Int8Rows` as a tensor."""
    if isinstance(x, Int8Rows):
        x = x.expand()
    if x.dtype == np.uint16:
        return torch.tensor(x.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(x)


def names(folder) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}
