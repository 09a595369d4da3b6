"""Text generation by pipelines: conversations, sampling and functions of the user, as in `transformers`."""

import warnings

import pytest
import torch
import transformers

from gatonegro import TextStreamer, pipeline
from gatonegro.errors import GatonegroWarning, InputError, OptionError

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}cat:{% endif %}"
)
CHAT = [{"role": "user", "content": "The black cat"}]
PREFILLED = [*CHAT, {"role": "assistant", "content": "sleeps in"}]


@pytest.fixture(scope="module")
def pipes(folders, parts):
    reference = transformers.pipeline("text-generation", str(folders["gpt2"]))
    model, tokenizer = parts["gpt2"]
    tokenizer.chat_template = reference.tokenizer.chat_template = TEMPLATE
    yield reference, pipeline("text-generation", model, tokenizer)
    tokenizer.chat_template = None


def answers(pipes, *args, **options):
    out = []
    for pipe in pipes:
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GatonegroWarning)
            out.append(pipe(*args, **options))
    return out


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        (CHAT, {"do_sample": False}),
        (PREFILLED, {"do_sample": False}),
        ([CHAT, PREFILLED], {"do_sample": False}),
        (CHAT, {"do_sample": False, "return_full_text": False, "num_beams": 2, "num_return_sequences": 2}),
        (PREFILLED, {"do_sample": False, "continue_final_message": False}),
        ("The black cat", {}),
        ("The black cat", {"do_sample": True, "num_return_sequences": 2, "min_p": 0.02}),
        ("The black cat", {"do_sample": False, "stop_sequence": ["the", "a"]}),
        ("The black cat", {"do_sample": False, "logits_processor": [lambda ids, scores: -scores]}),
        ("The black cat", {"do_sample": False, "stopping_criteria": [lambda ids, scores: ids[:, -1] > 300]}),
        ("The black cat", {"do_sample": False, "prefix_allowed_tokens_fn": lambda row, ids: [300, 310]}),
    ],
    ids=str,
)
def test_answers_are_the_references(pipes, inputs, options):
    theirs, ours = answers(pipes, inputs, max_new_tokens=10, **options)
    assert ours == theirs


def test_a_streamer_prints_what_is_generated(pipes, capsys):
    pipe = pipes[1]
    streamer = TextStreamer(pipe.tokenizer, skip_prompt=True)
    ((answer,),) = answers([pipe], CHAT, max_new_tokens=8, do_sample=False, streamer=streamer)
    assert capsys.readouterr().out.rstrip("\n") == answer["generated_text"][-1]["content"].rstrip("\n")


def test_conversations_that_are_none_are_refused(pipes):
    with pytest.raises(InputError, match="item 0"):
        pipes[1]([[{"role": "user"}]])
    with pytest.raises(OptionError, match="a list of functions"):
        pipes[1](CHAT, stopping_criteria=5)
