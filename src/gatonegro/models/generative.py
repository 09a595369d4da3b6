"""`LanguageModel`: decoders and encoder–decoders that generate text, with the API of `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.checks import check_flags
from gatonegro.config import Config
from gatonegro.errors import InputError, MissingHeadError
from gatonegro.generation import Generated, GenerationConfig, generate
from gatonegro.models.model import MESSAGES, Model, padded_attentions
from gatonegro.models.output import ModelOutput
from gatonegro.nn.attention import KV, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS
from gatonegro.nn.recording import layer_attentions, layer_outputs, record_activations
from gatonegro.packing import Layout, Packed, Padding, from_padded, pack, unpad_ids, validate_ids

MAX_LOGIT_ROWS = 256  # tokens whose logits are computed at a time, which saves memory


class LanguageModel(Model):
    """A model that generates text: a decoder, or an encoder and a decoder, with a language-model head."""

    decoder: Decoder
    generation_config = GenerationConfig()

    def _build(self, config: Config, head: str) -> None:
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
        if self.config.decoder is None:
            x = self.embeddings(packed)
        else:
            x = self.decoder_embeddings(packed, self.embeddings.tokens)
        if isinstance(memory, Tensor):
            memory = self.decoder.project_memory(memory)
        return self.decoder(x, layout or packed.layout, memory, cross, kv_caches)

    def encode(self, packed: Packed) -> Tensor:
        """Return the last hidden states (t, hidden) of the encoder or, in a decoder-only model, of the decoder."""
        return super().encode(packed) if self.config.decoder is not None else self.decode(packed)

    def logits(self, x: Tensor, packed: Packed) -> Tensor:
        """Return next-token logits (t, vocab), computed from the decoder's last hidden states."""
        return x if self.head is None else self.head(x, packed, self.embeddings.tokens)

    def run(self, packed: Packed, at: Tensor | None = None, target: Packed | None = None) -> Tensor:
        """Return next-token logits for the target tokens or, in a decoder-only model, for the input tokens.

        Sequence i of `target` attends to source i of `packed`. With `at`, only those tokens have logits. (t, vocab)
        """
        if self.config.decoder is None:
            x = self.decode(packed)
        else:
            target = packed if target is None else target
            x = self.decode(target, self.encode(packed), Layout(target.lengths, packed.lengths))
        return self.logits(x if at is None else x[at], packed)

    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        *,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool | None = None,
    ) -> ModelOutput | tuple[Any, ...]:
        """Run the model on a padded batch of token ids and return its output, as in `transformers`.

        Args:
            input_ids: (b, s) token ids; or `inputs_embeds` instead.
            attention_mask: (b, s), 0 for padding. T5 measures distances in tokens, so with holes between tokens its
                outputs differ from the reference's.
            decoder_input_ids: (b, w), the target so far; default: `labels`, shifted right by one.
            decoder_attention_mask: (b, w).
            position_ids: (b, s); default: by the family's rule.
            inputs_embeds: (b, s, hidden).
            labels: (b, w), or (b, s) without an encoder; -100 for "none". The loss is the mean over tokens.
            output_attentions: also return each layer's attention probabilities.
            output_hidden_states: also return each layer's hidden states.
            return_dict: False returns a tuple of the fields that are not None.

        Raises:
            InputError: an argument does not fit the model, or the others.
        """
        check_flags(output_attentions=output_attentions, output_hidden_states=output_hidden_states)
        if labels is not None:
            labels = validate_ids("labels", labels, self.config.vocab_size, ignored=-100)
        packed, source_padding = from_padded(self.config, input_ids, attention_mask, None, position_ids, inputs_embeds)
        out, decoder, target, padding = ModelOutput(), self.config.decoder, packed, source_padding
        if decoder is not None:
            if decoder_input_ids is None:
                if labels is None:
                    raise InputError(*MESSAGES["no_target"])
                decoder_input_ids = self.shift_right(labels)
            target, padding = from_padded(decoder, decoder_input_ids, decoder_attention_mask)
            if not padding.mask.shape[1]:
                raise InputError(*MESSAGES["prompt_length"].format(row=0, length=0, most=decoder.max_tokens - 1))
            _check_row_counts(len(source_padding.mask), len(padding.mask))
        with record_activations(self, enabled=output_attentions or output_hidden_states) as activations:
            if decoder is None:
                x = self.decode(packed)  # (t, hidden)
            else:
                memory = self.encode(packed)  # (u, hidden)
                memory_in_order, cross = _cross_attention_inputs(memory, packed, source_padding, target, padding)
                x = self.decode(target, memory_in_order, cross)  # (t, hidden)
                out.encoder_last_hidden_state = source_padding.restore(memory)
        stacks = [("", "decoder", "embeddings", source_padding, self.config)]
        if decoder is not None:
            stacks = [
                ("encoder_", "encoder", "embeddings", source_padding, self.config),
                ("decoder_", "decoder", "decoder_embeddings", padding, decoder),
            ]
            if output_attentions:
                layers = layer_attentions(self, activations, "decoder", "cross_attention")
                out.cross_attentions = padded_attentions(layers, decoder, padding, source_padding)
        for prefix, stack, embeddings, stack_padding, config in stacks:
            if output_hidden_states:
                states = layer_outputs(self, activations, stack, embeddings)
                setattr(out, f"{prefix}hidden_states", tuple(map(stack_padding.restore, states)))
            if output_attentions:
                layers = layer_attentions(self, activations, stack)
                setattr(out, f"{prefix}attentions", padded_attentions(layers, config, stack_padding))
        if self.head is None:
            out.last_hidden_state = padding.restore(x)
        else:
            out.logits = padding.restore(self.logits(x, target))
        if labels is not None:
            if out.logits is None or labels.shape != out.logits.shape[:2]:
                raise InputError(
                    *MESSAGES["labels"].format(shape=tuple(labels.shape), target=tuple(padding.mask.shape))
                )
            logits = out.logits
            if decoder is None:  # each token predicts the next one
                logits, labels = logits[:, :-1], labels[:, 1:]
            out.loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten().long())
        return out.to_tuple() if return_dict is False else out

    def _extra_files(self) -> dict[str, dict[str, Any]]:
        values = {f.name: getattr(self.generation_config, f.name) for f in fields(GenerationConfig)}
        return {"generation_config.json": {k: v for k, v in values.items() if v != getattr(GenerationConfig, k)}}

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """Generate token ids for each input row of a padded batch, as `generate` in `transformers` does.

        Args:
            input_ids: (b, s), the encoder's input or, without an encoder, the prompts.
            attention_mask: (b, s), 0 for padding.
            decoder_input_ids: (b, w), the target so far, with or without `decoder_start_token_id` in front.
            options: fields of `GenerationConfig`; defaults: those of the model's files.

        Returns:
            The generated ids, prompts included. (b · num_return_sequences, w)

        Raises:
            OptionError: an option is unknown, or has an invalid value.
            InputError: a row is empty, or too long for the model.
            MissingHeadError: the model has no head.
        """
        self._check_head()
        config = self.generation_config.with_options(options)
        rows = unpad_ids("input_ids", input_ids, attention_mask, self.config.vocab_size)
        assert input_ids is not None
        if self.config.decoder is None:
            sources, prompt_ids, width = None, rows, input_ids.shape[1]
            if decoder_input_ids is not None:
                raise InputError(*MESSAGES["decoder_only"])
        else:
            sources, start = rows, self.start_token_for(config)
            prompt_ids = [[start]] * len(rows)
            if decoder_input_ids is not None:
                prompt_ids = unpad_ids("decoder_input_ids", decoder_input_ids, None, self.config.vocab_size)
                if all(ids[0] != start for ids in prompt_ids):
                    prompt_ids = [[start, *ids] for ids in prompt_ids]
            width = max(map(len, prompt_ids), default=1)
        if config.max_new_tokens is None and config.max_length is not None:  # which counts padding
            config = replace(config, max_length=None, max_new_tokens=max(1, config.max_length - width))
        outputs = self.generate_ids(sources, prompt_ids, config)
        pad = config.pad_token_id if config.pad_token_id is not None else (config.eos_ids or [0])[0]
        if self.config.decoder is None:  # keep the prompt's padding
            pairs = zip(input_ids.tolist(), outputs, strict=True)
            ids = [[*row, *each.new_ids] for row, sequences in pairs for each in sequences]
        else:
            ids = [each.ids for sequences in outputs for each in sequences]
        longest = max(map(len, ids), default=0)
        filled = [[*row, *[pad] * (longest - len(row))] for row in ids]
        return torch.tensor(filled, dtype=torch.long, device=self.device).view(len(ids), longest)

    def _check_head(self) -> None:
        if self.head is None:
            raise MissingHeadError(*MESSAGES["no_head"])

    def generate_ids(
        self,
        sources: Sequence[Sequence[int]] | None,
        prompt_ids: Sequence[Sequence[int]] | None = None,
        options: GenerationConfig | None = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[Generated]]:
        """Generate `num_return_sequences` sequences of ids per source, best first in beam search, without padding.

        Args:
            sources: the encoder's ids per source; None without an encoder.
            prompt_ids: the decoder's first ids per source; default: `decoder_start_token_id`.
            options: the options of generation; default: those of the model's files.
            on_token: called with each token of a single sequence as soon as it is chosen.

        Raises:
            OptionError: a token id is outside the vocabulary, or the options mask every token.
            InputError: a prompt is empty or too long for the model, or the numbers of rows differ.
            MissingHeadError: the model has no head.
        """
        self._check_head()
        options = self.generation_config if options is None else options
        options.check_ids(self.config.vocab_size)
        if prompt_ids is None:
            prompt_ids = [[self.start_token_for(options)]] * len(sources or ())
        if sources is not None:
            _check_row_counts(len(sources), len(prompt_ids))
        max_tokens = (self.config.decoder or self.config).max_tokens
        for i, ids in enumerate(prompt_ids):
            if not 0 < len(ids) < max_tokens:
                raise InputError(*MESSAGES["prompt_length"].format(row=i, length=len(ids), most=max_tokens - 1))
        max_lengths = [min(options.max_length_after(len(ids)), max_tokens) for ids in prompt_ids]
        return generate(self, sources, prompt_ids, max_lengths, options, on_token)

    @torch.inference_mode()
    def token_log_probs(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Return the log-probability of each token of a target, given its source and the tokens before it.

        One array (target tokens,) per pair. Unlike `generate_ids`, this takes one pass of the encoder and the decoder.

        Args:
            sources: the encoder's token ids per pair.
            targets: the decoder's token ids per pair, without the start token, which is put in front of them.

        Raises:
            InputError: a sequence is too long for the model, or the numbers of rows differ.
            MissingHeadError: the model has no head.
        """
        self._check_head()
        _check_row_counts(len(sources), len(targets))
        assert self.config.decoder is not None
        packed = pack(sources, self.config).to(self.device)
        target = pack([[self.start_token, *ids[:-1]] for ids in targets], self.config.decoder).to(self.device)
        x = self.decode(target, self.encode(packed), Layout(target.lengths, packed.lengths))
        wanted = torch.tensor([i for ids in targets for i in ids], device=self.device)
        parts = []
        for some, ids in zip(x.split(MAX_LOGIT_ROWS), wanted.split(MAX_LOGIT_ROWS), strict=True):
            logits = self.logits(some, target).float()  # (t, vocab)
            parts.append(logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1))
        out = torch.cat(parts).cpu().numpy() if parts else np.zeros(0, np.float32)
        return np.split(out, np.cumsum([len(ids) for ids in targets])[:-1]) if targets else []

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
            memory = self.encode(sources.to(self.device))
            self.decode(targets.to(self.device), memory, Layout(targets.lengths, sources.lengths))
        return activations[name][0][0].probs.mean(0)[:-1].float().cpu().numpy()  # type: ignore[union-attr]

    @property
    def start_token(self) -> int:
        """The id of the token with which the decoder starts every sequence."""
        return self.start_token_for(self.generation_config)

    def start_token_for(self, options: GenerationConfig) -> int:
        """Return the id of the token with which the decoder starts, under given generation options."""
        stored = self.config.extra.get("decoder_start_token_id")
        for token in (options.decoder_start_token_id, stored, options.bos_token_id):
            if token is not None:
                return int(token)
        return self.config.pad_token_id or 0

    def shift_right(self, labels: Tensor) -> Tensor:
        """Return the decoder's input ids for training on `labels`: the start token, then all labels but the last."""
        shifted = torch.cat([labels.new_full((len(labels), 1), self.start_token), labels[:, :-1]], dim=1)
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id or 0)


def _check_row_counts(sources: int, targets: int) -> None:
    if sources != targets:
        raise InputError(*MESSAGES["row_counts"].format(sources=sources, targets=targets))


def _cross_attention_inputs(
    memory: Tensor, packed: Packed, source_padding: Padding, target: Packed, padding: Padding
) -> tuple[Tensor, Layout]:
    """Return the encoder's hidden states in the order of the target sequences, and the `Layout` of cross-attention."""
    index_of = {row: i for i, row in enumerate(source_padding.order.tolist())}
    parts = memory.split(packed.lengths)
    rows = padding.order.tolist()
    if empty := [row for row in rows if row not in index_of]:
        raise InputError(*MESSAGES["masked_row"].format(row=empty[0]))
    ordered = [parts[index_of[row]] for row in rows]
    return torch.cat(ordered) if ordered else memory, Layout(target.lengths, tuple(map(len, ordered)))
