"""`Named`: access to the parts of a module by the names that they have in `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from gatonegro.errors import InputError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))


class Row(NamedTuple):
    """A tensor's name in `transformers`, its name or names here, and whether it is a matrix of output embeddings."""

    theirs: str
    ours: tuple[str, ...]
    output: bool = False


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

    def refuse(self, *args: Any, **options: Any) -> Any:
        """Raise InputError, since a layer here computes on packed batches, and its parts stand elsewhere."""
        raise InputError(*MESSAGES["view"])

    forward = register_forward_hook = register_forward_pre_hook = register_full_backward_hook = refuse


class Named(nn.Module):
    """A module whose parts have the names of `transformers` too, for reading and for replacing them."""

    names: Callable[[], Sequence[Row]] | None = None

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
        rows = [row for row in (self.names() if self.names else ()) if row.theirs.split(".")[0] == name]
        groups: dict[str, dict[str, Row]] = {}
        for row in rows:
            path, _, end = row.theirs.rpartition(".")
            if path and all(_exists(self, target) for target in row.ours):
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

    def _put(self, node: View, name: str, ends: dict[str, Row]) -> None:
        """Put the module of a few tensors under its name in `transformers` below a node of a view."""
        owners = list(dict.fromkeys(target.rpartition(".")[0] for row in ends.values() for target in row.ours))
        modules = [self.get_submodule(owner) for owner in owners]
        weight = ends.get("weight", Row("", ()))
        if weight.output and isinstance(modules[0], nn.Embedding):
            bias = self._tensor(ends["bias"].ours[0]) if "bias" in ends else None
            node.add_module(name, _linear(modules[0].weight, bias))
        elif len(modules) == 1 and not modules[0]._modules:
            node.add_module(name, modules[0])
            parent, _, last = owners[0].rpartition(".")
            node.places[name] = self.get_submodule(parent), last
        else:
            part = node._modules.setdefault(name, View())
            assert part is not None
            if len(weight.ours) > 1:  # one matrix there, several here
                for owner, module in zip(owners, modules, strict=True):
                    part.add_module(owner.rpartition(".")[2], module)
                return
            for end, row in ends.items():
                part.register_parameter(end, self._tensor(row.ours[0]))

    def _tensor(self, name: str) -> Any:
        owner, _, end = name.rpartition(".")
        return getattr(self.get_submodule(owner), end)


def _exists(module: nn.Module, name: str) -> bool:
    """Return True if a module has a parameter or buffer of a given name, or computes one."""
    return all((module := getattr(module, part, None)) is not None for part in name.split("."))  # type: ignore


def _linear(weight: Tensor, bias: nn.Parameter | None) -> nn.Linear:
    """Return a linear map with given weights, without drawing random ones first."""
    linear = nn.Linear.__new__(nn.Linear)
    nn.Module.__init__(linear)
    linear.out_features, linear.in_features = weight.shape
    linear.weight = weight
    linear.register_parameter("bias", bias)
    return linear
