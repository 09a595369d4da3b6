"""`Model`, an encoder with a task head that computes on packed batches and has the API of `transformers`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro import checkpoints, storage
from gatonegro.checks import check_flags, one_of, short_repr, whole
from gatonegro.compat import accepts
from gatonegro.config import Config
from gatonegro.engine import PRECISIONS, best_precision, limit_threads, replace_modules, uses_kernels
from gatonegro.engine.kernels import to_array
from gatonegro.errors import InputError
from gatonegro.families import family_of
from gatonegro.families.configuration import write_config
from gatonegro.families.conversion import to_checkpoint
from gatonegro.families.family import BASE_HEADS, other_class
from gatonegro.i18n import catalog, format_int, localized
from gatonegro.models.named import M, NamedModel
from gatonegro.models.output import CLASSES, TABLE, ModelOutput
from gatonegro.native.model import NativeModel, calibration_tokens
from gatonegro.nn.attention import AttentionTrace
from gatonegro.nn.describe import describe
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS, LMHead
from gatonegro.nn.loss import compute_loss, span_loss
from gatonegro.nn.recording import layer_attentions, layer_outputs, record_activations
from gatonegro.packing import Packed, pack
from gatonegro.padding import Padding, from_padded
from gatonegro.text_model import TextModel

MESSAGES = catalog(Path(__file__).with_name("messages.json"))


class Model(NamedModel, TextModel):
    """A Transformer encoder with an optional task head, for padded batches (`forward`) or packed ones (`run`).

    The model of a family and head is of a subclass that has the name of its class in `transformers`.
    """

    task_head: str = "none"
    model_type: str | None = None  # of the subclasses

    def __init__(self, config: Config, head: str | None = None, *, add_pooling_layer: bool = True):
        super().__init__()
        if self.model_type not in (None, getattr(config, "model_type", None)):
            raise other_class(type(self).__name__, short_repr(config))
        config.check()
        head = self.task_head if head is None else head
        self.config = config
        self.task_head = head = "none" if head == "pooler" and not add_pooling_layer else head
        self.name_or_path = ""
        self.precision = ""  # of an optimized copy, see `optimize`
        self.stored_int8 = False  # True if the checkpoint holds int8 rows
        self._source: Callable[[], Model] | None = None  # a function, so that PyTorch registers no submodule
        self._build(config, head)
        self.set_names()
        if self.device.type != "meta":
            self.init_weights()
        if config.extra.get("gradient_checkpointing"):
            self.gradient_checkpointing_enable()

    @classmethod
    def from_pretrained(cls, *args: Any, add_pooling_layer: bool = True, **options: Any) -> Model:
        """Load a model of this class, with the arguments of `AutoModel.from_pretrained`; maybe without its pooler.

        Raises:
            InputError: the checkpoint is of another family.
        """
        return cls._auto_class("pooler" if add_pooling_layer else "none").from_pretrained(*args, **options)

    @classmethod
    def _from_config(cls, *args: Any, **options: Any) -> Model:
        return cls._auto_class().from_config(*args, **options)

    @classmethod
    def _auto_class(cls, base: str = "pooler") -> Any:
        from gatonegro.models.auto import AutoModel

        values = {"head": base if cls.task_head in BASE_HEADS else cls.task_head, "model_type": cls.model_type}
        return type(cls.__name__, (AutoModel,), values)

    def _build(self, config: Config, head: str) -> None:
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.head = HEADS[head](config) if head in HEADS else None

    def encode(self, packed: Packed) -> Tensor:
        """Return the hidden states (t, hidden) of the last layer for a packed batch."""
        packed = packed.to(self.device)
        return self.encoder(self.embeddings(packed), packed.layout)

    def logits(self, x: Tensor, packed: Packed) -> Tensor:
        """Return the head's output for the hidden states (t, hidden) of a packed batch, and these without a head."""
        return x if self.head is None else self.head(x, packed.to(x.device), self.embeddings.tokens)

    def inference(self) -> torch.inference_mode:
        """Return a context in which the model's methods keep nothing for training."""
        return torch.inference_mode()

    @accepts("Model.forward")
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> ModelOutput | tuple[Any, ...]:
        """Run the model on a padded batch of token ids and return its output, as in `transformers`.

        Args:
            input_ids: (b, s) token ids; or `inputs_embeds` instead.
            attention_mask: (b, s), 0 for padding, in any pattern.
            token_type_ids: (b, s), the token type of each token.
            position_ids: (b, s); default: by the family's rule.
            inputs_embeds: (b, s, hidden).
            labels: (b,) classes or (b, labels) for classification, (b, s) with -100 for "none" for token tasks.
            output_attentions: also return each layer's attention probabilities; default: as in config.json.
            output_hidden_states: also return each layer's hidden states; default: as in config.json.
            return_dict: False returns a tuple of the fields that are not None; default: as in config.json.
            start_positions: (b,), for question answering: the token at which each answer starts; one that is no token
                counts for nothing in the loss.
            end_positions: (b,), the token at which it ends.

        Raises:
            InputError: an argument does not fit the model, or the others.
        """
        output_attentions, output_hidden_states, return_dict = self._output_flags(
            output_attentions, output_hidden_states, return_dict
        )
        packed, padding = from_padded(
            self.config,
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            keep_first=self.head is not None and self.head.per == "sequence",
        )
        with record_activations(self, enabled=output_attentions or output_hidden_states) as activations:
            x = self.encode(packed)  # (t, hidden)
            result = None if self.head is None else self.head(x, packed, self.embeddings.tokens)
        out: dict[str, Any] = {}
        if self.head is not None and result is not None:
            result = padding.restore_sequences(result) if self.head.per == "sequence" else padding.restore(result)
        if self.task_head in BASE_HEADS:
            out["last_hidden_state"], out["pooler_output"] = padding.restore(x), result
        elif self.task_head == "question-answering" and result is not None:
            result = result.masked_fill(~padding.mask[..., None], torch.finfo(result.dtype).min)  # (b, s, 2)
            out["start_logits"], out["end_logits"] = (logits.contiguous() for logits in result.unbind(-1))
            if start_positions is not None and end_positions is not None:
                out["loss"] = span_loss(out["start_logits"], out["end_logits"], start_positions, end_positions)
        else:
            out["logits"] = result
        if output_hidden_states:
            out["hidden_states"] = tuple(map(padding.restore, layer_outputs(self, activations)))
        if output_attentions:
            out["attentions"] = padded_attentions(layer_attentions(self, activations), self.config, padding)
        if labels is not None:
            out["loss"] = compute_loss(self.config, self.task_head, out.get("logits"), labels)
        return self._output(out, return_dict)

    def _output_flags(self, *given: bool | None) -> list[bool]:
        """Return the values of `output_attentions`, `output_hidden_states` and `return_dict`, None meaning config's."""
        names = ("output_attentions", "output_hidden_states", "return_dict")
        pairs = zip(names, given, strict=True)
        flags = {name: self.config.extra.get(name, name == "return_dict") if v is None else v for name, v in pairs}
        check_flags(**flags)
        return list(flags.values())

    def _output(self, values: dict[str, Any], return_dict: bool) -> ModelOutput | tuple[Any, ...]:
        """Return the fields of an output as an object of the class that it has in `transformers`, or as a tuple."""
        kind = CLASSES[TABLE["heads"][self.output_kind]]
        if "attentions" in values and "cross_attentions" in kind.fields:
            values["cross_attentions"] = ()  # as in the reference
        return kind(**values) if return_dict else kind(**values).to_tuple()

    def optimize(self, precision: str = "auto") -> Model:
        """Return a faster copy of the model for inference, and leave the model itself unchanged.

        The copy, in evaluation mode, shares the weights that keep their layout. It cannot be trained or moved: do so
        with its `source`, this model, and optimize that again. Saving it saves its source.

        Args:
            precision: "fp32"; "bf16" or "fp16" for the layers' computations; "int8" for their products, with one scale
                per token and per row of weights; "auto" for the fastest on this machine, by a table.
        """
        if self._source:
            return self.source.optimize(precision)
        one_of(*PRECISIONS)("precision", precision)
        limit_threads()
        fast = shared_copy(self, trainable=False).eval()
        if precision == "auto" or (precision == "int8" and self.device.type != "cpu"):  # int8 is for CPUs
            precision = best_precision(self.device, self.stored_int8)
        fast.precision = precision
        small = self.stored_int8 and self.task_head != "masked-lm"  # its head multiplies by the embeddings
        products = None
        if uses_kernels(precision, self.device):  # the same as those of the other backend
            state = {name: to_array(tensor) for name, tensor in self.own_state_dict().items()}
            native = NativeModel(self.config, self.task_head, state, precision)
            if precision != "int8":  # whose products are made already
                native.run(calibration_tokens(self.config))
            products = native.weights.operators
        replace_modules(fast, precision, small, lambda: fast.run(_random_tokens(self.config)), products)
        fast._source = lambda: self
        return fast

    @property
    def source(self) -> Model:
        """The model of which this one is an optimized copy, or the model itself if it is not a copy."""
        return self._source() if self._source else self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle or copy an optimized model as its original, which is optimized again when it is loaded."""
        return (Model.optimize, (self.source, self.precision)) if self._source else super().__reduce_ex__(protocol)

    def train(self, mode: bool = True) -> Model:
        """Set training or evaluation mode; raise InputError if an optimized copy is set to training mode."""
        if mode:
            self._check_not_optimized()
            self.stored_int8 = False  # training changes the weights
        return super().train(mode)

    def _apply(self, *args: Any, **options: Any) -> Model:
        self._check_not_optimized()
        return super()._apply(*args, **options)

    def _check_not_optimized(self) -> None:
        if self._source:
            raise InputError(*MESSAGES["optimized"])

    @accepts("PreTrainedModel.resize_token_embeddings")
    def resize_token_embeddings(self, count: int | None = None, pad_to_multiple_of: int | None = None) -> nn.Embedding:
        """Resize the token embeddings to `count` tokens, such as `len(tokenizer)`; new vectors are near the mean.

        Args:
            count: the number of tokens; None: the present one.
            pad_to_multiple_of: round the number up to a multiple of this one.

        Returns:
            The token embeddings. (count, hidden)

        Raises:
            InputError: `count` is no valid size, or the model is an optimized copy.
        """
        count = self.config.vocab_size if count is None else count
        if pad_to_multiple_of is not None and isinstance(count, int):
            count += -count % whole(1)("pad_to_multiple_of", pad_to_multiple_of)
        if not isinstance(count, int) or isinstance(count, bool) or not (self.config.pad_token_id or 0) < count < 2**31:
            raise InputError(*MESSAGES["vocabulary"].format(count=count))
        self._check_not_optimized()
        self.stored_int8 = False
        common, std = min(count, self.config.vocab_size), self.config.initializer_range

        def resized(weight: Tensor) -> Tensor:
            old = weight.detach()
            new = old.new_empty(count, old.shape[1]).normal_(std=3e-5 * std) + old.mean(0)  # as in `transformers`
            new[:common] = old[:common]
            return new

        words = self.embeddings.tokens
        words.weight, words.num_embeddings = nn.Parameter(resized(words.weight), words.weight.requires_grad), count
        bias = getattr(self.head, "bias", None)
        if isinstance(bias, Tensor):  # of a head that scores the vocabulary
            padded = F.pad(bias.detach()[..., :common], (0, count - common))
            self.head.bias = nn.Parameter(padded) if isinstance(bias, nn.Parameter) else padded  # type: ignore
        if isinstance(self.head, LMHead) and self.head.output is not None:
            output = self.head.output
            output.weight, output.out_features = nn.Parameter(resized(output.weight)), count
        self._set_vocab_size(count)
        return words

    @accepts("PreTrainedModel.num_parameters")
    def num_parameters(self, only_trainable: bool = False) -> int:
        """Return the number of the model's parameters, or only of trainable ones."""
        return sum(p.numel() for p in self.source.parameters() if p.requires_grad or not only_trainable)

    def __repr__(self) -> str:
        name = f"{self.name_or_path}: " if self.name_or_path else ""
        count = format_int(self.num_parameters())
        title = localized(f"{name}{count} parameters", f"{name}{count} parámetros")
        if self._source:
            title += localized(f"; optimized copy in {self.precision}", f"; copia optimizada, en {self.precision}")
        return describe(self.source, title, self.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """The device on which the model's weights are."""
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The data type of the model's weights."""
        return self._weight.dtype

    @property
    def _weight(self) -> Tensor:
        """Return a parameter or buffer that has the device and dtype of the model's weights."""
        return next(t for t in (*self.embeddings.parameters(), *self.embeddings.buffers()) if t.is_floating_point())

    @accepts("PreTrainedModel.save_pretrained")
    def save_pretrained(self, folder: str | Path, *, max_shard_size: int | str = 5 * 10**9, int8: bool = False) -> None:
        """Write the model's `config.json` and `model.safetensors` to a folder, which `transformers` can load.

        The files replace older ones together, at the end; a second process that saves into the folder waits.

        Args:
            folder: an existing or new folder.
            max_shard_size: maximum size of a weight file, in bytes or as "500MB".
            int8: store matrices as int8 rows with one scale each: a quarter of the size, readable by this library
                only, in `model.int8.safetensors`.

        Raises:
            CheckpointError: the folder cannot be written, or a weight is NaN or infinite.
        """
        check_flags(int8=int8)
        if self._source:
            return self.source.save_pretrained(folder, max_shard_size=max_shard_size, int8=int8)
        family = family_of(self.config.model_type)
        tensors = to_checkpoint(family, self.config, self.task_head, self.own_state_dict())
        data = write_config(family, self.config, self.task_head) | {"dtype": str(self.dtype).removeprefix("torch.")}
        checkpoints.write(
            storage.output_folder(folder),
            checkpoints.pack_int8(tensors) if int8 else tensors,
            files={**self._extra_files(), "config.json": data},
            metadata={"gatonegro": "int8"} if int8 else None,
            max_shard_size=max_shard_size,
        )

    def _extra_files(self) -> dict[str, dict[str, Any]]:
        """Return the contents of files that `save_pretrained` writes beside weights and configuration, by file name."""
        return {}


def padded_attentions(
    layers: Sequence[Sequence[AttentionTrace]], config: Config, padding: Padding, key_padding: Padding | None = None
) -> tuple[Tensor, ...]:
    """Return the attention probabilities of each layer as one padded tensor (b, h, s, s) per layer."""
    heads = config.num_attention_heads
    return tuple(padding.restore_attention([trace.probs for trace in layer], heads, key_padding) for layer in layers)


def shared_copy(model: M, trainable: bool = True) -> M:
    """Return a copy of a module that shares its weights, but can be in another mode, training or evaluation.

    Unless `trainable`, the copy's parameters require no gradient.
    """
    weights: dict[int, Tensor] = {id(t): t for t in model.buffers()}
    for t in model.parameters():
        weights[id(t)] = t if trainable else nn.Parameter(t.detach(), requires_grad=False)
    return copy.deepcopy(model, weights)


def _random_tokens(config: Config) -> Packed:
    """Return a batch of random tokens, always the same, on which ranges for PyTorch's int8 are measured."""
    length = min(64, config.max_tokens, (config.decoder or config).max_tokens)
    ids = torch.randint(config.vocab_size, (1, length), generator=torch.Generator().manual_seed(0))
    return pack(ids.tolist(), config)
