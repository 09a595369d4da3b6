"""Common parts of the tasks that generate text: options, defaults, streaming and decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.errors import OptionError
from gatonegro.generation import (
    OPTION_CHECKS,
    OUTPUT_OPTIONS,
    UNSUPPORTED_OPTIONS,
    Extras,
    Generated,
    GenerationConfig,
    GenerationOptions,
    criteria_of,
)
from gatonegro.i18n import Message
from gatonegro.scores import as_tensor
from gatonegro.tasks.task import MESSAGES
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer

# where neither the model nor the user sets them, as in `transformers` 4
DEFAULT_NEW_TOKENS, DEFAULT_BEAMS = 256, 4
STREAMER_CHECK = Check(
    lambda x: callable(getattr(x, "put", None)) and callable(getattr(x, "end", None)),
    Message("an object with put() and end()", "un objeto con put() y end()"),
)
FUNCTION = Check(callable, Message("a function", "una función"))
FUNCTIONS = Check(
    lambda x: isinstance(x, list | tuple) and all(map(callable, x)),
    Message("a list of functions", "una lista de funciones"),
)
CONFIG = Check(lambda x: isinstance(x, GenerationConfig), Message("a GenerationConfig", "un GenerationConfig"))
GENERATION_OPTIONS: dict[str, Option] = {
    **{name: Option(None, optional(check)) for name, check in OPTION_CHECKS.items() if name not in OUTPUT_OPTIONS},
    **{name: Option(None, one_of(False, None)) for name in OUTPUT_OPTIONS},  # of `model.generate`
    **{name: Option(None, check) for name, check in UNSUPPORTED_OPTIONS.items()},
    "return_tensors": Option(False, FLAG),  # ids instead of text: a tensor, or a list of "text-generation"
    "return_text": Option(True, FLAG),
    "return_scores": Option(False, FLAG),
    "stop_sequence": Option(None, optional(TEXT)),  # ends a sequence, instead of the eos token
    "skip_special_tokens": Option(True, FLAG),
    "clean_up_tokenization_spaces": Option(None, one_of(True, False, None)),
    "truncation": Option(False, one_of(True, False, None, "only_first", "longest_first", "do_not_truncate")),
    "generation_config": Option(None, optional(CONFIG)),  # instead of the model's
    "logits_processor": Option(None, optional(FUNCTIONS)),
    "stopping_criteria": Option(None, optional(FUNCTIONS)),
    "prefix_allowed_tokens_fn": Option(None, optional(FUNCTION)),
    "streamer": Option(None, optional(STREAMER_CHECK)),  # like `transformers`' TextStreamer
}


def task_params(model_config: Config, task: str) -> Mapping[str, Any]:
    """Return a task's entry in the `task_specific_params` of a model's `config.json`, or an empty dict."""
    tasks = model_config.extra.get("task_specific_params")
    params = tasks.get(task) if isinstance(tasks, Mapping) else None
    return params if isinstance(params, Mapping) else {}


def task_prefix(model_config: Config, task: str) -> str:
    """Return the prefix that a model expects before source texts, such as T5's "translate English to German: "."""
    prefix = task_params(model_config, task).get("prefix", model_config.extra.get("prefix"))
    return prefix if isinstance(prefix, str) else ""


def generation_options(
    model: TextModel, tokenizer: Tokenizer, task: str, options: Mapping[str, Any], num_beams: int = DEFAULT_BEAMS
) -> GenerationOptions:
    """Merge generation options from defaults, the model's files and the call, where later ones take precedence."""
    own = options["generation_config"] or model.generation_config
    stored = own.resolve()
    defaults: dict[str, Any] = {"num_beams": num_beams if stored.num_beams == 1 else None}
    if task == "text-generation":  # as in the reference
        sampled = {"do_sample": True, "temperature": 0.7}
        defaults |= {name: value for name, value in sampled.items() if getattr(own, name) is None}
    if stored.max_length is None and stored.max_new_tokens is None:
        defaults["max_new_tokens"] = DEFAULT_NEW_TOKENS
    task_options = task_params(model.config, task) if own is model.generation_config else {}
    params = {name: value for name, value in task_options.items() if name in OPTION_CHECKS}
    passed = {name: value for name, value in options.items() if name in OPTION_CHECKS}
    if options["stop_sequence"] is not None and model.config.decoder is None:
        passed["stop_strings"] = options["stop_sequence"]
    elif options["stop_sequence"] is not None:
        stop = tokenizer(options["stop_sequence"], add_special_tokens=False)["input_ids"]
        passed["eos_token_id"] = stop[:1]
    config = stored.with_options(defaults).with_options(params)
    count = passed.get("num_return_sequences") or 1
    if passed.get("num_beams") is None and not passed.get("do_sample") and count > config.num_beams:
        passed["num_beams"] = count
    return config.with_options(passed)


def generate(
    model: TextModel, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any], task: str
) -> list[list[Generated]]:
    """Generate token sequences for each source sequence with an encoder–decoder model."""
    config = generation_options(model, tokenizer, task, options)
    return model.generate_ids(ids, None, config, extras(options, tokenizer, config, len(ids)))


def extras(options: Mapping[str, Any], tokenizer: Tokenizer, config: GenerationOptions, rows: int) -> Extras:
    """Return the user's functions, and the stopping criteria of the options, for a number of prompts."""
    if options["streamer"] is not None and rows != 1:
        raise OptionError(*MESSAGES["streamer"])
    return Extras(
        processors=options["logits_processor"] or (),
        criteria=[*criteria_of(config, tokenizer), *(options["stopping_criteria"] or ())],
        allowed=options["prefix_allowed_tokens_fn"],
        streamer=options["streamer"],
    )


def decode_text(tokenizer: Tokenizer, ids: Sequence[int], options: Mapping[str, Any]) -> str:
    """Decode token ids to text, with the call's options for special tokens and spaces."""
    text: str = tokenizer.decode(
        list(ids),
        skip_special_tokens=options["skip_special_tokens"],
        clean_up_tokenization_spaces=options["clean_up_tokenization_spaces"],
    )
    return text


def text_keys(config: Config, options: Mapping[str, Any], *, key: str) -> list[str]:
    """Return the columns of a task whose generated texts have a key such as "generated"."""
    return [f"{key}_token_ids" if options["return_tensors"] else f"{key}_text", *["score"] * options["return_scores"]]


def as_tensors(answers: Sequence[dict[str, Any]], name: str, pad: int | None) -> list[dict[str, Any]]:
    """Return a row's answers with their ids `name` as tensors, which `pad` fills up to the same length."""
    longest = max((len(answer[name]) for answer in answers), default=0)
    return [{**a, name: as_tensor([*a[name], *[pad or 0] * (longest - len(a[name]))])} for a in answers]


def flatten_single(inputs: Any, answers: Any, call_options: Mapping[str, Any]) -> Any:
    """Unpack the lists of generated texts of several input rows if each list has a single element."""
    if isinstance(inputs, str) or not all(row_answers is None or len(row_answers) == 1 for row_answers in answers):
        return answers
    return [row_answers and row_answers[0] for row_answers in answers]
