"""The logits processors of `transformers` by name: classes made from a table, around the rules of `logits.py`.

https://huggingface.co/docs/transformers/internal/generation_utils#logitsprocessor
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Parameter, Signature
from typing import Any, ClassVar

import torch
from torch import Tensor

from gatonegro.generation.hypothesis import Hypothesis
from gatonegro.generation.logits import NEG_INF, logits_processors
from gatonegro.generation.options import GenerationOptions

DEFAULTS = {"filter_value": NEG_INF, "min_tokens_to_keep": 1, "device": "cpu"}
# class → parameters, with their option where it has another name; those that follow `;` have defaults
TABLE = {
    "MinLengthLogitsProcessor": "min_length eos_token_id ; device",
    "MinNewTokensLengthLogitsProcessor": "prompt_length_to_skip min_new_tokens eos_token_id ; device",
    "TemperatureLogitsWarper": "temperature",
    "RepetitionPenaltyLogitsProcessor": "penalty:repetition_penalty ; prompt_ignore_length",
    "EncoderRepetitionPenaltyLogitsProcessor": "penalty:encoder_repetition_penalty encoder_input_ids",
    "TopPLogitsWarper": "top_p ; filter_value min_tokens_to_keep",
    "TopKLogitsWarper": "top_k ; filter_value min_tokens_to_keep",
    "TopHLogitsWarper": "top_h ; filter_value",
    "MinPLogitsWarper": "min_p ; filter_value min_tokens_to_keep",
    "TypicalLogitsWarper": "mass:typical_p ; filter_value min_tokens_to_keep",
    "EpsilonLogitsWarper": "epsilon:epsilon_cutoff ; filter_value min_tokens_to_keep",
    "EtaLogitsWarper": "epsilon:eta_cutoff ; filter_value min_tokens_to_keep device",
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

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        raise NotImplementedError


class LogitsProcessorList(list[Any]):
    """A list of logits processors, applied one after another."""

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        for processor in self:
            scores = processor(input_ids, scores, **kwargs)
        return scores


class RuleProcessor(LogitsProcessor):
    """A logits processor of `transformers`, which applies the rule of one option of generation."""

    __signature__: ClassVar[Signature]
    option: ClassVar[str | None]  # which `generate` leaves to this processor
    names: ClassVar[dict[str, str]]  # parameter → option

    def __init__(self, *args: Any, **kwargs: Any):
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        values = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in bound.arguments.items()}
        vars(self).update(values)
        options: dict[str, Any] = {"top_k": 0} | ({str(self.option): True} if self.option in SWITCHES.values() else {})
        options |= {self.names[k]: v for k, v in values.items() if k in self.names and v is not None}
        self.options = GenerationOptions(**options)  # which checks them

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        values, rows = vars(self), input_ids.tolist()
        width, count = input_ids.shape[1], len(rows)
        sources: Sequence[Sequence[int]] = values.get("encoder_input_ids", rows)
        skipped = values.get("prompt_length_to_skip", values.get("input_ids_seq_length", values.get("begin_index", 0)))
        hyps = [Hypothesis(ids, skipped, i * len(sources) // count) for i, ids in enumerate(rows)]
        if values.get("prompt_ignore_length") is not None:
            ignored = torch.as_tensor(values["prompt_ignore_length"]).expand(count).tolist()
            hyps = [Hypothesis(hyp.ids[n:], 0, hyp.source) for hyp, n in zip(hyps, ignored, strict=True)]
        function, allowed = values.get("prefix_allowed_tokens_fn"), None
        if function is not None:
            ids = {id(hyp): (i // values["num_beams"], input_ids[i]) for i, hyp in enumerate(hyps)}
            allowed = lambda hyp: function(*ids[id(hyp)])  # noqa: E731
        max_lengths = [values.get("max_length", width + 2)] * max(1, len(sources))
        min_tokens = values.get("min_tokens_to_keep", 1)
        rules = logits_processors(self.options, sources, max_lengths, allowed, min_tokens=min_tokens)
        out = scores.float().clone()
        rules.process(out, hyps)
        if self.options.renormalize_logits:
            out = out.log_softmax(-1)
        if values.get("filter_value", NEG_INF) != NEG_INF:
            out[out.isneginf() & ~scores.isneginf()] = values["filter_value"]
        return out.to(scores.dtype)


def _class(name: str, table: str) -> type[RuleProcessor]:
    required, _, others = (part.split() for part in table.partition(";"))
    pairs = [parameter.partition(":")[::2] for parameter in (*required, *others)]
    parameters = [
        Parameter(
            parameter,
            Parameter.POSITIONAL_OR_KEYWORD,
            default=DEFAULTS.get(parameter) if i >= len(required) else Parameter.empty,
        )
        for i, (parameter, _) in enumerate(pairs)
    ]
    known = GenerationOptions.__dataclass_fields__
    names = {a: b or a for a, b in pairs if (b or a) in known}
    others_than = [option for option in names.values() if option not in ("eos_token_id", "max_length")]
    option = SWITCHES.get(name) or next(iter(others_than), None)
    body = {"__signature__": Signature(parameters), "names": names, "option": option, "__module__": __name__}
    doc = f"`{name}` of `transformers`" + (f", the rule of the option `{option}`." if option else ".")
    return type(name, (RuleProcessor,), {**body, "__doc__": doc})


CLASSES = {name: _class(name, table) for name, table in TABLE.items()}
globals().update(CLASSES)  # for pickle
