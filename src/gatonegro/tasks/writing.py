"""What the tasks share whose model writes: options, limits, and what is said of what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gatonegro.config import Config
from gatonegro.errors import OptionError
from gatonegro.generation import ALLOWED, IDLE, GenerationConfig, Written
from gatonegro.models import LanguageModel, Model
from gatonegro.tasks.task import FLAG, Allowed
from gatonegro.tokenization import Tokenizer

NEW_TOKENS, BEAMS = 256, 4  # where neither the model nor the user says, as in `transformers` 4


def _or_none(fits: Callable[[Any], bool], words: tuple[str, str]) -> Allowed:
    return (lambda value: value is None or fits(value)), (f"{words[0]}, or None", f"{words[1]}, o None")


TEXT: Allowed = (
    lambda x: x is None or (isinstance(x, str) and x != ""),
    ("a text that is not empty, or None", "un texto que no esté vacío, o None"),
)
OPTIONS: dict[str, Any] = {
    **dict.fromkeys((*ALLOWED, *IDLE)),
    "return_tensors": False,  # ids in the place of text
    "return_text": True,
    "return_scores": False,
    "stop_sequence": None,  # what ends a sequence in the place of the model's own end
    "skip_special_tokens": True,
    "clean_up_tokenization_spaces": None,
    "truncation": False,
    "streamer": None,  # an object with put and end, as `transformers`' TextStreamer
}
TRUNCATION: Allowed = (
    lambda x: x is None or isinstance(x, bool) or x in ("only_first", "longest_first", "do_not_truncate"),
    ('True, False, "only_first" or "longest_first"', 'True, False, "only_first" o "longest_first"'),
)
ALLOWED_HERE: dict[str, Allowed] = {
    **{name: _or_none(check.test, check.wanted) for name, check in ALLOWED.items()},
    **{name: (check.test, check.wanted) for name, check in IDLE.items()},
    "return_tensors": FLAG,
    "return_text": FLAG,
    "truncation": TRUNCATION,
    "return_scores": FLAG,
    "stop_sequence": TEXT,
    "skip_special_tokens": FLAG,
    "clean_up_tokenization_spaces": (lambda x: x is None or isinstance(x, bool), ("True, False or None",) * 2),
    "streamer": (
        lambda x: x is None or (callable(getattr(x, "put", None)) and callable(getattr(x, "end", None))),
        ("an object with put() and end()", "un objeto con put() y end()"),
    ),
}


def said_by_model(model_config: Config, task: str) -> Mapping[str, Any]:
    """What an older config.json says of a task: `task_specific_params`, as T5's has them."""
    known = model_config.extra.get("task_specific_params")
    said = known.get(task) if isinstance(known, Mapping) else None
    return said if isinstance(said, Mapping) else {}


def prefix_of(model_config: Config, task: str) -> str:
    """What stands in front of a text: T5 is told the task so."""
    prefix = said_by_model(model_config, task).get("prefix", model_config.extra.get("prefix"))
    return prefix if isinstance(prefix, str) else ""


def how(
    model: LanguageModel, tokenizer: Tokenizer, task: str, options: Mapping[str, Any], beams: int = BEAMS
) -> GenerationConfig:
    """How to write: what the call says wins over what the model's files say, that over the usual."""
    own = model.generation_config
    usual: dict[str, Any] = {"num_beams": beams if own.num_beams == 1 else None}
    if own.max_length is None and own.max_new_tokens is None:
        usual["max_new_tokens"] = NEW_TOKENS
    said = {name: value for name, value in said_by_model(model.config, task).items() if name in ALLOWED}
    asked = {name: value for name, value in options.items() if name in ALLOWED}
    if options["stop_sequence"] is not None:
        stop = tokenizer(options["stop_sequence"], add_special_tokens=False)["input_ids"]
        asked["eos_token_id"] = stop[:1] if model.config.decoder is not None else stop
    usually = own.with_options(usual).with_options(said)
    many = asked.get("num_return_sequences") or 1
    if asked.get("num_beams") is None and not asked.get("do_sample") and many > usually.num_beams:
        asked["num_beams"] = many
    return usually.with_options(asked)


def written(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any], task: str
) -> list[list[Written]]:
    """What an encoder–decoder writes of each sequence."""
    assert isinstance(model, LanguageModel)
    config = how(model, tokenizer, task, options)
    with streamed(options, [[model.start_of(config)]] * len(ids), config) as put:
        return model.write(ids, options=config, put=put)


@contextmanager
def streamed(
    options: Mapping[str, Any], beginnings: Sequence[Sequence[int]], config: GenerationConfig
) -> Iterator[Callable[[int], None] | None]:
    """Where each token goes as soon as it is chosen, as `transformers` tells its streamers."""
    streamer = options["streamer"]
    if streamer is None:
        yield None
        return
    if len(beginnings) != 1 or config.num_beams != 1 or config.num_return_sequences != 1:
        raise OptionError(
            "streamer= is for one text at a time, written without beams: pass num_beams=1.",
            "streamer= es para un solo texto a la vez, escrito sin haces: pasa num_beams=1.",
        )
    try:
        streamer.put(torch.tensor([list(beginnings[0])]))
        yield lambda token: streamer.put(torch.tensor([token]))
    finally:
        streamer.end()


def text_of(tokenizer: Tokenizer, ids: Sequence[int], options: Mapping[str, Any]) -> str:
    return tokenizer.decode(
        list(ids),
        skip_special_tokens=options["skip_special_tokens"],
        clean_up_tokenization_spaces=options["clean_up_tokenization_spaces"],
    )


def flat(inputs: Any, answers: Any, called_with: Mapping[str, Any]) -> Any:
    """A list of answers a row, or where there is one a row, these."""
    if isinstance(inputs, str) or not all(len(some) == 1 for some in answers):
        return answers
    return [some[0] for some in answers]
