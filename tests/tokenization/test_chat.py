"""Conversations as text and ids, by templates as in `transformers`."""

import copy
import pickle
import sys

import pytest
import transformers

from gatonegro import AutoTokenizer
from gatonegro.errors import InputError, MissingExtraError, TokenizerError

CHATML = """{% for message in messages %}
{{ '<' + message['role'] + '>' + message['content'] | trim + eos_token }}
{% if loop.last %}{% break %}{% endif %}
{% endfor %}{% if tools %}{{ tools | tojson(indent=1) }}{% endif %}
{% generation %}{{ extra | default('') }}{% endgeneration %}
{%- if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"""
KEEPS = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}"
CHAT = [
    {"role": "user", "content": "¿Dónde está el gato?", "tool_calls": None},
    {"role": "assistant", "content": "En la casa "},
]


@pytest.fixture
def pair(folders):
    """A tokenizer of the reference, and ours."""
    folder = folders["gpt2"]
    return transformers.AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_a_template_can_be_passed_to_from_pretrained(folders):
    libraries = (transformers.AutoTokenizer, AutoTokenizer)
    theirs, ours = (auto.from_pretrained(folders["gpt2"], chat_template=KEEPS) for auto in libraries)
    assert ours.chat_template == theirs.chat_template == KEEPS


@pytest.mark.filterwarnings("ignore:.*pass truncation=True")
@pytest.mark.parametrize("template", [CHATML, KEEPS])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tokenize": False, "add_generation_prompt": True},
        {"tokenize": False, "continue_final_message": True},
        {"return_dict": False, "extra": "más", "tools": [{"name": "buscar"}]},
        {"return_tensors": "pt", "padding": True, "truncation": True, "max_length": 12},
    ],
    ids=str,
)
def test_conversations_are_the_references(pair, template, options):
    for conversation in (CHAT, [CHAT, CHAT[:1]]):
        answers = []
        for tokenizer in pair:
            tokenizer.chat_template, tokenizer.pad_token = template, tokenizer.eos_token
            answers.append(tokenizer.apply_chat_template(conversation, **options))
        theirs, ours = answers
        if not isinstance(theirs, str | list):
            theirs, ours = ({k: getattr(v, "tolist", lambda v=v: v)() for k, v in x.items()} for x in answers)
            ours.pop("token_type_ids", None), theirs.pop("token_type_ids", None)
        assert ours == theirs


def test_templates_come_from_files(folders, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(folders["gpt2"])
    assert tokenizer.chat_template is None
    for template in (KEEPS, {"default": KEEPS, "tool_use": "{{ tools }}"}):
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder := tmp_path / type(template).__name__)
        for library in (AutoTokenizer, transformers.AutoTokenizer):
            again = library.from_pretrained(folder)
            assert again.chat_template == template
            assert again.apply_chat_template(CHAT, tokenize=False) == tokenizer.apply_chat_template(
                CHAT, tokenize=False
            )
    assert tokenizer.apply_chat_template(CHAT, ["f"], tokenize=False) == "['f']"
    assert tokenizer.apply_chat_template(CHAT, chat_template="x", tokenize=False) == "x"
    assert tokenizer.apply_chat_template(CHAT, chat_template="tool_use", tokenize=False) == "None"
    for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert other.chat_template == tokenizer.chat_template
    tokenizer.chat_template = {"rag": "x"}
    with pytest.raises(InputError, match="one of rag"):
        tokenizer.apply_chat_template(CHAT)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer", "chat_template": 3}')
    with pytest.raises(TokenizerError, match=r"chat template of .* is no text"):
        AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("template", "conversation", "options", "message"),
    [
        (None, CHAT, {}, "has no chat_template"),
        (KEEPS, [], {}, "a list of messages"),
        (KEEPS, ["hola"], {}, "a list of messages"),
        (KEEPS, "hola", {}, "a list of messages"),
        ("{{ raise_exception('no system role') }}", CHAT, {}, "refuses this conversation: no system role"),
        ("{{ messages.append(1) }}", CHAT, {}, "refuses this conversation"),
        ("{{ ''.__class__.__mro__ }}", CHAT, {}, "refuses this conversation"),
        ("{% for", CHAT, {}, "refuses this conversation"),
        ("x", CHAT, {"continue_final_message": True}, "last message with text"),
        (KEEPS, CHAT, {"continue_final_message": True, "add_generation_prompt": True}, "exclude each other"),
    ],
)
def test_what_cannot_be_rendered_is_an_error(pair, template, conversation, options, message):
    tokenizer = pair[1]
    tokenizer.chat_template = template
    with pytest.raises(InputError, match=message):
        tokenizer.apply_chat_template(conversation, tokenize=False, **options)


def test_jinja2_is_an_extra(pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    pair[1].chat_template = KEEPS + " "
    with pytest.raises(MissingExtraError, match=r"gatonegro\[chat\]"):
        pair[1].apply_chat_template(CHAT)
