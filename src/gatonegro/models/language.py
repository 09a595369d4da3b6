"""Models that write: an encoder–decoder, or a decoder alone, and the padded face of `transformers` around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError, MissingHeadError
from gatonegro.generation import GenerationConfig, Written, write
from gatonegro.models.model import Model
from gatonegro.models.output import ModelOutput
from gatonegro.nn.attention import Kept, Keys, Seen
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS
from gatonegro.nn.watch import layer_attentions, layer_outputs, watch
from gatonegro.packing import Layout, Packed, Padding, from_padded, odd_one, pack, whole_tensor


class LanguageModel(Model):
    """What comes next, token by token: of what was written so far and, with an encoder, of what was read."""

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
        memory: Tensor | Sequence[Keys] | None = None,
        cross: Layout | None = None,
        kept: Sequence[Kept] | None = None,
        layout: Layout | None = None,
    ) -> Tensor:
        """Hidden states of the decoder's last layer. (t, hidden)

        Args:
            memory: the encoder's result (u, hidden), or what `Decoder.keys_of` made of it.
            cross, kept: see `Decoder.forward`.
            layout: with `kept`, where each sequence's new tokens and all its keys are.
        """
        if self.config.decoder is None:
            x = self.embeddings(packed)
        else:
            x = self.decoder_embeddings(packed, self.embeddings.tokens)
        if isinstance(memory, Tensor):
            memory = self.decoder.keys_of(memory)
        return self.decoder(x, layout or packed.layout, memory, cross, kept)

    def encode(self, packed: Packed) -> Tensor:
        """Hidden states (t, hidden) of what is read: the encoder's, or those of a decoder alone."""
        return super().encode(packed) if self.config.decoder is not None else self.decode(packed)

    def next(self, x: Tensor, packed: Packed) -> Tensor:
        """A score a word of the vocabulary for what follows each of these hidden states. (t, vocab)"""
        return x if self.head is None else self.head(x, packed, self.embeddings.tokens)

    def run(self, packed: Packed, at: Tensor | None = None, written: Packed | None = None) -> Tensor:
        """Scores (t, vocab) for what follows each token of `written`, each sequence of which continues what the
        encoder reads in the sequence of `packed` at its place; of a decoder alone, for what follows those of `packed`.
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
        """A padded batch in, a `ModelOutput` out, as in `transformers`.

        Args:
            input_ids: (b, s) of the vocabulary; or `inputs_embeds` (b, s, hidden) in their place.
            attention_mask: (b, s), 0 where there is no token; any pattern. T5 measures distances in tokens, so
                that with holes between tokens its numbers are not the reference's.
            decoder_input_ids: (b, w), what is written so far; else made of `labels`, one place later.
            decoder_attention_mask: (b, w).
            labels: (b, w), or (b, s) for a decoder alone; -100 for "none". The loss is the mean over tokens.
            output_attentions, output_hidden_states: also return what each layer computed.
            return_dict: False gives a tuple of what there is.
        """
        packed, padding = from_padded(self.config, input_ids, attention_mask, None, position_ids, inputs_embeds)
        out, read = ModelOutput(), padding
        looking: AbstractContextManager[dict] = nullcontext({})
        if output_attentions or output_hidden_states:
            looking = watch(self)
        if self.config.decoder is None:
            with looking as seen:
                x = self.decode(packed)
        else:
            if decoder_input_ids is None:
                if labels is None:
                    raise InputError(
                        "an encoder–decoder needs decoder_input_ids, what is written so far, or labels; to let it "
                        "write, use model.generate(…) or a pipeline.",
                        "un codificador–decodificador necesita decoder_input_ids, lo que hay escrito, o labels; "
                        "para que escriba, usa model.generate(…) o un pipeline.",
                    )
                decoder_input_ids = self.shift_right(labels)
            written, padding = from_padded(self.config.decoder, decoder_input_ids, decoder_attention_mask)
            _same_count(len(read.keep), len(padding.keep))
            with looking as seen:
                memory = self.encode(packed)  # (u, hidden)
                x = self.decode(written, *_matched(memory, packed, read, written, padding))  # (t, hidden)
            out.encoder_last_hidden_state = read.restore(memory)
            packed = written
        if output_hidden_states or output_attentions:
            self._tell(out, seen, read, padding, output_hidden_states, output_attentions)
        if self.head is None:
            out.last_hidden_state = padding.restore(x)
        else:
            out.logits = padding.restore(self.next(x, packed))
        if labels is not None:
            if out.logits is None or labels.shape != out.logits.shape[:2]:
                raise InputError(
                    f"labels are of shape {tuple(labels.shape)}, and what is written of shape "
                    f"{tuple(padding.keep.shape)}.",
                    f"labels es de forma {tuple(labels.shape)}, y lo escrito de forma {tuple(padding.keep.shape)}.",
                )
            logits, wanted = out.logits, labels
            if self.config.decoder is None:  # each token is asked for the one behind it
                logits, wanted = logits[:, :-1], labels[:, 1:]
            out.loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten().long())
        return out.to_tuple() if return_dict is False else out

    def _tell(
        self, out: ModelOutput, seen: dict, read: Padding, written: Padding, hidden: bool, attentions: bool
    ) -> None:
        """What `watch` saw, as `transformers` names and pads it."""
        own = self.config.decoder
        stacks = [("encoder", "embeddings", read, self.config), ("decoder", "decoder_embeddings", written, own)]
        if own is None:
            stacks = [("decoder", "embeddings", written, self.config)]
        for stack, begun, padding, config in stacks:
            assert config is not None
            front = f"{stack}_" if own is not None else ""
            if hidden:
                states = layer_outputs(self, seen, stack, begun)
                setattr(out, f"{front}hidden_states", tuple(padding.restore(x) for x in states))
            if attentions:
                layers = layer_attentions(self, seen, stack)
                setattr(out, f"{front}attentions", _restored(layers, config, padding))
        if attentions and own is not None:
            layers = layer_attentions(self, seen, "decoder", "cross_attention")
            out.cross_attentions = _restored(layers, own, written, read)

    def _other_files(self) -> dict[str, dict[str, Any]]:
        said = {f.name: getattr(self.generation_config, f.name) for f in fields(GenerationConfig)}
        return {"generation_config.json": {k: v for k, v in said.items() if v != getattr(GenerationConfig, k)}}

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """What the model writes for each row, as `transformers`' `generate` gives it. (b · num_return_sequences, w)

        Args:
            input_ids: (b, s) for the encoder to read, or for a decoder alone to go on from.
            attention_mask: (b, s), 0 where there is no token.
            decoder_input_ids: (b, w), what is written already, `decoder_start_token_id` in front of it or not.
            options: those of `GenerationConfig`; what is not named is as the model's files say.

        Raises:
            OptionError: an option that is not known, or whose value makes no sense.
            InputError: a row without a token, or too long for the model.
        """
        self._check_head()
        config = self.generation_config.with_options(options)
        rows = _rows("input_ids", input_ids, attention_mask, self.config.vocab_size)
        width = input_ids.shape[1] if input_ids is not None else 0
        if self.config.decoder is None:
            sources, beginnings = None, rows
            if decoder_input_ids is not None:
                raise InputError(
                    "decoder_input_ids are for an encoder–decoder; this model goes on from input_ids.",
                    "decoder_input_ids es para un codificador–decodificador; este modelo sigue a input_ids.",
                )
        else:
            sources, width = rows, 1
            start = self.start_of(config)
            beginnings = [[start]] * len(rows)
            if decoder_input_ids is not None:
                beginnings = _rows("decoder_input_ids", decoder_input_ids, None, self.config.vocab_size)
                if all(ids[0] != start for ids in beginnings):
                    beginnings = [[start, *ids] for ids in beginnings]
                width = max(map(len, beginnings))
        if config.max_new_tokens is None and config.max_length is not None:  # which counts padding
            config = replace(config, max_length=None, max_new_tokens=max(1, config.max_length - width))
        written = [one for some in self.write(sources, beginnings, config) for one in some]
        pad = config.pad_token_id if config.pad_token_id is not None else (config.ends or [0])[0]
        if self.config.decoder is None and written:  # as it was padded
            fronts = [row for row in input_ids.tolist() for _ in range(config.num_return_sequences)]  # type: ignore
            ids = [[*front, *one.new] for front, one in zip(fronts, written, strict=True)]
        else:
            ids = [one.ids for one in written]
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
        """What the model writes, without padding: of each source `num_return_sequences` sequences, the best first.

        Args:
            sources: ids of each text; for a decoder alone None, and `beginnings` are the texts.
            beginnings: ids that each sequence begins with; else `decoder_start_token_id`.
            put: is told each token of a single sequence as soon as it is chosen.
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
        """Return what each token of a target looks at in its source, the mean of a layer's heads. (target, source)

        A token's row is that in which it is written. Of the layers, the last but one: https://arxiv.org/abs/1909.02074.
        """
        assert self.config.decoder is not None
        read, written = pack([source], self.config), pack([[self.start_token, *target]], self.config.decoder)
        name = f"decoder.layers.{max(0, len(self.decoder.layers) - 2)}.cross_attention.attend"
        with watch(self) as seen:
            memory = self.encode(read.to(self.device))
            self.decode(written.to(self.device), memory, Layout(written.lengths, read.lengths))
        return seen[name][0][0].probs.mean(0)[:-1].float().cpu().numpy()  # type: ignore[union-attr]

    @property
    def start_token(self) -> int:
        """The token that an encoder–decoder's sequences begin with."""
        return self.start_of(self.generation_config)

    def start_of(self, own: GenerationConfig) -> int:
        """The same, where a call may name another."""
        files = self.config.extra
        for token in (own.decoder_start_token_id, files.get("decoder_start_token_id"), own.bos_token_id):
            if token is not None:
                return int(token)
        return self.config.pad_token_id or 0

    def shift_right(self, labels: Tensor) -> Tensor:
        """What a decoder reads to write `labels` (b, w): the token that it begins with, and all labels but the last."""
        shifted = torch.cat([labels.new_full((len(labels), 1), self.start_token), labels[:, :-1]], dim=1)
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id or 0)


