"""`NamedModel`: a model's tensors and parts by the names of `transformers`, which the tables of its family give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from functools import partial, reduce
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gatonegro.compat import accepts, refusal
from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.families import family_of
from gatonegro.families.conversion import MappedName, name_map, saved_names, to_checkpoint_names, to_model_names
from gatonegro.families.family import BASE_HEADS
from gatonegro.models.output import TABLE
from gatonegro.nn.encoder import Activation
from gatonegro.nn.heads import Pooler
from gatonegro.nn.named import MESSAGES, Named

M = TypeVar("M", bound=nn.Module)


def tensor_names(config: Config, head: str) -> tuple[list[MappedName], list[MappedName]]:
    """Return the names of a model's tensors in its `state_dict`: those of the base model, and those of the head."""
    family = family_of(config.model_type)
    table, count = saved_names(family, config, head), len(name_map(family, config, None))
    if config.tie_word_embeddings and head == "seq2seq-lm":  # T5's table names a matrix of its own
        tied = (("embeddings.tokens.weight",), "tie")
        own = ("head.output.weight",)
        table = [MappedName(m.checkpoint_name, *tied) if m.model_names == own else m for m in table]
    return table[:count], table[count:]


def part_names(config: Config, head: str, stack: str = "") -> list[MappedName]:
    """Return the names of a model's parts, or of those in its module `stack` if that has the same name in both."""
    base, own = tensor_names(config, head)
    if head not in BASE_HEADS and family_of(config.model_type).prefix:
        base = []  # they belong to the base model, which is an attribute
    rows = [*(row._replace(operation="") for row in base), *own]
    if stack:
        names = [(row.checkpoint_name, *row.model_names) for row in rows]
        names = [tuple(n.removeprefix(stack) for n in some) for some in names if all(n.startswith(stack) for n in some)]
        rows = [MappedName(name, tuple(others)) for name, *others in names]
    return rows


