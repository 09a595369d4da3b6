"""The options of `generate`, named as in `transformers`, and their values in a model's files.

https://huggingface.co/docs/transformers/main_classes/text_generation#transformers.GenerationConfig
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from gatonegro.checks import FLAG, Check, number, one_of, short, whole
from gatonegro.errors import ConfigError, GatonegroError, OptionError
from gatonegro.i18n import EMPTY, Message

DEFAULT_LENGTH = 20  # new tokens where no limit is set, as in the reference
MANY = 1000  # largest number of beams, or of sequences per source: more would fill the memory
# options that hold token ids: the first five one, the others lists, or lists of lists
TOKENS = (
    "forced_bos_token_id", "forced_eos_token_id", "bos_token_id", "pad_token_id", "decoder_start_token_id",
    "eos_token_id", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens",
)  # fmt: skip
COUNT = whole(0, 2**31 - 1)
IDS = Check(
    lambda x: isinstance(x, list | tuple) and all(map(COUNT.test, x)),
    Message("a list of token ids", "una lista de ids de tokens"),
)
ALLOWED: dict[str, Check] = {  # the values of each field of `GenerationConfig`
    **dict.fromkeys(("max_length", "max_new_tokens"), whole(1, 2**31 - 1)),
    **dict.fromkeys((
        "min_length", "min_new_tokens", "top_k", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "seed",
        *TOKENS[:5],
    ), COUNT),
    **dict.fromkeys(("num_beams", "num_return_sequences"), whole(1, MANY)),
    "length_penalty": number(-100, 100),
    **dict.fromkeys(("repetition_penalty", "temperature"), number(0.0001, 10_000)),
    "top_p": number(0, 1, open_low=True),
    "early_stopping": one_of(True, False, "never"),
    **dict.fromkeys(("renormalize_logits", "do_sample", "stop_loops"), FLAG),
    "eos_token_id": Check(
        lambda x: COUNT.test(x) or IDS.test(x),
        Message("the id of a token, or a list of them", "el id de un token, o una lista de ellos"),
    ),
    "bad_words_ids": Check(
        lambda x: isinstance(x, list | tuple) and all(IDS.test(word) and word for word in x),
        Message("a list of lists of token ids", "una lista de listas de ids de tokens"),
    ),
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens"), IDS),
}  # fmt: skip
# the reference's options that are not supported, with the values that have no effect there
IDLE: dict[str, Check] = {
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
    """The options of generation. None leaves a value to the model's files, or turns the option off."""

    max_length: int | None = None  # tokens of the decoder, with its first ones
    max_new_tokens: int | None = None  # wins over max_length
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
    renormalize_logits: bool = False  # normalise log-probabilities after banned tokens are left out
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
                ALLOWED[field.name](field.name, value)

    @property
    def ends(self) -> list[int]:
        """The ids of the tokens that end a sequence."""
        ids = self.eos_token_id
        return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)

    def with_options(self, options: Mapping[str, Any]) -> GenerationConfig:
        """Return the same with other values; None leaves an option as it is.

        Raises:
            OptionError: an option is not known, or has an impossible value.
        """
        for name, value in options.items():
            if name in IDLE:
                IDLE[name](name, value)
            elif name not in ALLOWED and value is not None:
                close, given = next(iter(get_close_matches(name, ALLOWED, 1, 0.7)), None), short(value)
                hint = Message(f" Did you mean {close}?", f" ¿Querías decir {close}?") if close else EMPTY
                raise OptionError(
                    f"{name}={given} is not known here.{hint.en}", f"{name}={given} no se conoce aquí.{hint.es}"
                )
        named = {name: value for name, value in options.items() if name in ALLOWED and value is not None}
        if "max_length" in named and "max_new_tokens" not in named:
            named["max_new_tokens"] = None  # a call's limit, by either name, wins over a file's
        changed = replace(self, **named)
        if changed.num_return_sequences > changed.num_beams and not changed.do_sample:
            raise OptionError(
                f"num_return_sequences={changed.num_return_sequences} needs as many beams, or do_sample=True: "
                f"there are {changed.num_beams}.",
                f"num_return_sequences={changed.num_return_sequences} necesita otros tantos haces (num_beams), o "
                f"do_sample=True: hay {changed.num_beams}.",
            )
        return changed

    def check_ids(self, vocabulary: int) -> None:
        """Raise OptionError if an option has the id of a token that is not in the vocabulary."""
        for name in TOKENS:
            value = getattr(self, name)
            values = [value] if isinstance(value, int) else value or ()
            ids = (i for x in values for i in ([x] if isinstance(x, int) else x))
            if wrong := [i for i in ids if i >= vocabulary]:
                raise OptionError(
                    f"{name}: there is no token {wrong[0]}; the model's vocabulary is 0 … {vocabulary - 1}.",
                    f"{name}: no existe el token {wrong[0]}; el vocabulario del modelo es 0 … {vocabulary - 1}.",
                )

    def limit(self, begun: int) -> int:
        """Return the largest length of a sequence that starts with `begun` tokens."""
        if self.max_new_tokens is None and self.max_length is not None:
            return self.max_length
        return begun + (DEFAULT_LENGTH if self.max_new_tokens is None else self.max_new_tokens)


def generation_config(data: Mapping[str, Any]) -> GenerationConfig:
    """Return the options of a `generation_config.json`, or an older `config.json`. Other keys are ignored."""
    try:
        return GenerationConfig(**{k: v for k, v in data.items() if k in ALLOWED and v is not None})
    except GatonegroError as error:
        raise ConfigError(*error.args).within("generation_config.json") from None
