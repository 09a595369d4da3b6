"""An encoder with a head: one packed forward pass, and the padded API of `transformers` around it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro import checkpoints, storage
from gatonegro.checks import one_of
from gatonegro.config import Config
from gatonegro.engine import PRECISIONS, best_precision, limit_threads, replace_modules
from gatonegro.errors import InputError
from gatonegro.families import family_of
from gatonegro.families.family import to_checkpoint, write_config
from gatonegro.i18n import format_int, localized
from gatonegro.models.output import ModelOutput
from gatonegro.nn.attention import Seen
from gatonegro.nn.describe import describe
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS, NextTokenHead
from gatonegro.nn.loss import loss_of
from gatonegro.nn.watch import layer_attentions, layer_outputs, watch
from gatonegro.packing import Packed, Padding, from_padded, pack


class Model(nn.Module):
    """An encoder with a head. Its one forward pass is `run`, on packed sequences."""

    def __init__(self, config: Config, head: str = "none"):
        super().__init__()
        self.config = config
        self.task_head = head
        self.name_or_path = ""
        self.precision = ""  # of an optimized copy, see `optimize`
        self.stored_int8 = False  # whether the checkpoint holds int8 rows
        self._source: Callable[[], Model] | None = None  # a function, so that PyTorch registers no submodule
        self._build(config, head)

    def _build(self, config: Config, head: str) -> None:
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.head = HEADS[head](config) if head in HEADS else None

    def encode(self, packed: Packed) -> Tensor:
        """Return hidden states of the last layer. (t, hidden)"""
        return self.encoder(self.embeddings(packed), packed.layout)

    def run(self, packed: Packed, at: Tensor | None = None) -> Tensor:
        """Return the head's output per sequence (n, …) or per token (t, …); without a head, hidden states (t, hidden).

        With `at` (m,), a head for tokens computes only those of the `t`: (m, …).
        """
        x = self.encode(packed)
        if at is not None:
            x = x[at]
        return x if self.head is None else self.head(x, packed, self.embeddings.tokens)

    @torch.inference_mode()
    def predict(
        self,
        ids: Sequence[Sequence[int]],
        *,
        token_types: Sequence[Sequence[int]] | None = None,
        queried: Sequence[Sequence[int]] | None = None,
        pad_to_multiple_of: int = 1,
        hidden: bool = False,
    ) -> list[np.ndarray]:
        """Return the head's output per sequence, as float32 arrays: (labels,) or, without a head, (length, hidden).

        Args:
            ids: token ids per sequence.
            token_types: per token, the index of its text in a pair.
            queried: per sequence, the tokens whose outputs are returned; the arrays are then (queried, …).
            pad_to_multiple_of: see `pack`.
            hidden: return hidden states of the last layer instead of the head's output.
        """
        packed = pack(ids, self.config, token_types, multiple=pad_to_multiple_of)
        rows = None
        if queried is not None:
            firsts = packed.firsts.tolist()
            places = [first + i for first, few in zip(firsts, queried, strict=False) for i in few]
            rows = torch.tensor(places, dtype=torch.long, device=self.device)
        packed = packed.to(self.device)
        if hidden:
            x = self.encode(packed)
            x = x if rows is None else x[rows]
        else:
            x = self.run(packed, rows)
        out = x.float().cpu().numpy()
        if not hidden and self.head is not None and self.head.per == "sequence":
            return list(out[: len(ids)])  # the rest are pads
        counts = map(len, ids if queried is None else queried)
        return np.split(out, np.cumsum(list(counts)))[: len(ids)]

    def embed(self, ids: Sequence[Sequence[int]], **options: Any) -> list[np.ndarray]:
        """Return hidden states of the last layer (length, hidden) of each sequence; see `predict`."""
        return self.predict(ids, hidden=True, **options)

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
        """Return the output for a padded batch, as in `transformers`.

        Args:
            input_ids: (b, s) token ids; or `inputs_embeds` (b, s, hidden) instead.
            attention_mask: (b, s), 0 for padding, in any pattern.
            token_type_ids: (b, s), the segment of each token.
            position_ids: (b, s); default: by the family's rule.
            labels: (b,) classes or (b, labels) for classification, (b, s) with -100 for "none" for token tasks.
            output_attentions, output_hidden_states: also return each layer's.
            return_dict: False returns a tuple of the fields that are not None.
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
        watching: AbstractContextManager = watch(self) if output_attentions or output_hidden_states else nullcontext()
        with watching as seen:
            x = self.encode(packed)  # (t, hidden)
            result = None if self.head is None else self.head(x, packed, self.embeddings.tokens)
        out = ModelOutput()
        if self.head is not None and result is not None:
            result = padding.restore_rows(result) if self.head.per == "sequence" else padding.restore(result)
        if self.task_head in ("none", "pooler"):
            out.last_hidden_state, out.pooler_output = padding.restore(x), result
        else:
            out.logits = result
        if output_hidden_states:
            out.hidden_states = tuple(map(padding.restore, layer_outputs(self, seen)))
        if output_attentions:
            out.attentions = padded_attentions(layer_attentions(self, seen), self.config, padding)
        if labels is not None:
            out.loss = loss_of(self.config, self.task_head, out.logits, labels)
        return out.to_tuple() if return_dict is False else out

    def optimize(self, precision: str = "auto") -> Model:
        """Return a faster copy, in evaluation mode. This model stays as it is, and is the copy's `source`.

        Args:
            precision: "fp32"; "bf16" or "fp16" for the layers' computations; "int8" for their products, with a scale
                per token and a scale per row of weights; "auto" for the fastest of this machine, by a table.

        The copy shares the weights that keep their layout. It cannot be trained or moved: do so with its `source`, and
        optimize that again. Saving it saves its source.
        """
        if self._source:
            return self.source.optimize(precision)
        one_of(*PRECISIONS)("precision", precision)
        limit_threads()
        optimized = share(self, trainable=False).eval()
        if precision == "auto" or (precision == "int8" and self.device.type != "cpu"):  # int8 is for CPUs
            precision = best_precision(self.device, self.stored_int8)
        optimized.precision = precision
        small = self.stored_int8 and self.task_head != "masked-lm"  # its head multiplies by the embeddings
        replace_modules(optimized, precision, small, lambda: optimized.run(_sample(self.config).to(self.device)))
        optimized._source = lambda: self
        return optimized

    @property
    def source(self) -> Model:
        """The model of which this one is a faster copy; itself, if it is none."""
        return self._source() if self._source else self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copy and pickle a faster copy as its source, which is optimized again: its weights have no form on disk."""
        return (Model.optimize, (self.source, self.precision)) if self._source else super().__reduce_ex__(protocol)

    def train(self, mode: bool = True) -> Model:
        if mode:
            self._only_source()
            self.stored_int8 = False  # training changes the weights
        return super().train(mode)

    def _apply(self, *args: Any, **options: Any) -> Model:
        self._only_source()
        return super()._apply(*args, **options)

    def _only_source(self) -> None:
        if self._source:
            raise InputError(
                "a faster copy cannot be trained, moved or changed; do so with model.source, and optimize that again.",
                "una copia rápida no se puede entrenar, mover ni cambiar; hazlo con model.source, y optimízala de "
                "nuevo.",
            )

    def resize_token_embeddings(self, count: int) -> nn.Embedding:
        """Grow or cut the vocabulary to `count` tokens: `len(tokenizer)` after `add_tokens`. New vectors are random.

        Returns the token embeddings (count, hidden).
        """
        if not isinstance(count, int) or isinstance(count, bool) or not (self.config.pad_token_id or 0) < count < 2**31:
            raise InputError(
                f"the vocabulary cannot have {count!r:.80} tokens; pass len(tokenizer).",
                f"el vocabulario no puede tener {count!r:.80} tokens; pasa len(tokenizer).",
            )
        self._only_source()
        self.stored_int8 = False
        kept, std = min(count, self.config.vocab_size), self.config.initializer_range

        def resized(weight: Tensor) -> Tensor:
            new = weight.new_empty(count, weight.shape[1]).normal_(std=std)
            new[:kept] = weight.detach()[:kept]
            return new

        words = self.embeddings.tokens
        words.weight, words.num_embeddings = nn.Parameter(resized(words.weight), words.weight.requires_grad), count
        bias = getattr(self.head, "bias", None)
        if isinstance(bias, Tensor):  # of a head that scores the vocabulary
            longer = F.pad(bias.detach()[..., :kept], (0, count - kept))
            self.head.bias = nn.Parameter(longer) if isinstance(bias, nn.Parameter) else longer  # type: ignore
        if isinstance(self.head, NextTokenHead) and self.head.output is not None:
            output = self.head.output
            output.weight, output.out_features = nn.Parameter(resized(output.weight)), count
        self.config = replace(self.config, vocab_size=count)
        return words

    def num_parameters(self, only_trainable: bool = False) -> int:
        """Return the number of parameters."""
        return sum(p.numel() for p in self.source.parameters() if p.requires_grad or not only_trainable)

    def __repr__(self) -> str:
        name = f"{self.name_or_path}: " if self.name_or_path else ""
        count = format_int(self.num_parameters())
        title = localized(f"{name}{count} parameters", f"{name}{count} parámetros")
        if self._source:
            title += localized(f"; a faster copy, in {self.precision}", f"; una copia rápida, en {self.precision}")
        return describe(self.source, title, self.config.hidden_size)

    @property
    def device(self) -> torch.device:
        return self._weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self._weight.dtype

    @property
    def _weight(self) -> Tensor:
        """A tensor with the model's device and dtype."""
        return next(t for t in (*self.embeddings.parameters(), *self.embeddings.buffers()) if t.is_floating_point())

    def save_pretrained(self, folder: str | Path, *, max_shard_size: int = 5 * 10**9, int8: bool = False) -> None:
        """Write `config.json` and `model.safetensors`, which give the same logits in `transformers`.

        With `int8`, matrices are stored as int8 rows with a scale each: a quarter of the size, for this library only.
        """
        if self._source:
            return self.source.save_pretrained(folder, max_shard_size=max_shard_size, int8=int8)
        family = family_of(self.config.model_type)
        tensors = to_checkpoint(family, self.config, self.task_head, self.state_dict())
        data = write_config(family, self.config, self.task_head) | {"dtype": str(self.dtype).removeprefix("torch.")}
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        folder = storage.output_folder(folder)
        checkpoints.write(
            folder,
            checkpoints.pack_int8(tensors) if int8 else tensors,
            metadata={"gatonegro": "int8"} if int8 else None,
            max_shard_size=max_shard_size,
        )
        for name, content in self._other_files().items():
            storage.write_text(folder / name, json.dumps(content, indent=2) + "\n")
        storage.write_text(folder / "config.json", text)

    def _other_files(self) -> dict[str, dict[str, Any]]:
        """Return the other files that `save_pretrained` writes: name → content."""
        return {}


