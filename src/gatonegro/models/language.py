"""Models that generate text: encoder–decoders and decoders, with the padded API of `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError, MissingHeadError
from gatonegro.generation import GenerationConfig, Written, write
from gatonegro.models.model import Model, padded_attentions
from gatonegro.models.output import ModelOutput
from gatonegro.nn.activations import layer_attentions, layer_outputs, record_activations
from gatonegro.nn.attention import KV, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS
from gatonegro.packing import Layout, Packed, Padding, from_padded, pack, unpad_ids


class LanguageModel(Model):
    """A model of the next token, from those so far and, with an encoder, from a source text."""

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
        """Return hidden states of the decoder's last layer. (t, hidden)

        Args:
            memory: the encoder's output (u, hidden), or the result of `Decoder.project_memory`.
            cross, kv_caches: see `Decoder.forward`.
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
        """Return the encoder's hidden states (t, hidden); without an encoder, the decoder's."""
        return super().encode(packed) if self.config.decoder is not None else self.decode(packed)

    def next(self, x: Tensor, packed: Packed) -> Tensor:
        """Return next-token logits (t, vocab) from hidden states."""
        return x if self.head is None else self.head(x, packed, self.embeddings.tokens)

    def run(self, packed: Packed, at: Tensor | None = None, written: Packed | None = None) -> Tensor:
        """Return next-token logits (t, vocab) for `written`, whose sequence i attends to source i of `packed`; without
        an encoder, for `packed`.
        """
        if self.config.decoder is None:
            x = self.decode(packed)
        else:
            written = packed if written is None else written
            x = self.decode(written, self.encode(packed), Layout(written.lengths, packed.lengths))
        return self.next(x if at is None else x[at], packed)

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
        """Return the output for a padded batch, as in `transformers`. For arguments not listed, see `Model.forward`.

        Args:
            attention_mask: (b, s), 0 for padding. T5 measures distances in tokens, so that with holes between tokens
                its outputs are not the reference's.
            decoder_input_ids: (b, w), the target so far; default: `labels`, shifted by one place.
            decoder_attention_mask: (b, w).
            labels: (b, w), or (b, s) without an encoder; -100 for "none". The loss is the mean over tokens.
        """
        packed, read = from_padded(self.config, input_ids, attention_mask, None, position_ids, inputs_embeds)
        out, decoder, written, padding = ModelOutput(), self.config.decoder, packed, read
        if decoder is not None:
            if decoder_input_ids is None:
                if labels is None:
                    raise InputError(
                        "an encoder–decoder needs decoder_input_ids, the target so far, or labels; to generate text, "
                        "use model.generate(…) or a pipeline.",
                        "un codificador–decodificador necesita decoder_input_ids, lo que hay escrito, o labels; "
                        "para que escriba, usa model.generate(…) o un pipeline.",
                    )
                decoder_input_ids = self.shift_right(labels)
            written, padding = from_padded(decoder, decoder_input_ids, decoder_attention_mask)
            _same_count(len(read.mask), len(padding.mask))
        with record_activations(self, enabled=output_attentions or output_hidden_states) as activations:
            if decoder is None:
                x = self.decode(packed)  # (t, hidden)
            else:
                memory = self.encode(packed)  # (u, hidden)
                x = self.decode(written, *_matched(memory, packed, read, written, padding))  # (t, hidden)
                out.encoder_last_hidden_state = read.restore(memory)
        stacks = [("", "decoder", "embeddings", read, self.config)]
        if decoder is not None:
            stacks = [
                ("encoder_", "encoder", "embeddings", read, self.config),
                ("decoder_", "decoder", "decoder_embeddings", padding, decoder),
            ]
            if output_attentions:
                layers = layer_attentions(self, activations, "decoder", "cross_attention")
                out.cross_attentions = padded_attentions(layers, decoder, padding, read)
        for prefix, stack, first, ends, config in stacks:
            if output_hidden_states:
                states = layer_outputs(self, activations, stack, first)
                setattr(out, f"{prefix}hidden_states", tuple(map(ends.restore, states)))
            if output_attentions:
                layers = layer_attentions(self, activations, stack)
                setattr(out, f"{prefix}attentions", padded_attentions(layers, config, ends))
        if self.head is None:
            out.last_hidden_state = padding.restore(x)
        else:
            out.logits = padding.restore(self.next(x, written))
        if labels is not None:
            if out.logits is None or labels.shape != out.logits.shape[:2]:
                raise InputError(
                    f"labels are of shape {tuple(labels.shape)}, and the target of shape {tuple(padding.mask.shape)}.",
                    f"labels es de forma {tuple(labels.shape)}, y lo escrito de forma {tuple(padding.mask.shape)}.",
                )
            logits = out.logits
            if decoder is None:  # each token predicts the next one
                logits, labels = logits[:, :-1], labels[:, 1:]
            out.loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten().long())
        return out.to_tuple() if return_dict is False else out

    def _other_files(self) -> dict[str, dict[str, Any]]:
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
        """Return generated ids for each row, as `transformers`' `generate`. (b · num_return_sequences, w)

        Args:
            input_ids: (b, s), the encoder's input or, without an encoder, the beginning of the text.
            attention_mask: (b, s), 0 for padding.
            decoder_input_ids: (b, w), the target so far, with or without `decoder_start_token_id` in front.
            options: fields of `GenerationConfig`; defaults: those of the model's files.

        Raises:
            OptionError: an option is not known, or has an impossible value.
            InputError: a row is empty, or too long for the model.
        """
        self._check_head()
        config = self.generation_config.with_options(options)
        rows = unpad_ids("input_ids", input_ids, attention_mask, self.config.vocab_size)
        assert input_ids is not None
        if self.config.decoder is None:
            sources, beginnings, width = None, rows, input_ids.shape[1]
            if decoder_input_ids is not None:
                raise InputError(
                    "decoder_input_ids are for an encoder–decoder; this model goes on from input_ids.",
                    "decoder_input_ids es para un codificador–decodificador; este modelo sigue a input_ids.",
                )
        else:
            sources, start = rows, self.start_of(config)
            beginnings = [[start]] * len(rows)
            if decoder_input_ids is not None:
                beginnings = unpad_ids("decoder_input_ids", decoder_input_ids, None, self.config.vocab_size)
                if all(ids[0] != start for ids in beginnings):
                    beginnings = [[start, *ids] for ids in beginnings]
            width = max(map(len, beginnings), default=1)
        if config.max_new_tokens is None and config.max_length is not None:  # which counts padding
            config = replace(config, max_length=None, max_new_tokens=max(1, config.max_length - width))
        written = self.write(sources, beginnings, config)
        pad = config.pad_token_id if config.pad_token_id is not None else (config.ends or [0])[0]
        if self.config.decoder is None:  # in front, as it was padded
            ids = [[*front, *each.new] for front, few in zip(input_ids.tolist(), written, strict=True) for each in few]
        else:
            ids = [each.ids for few in written for each in few]
        longest = max(map(len, ids), default=0)
        filled = [[*row, *[pad] * (longest - len(row))] for row in ids]
        return torch.tensor(filled, dtype=torch.long, device=self.device).view(len(ids), longest)

    def _check_head(self) -> None:
        if self.head is None:
            raise MissingHeadError(
                "this model has no head, so it cannot write; load it with AutoModelForSeq2SeqLM or "
                "AutoModelForCausalLM.",
                "este modelo no tiene cabeza, así que no puede escribir; cárgalo con AutoModelForSeq2SeqLM o "
                "AutoModelForCausalLM.",
            )

    def write(
        self,
        sources: Sequence[Sequence[int]] | None,
        beginnings: Sequence[Sequence[int]] | None = None,
        options: GenerationConfig | None = None,
        put: Callable[[int], None] | None = None,
    ) -> list[list[Written]]:
        """Return the `num_return_sequences` best sequences per source, without padding, the best first.

        Args:
            sources: ids of each text; None without an encoder, and `beginnings` are the texts.
            beginnings: the first ids of each sequence; default: `decoder_start_token_id`.
            put: called with each token of a single sequence as soon as it is chosen.
        """
        self._check_head()
        options = self.generation_config if options is None else options
        options.check_ids(self.config.vocab_size)
        if beginnings is None:
            beginnings = [[self.start_of(options)]] * len(sources or ())
        if sources is not None:
            _same_count(len(sources), len(beginnings))
        most = (self.config.decoder or self.config).max_tokens
        for i, ids in enumerate(beginnings):
            if not 0 < len(ids) < most:
                raise InputError(
                    f"row {i} begins with {len(ids)} tokens; the model can go on from 1 to {most - 1}.",
                    f"la fila {i} empieza con {len(ids)} tokens; el modelo sigue a partir de 1 a {most - 1}.",
                )
        limits = [min(options.limit(len(ids)), most) for ids in beginnings]
        return write(self, sources, beginnings, limits, options, put)

    @torch.inference_mode()
    def cross_attention(self, source: Sequence[int], target: Sequence[int]) -> np.ndarray:
        """Return each target token's attention to the source, the mean of a layer's heads. (target, source)

        A token's row is the step that predicts it. The layer is the last but one, https://arxiv.org/abs/1909.02074.
        """
        assert self.config.decoder is not None
        read, written = pack([source], self.config), pack([[self.start_token, *target]], self.config.decoder)
        name = f"decoder.layers.{max(0, len(self.decoder.layers) - 2)}.cross_attention.attend"
        with record_activations(self) as activations:
            memory = self.encode(read.to(self.device))
            self.decode(written.to(self.device), memory, Layout(written.lengths, read.lengths))
        return activations[name][0][0].probs.mean(0)[:-1].float().cpu().numpy()  # type: ignore[union-attr]

    @property
    def start_token(self) -> int:
        """The first token of an encoder–decoder's sequences."""
        return self.start_of(self.generation_config)

    def start_of(self, options: GenerationConfig) -> int:
        """Return the first token of sequences that are generated with these options."""
        stored = self.config.extra.get("decoder_start_token_id")
        for token in (options.decoder_start_token_id, stored, options.bos_token_id):
            if token is not None:
                return int(token)
        return self.config.pad_token_id or 0

    def shift_right(self, labels: Tensor) -> Tensor:
        """Return the decoder's input for `labels` (b, w): the first token, and all labels but the last."""
        shifted = torch.cat([labels.new_full((len(labels), 1), self.start_token), labels[:, :-1]], dim=1)
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id or 0)


def _same_count(read: int, written: int) -> None:
    if read != written:
        raise InputError(
            f"there are {read} rows to read, and {written} of decoder_input_ids; pass one for each.",
            f"hay {read} filas que leer, y {written} de decoder_input_ids; pasa una para cada una.",
        )


def _matched(memory: Tensor, packed: Packed, padding: Padding, written: Packed, ends: Padding) -> tuple[Tensor, Layout]:
    """Return the encoder's output (u, hidden) in the order of the targets, and the layout of cross-attention."""
    place = {row: i for i, row in enumerate(padding.order.tolist())}
    parts = memory.split(packed.lengths)
    wanted = ends.order.tolist()
    if empty := [row for row in wanted if row not in place]:
        raise InputError(
            f"row {empty[0]} of attention_mask has no token to attend to; leave the row out.",
            f"la fila {empty[0]} de attention_mask no tiene ningún token al que atender; quita la fila.",
        )
    chosen = [parts[place[row]] for row in wanted]
    return torch.cat(chosen) if chosen else memory, Layout(written.lengths, tuple(map(len, chosen)))
