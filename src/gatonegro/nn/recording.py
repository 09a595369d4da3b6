"""Recording of the outputs of a model's modules by forward hooks, without code in the modules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from torch import Tensor, nn

from gatonegro.nn.attention import Attend, AttentionTrace

Activations = dict[str, list[Tensor | list[AttentionTrace]]]  # outputs per call, by module name


@contextmanager
def record_activations(model: nn.Module, enabled: bool = True) -> Iterator[Activations]:
    """Record the outputs of all modules of a model, by module name, while the `with` block runs.

    A module with several names is recorded under each of them. `Attend` is recorded as one `AttentionTrace` per
    sequence, computed step by step from the inputs of the fused operator. Nothing is recorded unless `enabled`.

    >>> with record_activations(model) as activations: model(**batch)
    >>> activations["encoder.layers.0.attention.attend"][0][0].probs  # (h, q, k) of the first sequence
    """
    activations: Activations = {}
    thread = get_ident()  # other threads that run the same model call the same hooks
    handles = []
    for name, module in model.named_modules(remove_duplicate=False) if enabled else ():

        def record(module: nn.Module, args: tuple, result: object, name: str = name) -> None:
            if get_ident() != thread:
                return
            if isinstance(module, Attend):
                result = module.trace(*args)
            if isinstance(result, Tensor | list):
                activations.setdefault(name, []).append(result)

        handles.append(module.register_forward_hook(record))
    try:
        yield activations
    finally:
        for handle in handles:
            handle.remove()


def layer_outputs(
    model: nn.Module, activations: dict, stack: str = "encoder", embeddings: str = "embeddings"
) -> list[Tensor]:
    """Return a model's recorded hidden states (t, hidden): the embeddings, then each layer's output.

    The last one is normalised if the stack ends with a norm, as in `transformers`.
    """
    *names, last = _layer_names(model, stack)
    last = f"{stack}.norm" if f"{stack}.norm" in activations else last
    return [activations[name][0] for name in (embeddings, *names, last)]


def layer_attentions(
    model: nn.Module, activations: dict, stack: str = "encoder", part: str = "attention"
) -> list[list[AttentionTrace]]:
    """Return the attention recorded in each layer, as one `AttentionTrace` per sequence of the batch.

    In a decoder, `part` may be "cross_attention".
    """
    return [activations[f"{name}.{part}.attend"][0] for name in _layer_names(model, stack)]


def _layer_names(model: nn.Module, stack: str) -> list[str]:
    return [f"{stack}.layers.{i}" for i in range(len(model.get_submodule(f"{stack}.layers")))]  # type: ignore[arg-type]
