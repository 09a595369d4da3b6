"""`Named`: access to the parts of a module by the names that they have in `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from gatonegro.errors import InputError
from gatonegro.i18n import catalog

if TYPE_CHECKING:
    from gatonegro.families.conversion import MappedName

MESSAGES = catalog(Path(__file__).with_name("messages.json"))


class View(nn.ModuleList):
    """A part of a model under the names of `transformers`, which shares the model's modules; it computes nothing."""

    def __init__(self, modules: Iterable[nn.Module] | None = None):
        super().__init__(modules)
        self.places: dict[str, tuple[nn.Module, str]] = {}  # name → module of the model that has it, its name there

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(value, nn.Module):
            super().__setattr__(name, value)
        elif name in self.places:
            setattr(*self.places[name], value)
        else:
            raise InputError(*MESSAGES["view_part"].format(name=name))

    def __getattr__(self, name: str) -> Any:
        if name in ("weight", "bias") and name not in self._parameters:  # of a part that is several here
            raise AttributeError(str(MESSAGES["view"]))
        return super().__getattr__(name)

    def refuse(self, *args: Any, **options: Any) -> Any:
        """Raise InputError, since a layer here computes on packed batches, and its parts stand elsewhere."""
        raise InputError(*MESSAGES["view"])

    forward = register_forward_hook = register_forward_pre_hook = register_full_backward_hook = refuse


class Named(nn.Module):
    """A module whose parts have the names of `transformers` too, for reading and for replacing them."""

    names: Callable[[], Sequence[MappedName]] | None = None  # "tie" only for output embeddings

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            view = None if name.startswith("_") else self.view(name)
            if view is None:
                raise
            return view._modules[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, nn.Module) and name not in self._modules and (view := self.view(name)) is not None:
            setattr(view, name, value)
        else:
            super().__setattr__(name, value)

    def view(self, name: str) -> View | None:
        """Return a `View` of the one part that has a given name in `transformers`, or None if there is none."""
        groups: dict[str, dict[str, MappedName]] = {}
        for row in self.names() if self.names else ():
            path, _, end = row.checkpoint_name.rpartition(".")
            if path.split(".")[0] == name and all(_find(self, target) is not None for target in row.model_names):
                groups.setdefault(path, {})[end] = row
        root = View()
        for path, ends in groups.items():
            *above, last = path.split(".")
            node = root
            for part in above:
                if part not in node._modules:
                    node.add_module(part, View())
                node = node._modules[part]  # type: ignore[assignment]
            self._put(node, last, ends)
        return root if root._modules else None

    def _put(self, node: View, name: str, ends: dict[str, MappedName]) -> None:
        """Put the module of a few tensors under its name in `transformers` below a node of a view."""
        owners = list(dict.fromkeys(target.rpartition(".")[0] for row in ends.values() for target in row.model_names))
        modules = [self.get_submodule(owner) for owner in owners]
        weight = ends.get("weight")
        if weight is not None and weight.operation == "tie":
            bias = _find(self, ends["bias"].model_names[0]) if "bias" in ends else None
            node.add_module(name, _linear(_find(self, weight.model_names[0]), bias))
        elif len(modules) == 1 and not modules[0]._modules:
            node.add_module(name, modules[0])
            parent, _, last = owners[0].rpartition(".")
            node.places[name] = self.get_submodule(parent), last
        else:
            part = node._modules.setdefault(name, View())
            assert part is not None
            if weight is not None and len(weight.model_names) > 1:  # one matrix there, several here
                for owner, module in zip(owners, modules, strict=True):
                    part.add_module(owner.rpartition(".")[2], module)
                return
            for end, row in ends.items():
                part.register_parameter(end, _find(self, row.model_names[0]))


def _find(module: nn.Module, name: str) -> Any:
    """Return a module's parameter or buffer of a given name, or one that it computes, or None if there is none."""
    return reduce(lambda part, key: getattr(part, key, None), name.split("."), module)  # type: ignore[arg-type, return-value]


def _linear(weight: Tensor, bias: nn.Parameter | None) -> nn.Linear:
    """Return a linear map with given weights, without drawing random ones first."""
    linear = nn.Linear.__new__(nn.Linear)
    nn.Module.__init__(linear)
    linear.out_features, linear.in_features = weight.shape
    linear.weight = weight
    linear.register_parameter("bias", bias)
    return linear
