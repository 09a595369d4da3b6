"""Shared parts of the tasks that generate text: options, limits, and text from ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.errors import OptionError
from gatonegro.generation import ALLOWED, IDLE, GenerationConfig, Written
from gatonegro.i18n import Message
from gatonegro.models import LanguageModel, Model, as_tensor
from gatonegro.tokenization import Tokenizer

NEW_TOKENS, BEAMS = 256, 4  # where neither the model nor the user says, as in `transformers` 4
STREAMER = Check(
    lambda x: callable(getattr(x, "put", None)) and callable(getattr(x, "end", None)),
    Message("an object with put() and end()", "un objeto con put() y end()"),
)
OPTIONS: dict[str, Option] = {
    **{name: Option(None, optional(check)) for name, check in ALLOWED.items()},
    **{name: Option(None, check) for name, check in IDLE.items()},
    "return_tensors": Option(False, FLAG),  # ids in the place of text
    "return_text": Option(True, FLAG),
    "return_scores": Option(False, FLAG),
    "stop_sequence": Option(None, optional(TEXT)),  # what ends a sequence in the place of the model's own end
    "skip_special_tokens": Option(True, FLAG),
    "clean_up_tokenization_spaces": Option(None, one_of(True, False, None)),
    "truncation": Option(False, one_of(True, False, None, "only_first", "longest_first", "do_not_truncate")),
    "streamer": Option(None, optional(STREAMER)),  # as `transformers`' TextStreamer
}


def task_params(model_config: Config, task: str) -> Mapping[str, Any]:
    """Return a task's `task_specific_params` from config.json, as T5 has them."""
    tasks = model_config.extra.get("task_specific_params")
    params = tasks.get(task) if isinstance(tasks, Mapping) else None
    return params if isinstance(params, Mapping) else {}


def prefix_of(model_config: Config, task: str) -> str:
    """Return the text that comes before a source and names the task, as T5 needs it."""
    prefix = task_params(model_config, task).get("prefix", model_config.extra.get("prefix"))
    return prefix if isinstance(prefix, str) else ""


def generation_options(
    model: LanguageModel, tokenizer: Tokenizer, task: str, options: Mapping[str, Any], beams: int = BEAMS
) -> GenerationConfig:
    """Return the generation options: those of the call win over the model's files, these over the defaults."""
    own = model.generation_config
    usual: dict[str, Any] = {"num_beams": beams if own.num_beams == 1 else None}
    if own.max_length is None and own.max_new_tokens is None:
        usual["max_new_tokens"] = NEW_TOKENS
    params = {name: value for name, value in task_params(model.config, task).items() if name in ALLOWED}
    given = {name: value for name, value in options.items() if name in ALLOWED}
    if options["stop_sequence"] is not None:
        stop = tokenizer(options["stop_sequence"], add_special_tokens=False)["input_ids"]
        given["eos_token_id"] = stop[:1] if model.config.decoder is not None else stop
    usually = own.with_options(usual).with_options(params)
    many = given.get("num_return_sequences") or 1
    if given.get("num_beams") is None and not given.get("do_sample") and many > usually.num_beams:
        given["num_beams"] = many
    return usually.with_options(given)


def generate(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any], task: str
) -> list[list[Written]]:
    """Return the sequences that an encoder–decoder generates per source."""
    assert isinstance(model, LanguageModel)
    config = generation_options(model, tokenizer, task, options)
    with streamed(options, [[model.start_of(config)]] * len(ids), config) as put:
        return model.write(ids, options=config, put=put)


@contextmanager
def streamed(
    options: Mapping[str, Any], prompts: Sequence[Sequence[int]], config: GenerationConfig
) -> Iterator[Callable[[int], None] | None]:
    """Yield a function that passes each token to the streamer, as `transformers` does; None without a streamer."""
    streamer = options["streamer"]
    if streamer is None:
        yield None
        return
    if len(prompts) != 1 or config.num_beams != 1 or config.num_return_sequences != 1:
        raise OptionError(
            "streamer= is for one text at a time, written without beams: pass num_beams=1.",
            "streamer= es para un solo texto a la vez, escrito sin haces: pasa num_beams=1.",
        )
    try:
        streamer.put(as_tensor([list(prompts[0])]))
        yield lambda token: streamer.put(as_tensor([token]))
    finally:
        streamer.end()


def text_of(tokenizer: Tokenizer, ids: Sequence[int], options: Mapping[str, Any]) -> str:
    text: str = tokenizer.decode(
        list(ids),
        skip_special_tokens=options["skip_special_tokens"],
        clean_up_tokenization_spaces=options["clean_up_tokenization_spaces"],
    )
    return text


def flat(inputs: Any, answers: Any, called_with: Mapping[str, Any]) -> Any:
    """Return a list of answers per row or, where each row has one, the answers."""
    if isinstance(inputs, str) or not all(len(some) == 1 for some in answers):
        return answers
    return [some[0] for some in answers]
