"""`NativeModel`: a model that computes with numpy arrays, for inference on a CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.config import Config
from gatonegro.native.decoder import KVCache, decode, next_token_logits, project_memory
from gatonegro.native.encoder import KV, encode, head
from gatonegro.native.weights import Weights
from gatonegro.packing import Layout, Packed, pack
from gatonegro.text_model import TextModel
from gatonegro.torch_extra import has_torch, missing_torch

if TYPE_CHECKING:
    from gatonegro.generation import GenerationConfig

CALIBRATION_TOKENS = 64


class NativeModel(TextModel):
    """A Transformer with an optional task head, on numpy arrays and packed batches.

    Args:
        config: its configuration.
        task_head: the name of its head, such as "sequence-classification".
        state: tensors by our names, as `families.assembly` returns them.
        precision: "fp32", "bf16" or "int8", of the layers' products.
    """

    compiles_shapes = False

    def __init__(self, config: Config, task_head: str, state: Mapping[str, Any], precision: str = "fp32"):
        self.config, self.task_head, self.name_or_path = config, task_head, ""
        self.precision, self.weights, self.stored_int8 = precision, Weights(state, precision), False
        self.generation_files: Mapping[str, Any] | None = None  # the contents of generation_config.json
        if precision == "int8":  # by which the products are smoothed
            self.run(calibration_tokens(config))

    def __repr__(self) -> str:
        name = f", {self.name_or_path!r}" if self.name_or_path else ""
        return f"{type(self).__name__}({self.config.model_type!r}, {self.task_head!r}, {self.precision!r}{name})"

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and not has_torch():  # such as state_dict
            raise AttributeError(str(missing_torch(f"{type(self).__name__}.{name}")))
        return object.__getattribute__(self, name)  # raises Python's own error

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Raise an error: padded batches are of PyTorch's models."""
        raise missing_torch("calling a model with tensors")

    @cached_property
    def generation_config(self) -> GenerationConfig:  # type: ignore[override]
        """The options of generation in the model's files."""
        from gatonegro.generation import GenerationConfig  # here, for a light start

        return GenerationConfig.of_files(self.config, self.generation_files)

    def encode(self, packed: Packed) -> np.ndarray:
        """Return the last hidden states (t, hidden) of the encoder or, in a decoder-only model, of the decoder."""
        function = decode if self.config.decoder_only else encode
        return function(self.weights, self.config, packed)

    def project_memory(self, memory: np.ndarray) -> list[KV]:
        """Return each decoder layer's keys and values of an encoder's output (u, hidden)."""
        assert self.config.decoder is not None
        return project_memory(self.weights, self.config.decoder, memory)

    def new_caches(self) -> list[KVCache]:
        """Return an empty cache for each layer of the decoder."""
        return [KVCache() for _ in range((self.config.decoder or self.config).num_hidden_layers)]

    def decode(
        self,
        packed: Packed,
        memory: Sequence[KV] | None = None,
        cross: Layout | None = None,
        kv_caches: Sequence[KVCache] | None = None,
        layout: Layout | None = None,
    ) -> np.ndarray:
        """Return the decoder's last hidden states (t, hidden), see `native.decoder.decode`."""
        return decode(self.weights, self.config.decoder or self.config, packed, memory, cross, kv_caches, layout)

    def logits(self, x: np.ndarray, packed: Packed) -> np.ndarray:
        """Return the head's output for the hidden states (t, hidden) of a packed batch, and these without a head."""
        if self.generates:
            return next_token_logits(self.weights, self.config, x)
        return x if self.task_head == "none" else head(self.weights, self.config, self.task_head, x, packed)

    def cross_attention(self, source: Sequence[int], target: Sequence[int]) -> np.ndarray:
        """Return the cross-attention of each target token to each source token, averaged over attention heads.

        It is a matrix (target tokens, source tokens); a token's row is the step that predicts it. The layer is the last
        but one, https://arxiv.org/abs/1909.02074.
        """
        config = self.config.decoder
        assert config is not None
        sources, targets = pack([source], self.config), pack([[self.start_token, *target]], config)
        memory, cross = self.project_memory(self.encode(sources)), Layout(targets.lengths, sources.lengths)
        recorded: dict[int, list[np.ndarray]] = {max(0, config.num_hidden_layers - 2): []}
        decode(self.weights, config, targets, memory, cross, recorded=recorded)
        ((probs,),) = recorded.values()  # (h, q, k)
        mean: np.ndarray = probs.mean(0)[:-1]
        return mean


def calibration_tokens(config: Config) -> Packed:
    """Return a batch of tokens from all over the vocabulary, always the same, on which int8 measures input ranges."""
    length = min(CALIBRATION_TOKENS, config.max_tokens, (config.decoder or config).max_tokens)
    ids = np.arange(1, length + 1) * 2_654_435_761 % 2**32 * config.vocab_size // 2**32  # Knuth, TAOCP vol. 3, §6.4
    return pack([ids.tolist()], config)