def init_weights(module: M, std: float) -> M:
    """Initialise a module's matrices with normal random numbers and its biases with zeros, and return the module."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
    return module


class NamedModel(Named):
    """The part of a model that speaks the names of `transformers`: tensors, base model, embeddings, checkpointing.

    Tensors keep the names of this library inside: `own_state_dict`, `named_modules` and `nn.Module.named_parameters`.
    """

    config: Config
    task_head: str
    head: nn.Module | None
    embeddings: Any
    output_kind: str  # task head or stacks, which name the class of outputs
    main_input_name = "input_ids"
    base_model_prefix = ""  # attribute that holds the base model in a model with a head, as "bert"; "" if all is one
    supports_gradient_checkpointing = _supports_sdpa = True
    _keys_to_ignore_on_load_missing = None

    @property
    def device_type(self) -> str:
        """The type of the device of the model's weights, such as "cpu"."""
        return str(self.device.type)

    def set_names(self) -> None:
        """Give the model and its modules the names that their parts have in `transformers`, and outputs their class."""
        base = family_of(self.config.model_type).base_head
        stacks = " ".join(name for name in ("encoder", "decoder") if name in self._modules)
        special = f"{self.task_head} {stacks}"
        kind = special if special in TABLE["heads"] else self.task_head
        self.output_kind = kind if self.task_head not in BASE_HEADS else base if base == "pooler" else stacks
        self.names = partial(part_names, self.config, self.task_head)
        for path, module in self.named_modules():
            if path and isinstance(module, Named):
                module.names = partial(part_names, self.config, base, f"{path}.")

    def _table(self) -> list[MappedName]:
        return [row for rows in tensor_names(self.config, self.task_head) for row in rows]

    def own_state_dict(self) -> dict[str, Tensor]:
        """Return the model's tensors by the names of this library, those of its modules."""
        return nn.Module.state_dict(self)

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Return the model's tensors by the names of `transformers`, tied ones by each of their names.

        They share the model's memory, but for those that stand in one tensor there and in several here (GPT-2's fused
        attention): these are copies.
        """
        own = nn.Module.state_dict(self, keep_vars=keep_vars)
        for name, module in self.named_children():
            if self.config.position_embedding == "sinusoid" and name.endswith("embeddings"):
                own[f"{name}.positions.weight"] = module.positions.weight.to(self._weight)  # type: ignore[union-attr]
        destination = {} if destination is None else destination
        for name, tensor in to_checkpoint_names(self._table(), own).items():
            destination[prefix + name] = tensor
        return destination

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, *problems: list[str]
    ) -> None:
        """Convert tensors from the names of `transformers`, before PyTorch gives them to the model's modules."""
        missing, unexpected, _ = problems
        given = {name.removeprefix(prefix): state_dict[name] for name in state_dict if name.startswith(prefix)}
        table, own = self._table(), nn.Module.state_dict(self, keep_vars=True)
        if not given.keys() <= own.keys():  # else they have the names of this library already
            found = given | to_model_names(table, given)
            known, absent = own.keys() | {row.checkpoint_name for row in table}, own.keys() - found.keys()
            unexpected += [prefix + name for name in given if name not in known]
            stored = (row for row in table if row.operation != "tie")
            missing += [prefix + row.checkpoint_name for row in stored if not absent.isdisjoint(row.model_names)]
            for name in given:
                del state_dict[prefix + name]
            state_dict.update({prefix + name: found.get(name, own[name]) for name in own})
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, *problems)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the model's parameters and their names in `transformers`, or here if one there is several here (GPT-2).

        Args:
            prefix: put in front of the names.
            recurse: False yields none, since all belong to parts.
            remove_duplicate: yield tied parameters once.
        """
        table = self._table()
        names: dict[str, list[str]] = {}
        if not any("split" in row.operation for row in table):
            for row in sorted(table, key=lambda row: row.operation == "tie"):
                names.setdefault(row.model_names[0], []).append(row.checkpoint_name)
        start = prefix + "." if prefix else ""
        places = {name: i for i, name in enumerate(names)}
        own = nn.Module.named_parameters(self, recurse=recurse)
        for name, parameter in sorted(own, key=lambda item: places.get(item[0], len(places))):
            for given in names.get(name, [name])[: 1 if remove_duplicate else None]:
                yield start + given, parameter

    @property
    def base_model(self) -> NamedModel:
        """The base model without the task head, which shares this model's modules, or the model itself."""
        if self.task_head in BASE_HEADS or not self.base_model_prefix:
            return self
        from gatonegro.models.classes import model_class

        family = family_of(self.config.model_type)
        rows = family.heads[family.base_head].rows
        pooled = self.head is not None and bool(rows) and {*rows} <= {*family.heads[self.task_head].rows}
        pooler = _pooler(self.head.dense) if pooled else None  # type: ignore[union-attr, arg-type]
        kind = model_class(self.config.model_type, family.base_head)
        return self._like(kind, "pooler" if pooled else "none", pooler)

    def _like(
        self, kind: type[nn.Module], task_head: str, head: nn.Module | None, without: tuple[str, ...] = ()
    ) -> Any:
        """Return a model of another class and head that shares this model's attributes and other modules."""
        other: Any = kind.__new__(kind)
        nn.Module.__init__(other)
        own = vars(other).keys() - {"training"}
        vars(other).update({name: value for name, value in vars(self).items() if name not in own})
        modules = {name: module for name, module in self._modules.items() if name not in ("head", *without)}
        other._modules.update(modules)
        other.task_head, other.head = task_head, head
        other.set_names()
        return other

    def get_input_embeddings(self) -> nn.Module:
        """Return the token embeddings, which an encoder and a decoder share."""
        return self.embeddings.tokens

    @accepts("PreTrainedModel.set_input_embeddings")
    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the token embeddings; the model's vocabulary gets their size."""
        self.embeddings.tokens = value
        self._set_vocab_size(len(value.weight))
        self.set_names()

    def _set_vocab_size(self, count: int) -> None:
        try:
            self.config.vocab_size = count  # type: ignore[misc]
        except FrozenInstanceError:  # not a `PreTrainedConfig`
            self.config = self.config.replace(vocab_size=count)

    def get_output_embeddings(self) -> nn.Module | None:
        """Return the linear map from hidden states to the vocabulary, which may share its weights, or None."""
        if self.task_head not in ("masked-lm", "seq2seq-lm", "causal-lm"):
            return None
        rows = part_names(self.config, self.task_head)
        outputs = (row for row in rows if row.operation == "tie" or row.model_names == ("head.output.weight",))
        return reduce(getattr, next(outputs).checkpoint_name.split(".")[:-1], self)

    @accepts("PreTrainedModel.get_encoder")
    def get_encoder(self) -> Any:
        """Return the encoder with its embeddings as a model of its own, which shares their modules."""
        from gatonegro.models.model import Model

        if "encoder" not in self._modules:
            raise InputError(*MESSAGES["no_stack"].format(stack="encoder"))
        return self._like(Model, "none", None, ("decoder", "decoder_embeddings"))

    def get_decoder(self) -> Any:
        """Return the decoder: a base model where it is all that there is, else the module with its layers."""
        if "decoder" not in self._modules:
            raise InputError(*MESSAGES["no_stack"].format(stack="decoder"))
        return self.base_model if "encoder" not in self._modules else self.decoder

    def tie_weights(self, *args: Any, **options: Any) -> None:
        """Do nothing: tied weights are one tensor here."""

    def init_weights(self) -> None:
        """Draw random weights."""
        init_weights(self, self.config.initializer_range)

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Let training keep no activations of the layers, and compute them again when they are needed: less memory.

        Args:
            gradient_checkpointing_kwargs: accepted as in `transformers`; PyTorch's variant is the one without reentry.
        """
        for stack in self._stacks():
            stack.checkpoints = True

    def gradient_checkpointing_disable(self) -> None:
        """Let training keep the activations of all layers, as at first."""
        for stack in self._stacks():
            stack.checkpoints = False

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether training computes the activations of the layers twice, to save memory."""
        return any(stack.checkpoints for stack in self._stacks())

    @accepts("PreTrainedModel.set_attn_implementation")
    def set_attn_implementation(self, attn_implementation: Any) -> None:
        """Do nothing: attention is computed in one way, and so are the probabilities of `output_attentions`."""

    def _stacks(self) -> list[Any]:
        return [self._modules[name] for name in ("encoder", "decoder") if name in self._modules]

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Return the bytes of the model's parameters and, with `return_buffers`, of its buffers."""
        buffers = self.buffers() if return_buffers else ()
        return sum(t.nbytes for t in (*self.parameters(), *buffers))

    @property
    def num_labels(self) -> int:
        """The number of labels of a classifier."""
        return self.config.num_labels

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        """A small batch of token ids, for trying the model."""
        ids = torch.tensor([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]], device=self.device)
        return {"input_ids": ids % self.config.vocab_size}

    @classmethod
    def can_generate(cls) -> bool:
        """Return True if the model has a language-model head, for `generate`."""
        return cls.task_head in ("seq2seq-lm", "causal-lm")

    @property
    def _initialize_hook(self) -> None:
        """Keep `torch.compile`, which asks for this attribute, out of `forward`: the model runs as it is.

        Batches are packed by the lengths of their sequences; most of them would be compiled anew.
        """
        kind: Any = next(kind for kind in type(self).__mro__ if "forward" in vars(kind))
        if not hasattr(kind.forward, "_torchdynamo_disable"):
            kind.forward = torch.compiler.disable(kind.forward)
        raise AttributeError

    def compile(self, *args: Any, **options: Any) -> None:
        """Do nothing, since batches are packed by their lengths; `optimize` makes a model faster."""

    def __getattr__(self, name: str) -> Any:
        known = "config" in self.__dict__ and self.task_head not in BASE_HEADS
        if known and name == self.base_model_prefix:
            return self.base_model
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            if (message := refusal(f"PreTrainedModel.{name}")) is not None:
                raise AttributeError(str(message)) from error
            raise


def _pooler(dense: nn.Module) -> Pooler:
    """Return a pooler that shares the linear map of a classification head."""
    pooler = Pooler.__new__(Pooler)
    nn.Module.__init__(pooler)
    pooler.dense, pooler.activation = dense, Activation("tanh")  # type: ignore[assignment]
    return pooler