def _restored(
    layers: Sequence[Sequence[Seen]], config: Config, padding: Padding, read: Padding | None = None
) -> tuple[Tensor, ...]:
    """The probabilities of each layer's attention, padded."""
    heads = config.num_attention_heads
    return tuple(padding.restore_square([one.probs for one in layer], heads, read) for layer in layers)


def _rows(name: str, ids: Tensor | None, mask: Tensor | None, vocabulary: int) -> list[list[int]]:
    """The ids of each row that the mask shows."""
    ids = whole_tensor(name, ids)
    if ids is None or ids.dim() != 2:
        raise InputError(
            f"{name} must be a tensor of ids of shape (batch, length); with the tokenizer's return_tensors='pt', a "
            "batch is passed with two stars: model.generate(**batch).",
            f"{name} debe ser un tensor de ids de forma (lote, longitud); con return_tensors='pt' en el "
            "tokenizador, un lote se pasa con dos asteriscos: model.generate(**batch).",
        )
    if mask is not None and (not isinstance(mask, Tensor) or mask.shape != ids.shape):
        found = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise InputError(
            f"attention_mask ({found}) must have the shape of {name}, {tuple(ids.shape)}; pass the tokenizer's own.",
            f"attention_mask ({found}) debe tener la forma de {name}, {tuple(ids.shape)}; pasa la del tokenizador.",
        )
    if ids.numel() and not 0 <= (wrong := odd_one(ids)) < vocabulary:
        raise InputError(
            f"{name} has the id {wrong}, and the model's vocabulary is 0 … {vocabulary - 1}: it is that of another "
            "tokenizer.",
            f"{name} tiene el id {wrong}, y el vocabulario del modelo es 0 … {vocabulary - 1}: es el de otro "
            "tokenizador.",
        )
    keep = torch.ones_like(ids) if mask is None else mask
    rows = [row[seen > 0].tolist() for row, seen in zip(ids, keep, strict=True)]
    if not all(rows):
        raise InputError(
            f"row {rows.index([])} of {name} has no token.",
            f"la fila {rows.index([])} de {name} no tiene ningún token.",
        )
    return rows


def _same_count(read: int, written: int) -> None:
    if read != written:
        raise InputError(
            f"there are {read} rows to read, and {written} of decoder_input_ids; pass one for each.",
            f"hay {read} filas que leer, y {written} de decoder_input_ids; pasa una para cada una.",
        )


def _matched(memory: Tensor, packed: Packed, padding: Padding, written: Packed, ends: Padding) -> tuple[Tensor, Layout]:
    """The encoder's result (u, hidden) in the order of what is written, and where each sequence looks."""
    place = {row: i for i, row in enumerate(padding.order.tolist())}
    parts = memory.split(packed.lengths)
    wanted = ends.order.tolist()
    if empty := [row for row in wanted if row not in place]:
        raise InputError(
            f"row {empty[0]} of attention_mask has no token to look at; leave the row out.",
            f"la fila {empty[0]} de attention_mask no tiene ningún token que mirar; quita la fila.",
        )
    found = [parts[place[row]] for row in wanted]
    return torch.cat(found) if found else memory, Layout(written.lengths, tuple(map(len, found)))
