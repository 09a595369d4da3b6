"""`TextModel`: what pipelines, tasks and generation need of a model, whichever backend computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.config import Config
from gatonegro.errors import InputError, MissingHeadError, OptionError
from gatonegro.i18n import catalog
from gatonegro.packing import Layout, Packed, flat_ids, pack

if TYPE_CHECKING:
    from gatonegro.generation import Extras, Generated, GenerationConfig, GenerationOptions

# The methods import `generation` themselves: that takes time, and few models generate text.

MESSAGES = catalog(Path(__file__).parent / "generation" / "messages.json")
MAX_LOGIT_ROWS = 256  # tokens whose logits are computed at a time, which saves memory


class TextModel:
    """A Transformer model for texts: the base class of the models of both backends, numpy and PyTorch.

    Batches and layouts hold numpy arrays. Hidden states, keys, values and logits are what the model computes with,
    arrays or tensors.
    """

    config: Config
    task_head: str
    name_or_path: str
    precision: str  # "fp32", "bf16", "fp16" or "int8"; "" where it is the weights'
    stored_int8: bool  # the checkpoint holds int8 rows
    dtype: Any  # of the weights, where there is no precision
    generation_config: GenerationConfig
    encode: Callable[..., Any]  # (packed) → the encoder's last hidden states (t, hidden), or a lone decoder's
    project_memory: Callable[..., Any]  # (hidden states) → each decoder layer's keys and values of the encoder's output
    new_caches: Callable[..., Any]  # () → an empty key–value cache per decoder layer, with a method `select(rows)`
    # (packed, memory, cross, kv_caches, layout) → the decoder's last hidden states (t, hidden); fills the caches
    decode: Callable[..., Any]
    logits: Callable[..., Any]  # (hidden states, packed) → the head's output, such as next-token logits (t, vocab)
    cross_attention: Callable[..., np.ndarray]
    compiles_shapes = True  # operators may be compiled for a number of tokens, so that few numbers are better

    @property
    def device_type(self) -> str:
        """The kind of device on which the model computes, such as "cpu" or "cuda"."""
        return "cpu"

    def inference(self) -> AbstractContextManager[Any]:
        """Return a context in which the model's methods keep nothing for training."""
        return nullcontext()

    @property
    def generates(self) -> bool:
        """True if the model's head predicts a decoder's next tokens."""
        return self.task_head in ("causal-lm", "seq2seq-lm")

    @property
    def reads_whole(self) -> bool:
        """True if the model's head reads sequences as a whole, and not each of their tokens."""
        return self.task_head in ("pooler", "sequence-classification")

    def run(self, packed: Packed, at: Any = None, target: Packed | None = None) -> Any:
        """Return the head's output for each sequence or token of a packed batch or, without a head, hidden states.

        Sequence i of `target`, which a decoder reads, attends to source i of `packed`; by default they are the same.
        With `at` (m,), indices of tokens, a head for tokens computes these only: (m, …) instead of (t, …).
        """
        x = self.encode(packed)  # (t, hidden)
        if self.config.decoder is None:
            target = packed
        else:
            target = self._target_of(packed) if target is None else target
            x = self.decode(target, self.project_memory(x), Layout(target.lengths, packed.lengths))
        return self.logits(x if at is None else x[at], target)

    def _target_of(self, packed: Packed) -> Packed:
        """Return what the decoder reads by default: the encoder's tokens, for a classifier after the start token."""
        if not self.reads_whole:
            return packed
        ids = packed.ids[np.arange(-1, len(packed.ids) - 1)]
        ids[packed.first_tokens] = self.start_token
        return replace(packed, ids=ids)

    def predict(
        self,
        ids: Sequence[Sequence[int]],
        *,
        token_types: Sequence[Sequence[int]] | None = None,
        queried: Sequence[Sequence[int]] | None = None,
        pad_to_multiple_of: int = 1,
        hidden: bool = False,
    ) -> list[np.ndarray]:
        """Return the head's output or, without a head, hidden states of each sequence, as float32 arrays.

        Args:
            ids: token ids per sequence.
            token_types: token type ids per sequence.
            queried: per sequence, indices of the tokens whose outputs are returned; the arrays are then (queried, …).
            pad_to_multiple_of: see `pack`; of models whose operators may be compiled for a shape.
            hidden: return hidden states (length, hidden) of the last layer instead of the head's output.
        """
        multiple = pad_to_multiple_of if self.compiles_shapes else 1
        packed = pack(ids, self.config, token_types, pad_to_multiple_of=multiple)
        rows = slice(None) if queried is None else packed.indices(queried)
        with self.inference():
            out = self.encode(packed)[rows] if hidden else self.run(packed, rows)
            out = out if isinstance(out, np.ndarray) else out.float().cpu().numpy()
        if not hidden and self.reads_whole:
            return list(out[: len(ids)])  # the rest is padding
        counts = map(len, ids if queried is None else queried)
        return np.split(out, np.cumsum(list(counts)))[: len(ids)]

    def embed(self, ids: Sequence[Sequence[int]], **options: Any) -> list[np.ndarray]:
        """Return the last layer's hidden states (length, hidden) of each sequence, with the options of `predict`."""
        return self.predict(ids, hidden=True, **options)

    def _check_head(self) -> None:
        if not self.generates or getattr(self, "head", True) is None:
            raise MissingHeadError(*MESSAGES["no_head"])

    def generate_ids(
        self,
        sources: Sequence[Sequence[int]] | None,
        prompt_ids: Sequence[Sequence[int]] | None = None,
        options: GenerationConfig | GenerationOptions | None = None,
        extras: Extras | None = None,
    ) -> list[list[Generated]]:
        """Generate `num_return_sequences` sequences of ids per source, best first in beam search, without padding.

        Args:
            sources: the encoder's ids per source; None without an encoder.
            prompt_ids: the decoder's first ids per source; default: `decoder_start_token_id`.
            options: the options of generation; default: those of the model's files.
            extras: the user's functions, and the record of the steps.

        Raises:
            OptionError: a token id is outside the vocabulary, the options mask every token, or a streamer meets beams.
            InputError: a prompt is empty or too long for the model, or the numbers of rows differ.
            MissingHeadError: the model has no head.
        """
        from gatonegro.generation import Extras, GenerationConfig, generate
        from gatonegro.generation.arrays import as_tensor

        self._check_head()
        options = self.generation_config if options is None else options
        if isinstance(options, GenerationConfig):
            options = options.resolve()
        options.check_ids(self.config.vocab_size)
        if prompt_ids is None:
            prompt_ids = [[self.start_token_for(options)]] * len(sources or ())
        if sources is not None:
            check_row_counts(len(sources), len(prompt_ids))
        flat_ids("decoder_input_ids", prompt_ids, self.config.vocab_size)
        max_tokens = (self.config.decoder or self.config).max_tokens
        for i, ids in enumerate(prompt_ids):
            if not 0 < len(ids) < max_tokens:
                raise InputError(*MESSAGES["prompt_length"].format(row=i, length=len(ids), most=max_tokens - 1))
        max_lengths = [min(options.max_length_after(len(ids)), max_tokens) for ids in prompt_ids]
        extras = Extras() if extras is None else extras
        if not extras.prompts:
            width = max(map(len, prompt_ids), default=0)
            extras.prompts = [[options.fill_id] * (width - len(ids)) + [*ids] for ids in prompt_ids]
        streamer = extras.streamer
        if streamer is not None and options.num_beams > 1:
            raise OptionError(*MESSAGES["stream_beams"])
        try:
            if streamer is not None:
                rows = [ids for ids in extras.prompts for _ in range(options.num_return_sequences)]
                streamer.put(as_tensor(np.array(rows)))
            return generate(self, sources, prompt_ids, max_lengths, options, extras)
        finally:
            if streamer is not None:
                streamer.end()

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
        from gatonegro.generation.arrays import logsumexp, to_numpy

        self._check_head()
        check_row_counts(len(sources), len(targets))
        assert self.config.decoder is not None
        packed = pack(sources, self.config)
        target = pack([[self.start_token, *ids[:-1]] for ids in targets], self.config.decoder)
        wanted = flat_ids("decoder_input_ids", targets, self.config.vocab_size)
        parts = [np.zeros(0, np.float32)]
        with self.inference():
            memory = self.project_memory(self.encode(packed))
            x = self.decode(target, memory, Layout(target.lengths, packed.lengths))  # (t, hidden)
            for i in range(0, len(wanted), MAX_LOGIT_ROWS):
                ids = wanted[i : i + MAX_LOGIT_ROWS]
                logits = to_numpy(self.logits(x[i : i + MAX_LOGIT_ROWS], target))  # (ids, vocab)
                parts.append(logits[np.arange(len(ids)), ids] - logsumexp(logits))
        return np.split(np.concatenate(parts), np.cumsum([len(ids) for ids in targets])[:-1]) if targets else []

    @property
    def start_token(self) -> int:
        """The id of the token with which the decoder starts every sequence."""
        return self.start_token_for(self.generation_config)

    def start_token_for(self, options: GenerationConfig | GenerationOptions) -> int:
        """Return the id of the token with which the decoder starts, under given generation options."""
        stored = self.config.extra.get("decoder_start_token_id")
        for token in (options.decoder_start_token_id, stored, options.bos_token_id):
            if token is not None:
                return int(token)
        return self.config.pad_token_id or 0


def check_row_counts(sources: int, targets: int) -> None:
    """Raise InputError unless there are as many sources as targets."""
    if sources != targets:
        raise InputError(*MESSAGES["row_counts"].format(sources=sources, targets=targets))