M = TypeVar("M", bound=nn.Module)


def padded_attentions(
    layers: Sequence[Sequence[Seen]], config: Config, padding: Padding, read: Padding | None = None
) -> tuple[Tensor, ...]:
    """Return the probabilities of each layer's attention, padded: see `Padding.restore_square`."""
    heads = config.num_attention_heads
    return tuple(padding.restore_square([each.probs for each in layer], heads, read) for layer in layers)


def share(model: M, trainable: bool = True) -> M:
    """Return a copy that shares the original's weights: to be in another mode, for example.

    Unless `trainable`, the copy's parameters need no gradient.
    """
    weights: dict[int, Tensor] = {id(t): t for t in model.buffers()}
    for t in model.parameters():
        weights[id(t)] = t if trainable else nn.Parameter(t.detach(), requires_grad=False)
    return copy.deepcopy(model, weights)


def _sample(config: Config) -> Packed:
    """Return random tokens, the same at each call."""
    length = min(64, config.max_tokens, (config.decoder or config).max_tokens)
    ids = torch.randint(config.vocab_size, (1, length), generator=torch.Generator().manual_seed(0))
    return pack(ids.tolist(), config)


def initialise(module: M, std: float) -> M:
    """Draw weights as the reference does: normal matrices, zero biases."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
    return module
