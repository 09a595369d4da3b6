"""`GenerationConfig`: the options of text generation, with checks and defaults, named as in `transformers`.

https://huggingface.co/docs/transformers/main_classes/text_generation#transformers.GenerationConfig
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gatonegro.checks import FLAG, Check, number, one_of, short_repr, whole
from gatonegro.errors import ConfigError, GatonegroError, OptionError
from gatonegro.i18n import EMPTY, Message, catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
DEFAULT_NEW_TOKENS = 20  # where no limit is set, as in the reference
MAX_SEQUENCES = 1000  # largest number of beams, or of sequences per source: more would fill the memory
# options with token ids: a single id in the first five, lists, or lists of lists, in the others
TOKEN_ID_OPTIONS = (
    "forced_bos_token_id", "forced_eos_token_id", "bos_token_id", "pad_token_id", "decoder_start_token_id",
    "eos_token_id", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens",
)  # fmt: skip
NON_NEGATIVE = whole(0, 2**31 - 1)
TOKEN_IDS = Check(
    lambda x: isinstance(x, list | tuple) and all(map(NON_NEGATIVE.test, x)),
    Message("a list of token ids", "una lista de ids de tokens"),
)
OPTION_CHECKS: dict[str, Check] = {  # by field of `GenerationConfig`
    **dict.fromkeys(("max_length", "max_new_tokens"), whole(1, 2**31 - 1)),
    **dict.fromkeys((
        "min_length", "min_new_tokens", "top_k", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "seed",
        *TOKEN_ID_OPTIONS[:5],
    ), NON_NEGATIVE),
    **dict.fromkeys(("num_beams", "num_return_sequences"), whole(1, MAX_SEQUENCES)),
    "length_penalty": number(-100, 100),
    **dict.fromkeys(("repetition_penalty", "temperature"), number(0.0001, 10_000)),
    "top_p": number(0, 1, open_low=True),
    "early_stopping": one_of(True, False, "never"),
    **dict.fromkeys(("renormalize_logits", "do_sample", "stop_loops"), FLAG),
    "eos_token_id": Check(
        lambda x: NON_NEGATIVE.test(x) or TOKEN_IDS.test(x),
        Message("the id of a token, or a list of them", "el id de un token, o una lista de ellos"),
    ),
    "bad_words_ids": Check(
        lambda x: isinstance(x, list | tuple) and all(TOKEN_IDS.test(word) and word for word in x),
        Message("a list of lists of token ids", "una lista de listas de ids de tokens"),
    ),
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens"), TOKEN_IDS),
}  # fmt: skip
# the reference's options that are not supported, with the values that have no effect there
UNSUPPORTED_OPTIONS: dict[str, Check] = {
    name: one_of(*values, None) for name, values in {
    "num_beam_groups": (1,), "diversity_penalty": (0.0,), "penalty_alpha": (), "typical_p": (1.0,), "min_p": (),
    "epsilon_cutoff": (0.0,), "eta_cutoff": (0.0,), "guidance_scale": (1.0,),
    "encoder_repetition_penalty": (1.0,), "exponential_decay_length_penalty": (), "sequence_bias": (), "top_h": (),
    "constraints": (), "force_words_ids": (), "forced_decoder_ids": (), "remove_invalid_values": (False,),
    "dola_layers": (), "use_cache": (True, False), "output_scores": (False,), "output_attentions": (False,),
    "output_hidden_states": (False,), "output_logits": (False,), "return_dict_in_generate": (False,),
    "stop_strings": (), "max_time": (), "is_assistant": (False,), "low_memory": (False,), "token_healing": (False,),
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class GenerationConfig:
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

    def with_options(self, options: Mapping[str, Any]) -> GenerationConfig:
        """Return a copy of the generation options with new values for some; None leaves an option unchanged.

        Raises:
            OptionError: an option is unknown, or has an invalid value.
        """
        for name, value in options.items():
            if name in UNSUPPORTED_OPTIONS:
                UNSUPPORTED_OPTIONS[name](name, value)
            elif name not in OPTION_CHECKS and value is not None:
                close, shown = next(iter(get_close_matches(name, OPTION_CHECKS, 1, 0.7)), None), short_repr(value)
                hint = Message(f" Did you mean {close}?", f" ¿Querías decir {close}?") if close else EMPTY
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
        for name in TOKEN_ID_OPTIONS:
            value = getattr(self, name)
            values = [value] if isinstance(value, int) else value or ()
            ids = (i for x in values for i in ([x] if isinstance(x, int) else x))
            if wrong := [i for i in ids if i >= vocab_size]:
                raise OptionError(*MESSAGES["token_id"].format(name=name, token=wrong[0], last=vocab_size - 1))

    def max_length_after(self, prompt_length: int) -> int:
        """Return the maximum length of a generated sequence, including its prompt of `prompt_length` tokens."""
        if self.max_new_tokens is None and self.max_length is not None:
            return self.max_length
        return prompt_length + (DEFAULT_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens)


def generation_config(data: Mapping[str, Any]) -> GenerationConfig:
    """Build a `GenerationConfig` from the data of a `generation_config.json` or `config.json`; ignore other keys."""
    try:
        return GenerationConfig(**{k: v for k, v in data.items() if k in OPTION_CHECKS and v is not None})
    except GatonegroError as error:
        raise ConfigError(*error.args).within("generation_config.json") from None
