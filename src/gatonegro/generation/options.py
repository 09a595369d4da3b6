"""`GenerationOptions`: the options of one text generation, with checks and defaults, named as in `transformers`.

https://huggingface.co/docs/transformers/main_classes/text_generation#transformers.GenerationConfig
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, number, one_of, short_repr, whole
from gatonegro.compat import ARGUMENTS, check_of, did_you_mean
from gatonegro.errors import OptionError
from gatonegro.i18n import Message, catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
DEFAULT_NEW_TOKENS = 20  # where no limit is set, as in the reference
MAX_SEQUENCES = 1000  # largest number of beams, or of sequences per source: more would fill the memory
# options with token ids: a single id in the first five, lists, or lists of lists, in the others
TOKEN_ID_OPTIONS = (
    "forced_bos_token_id", "forced_eos_token_id", "bos_token_id", "pad_token_id", "decoder_start_token_id",
    "eos_token_id", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens",
)  # fmt: skip
# options that add fields to the output of `generate`
OUTPUT_OPTIONS = (
    "return_dict_in_generate", "output_scores", "output_logits", "output_attentions", "output_hidden_states",
)  # fmt: skip
NON_NEGATIVE = whole(0, 2**31 - 1)
TOKEN_IDS = Check(
    lambda x: isinstance(x, list | tuple) and all(map(NON_NEGATIVE.test, x)),
    Message("a list of token ids", "una lista de ids de tokens"),
)


def _pairs(bias: Any) -> list[Any]:
    return list(bias.items() if isinstance(bias, dict) else bias)


def _is_bias(pair: Any) -> bool:
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2
    return is_pair and TOKEN_IDS.test(pair[0]) and len(pair[0]) > 0 and number().test(pair[1])


OPTION_CHECKS: dict[str, Check] = {  # by field of `GenerationOptions`
    **dict.fromkeys(("max_length", "max_new_tokens"), whole(1, 2**31 - 1)),
    **dict.fromkeys((
        "min_length", "min_new_tokens", "top_k", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "seed",
        *TOKEN_ID_OPTIONS[:5],
    ), NON_NEGATIVE),
    **dict.fromkeys(("num_beams", "num_return_sequences"), whole(1, MAX_SEQUENCES)),
    "length_penalty": number(-100, 100),
    **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty", "temperature"), number(0.0001, 10_000)),
    **dict.fromkeys(("top_p", "typical_p"), number(0, 1, open_low=True)),
    "min_p": number(0, 1),
    "max_time": number(0),
    "early_stopping": one_of(True, False, "never"),
    **dict.fromkeys(("renormalize_logits", "do_sample", "stop_loops", "remove_invalid_values", *OUTPUT_OPTIONS), FLAG),
    "eos_token_id": Check(
        lambda x: NON_NEGATIVE.test(x) or TOKEN_IDS.test(x),
        Message("the id of a token, or a list of them", "el id de un token, o una lista de ellos"),
    ),
    "bad_words_ids": Check(
        lambda x: isinstance(x, list | tuple) and all(TOKEN_IDS.test(word) and word for word in x),
        Message("a list of lists of token ids", "una lista de listas de ids de tokens"),
    ),
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens"), TOKEN_IDS),
    "sequence_bias": Check(
        lambda x: isinstance(x, list | tuple | dict) and all(map(_is_bias, _pairs(x))),
        Message("a list of pairs [token ids, number]", "una lista de pares [ids de tokens, número]"),
    ),
    "exponential_decay_length_penalty": Check(
        lambda x: isinstance(x, list | tuple) and len(x) == 2 and NON_NEGATIVE.test(x[0]) and number(0).test(x[1]),
        Message("a pair (first token, factor)", "un par (primer token, factor)"),
    ),
    "stop_strings": Check(
        lambda x: TEXT.test(x) or (isinstance(x, list | tuple) and x != [] and all(map(TEXT.test, x))),
        Message("a text, or a list of texts", "un texto, o una lista de textos"),
    ),
}  # fmt: skip


# the reference's options that are not supported or have no effect
UNSUPPORTED_OPTIONS = {name: check_of(row) for name, row in ARGUMENTS["GenerationConfig"].items()}


@dataclass(frozen=True)
class GenerationOptions:
    """The options of text generation, where None turns an option off or leaves it to the model's files."""

    max_length: int | None = None  # tokens of the decoder, with the prompt
    max_new_tokens: int | None = None  # overrides max_length
    min_length: int = 0
    min_new_tokens: int | None = None
    num_beams: int = 1
    num_return_sequences: int = 1
    length_penalty: float = 1.0  # score = sum of log-probabilities / length ** length_penalty
    early_stopping: bool | str = False
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50  # 0: all
    top_p: float = 1.0
    renormalize_logits: bool = False  # normalise log-probabilities without masked tokens
    seed: int | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    bad_words_ids: list[list[int]] | None = None
    suppress_tokens: list[int] | None = None
    begin_suppress_tokens: list[int] | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None
    stop_loops: bool = False  # end a sequence that repeats itself
    stop_strings: str | list[str] | None = None
    max_time: float | None = None  # seconds
    min_p: float | None = None
    typical_p: float = 1.0
    encoder_repetition_penalty: float = 1.0
    exponential_decay_length_penalty: list[float] | None = None  # first new token, factor per token
    sequence_bias: Any = None  # pairs of token ids and the number that is added to the last one's logit
    remove_invalid_values: bool = False
    return_dict_in_generate: bool = False
    output_scores: bool = False
    output_logits: bool = False
    output_attentions: bool = False
    output_hidden_states: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                OPTION_CHECKS[field.name](field.name, value)

    @property
    def eos_ids(self) -> list[int]:
        """The ids of the end-of-sequence tokens, as a list."""
        ids = self.eos_token_id
        return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)

    @property
    def fill_id(self) -> int:
        """The id of the token that follows a finished sequence in a padded batch."""
        return self.pad_token_id if self.pad_token_id is not None else (self.eos_ids or [0])[0]

    @property
    def biases(self) -> list[tuple[list[int], float]]:
        """The option `sequence_bias` as pairs (token ids, number)."""
        return [(list(ids), float(bias)) for ids, bias in _pairs(self.sequence_bias or ())]

    def with_options(self, options: Mapping[str, Any]) -> GenerationOptions:
        """Return a copy of the generation options with new values for some; None leaves an option unchanged.

        Raises:
            OptionError: an option is unknown, or has an invalid value.
        """
        for name, value in options.items():
            if name in UNSUPPORTED_OPTIONS:
                UNSUPPORTED_OPTIONS[name](name, value)
            elif name not in OPTION_CHECKS and value is not None:
                hint, shown = did_you_mean(name, OPTION_CHECKS), short_repr(value)
                raise OptionError(
                    f"{name}={shown} is not supported.{hint.en}", f"{name}={shown} no se admite.{hint.es}"
                )
        named = {name: value for name, value in options.items() if name in OPTION_CHECKS and value is not None}
        if "max_length" in named and "max_new_tokens" not in named:
            named["max_new_tokens"] = None  # a call's limit, by either name, overrides a file's
        changed = replace(self, **named)
        if changed.num_return_sequences > changed.num_beams and not changed.do_sample:
            raise OptionError(
                *MESSAGES["num_beams"].format(
                    num_return_sequences=changed.num_return_sequences, num_beams=changed.num_beams
                )
            )
        return changed

    def check_ids(self, vocab_size: int) -> None:
        """Raise OptionError if a generation option has a token id outside the vocabulary."""
        for name in (*TOKEN_ID_OPTIONS, "sequence_bias"):
            value = [ids for ids, _ in self.biases] if name == "sequence_bias" else getattr(self, name)
            values = [value] if isinstance(value, int) else value or ()
            ids = (i for x in values for i in ([x] if isinstance(x, int) else x))
            if wrong := [i for i in ids if i >= vocab_size]:
                raise OptionError(*MESSAGES["token_id"].format(name=name, token=wrong[0], last=vocab_size - 1))

    def max_length_after(self, prompt_length: int) -> int:
        """Return the maximum length of a generated sequence, including its prompt of `prompt_length` tokens."""
        if self.max_new_tokens is None and self.max_length is not None:
            return self.max_length
        return prompt_length + (DEFAULT_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens)
