"""`Generator`: the methods by which a language model generates text, with the API of `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.compat import accepts
from gatonegro.compat.border import MESSAGES as COMPAT_MESSAGES
from gatonegro.errors import InputError, OptionError
from gatonegro.generation import (
    OPTION_CHECKS,
    Extras,
    Generated,
    GenerationConfig,
    GenerationOptions,
    RuleProcessor,
    criteria_of,
)
from gatonegro.models.model import MESSAGES
from gatonegro.models.output import CLASSES, ModelOutput
from gatonegro.padding import unpad_ids
from gatonegro.text_model import TextModel


class Generator(TextModel):
    """The methods of a language model that generate text; a base class of `LanguageModel`."""

    device: torch.device
    forward: Callable[..., Any]

    @torch.no_grad()
    @accepts("generate")
    def generate(
        self,
        inputs: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        logits_processor: Sequence[Callable[[Tensor, Tensor], Tensor]] | None = None,
        stopping_criteria: Sequence[Callable[..., Any]] | None = None,
        prefix_allowed_tokens_fn: Callable[[int, Tensor], Sequence[int]] | None = None,
        *,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        streamer: Any = None,
        tokenizer: Any = None,
        **options: Any,
    ) -> Tensor | ModelOutput:
        """Generate token ids for each input row of a padded batch, as `generate` in `transformers` does.

        Args:
            inputs: (b, s), the encoder's input or, without an encoder, the prompts; by default one bos token.
            generation_config: options that come before those of the model's files.
            logits_processor: functions (ids (b, w), scores (b, vocab)) → scores, called at every step.
            stopping_criteria: functions (ids (b, w), scores) → (b,), true for sequences that end.
            prefix_allowed_tokens_fn: function (row, ids (w,)) → the ids that may follow.
            input_ids: another name of `inputs`.
            attention_mask: (b, s), 0 for padding.
            decoder_input_ids: (b, w), the target so far, with or without `decoder_start_token_id` in front.
            decoder_attention_mask: (b, w).
            streamer: object with `put(ids)` and `end()`, such as a `TextStreamer`.
            tokenizer: the model's tokenizer, for `stop_strings`.
            options: fields of `GenerationConfig`, for this call.

        Returns:
            The generated ids, prompts included (b · num_return_sequences, w). With `return_dict_in_generate`, an output
            with them as `sequences`.

        Raises:
            OptionError: an option is unknown, or has an invalid value.
            InputError: a row is empty, or too long for the model.
            MissingHeadError: the model has no head.
        """
        self._check_head()
        config = self._options(generation_config, options)
        if inputs is not None and input_ids is not None:
            raise OptionError(*COMPAT_MESSAGES["twice"].format(name="inputs", other="input_ids"))
        ids = inputs if input_ids is None else input_ids
        if ids is None and self.config.decoder is None and config.bos_token_id is not None:
            ids = torch.tensor([[config.bos_token_id]])
        rows = unpad_ids("input_ids", ids, attention_mask, self.config.vocab_size)
        assert ids is not None
        given = ids.tolist()
        if self.config.decoder is None:
            sources, prompt_ids, padded = None, rows, given
            if decoder_input_ids is not None:
                raise InputError(*MESSAGES["decoder_only"])
        else:
            sources, start = rows, self.start_token_for(config)
            prompt_ids = [[start]] * len(rows)
            if decoder_input_ids is not None:
                name, vocab_size = "decoder_input_ids", self.config.vocab_size
                prompt_ids = unpad_ids(name, decoder_input_ids, decoder_attention_mask, vocab_size)
                if all(ids[0] != start for ids in prompt_ids):
                    prompt_ids = [[start, *ids] for ids in prompt_ids]
            padded = prompt_ids
        if config.max_new_tokens is None and config.max_length is not None:  # which counts padding
            width = max(map(len, padded), default=1)
            config = replace(config, max_length=None, max_new_tokens=max(1, config.max_length - width))
        config = _without(config, logits_processor or ())
        extras = Extras(
            given if sources is None else (),
            given,
            logits_processor or (),
            [*criteria_of(config, tokenizer), *(stopping_criteria or ())],
            prefix_allowed_tokens_fn,
            streamer,
            config.return_dict_in_generate,
        )
        outputs = self.generate_ids(sources, prompt_ids, config, extras)
        fill = config.fill_id
        if config.num_beams > 1 and config.eos_ids:  # as in the reference
            fill = config.pad_token_id or config.eos_ids[0]
        pairs = [(row, one) for row, sequences in zip(padded, outputs, strict=True) for one in sequences]
        sequences = self._padded([[*row, *one.new_ids] for row, one in pairs], fill)
        if not config.return_dict_in_generate:
            return sequences
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        source = {"input_ids": ids, "attention_mask": mask}
        return _detailed_output(self, config, source, sequences, [one for _, one in pairs], extras)

    def _options(self, generation_config: GenerationConfig | None, options: dict[str, Any]) -> GenerationOptions:
        """Return the options of a call: its own, before those of its configuration, before the model's."""
        config = self.generation_config.resolve()
        if isinstance(generation_config, GenerationConfig):
            config = config.with_options(generation_config.to_diff_dict())
        elif generation_config is not None:
            raise OptionError(*MESSAGES["not_options"].format(kind=type(generation_config).__name__))
        cleared = {name: getattr(GenerationOptions, name) for name in OPTION_CHECKS if options.get(name, 0) is None}
        return replace(config, **cleared).with_options(options)

    def _padded(self, rows: Sequence[Sequence[int]], fill: int) -> Tensor:
        """Return sequences of ids as a tensor (rows, longest), filled on the right."""
        longest = max(map(len, rows), default=0)
        filled = [[*row, *[fill] * (longest - len(row))] for row in rows]
        return torch.tensor(filled, dtype=torch.long, device=self.device).view(len(rows), longest)

    def compute_transition_scores(
        self,
        sequences: Tensor,
        scores: Sequence[Tensor],
        beam_indices: Tensor | None = None,
        normalize_logits: bool = False,
    ) -> Tensor:
        """Return the score of each generated token (b, steps), 0 after the end of a sequence of beam search.

        Args:
            sequences: (b, w), from an output of `generate`, as are the others.
            scores: per step, (b · num_beams, vocab).
            beam_indices: (b, steps), -1 after the end of a sequence.
            normalize_logits: return log-probabilities.
        """
        stacked = torch.stack(tuple(scores), 1)  # (rows, steps, vocab)
        stacked = stacked.log_softmax(-1) if normalize_logits else stacked
        if beam_indices is None:
            beam_indices = torch.arange(len(stacked), device=sequences.device)[:, None].expand(-1, stacked.shape[1])
        steps = int((beam_indices >= 0).sum(1).max())
        beams, tokens = beam_indices[:, :steps].long(), sequences[:, sequences.shape[1] - steps :]
        columns = torch.arange(steps, device=sequences.device)
        return stacked[beams.clamp(min=0), columns, tokens].masked_fill(beams < 0, 0.0)


