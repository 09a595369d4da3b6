"""Streamers and stopping criteria, compared with those of `transformers`."""

from threading import Thread

import pytest
import torch
import transformers

import gatonegro
from gatonegro import StoppingCriteriaList
from gatonegro.errors import InputError, OptionError


def prompt(tokenizer, text="The black cat sleeps"):
    return torch.tensor([tokenizer(text)["input_ids"]])


@pytest.mark.parametrize("options", [{}, {"skip_prompt": True, "skip_special_tokens": True}])
@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_printed_words_are_the_references(parts, kind, options, capsys):
    model, tokenizer = parts[kind]
    printed = []
    for library in (transformers, gatonegro):
        streamer = library.TextStreamer(tokenizer, **options)
        model.generate(prompt(tokenizer), max_new_tokens=12, num_beams=1, streamer=streamer)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and printed[0].endswith("\n")


def test_ideographs_and_lines_are_printed_at_once():
    class Characters:
        def decode(self, ids, **options):
            return "".join(map(chr, ids))

    pieces = []
    for library in (transformers, gatonegro):
        streamer = library.TextIteratorStreamer(Characters(), timeout=5)
        for text in ("go", "od 貓", "a", " b\n", "c d"):
            streamer.put(torch.tensor([ord(character) for character in text]))
        streamer.end()
        pieces.append(list(streamer))
    assert pieces[0] == pieces[1]


def test_text_comes_to_another_thread(parts):
    model, tokenizer = parts["gpt2"]
    streamer = gatonegro.TextIteratorStreamer(tokenizer, skip_prompt=True, timeout=30)
    options = {"max_new_tokens": 8, "streamer": streamer}
    ids = prompt(tokenizer)
    thread = Thread(target=model.generate, args=(ids,), kwargs=options)
    thread.start()
    text = "".join(streamer)
    thread.join()
    assert text == tokenizer.decode(model.generate(ids, max_new_tokens=8)[0, ids.shape[1] :])


def test_a_streamer_takes_what_it_can(parts):
    model, tokenizer = parts["gpt2"]
    with pytest.raises(OptionError, match="num_beams=1"):
        model.generate(prompt(tokenizer), num_beams=2, streamer=gatonegro.TextStreamer(tokenizer))
    with pytest.raises(InputError, match="one sequence, and there are 2"):
        model.generate(torch.tensor([[5], [6]]), streamer=gatonegro.TextStreamer(tokenizer))

    class Columns(gatonegro.BaseStreamer):
        def __init__(self):
            self.columns = []

        def put(self, value):
            self.columns.append(value.reshape(2, -1))

        def end(self):
            self.columns = torch.cat(self.columns, 1)

    streamer = Columns()
    ids = model.generate(torch.tensor([[5], [6]]), max_new_tokens=6, streamer=streamer)
    assert torch.equal(streamer.columns, ids)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", ["gpt2", "t5", "bart"])
def test_stop_strings_stop_where_the_references_do(parts, folders, kind, beams):
    model, tokenizer = parts[kind]
    name = "AutoModelForCausalLM" if kind == "gpt2" else "AutoModelForSeq2SeqLM"
    reference = getattr(transformers, name).from_pretrained(folders[kind])
    ids = prompt(tokenizer)
    options = {"max_new_tokens": 14, "num_beams": beams}
    new = model.generate(ids, **options)[0, ids.shape[1] if kind == "gpt2" else 1 :]
    stops = [tokenizer.decode(new[4:6]).strip(), "zzzz"]
    theirs = reference.generate(
        ids, stop_strings=stops, tokenizer=transformers.AutoTokenizer.from_pretrained(folders[kind]), **options
    )
    ours = model.generate(ids, stop_strings=stops, tokenizer=tokenizer, **options)
    assert torch.equal(ours, theirs)


def test_criteria(parts):
    model, tokenizer = parts["gpt2"]
    ids = prompt(tokenizer)
    width = ids.shape[1]
    assert model.generate(ids, max_new_tokens=9, max_time=0.0).shape[1] == width + 1
    criteria = StoppingCriteriaList([gatonegro.MaxLengthCriteria(width + 2), gatonegro.EosTokenCriteria([5])])
    assert model.generate(ids, max_new_tokens=9, stopping_criteria=criteria).shape[1] == width + 2
    assert criteria(torch.tensor([[5], [6]]), None).tolist() == [True, False]
    for beams in (1, 2):
        own = model.generate(
            ids, max_new_tokens=9, num_beams=beams, stopping_criteria=[lambda ids, scores: ids.shape[1] > width + 2]
        )
        assert own.shape[1] == width + 3
    with pytest.raises(OptionError, match="as many bools"):
        model.generate(torch.tensor([[5], [6]]), stopping_criteria=[lambda ids, scores: torch.ones(3)])
