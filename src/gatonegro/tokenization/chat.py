"""`ChatTokenizer`: conversations as text, by a model's Jinja template, as `transformers` renders them.

https://huggingface.co/docs/transformers/chat_templating
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from gatonegro.compat import accepts
from gatonegro.errors import InputError, MissingExtraError, TokenizerError
from gatonegro.hub import Source
from gatonegro.storage import read_bytes
from gatonegro.tokenization.inputs import MESSAGES

CONTINUED = "\N{OBJECT REPLACEMENT CHARACTER}END\N{OBJECT REPLACEMENT CHARACTER} "  # marks the end of a message


class ChatTokenizer:
    """The methods of a tokenizer that convert conversations; a base class of `Tokenizer`."""

    chat_template: str | dict[str, str] | None = None
    special_tokens_map: dict[str, Any]

    def get_chat_template(self, chat_template: str | None = None, tools: Sequence[Any] | None = None) -> str:
        """Return the Jinja template of conversations.

        Args:
            chat_template: a template, or the name of one of the model's; default: the model's.
            tools: if there are any, the model's template "tool_use" is the default.

        Raises:
            InputError: the model has no template, or several and none is the default.
        """
        named = self.chat_template if isinstance(self.chat_template, dict) else {}
        if chat_template is not None:
            return named.get(chat_template, chat_template)
        if named:
            name = "tool_use" if tools and "tool_use" in named else "default"
            if name not in named:
                raise InputError(*MESSAGES["template_name"].format(names=", ".join(named)))
            return named[name]
        if not isinstance(self.chat_template, str):
            raise InputError(*MESSAGES["no_template"])
        return self.chat_template

    @accepts("PreTrainedTokenizer.apply_chat_template")
    def apply_chat_template(
        self,
        conversation: Sequence[Any],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = True,
        padding: bool | str = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_dict: bool = True,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        **variables: Any,
    ) -> Any:
        """Return the text of a conversation or the model inputs for it.

        Args:
            conversation: a list of messages {"role": …, "content": …}, or a list of such lists.
            tools: JSON schemas of functions, for the template.
            documents: dicts with a title and a text, for the template.
            chat_template: see `get_chat_template`.
            add_generation_prompt: end with the header of the answer that is to be generated.
            continue_final_message: leave the last message open, so that the model continues it.
            tokenize: False returns the text.
            padding: as in a call of the tokenizer, as are the following arguments.
            truncation: cut conversations that are too long.
            max_length: in tokens.
            return_tensors: "pt" or "np".
            return_dict: False returns the token ids alone.
            tokenizer_kwargs: further arguments of a call of the tokenizer.
            variables: further variables of the template.

        Raises:
            InputError: there is no template, or it refuses the conversation, or a message is no dict.
            MissingExtraError: jinja2 is not installed.
        """
        if continue_final_message and add_generation_prompt:
            raise InputError(*MESSAGES["continue_or_add"])
        template = self.get_chat_template(chat_template, tools)
        if not isinstance(conversation, list | tuple) or not conversation:
            raise InputError(*MESSAGES["no_messages"])
        batched = isinstance(conversation[0], list | tuple)
        names = {**self.special_tokens_map, **variables, "tools": tools, "documents": documents}
        names["add_generation_prompt"] = add_generation_prompt
        texts = [
            _render(template, messages, continue_final_message, names)
            for messages in (conversation if batched else [conversation])
        ]
        if not tokenize:
            return texts if batched else texts[0]
        encoded = self(  # type: ignore[operator]
            texts if batched else texts[0],
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            add_special_tokens=False,
            return_tensors=return_tensors,
            **(tokenizer_kwargs or {}),
        )
        return encoded if return_dict else encoded["input_ids"]


def _render(template: str, messages: Sequence[Any], continues: bool, names: Mapping[str, Any]) -> str:
    """Return the text of one conversation."""
    if not messages or not all(isinstance(message, Mapping) for message in messages):
        raise InputError(*MESSAGES["no_messages"])
    chat = [{key: value for key, value in message.items() if value is not None} for message in messages]
    final = chat[-1].get("content", "")
    if continues:
        if not isinstance(final, str) or not final:
            raise InputError(*MESSAGES["not_continued"])
        chat[-1]["content"] = final + CONTINUED
    compiled, template_error = _compile(template)
    try:
        text: str = compiled.render(messages=chat, **names)
    except (template_error, ArithmeticError, TypeError, RecursionError) as error:
        raise InputError(*MESSAGES["template"].format(error=error)) from None
    if not continues:
        return text
    if CONTINUED.strip() not in text or str(final).strip() not in text:
        raise InputError(*MESSAGES["not_continued"])
    before, _, after = text.rpartition(CONTINUED.strip())
    return before if after.startswith(" ") else before.rstrip()  # a template may strip the message


@cache
def _compile(template: str) -> tuple[Any, type[Exception]]:
    """Return a Jinja template that runs in a sandbox, and the class of its errors."""
    try:
        from jinja2 import TemplateError, nodes
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise MissingExtraError(*MESSAGES["jinja2"]) from None

    class Generation(Extension):
        """The block {% generation %} … {% endgeneration %}, which marks what a model generated in training data."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(["name:endgeneration"], drop_needle=True), lineno=line)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, **options: Any) -> str:
        return json.dumps(value, **{"ensure_ascii": False, **options})

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals |= {"raise_exception": raise_exception}
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    try:
        return environment.from_string(template), TemplateError
    except TemplateError as error:
        raise InputError(*MESSAGES["template"].format(error=error)) from None


def read_template(source: Source, stored: Any) -> str | dict[str, str] | None:
    """Return a model's Jinja template of conversations, or several by name, or None."""
    if (path := source.file("chat_template.jinja")) is not None:
        return read_bytes(path, TokenizerError).decode(errors="replace")
    if stored is None:
        return None
    if isinstance(stored, list) and all(isinstance(entry, dict) for entry in stored):
        stored = {str(entry.get("name")): entry.get("template") for entry in stored}
    if not all(isinstance(text, str) for text in (stored.values() if isinstance(stored, dict) else [stored])):
        raise TokenizerError(*MESSAGES["template_kind"].format(name=source.name))
    return stored  # type: ignore[no-any-return]
