"""`LanguageModel`: decoders and encoder–decoders that generate text, with the API of `transformers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.compat import accepts
from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.generation import GenerationConfig
from gatonegro.generation.options import MESSAGES as GENERATION_MESSAGES
from gatonegro.models.cache import DynamicCache, Encoded, EncoderDecoderCache, cross_layout, from_new_columns
from gatonegro.models.generator import Generator
from gatonegro.models.model import MESSAGES, Model, padded_attentions
from gatonegro.models.output import ModelOutput
from gatonegro.nn.attention import KV, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS
from gatonegro.nn.loss import compute_loss
from gatonegro.nn.recording import layer_attentions, layer_outputs, record_activations
from gatonegro.packing import Layout, Packed, pack
from gatonegro.padding import from_padded, validate_ids
from gatonegro.text_model import check_row_counts


class LanguageModel(Generator, Model):
    """A model with a decoder, or with an encoder and a decoder: with a language-model head, it generates text.

    With a head for sequence classification, the decoder reads the encoder's text again, and the head its last token.
    """

    decoder: Decoder
    generation_config: GenerationConfig

    def _build(self, config: Config, head: str) -> None:
        self.generation_config = GenerationConfig.from_model_config(config)
        self.embeddings = Embeddings(config)
        if config.decoder is not None:
            self.encoder = Encoder(config)
            self.decoder_embeddings = Embeddings(config.decoder, shared=True)
        self.decoder = Decoder(config.decoder or config)
        self.head = HEADS[head](config) if head in HEADS else None

    def decode(
        self,
        packed: Packed,
        memory: Tensor | Sequence[KV] | None = None,
        cross: Layout | None = None,
        kv_caches: Sequence[KVCache] | None = None,
        layout: Layout | None = None,
    ) -> Tensor:
        """Return the hidden states (t, hidden) of the decoder's last layer for a packed batch of tokens.

        Args:
            packed: the target's tokens.
            memory: the encoder's output (u, hidden), or the result of `Decoder.project_memory`.
            cross: see `Decoder.forward`.
            kv_caches: see `Decoder.forward`.
            layout: with `kv_caches`, the layout of new tokens and all keys.
        """
        device = self.device
        packed = packed.to(device)
        if self.config.decoder is None:
            x = self.embeddings(packed)
        else:
            x = self.decoder_embeddings(packed, self.embeddings.tokens)
        if isinstance(memory, Tensor):
            memory = self.decoder.project_memory(memory)
        layout, cross = (layout or packed.layout).to(device), cross and cross.to(device)
        return self.decoder(x, layout, memory, cross, kv_caches)

    def project_memory(self, memory: Tensor) -> list[KV]:
        """Return each decoder layer's cross-attention keys and values of the encoder's output (u, hidden)."""
        return self.decoder.project_memory(memory)

    def new_caches(self) -> list[KVCache]:
        """Return an empty key–value cache for each decoder layer."""
        return [KVCache() for _ in self.decoder.layers]

    def encode(self, packed: Packed) -> Tensor:
        """Return the last hidden states (t, hidden) of the encoder or, in a decoder-only model, of the decoder."""
        return super().encode(packed) if self.config.decoder is not None else self.decode(packed)

    @accepts("LanguageModel.forward")
    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        *,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: DynamicCache | None = None,
        use_cache: bool | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> ModelOutput | tuple[Any, ...]:
        """Run the model on a padded batch of token ids and return its output, as in `transformers`.

        Args:
            input_ids: (b, s) token ids; or `inputs_embeds` instead.
            attention_mask: (b, s), 0 for padding; without an encoder, also for the columns of `past_key_values`. T5
                measures distances in tokens, so with holes between tokens its outputs differ from the reference's.
            decoder_input_ids: (b, w), the target so far, or what follows `past_key_values`; default: `labels`, or in
                BART `input_ids`, shifted right by one.
            decoder_attention_mask: (b, w), also for the columns of `past_key_values`.
            token_type_ids: (b, s), without an encoder: tokens whose embeddings are added.
            position_ids: (b, s); default: by the family's rule.
            inputs_embeds: (b, s, hidden).
            decoder_inputs_embeds: (b, w, hidden), instead of `decoder_input_ids`.
            encoder_outputs: the output of `get_encoder()`, or a tuple of its fields, which saves running the encoder.
            past_key_values: the cache that an earlier call returned; this call appends to it.
            use_cache: False returns no cache, which saves memory; default: as in config.json.
            labels: (b, w), or (b, s) without an encoder; -100 for "none". The loss is the mean over tokens. Of a
                classifier: (b,) classes or (b, labels).
            logits_to_keep: the number of last columns that get logits, or their indices; 0 for all.
            output_attentions: also return each layer's attention probabilities; default: as in config.json.
            output_hidden_states: also return each layer's hidden states; default: as in config.json.
            return_dict: False returns a tuple of the fields that are not None; default: as in config.json.

        Raises:
            InputError: an argument does not fit the model, or the others.
        """
        output_attentions, output_hidden_states, return_dict = self._output_flags(
            output_attentions, output_hidden_states, return_dict
        )
        decoder = self.config.decoder
        classifies = self.head is not None and self.head.per == "sequence"
        if labels is not None and not classifies:
            labels = validate_ids("labels", labels, self.config.vocab_size, ignored=-100)
        cache = past_key_values
        if not isinstance(cache, DynamicCache | None):
            raise InputError(*MESSAGES["not_cache"].format(kind=type(cache).__name__))
        if decoder is None:
            new = (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        else:
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                source = input_ids if classifies or (labels is None and self.config.reads_source_twice) else labels
                if source is None:
                    raise InputError(*MESSAGES["no_target"])
                decoder_input_ids = self.shift_right(source)
                if classifies and decoder_attention_mask is None:  # the head reads the column of the last end of text
                    ends = source == self.config.extra.get("eos_token_id", 2)
                    if not ends.any(1).all():
                        raise InputError(*MESSAGES["no_end"].format(row=int((~ends.any(1)).nonzero()[0])))
                    decoder_attention_mask = ends.flip(1).cumsum(1).flip(1) > 0
            new = (decoder_input_ids, decoder_attention_mask, None, None, decoder_inputs_embeds)
        width = 0 if cache is None else cache.get_seq_length()
        target, padding, mask = from_new_columns(decoder or self.config, width, *new)
        # BART and Marian return no cache with labels
        drops = decoder is not None and decoder.position_embedding != "none" and labels is not None
        drops = drops or (self.training and self.is_gradient_checkpointing)
        if not drops and (self.config.extra.get("use_cache", True) if use_cache is None else use_cache):
            new_cache = DynamicCache if decoder is None else EncoderDecoderCache
            cache = new_cache() if cache is None else cache
        memory, cross, encoded = None, None, None if cache is None else cache.encoded
        out: dict[str, Any] = {}
        with record_activations(self, enabled=output_attentions or output_hidden_states) as activations:
            if decoder is not None:
                if not padding.mask.shape[1]:
                    raise InputError(
                        *GENERATION_MESSAGES["prompt_length"].format(row=0, length=0, most=decoder.max_tokens - 1)
                    )
                if encoded is None:
                    encoded = self._encoded(input_ids, attention_mask, position_ids, inputs_embeds, encoder_outputs)
                check_row_counts(len(encoded.padding.mask), len(padding.mask))
                memory, cross = encoded.kv, cross_layout(encoded, target, padding)
                out["encoder_last_hidden_state"] = encoded.padding.restore(encoded.states)
            kv_caches, layout, key_padding = None, target.layout, padding
            if cache is not None:
                layout, key_padding = cache.append(target, padding, mask, len(self.decoder.layers))
                kv_caches, cache.encoded = cache.layers, encoded
            x = self.decode(target, memory, cross, kv_caches, layout)  # (t, hidden)
        stacks = [("", "decoder", "embeddings", padding, key_padding, self.config)]
        if decoder is not None and encoded is not None:
            stacks = [("decoder_", "decoder", "decoder_embeddings", padding, key_padding, decoder)]
            if f"encoder.layers.{len(self.encoder.layers) - 1}" in activations:
                stacks.append(("encoder_", "encoder", "embeddings", encoded.padding, encoded.padding, self.config))
            elif isinstance(encoder_outputs, Mapping):
                out["encoder_hidden_states"] = encoder_outputs.get("hidden_states")
                out["encoder_attentions"] = encoder_outputs.get("attentions")
            if output_attentions:
                layers = layer_attentions(self, activations, "decoder", "cross_attention")
                out["cross_attentions"] = padded_attentions(layers, decoder, padding, encoded.padding)
        for prefix, stack, embeddings, stack_padding, keys, config in stacks:
            if output_hidden_states:
                states = layer_outputs(self, activations, stack, embeddings)
                out[f"{prefix}hidden_states"] = tuple(map(stack_padding.restore, states))
            if output_attentions:
                layers = layer_attentions(self, activations, stack)
                out[f"{prefix}attentions"] = padded_attentions(layers, config, stack_padding, keys)
        if self.head is None:
            out["last_hidden_state"] = padding.restore(x)
        elif classifies:
            out["logits"] = padding.restore_sequences(self.logits(x, target))
        elif isinstance(logits_to_keep, int) and not logits_to_keep:
            out["logits"] = padding.restore(self.logits(x, target))
        else:
            kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            x = padding.restore(x)[:, kept]  # (b, kept, hidden)
            out["logits"] = self.logits(x.flatten(0, 1), target).unflatten(0, x.shape[:2])
        if labels is not None and classifies:
            out["loss"] = compute_loss(self.config, self.task_head, out["logits"], labels)
        elif labels is not None:
            logits = out.get("logits")
            if logits is None or labels.shape != logits.shape[:2]:
                raise InputError(
                    *MESSAGES["labels"].format(shape=tuple(labels.shape), target=tuple(padding.mask.shape))
                )
            if decoder is None:  # each token predicts the next one
                logits, labels = logits[:, :-1], labels[:, 1:]
            out["loss"] = F.cross_entropy(logits.flatten(0, 1), labels.flatten().long())
        out["past_key_values"] = None if drops or use_cache is False else cache
        return self._output(out, return_dict)

    def _encoded(
        self, ids: Tensor | None, mask: Tensor | None, positions: Tensor | None, embeds: Tensor | None, outputs: Any
    ) -> Encoded:
        """Return the encoder's output for a padded batch, or for `outputs`, an earlier output of the encoder."""
        if outputs is not None:
            packed, padding = from_padded(self.config, None, mask, None, None, outputs[0])
        else:
            packed, padding = from_padded(self.config, ids, mask, None, positions, embeds)
        memory = self.encode(packed) if outputs is None else packed.embeds
        assert memory is not None
        return Encoded(memory, packed.lengths, padding, self.decoder.project_memory(memory))

    def _extra_files(self) -> dict[str, dict[str, Any]]:
        return {"generation_config.json": self.generation_config.to_diff_dict()} if self.can_generate() else {}

    @torch.inference_mode()
    def cross_attention(self, source: Sequence[int], target: Sequence[int]) -> np.ndarray:
        """Return the cross-attention of each target token to each source token, averaged over attention heads.

        It is a matrix (target tokens, source tokens); a token's row is the step that predicts it. The layer is the last
        but one, https://arxiv.org/abs/1909.02074.
        """
        assert self.config.decoder is not None
        sources, targets = pack([source], self.config), pack([[self.start_token, *target]], self.config.decoder)
        name = f"decoder.layers.{max(0, len(self.decoder.layers) - 2)}.cross_attention.attend"
        with record_activations(self) as activations:
            memory = self.encode(sources)
            self.decode(targets, memory, Layout(targets.lengths, sources.lengths))
        return activations[name][0][0].probs.mean(0)[:-1].float().cpu().numpy()  # type: ignore[union-attr]

    def shift_right(self, labels: Tensor) -> Tensor:
        """Return the decoder's input ids for training on `labels`: the start token, then all labels but the last."""
        shifted = torch.cat([labels.new_full((len(labels), 1), self.start_token), labels[:, :-1]], dim=1)
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id or 0)

    prepare_decoder_input_ids_from_labels = shift_right
