"""The `Auto*` classes: a configuration, its weights and a head, behind the face that `transformers` has.

Inside, everything is packed; `Model.forward` takes a padded batch, packs it, and pads what comes out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro import checkpoints, hub
from gatonegro.config import Config
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, InputError, OptionError
from gatonegro.families import family_of
from gatonegro.families.family import adopt, canonical, has_head, heads_named, read_config, release, write_config
from gatonegro.nn.describe import describe
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS
from gatonegro.nn.loss import loss_of
from gatonegro.nn.watch import layer_attentions, layer_outputs, watch
from gatonegro.packing import Packed, from_padded
from gatonegro.wording import both


@dataclass
class ModelOutput:
    """What a model says about a batch of `b` rows and `s` columns. Indexable: what is None does not count."""

    loss: Tensor | None = None  # ()
    logits: Tensor | None = None  # (b, labels) or (b, s, labels) or (b, s, vocab)
    last_hidden_state: Tensor | None = None  # (b, s, hidden); zeros where there was padding
    pooler_output: Tensor | None = None  # (b, hidden)
    hidden_states: tuple[Tensor, ...] | None = None  # layers + 1 of (b, s, hidden)
    attentions: tuple[Tensor, ...] | None = None  # layers of (b, h, s, s)

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(v for f in fields(self) if (v := getattr(self, f.name)) is not None)

    def keys(self) -> list[str]:
        return [f.name for f in fields(self) if getattr(self, f.name) is not None]

    def values(self) -> tuple[Any, ...]:
        return self.to_tuple()

    def items(self) -> list[tuple[str, Any]]:
        return list(zip(self.keys(), self.to_tuple(), strict=True))

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key) if key in self else default

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __getitem__(self, key: int | slice | str) -> Any:
        return getattr(self, key) if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())


def load_config(source: hub.Source, head: str | None = None) -> Config:
    """Read `config.json` of a source."""
    path = source.file("config.json")
    if path is None:
        raise ConfigError(
            both(
                f"{source.name!r} has no config.json, so it is not a model that can be loaded; a folder that "
                "save_pretrained wrote, or a model's name on the hub, has one.",
                f"{source.name!r} no tiene config.json, así que no es un modelo que se pueda cargar; lo tiene una "
                "carpeta que escribió save_pretrained, o el nombre de un modelo del hub.",
            )
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(data, ensure_ascii=False).encode()  # half of a character could be read, and never be written
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            both(f"{path}: is not valid JSON ({error!s:.200}).", f"{path}: no es JSON válido ({error!s:.200}).")
        ) from error
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(both(f"{path}: cannot be read ({why}).", f"{path}: no se puede leer ({why}).")) from None
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ConfigError(
            both(f"{path}: must hold an object, not {kind}.", f"{path}: debe contener un objeto, no {kind}.")
        )
    try:
        return read_config(family_of(data.get("model_type")), data, head)
    except ConfigError as error:
        raise ConfigError(f"{source.name}: {error}") from None


class AutoConfig:
    """`AutoConfig.from_pretrained(name)` → `Config`."""

    @staticmethod
    def from_pretrained(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> Config:
        return load_config(hub.locate(name, revision=revision, local_files_only=local_files_only))


class Model(nn.Module):
    """An encoder with a head. One forward pass: `run`, packed in, packed out."""

    def __init__(self, config: Config, head: str = "none"):
        super().__init__()
        self.config = config
        self.task_head = head
        self.name_or_path = ""
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.head = HEADS[head](config) if head in HEADS else None

    def encode(self, packed: Packed) -> Tensor:
        """Hidden states of the last layer. (t, hidden)"""
        return self.encoder(self.embeddings(packed), packed.layout)

    def run(self, packed: Packed, at: Tensor | None = None) -> Tensor:
        """What the head says: (n, …) a sequence or (t, …) a token; without a head, hidden states (t, hidden).

        With `at` (m,), a head for tokens is asked about those of the `t` alone: (m, …).
        """
        x = self.encode(packed)
        if at is not None:
            x = x[at]
        return x if self.head is None else self.head(x, packed, self.embeddings.tokens)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool | None = None,
    ) -> ModelOutput | tuple[Any, ...]:
        """A padded batch in, a `ModelOutput` out, as in `transformers`.

        Args:
            input_ids: (b, s) of the vocabulary; or `inputs_embeds` (b, s, hidden) in their place.
            attention_mask: (b, s), 0 where there is no token; any pattern.
            token_type_ids: (b, s), the segment of each token.
            position_ids: (b, s), else by the family's rule.
            labels: (b,) classes or (b, labels) for classification, (b, s) with -100 for "none" for token tasks.
            output_attentions, output_hidden_states: also return what each layer computed.
            return_dict: False gives a tuple of what there is.
        """
        packed, padding = from_padded(
            self.config,
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            first=self.head is not None and self.head.per == "sequence",
        )
        looking: AbstractContextManager[dict] = nullcontext({})
        if output_attentions or output_hidden_states:
            looking = watch(self)
        with looking as seen:
            x = self.encode(packed)  # (t, hidden)
            said = None if self.head is None else self.head(x, packed, self.embeddings.tokens)
        out = ModelOutput()
        if self.head is not None and said is not None:
            said = padding.restore_rows(said) if self.head.per == "sequence" else padding.restore(said)
        if self.task_head in ("none", "pooler"):
            out.last_hidden_state, out.pooler_output = padding.restore(x), said
        else:
            out.logits = said
        if output_hidden_states:
            out.hidden_states = tuple(padding.restore(x) for x in layer_outputs(self, seen))
        if output_attentions:
            heads = self.config.num_attention_heads
            out.attentions = tuple(
                padding.restore_square([one.probs for one in layer], heads) for layer in layer_attentions(self, seen)
            )
        if labels is not None:
            out.loss = loss_of(self.config, self.task_head, out.logits, labels)
        return out.to_tuple() if return_dict is False else out

    def resize_token_embeddings(self, count: int) -> nn.Embedding:
        """Make room for `count` tokens, or cut to so many: `len(tokenizer)` after `add_tokens`. New ones are random.

        Returns the token embeddings (count, hidden).
        """
        if not isinstance(count, int) or isinstance(count, bool) or not (self.config.pad_token_id or 0) < count < 2**31:
            raise InputError(
                both(
                    f"the vocabulary cannot have {count!r:.80} tokens; pass len(tokenizer).",
                    f"el vocabulario no puede tener {count!r:.80} tokens; pasa len(tokenizer).",
                )
            )
        old, kept = self.embeddings.tokens.weight, min(count, self.config.vocab_size)
        new = old.new_empty(count, old.shape[1]).normal_(std=self.config.initializer_range)
        new[:kept] = old.detach()[:kept]
        self.embeddings.tokens.weight = nn.Parameter(new, old.requires_grad)
        self.embeddings.tokens.num_embeddings = count
        bias = getattr(self.head, "bias", None)
        if isinstance(bias, Tensor):  # a score a word of the vocabulary
            self.head.bias = nn.Parameter(F.pad(bias.detach()[:kept], (0, count - kept)))  # type: ignore[union-attr]
        self.config = replace(self.config, vocab_size=count)
        return self.embeddings.tokens

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the model has learned."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)

    def __repr__(self) -> str:
        name = f"{self.name_or_path}: " if self.name_or_path else ""
        return describe(self, f"{name}{self.num_parameters():,} parameters", self.config.hidden_size)

    @property
    def device(self) -> torch.device:
        return self.embeddings.tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.embeddings.tokens.weight.dtype

    def save_pretrained(self, folder: str | Path, *, max_shard_size: int = 5 * 10**9, int8: bool = False) -> None:
        """Write `config.json` and `model.safetensors`, which `transformers` reads back with the same logits.

        With `int8`, matrices are stored as int8 rows with a scale each: a quarter of the size, for this library only.
        """
        family = family_of(self.config.model_type)
        tensors = release(family, self.config, self.task_head, self.state_dict())
        data = write_config(family, self.config, self.task_head) | {"dtype": str(self.dtype).removeprefix("torch.")}
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        folder = checkpoints.folder_of(folder)
        checkpoints.write(
            folder,
            checkpoints.pack_int8(tensors) if int8 else tensors,
            metadata={"gatonegro": "int8"} if int8 else None,
            max_shard_size=max_shard_size,
        )
        checkpoints.write_text(folder / "config.json", text)


M = TypeVar("M", bound=nn.Module)


def share(model: M) -> M:
    """A copy whose parts are its own and whose weights are the original's: to put into another mode, say."""
    weights = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, weights)