def _detailed_output(
    model: Generator,
    options: GenerationOptions,
    source: dict[str, Tensor],
    sequences: Tensor,
    generated: Sequence[Generated],
    extras: Extras,
) -> ModelOutput:
    """Return the output of `generate` with `return_dict_in_generate`; attentions and states need a pass per step.

    `source` has the arguments `input_ids` and `attention_mask` of `generate`.
    """
    flags = {name: getattr(options, name) for name in ("output_attentions", "output_hidden_states")}
    both, states = model.config.decoder is not None, []
    times = len(extras.reads[-1]) // len(source["input_ids"])  # rows per source
    source = {name: tensor.repeat_interleave(times, 0) for name, tensor in source.items()}
    for ids in extras.reads if any(flags.values()) else extras.reads[-1:]:
        read = torch.as_tensor(ids, device=sequences.device)
        if both:
            inputs = {**source, "decoder_input_ids": read}
        else:
            mask = F.pad(source["attention_mask"], (0, read.shape[1] - source["input_ids"].shape[1]), value=1)
            inputs = {"input_ids": read, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
        states.append(model.forward(**inputs, **flags, use_cache=True, return_dict=True))
    out: dict[str, Any] = {"sequences": sequences, "past_key_values": states[-1].past_key_values}
    if options.output_scores:
        out["scores"] = tuple(torch.as_tensor(scores, device=sequences.device) for scores in extras.scores)
    if options.output_logits:
        out["logits"] = tuple(torch.as_tensor(logits, device=sequences.device) for logits in extras.logits)
    if options.num_beams > 1:
        out["beam_indices"] = model._padded([one.beams for one in generated], -1).int()
        if options.output_scores:
            out["sequences_scores"] = torch.tensor([one.score for one in generated], device=sequences.device)
    prefix = "decoder_" if both else ""
    for name in (f"{prefix}attentions", f"{prefix}hidden_states", *(("cross_attentions",) if both else ())):
        if states[0].get(name) is not None:
            steps = enumerate(state[name] for state in states)
            out[name] = tuple(_last(layers, i > 0, "attentions" in name) for i, layers in steps)
    for name in ("encoder_attentions", "encoder_hidden_states"):
        if states[0].get(name) is not None:
            out[name] = tuple(layer[::times] for layer in states[0][name])
    kind = f"Generate{'Beam' * (options.num_beams > 1)}{'EncoderDecoder' if both else 'DecoderOnly'}Output"
    return CLASSES[kind](out)


def _last(layers: Sequence[Tensor], cut: bool, attentions: bool) -> tuple[Tensor, ...]:
    """Return a step's states of its last column alone, or of all columns for the first step."""
    return tuple((x[..., -1:, :] if attentions else x[:, -1:]) if cut else x for x in layers)


def _without(options: GenerationOptions, processors: Sequence[Any]) -> GenerationOptions:
    """Return options without those that the user's logits processors apply themselves."""
    names = [one.option for one in processors if isinstance(one, RuleProcessor) and one.option is not None]
    values: dict[str, Any] = {name: 0 if name == "top_k" else getattr(GenerationOptions, name) for name in names}
    return replace(options, **values)
