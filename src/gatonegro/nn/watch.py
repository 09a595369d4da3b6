"""Recording of a model's tensors while it runs, by hooks inside a `with`. Layers have no code for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from torch import Tensor, nn

from gatonegro.nn.attention import Attend, Seen


@contextmanager
def watch(model: nn.Module) -> Iterator[dict[str, list[Tensor | list[Seen]]]]:
    """Record, under each module's name, its output at each call, in order. A module with several names is recorded
    under each of them.

    `Attend` is recorded as one `Seen` per sequence: scores, probabilities and contexts, computed step by step from the
    very q, k and v that the fused operator got.

    >>> with watch(model) as seen: model(**batch)
    >>> seen["encoder.layers.0.attention.attend"][0][0].probs  # (h, q, k) of the first sequence
    """
    seen: dict[str, list[Tensor | list[Seen]]] = {}
    thread = get_ident()  # another thread may run the same model, and so its hooks
    handles = []
    for name, module in model.named_modules(remove_duplicate=False):

        def record(module: nn.Module, args: tuple, result: object, name: str = name) -> None:
            if get_ident() != thread:
                return
            if isinstance(module, Attend):
                result = module.plain(*args)
            if isinstance(result, Tensor | list):
                seen.setdefault(name, []).append(result)

        handles.append(module.register_forward_hook(record))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def layer_outputs(model: nn.Module, seen: dict, stack: str = "encoder", begun: str = "embeddings") -> list[Tensor]:
    """Return the hidden states (t, hidden) before a stack's first layer and after each, as `watch` recorded them."""
    return [seen[begun][0], *(seen[name][0] for name in _layers(model, stack))]


def layer_attentions(model: nn.Module, seen: dict, stack: str = "encoder", part: str = "attention") -> list[list[Seen]]:
    """Return each layer's attention, one `Seen` per sequence, as `watch` recorded it; in a decoder, `part` may be
    "cross_attention"."""
    return [seen[f"{name}.{part}.attend"][0] for name in _layers(model, stack)]


def _layers(model: nn.Module, stack: str) -> list[str]:
    return [f"{stack}.layers.{i}" for i in range(len(model.get_submodule(f"{stack}.layers")))]  # type: ignore[arg-type]
