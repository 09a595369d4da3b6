"""The logits processors of `transformers` by name: classes made from a table, around the rules of `logits.py`.

https://huggingface.co/docs/transformers/internal/generation_utils#logitsprocessor
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, field, make_dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from gatonegro.generation.arrays import is_tensor, log_softmax, quiet, to_numpy
from gatonegro.generation.hypothesis import Hypothesis
from gatonegro.generation.logits import logits_processors
from gatonegro.generation.options import GenerationOptions
from gatonegro.generation.topk import NEG_INF
from gatonegro.packing import Array

DEFAULTS = {"filter_value": NEG_INF, "min_tokens_to_keep": 1, "device": "cpu"}
# class → parameters, with their option where it has another name; those that follow `;` have defaults
TABLE = {
    "MinLengthLogitsProcessor": "min_length eos_token_id ; device",
    "MinNewTokensLengthLogitsProcessor": "prompt_length_to_skip min_new_tokens eos_token_id ; device",
    "TemperatureLogitsWarper": "temperature",
    "RepetitionPenaltyLogitsProcessor": "penalty:repetition_penalty",
    "EncoderRepetitionPenaltyLogitsProcessor": "penalty:encoder_repetition_penalty encoder_input_ids",
    "TopPLogitsWarper": "top_p ; filter_value min_tokens_to_keep",
    "TopKLogitsWarper": "top_k ; filter_value min_tokens_to_keep",
    "MinPLogitsWarper": "min_p ; filter_value min_tokens_to_keep",
    "TypicalLogitsWarper": "mass:typical_p ; filter_value min_tokens_to_keep",
    "NoRepeatNGramLogitsProcessor": "ngram_size:no_repeat_ngram_size",
    "EncoderNoRepeatNGramLogitsProcessor": "encoder_ngram_size:encoder_no_repeat_ngram_size encoder_input_ids",
    "SequenceBiasLogitsProcessor": "sequence_bias",
    "NoBadWordsLogitsProcessor": "bad_words_ids ; eos_token_id",
    "PrefixConstrainedLogitsProcessor": "prefix_allowed_tokens_fn num_beams",
    "ForcedBOSTokenLogitsProcessor": "bos_token_id:forced_bos_token_id",
    "ForcedEOSTokenLogitsProcessor": "max_length eos_token_id:forced_eos_token_id ; device",
    "InfNanRemoveLogitsProcessor": "",
    "ExponentialDecayLengthPenalty": "exponential_decay_length_penalty eos_token_id input_ids_seq_length",
    "LogitNormalization": "",
    "SuppressTokensAtBeginLogitsProcessor": "begin_suppress_tokens begin_index ; device",
    "SuppressTokensLogitsProcessor": "suppress_tokens ; device",
}
SWITCHES = {"InfNanRemoveLogitsProcessor": "remove_invalid_values", "LogitNormalization": "renormalize_logits"}


class LogitsProcessor:
    """Function (ids (b, w), scores (b, vocab)) → scores; the user's own derive from it."""

    def __call__(self, input_ids: Array, scores: Array) -> Array:
        raise NotImplementedError


class LogitsProcessorList(list[Any]):
    """A list of logits processors, applied one after another."""

    def __call__(self, input_ids: Array, scores: Array, **kwargs: Any) -> Array:
        for processor in self:
            scores = processor(input_ids, scores, **kwargs)
        return scores


class RuleProcessor(LogitsProcessor):
    """A logits processor of `transformers`, which applies the rule of one option of generation."""

    option: ClassVar[str | None]  # which `generate` leaves to this processor
    names: ClassVar[dict[str, str]]  # parameter → option

    def __post_init__(self) -> None:
        values = {name: v.tolist() if hasattr(v, "tolist") else v for name, v in vars(self).items()}
        vars(self).update(values)
        options: dict[str, Any] = {"top_k": 0} | ({str(self.option): True} if self.option in SWITCHES.values() else {})
        options |= {option: values[name] for name, option in self.names.items() if values[name] is not None}
        self.options = GenerationOptions(**options)  # which checks them

    def __call__(self, input_ids: Array, scores: Array) -> Array:
        values, rows = vars(self), input_ids.tolist()
        width, count = input_ids.shape[1], len(rows)
        sources: Sequence[Sequence[int]] = values.get("encoder_input_ids", rows)
        skipped = values.get("prompt_length_to_skip", values.get("input_ids_seq_length", values.get("begin_index", 0)))
        hyps = [Hypothesis(ids, skipped, i * len(sources) // count) for i, ids in enumerate(rows)]
        function, allowed = values.get("prefix_allowed_tokens_fn"), None
        if function is not None:
            allowed = lambda hyp: function(hyp.source // values["num_beams"], input_ids[hyp.source])  # noqa: E731
        max_lengths = [values.get("max_length", width + 2)] * max(1, len(sources))
        min_tokens = values.get("min_tokens_to_keep", 1)
        rules = logits_processors(self.options, sources, max_lengths, allowed, min_tokens=min_tokens)
        before = to_numpy(scores)
        out = before.copy()
        with quiet():
            rules.process(out, hyps)
        if self.options.renormalize_logits:
            out = log_softmax(out)
        if values.get("filter_value", NEG_INF) != NEG_INF:
            out[np.isneginf(out) & ~np.isneginf(before)] = values["filter_value"]
        return scores.new_tensor(out) if is_tensor(scores) else out.astype(scores.dtype)


@cache
def find_processor(name: str) -> type | None:
    """Return a class of the table, or None; it is built when it is first needed, which takes a millisecond."""
    if name not in TABLE:
        return None
    required, _, others = (part.split() for part in TABLE[name].partition(";"))
    names = {parameter: option or parameter for parameter, _, option in (entry.partition(":") for entry in required)}
    names |= {parameter: parameter for parameter in others}
    fields = [
        (parameter, Any, field(default=DEFAULTS.get(parameter) if parameter in others else MISSING))
        for parameter in names
    ]
    names = {a: b for a, b in names.items() if b in GenerationOptions.__dataclass_fields__}
    own = [option for option in names.values() if option not in ("eos_token_id", "max_length")]
    option = SWITCHES.get(name) or next(iter(own), None)
    doc = f"`{name}` of `transformers`" + (f", the rule of the option `{option}`." if option else ".")
    body = {"names": names, "option": option, "__module__": __name__, "__doc__": doc}
    return make_dataclass(name, fields, bases=(RuleProcessor,), namespace=body, eq=False)


def __getattr__(name: str) -> type:
    if (found := find_processor(name)) is not None:
        return found  # for pickle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