def initialise(module: M, std: float) -> M:
    """Draw weights as the reference does: normal matrices, zero biases."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
    return module


def head_of(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> str | None:
    """The head that a model's config.json names, if it names one for a task."""
    config = load_config(hub.locate(name, revision=revision, local_files_only=local_files_only))
    return next(iter(heads_named(family_of(config.model_type), config)), None)


def load(
    name: str | Path,
    head: str,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    allow_pickle: bool = False,
    num_labels: int | None = None,
    dtype: torch.dtype | str | None = None,
) -> Model:
    """Read a model: its configuration, its tensors under our names, its head. In evaluation mode."""
    if num_labels is not None and not head.endswith("classification"):
        raise OptionError(
            both(
                f"num_labels= is for heads that classify, and this is {head}; leave it out.",
                f"num_labels= es para las cabezas que clasifican, y esta es {head}; quítalo.",
            )
        )
    source = hub.locate(name, revision=revision, local_files_only=local_files_only)
    config = load_config(source, head)
    if num_labels is not None and num_labels != config.num_labels:
        config = config.with_labels(num_labels)
    tensors = checkpoints.read(source, allow_pickle=allow_pickle)
    try:
        model = _assemble(config, head, tensors, fresh_head=num_labels is not None, dtype=dtype)
    except GatonegroError as error:
        raise type(error)(f"{source.name}: {error}") from None
    model.name_or_path = source.name
    return model.eval()


