"""Models that write: an encoder–decoder, or a decoder alone, and the padded face of `transformers` around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.models.model import Model
from gatonegro.models.output import ModelOutput
from gatonegro.nn.attention import Kept, Keys
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import Embeddings, Encoder
from gatonegro.nn.heads import HEADS
from gatonegro.packing import Layout, Packed, Padding, from_padded
from gatonegro.wording import both


class LanguageModel(Model):
    """What comes next, token by token: of what was written so far and, with an encoder, of what was read."""

    decoder: Decoder

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
            memory, cross, kept: see `Decoder.forward`.
            layout: with `kept`, where each sequence's new tokens and all its keys are.
        """
        if self.config.decoder is None:
            x = self.embeddings(packed)
        else:
            x = self.decoder_embeddings(packed, self.embeddings.tokens)
        return self.decoder(x, layout or packed.layout, memory, cross, kept)

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
        return_dict: bool | None = None,
    ) -> ModelOutput | tuple[Any, ...]:
        """A padded batch in, a `ModelOutput` out, as in `transformers`.

        Args:
            input_ids: (b, s) of the vocabulary; or `inputs_embeds` (b, s, hidden) in their place.
            attention_mask: (b, s), 0 where there is no token; any pattern.
            decoder_input_ids: (b, w), what is written so far; else made of `labels`, one place later.
            decoder_attention_mask: (b, w).
            labels: (b, w), or (b, s) for a decoder alone; -100 for "none". The loss is the mean over tokens.
            return_dict: False gives a tuple of what there is.
        """
        packed, padding = from_padded(self.config, input_ids, attention_mask, None, position_ids, inputs_embeds)
        out = ModelOutput()
        if self.config.decoder is None:
            x, ends = self.decode(packed), padding
        else:
            if decoder_input_ids is None:
                if labels is None:
                    raise InputError(
                        both(
                            "an encoder–decoder needs decoder_input_ids, what is written so far, or labels; to let it "
                            "write, use gatonegro.generate(model, …) or a pipeline.",
                            "un codificador–decodificador necesita decoder_input_ids, lo que hay escrito, o labels; "
                            "para que escriba, usa gatonegro.generate(model, …) o un pipeline.",
                        )
                    )
                decoder_input_ids = self.shift_right(labels)
            memory = self.encode(packed)  # (u, hidden)
            written, ends = from_padded(self.config.decoder, decoder_input_ids, decoder_attention_mask)
            x = self.decode(written, *_matched(memory, packed, padding, written, ends))  # (t, hidden)
            out.encoder_last_hidden_state = padding.restore(memory)
            packed = written
        if self.head is None:
            out.last_hidden_state = ends.restore(x)
        else:
            out.logits = ends.restore(self.next(x, packed))
        if labels is not None:
            if out.logits is None or labels.shape != out.logits.shape[:2]:
                raise InputError(
                    both(
                        f"labels are of shape {tuple(labels.shape)}, and what is written of shape {tuple(ends.keep.shape)}.",
                        f"labels es de forma {tuple(labels.shape)}, y lo escrito de forma {tuple(ends.keep.shape)}.",
                    )
                )
            logits, wanted = out.logits, labels
            if self.config.decoder is None:  # each token is asked for the one behind it
                logits, wanted = logits[:, :-1], labels[:, 1:]
            out.loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten().long())
        return out.to_tuple() if return_dict is False else out

    def shift_right(self, labels: Tensor) -> Tensor:
        """What a decoder reads to write `labels` (b, w): the token that it begins with, and all labels but the last."""
        start = self.config.extra.get("decoder_start_token_id", self.config.pad_token_id)
        shifted = torch.cat([labels.new_full((len(labels), 1), start), labels[:, :-1]], dim=1)
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id or 0)


def _matched(memory: Tensor, packed: Packed, padding: Padding, written: Packed, ends: Padding) -> tuple[Tensor, Layout]:
    """The encoder's result (u, hidden) in the order of what is written, and where each sequence looks."""
    place = {row: i for i, row in enumerate(padding.order.tolist())}
    parts = memory.split(packed.lengths)
    wanted = ends.order.tolist()
    if empty := [row for row in wanted if row not in place]:
        raise InputError(
            both(
                f"row {empty[0]} of attention_mask has no token to look at; leave the row out.",
                f"la fila {empty[0]} de attention_mask no tiene ningún token que mirar; quita la fila.",
            )
        )
    found = [parts[place[row]] for row in wanted]
    return torch.cat(found) if found else memory, Layout(written.lengths, tuple(map(len, found)))