def _assemble(
    config: Config, head: str, tensors: dict[str, Tensor], *, fresh_head: bool, dtype: torch.dtype | str | None
) -> Model:
    family = family_of(config.model_type)
    tensors = canonical(family, config, tensors)
    if head == "pooler" and not ("pooler" in family.heads and has_head(family, config, "pooler", tensors)):
        head = "none"  # an encoder is whole without BERT's pooler
    with torch.device("meta"):
        model = Model(config, head)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    state = adopt(family, config, head, tensors, {n for n in shapes if not (fresh_head and n.startswith("head."))})
    kind = precision(dtype, next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32))
    state = {n: t.to(kind) if t.is_floating_point() else t for n, t in state.items() if n in shapes}
    if fresh_head:
        new = initialise(HEADS[head](config).to(kind), config.initializer_range).state_dict()
        state = {f"head.{n}": t for n, t in new.items()} | {
            n: t for n, t in state.items() if not n.startswith("head.") or t.shape == shapes[n]
        }
    for name, shape in shapes.items():
        if not state[name].is_floating_point():
            raise CheckpointError(
                both(
                    f"the tensor for {name!r} is {state[name].dtype}, and weights are numbers with a point; models "
                    "that other programs have quantised cannot be read.",
                    f"el tensor de {name!r} es {state[name].dtype}, y los pesos son números de coma flotante; los "
                    "modelos cuantizados por otros programas no se pueden leer.",
                )
            )
        if state[name].shape != shape:
            raise CheckpointError(
                both(
                    f"the tensor for {name!r} is of shape {tuple(state[name].shape)}, but config.json asks for "
                    f"{tuple(shape)}; the two belong to different models.",
                    f"el tensor de {name!r} es de forma {tuple(state[name].shape)}, pero config.json pide "
                    f"{tuple(shape)}; son de modelos distintos.",
                )
            )
    model.load_state_dict(state, assign=True)
    return model


def precision(dtype: torch.dtype | str | None, own: torch.dtype) -> torch.dtype:
    """fp32 unless another is asked for; "auto" is `own`, what the checkpoint holds."""
    if dtype == "auto":
        return own
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else torch.float32 if dtype is None else dtype
    if found not in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        raise InputError(
            both(
                f'dtype must be "auto", "float32", "bfloat16", "float16" or "float64", not {dtype!r:.80}.',
                f'dtype debe ser "auto", "float32", "bfloat16", "float16" o "float64", no {dtype!r:.80}.',
            )
        )
    return found


class AutoModel:
    """The encoder alone: `last_hidden_state`, and `pooler_output` where the checkpoint has BERT's pooler."""

    head: ClassVar[str] = "pooler"

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        local_files_only: bool = False,
        allow_pickle: bool = False,
        num_labels: int | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
    ) -> Model:
        """Load a model from a folder, a built-in's short name or the hub, ready to answer.

        Args:
            name: an existing folder wins over a built-in's name, that over the hub's.
            revision: branch, tag or commit on the hub.
            local_files_only: never ask the network.
            allow_pickle: also read `pytorch_model.bin`, with `torch.load(weights_only=True)`.
            num_labels: begin a new head of so many labels where the checkpoint has none that fits.
            dtype: fp32 by default; "auto" for the checkpoint's own. `torch_dtype` is its older name.

        Raises:
            HubError, ConfigError, CheckpointError, MissingHeadError, PickleRefusedError: see their texts.
        """
        return load(
            name,
            cls.head,
            revision=revision,
            local_files_only=local_files_only,
            allow_pickle=allow_pickle,
            num_labels=num_labels,
            dtype=dtype if dtype is not None else torch_dtype,
        )

    @classmethod
    def from_config(cls, config: Config) -> Model:
        """A model with random weights, to be trained. In training mode, as `transformers` leaves it."""
        if not isinstance(config, Config):
            kind = type(config).__name__
            raise InputError(
                both(
                    f"config must be a Config, as AutoConfig.from_pretrained gives, not a {kind}.",
                    f"config debe ser un Config, como el que da AutoConfig.from_pretrained, no un {kind}.",
                )
            )
        bare = family_of(config.model_type).bare
        return initialise(Model(config, bare if cls.head == "pooler" else cls.head), config.initializer_range)


class AutoModelForSequenceClassification(AutoModel):
    """An encoder with a score a label for the whole text."""

    head = "sequence-classification"


class AutoModelForTokenClassification(AutoModel):
    """An encoder with a score a label for each token."""

    head = "token-classification"


class AutoModelForMaskedLM(AutoModel):
    """An encoder with a score a word of the vocabulary for each token."""

    head = "masked-lm"
