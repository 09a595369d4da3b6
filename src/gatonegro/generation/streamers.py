"""Streamers, which `generate` gives each token as soon as it is chosen, with the names of `transformers`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gatonegro.errors import InputError
from gatonegro.generation.options import MESSAGES

IDEOGRAPH = "[㐀-䶿一-鿿豈-﫿\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f]"


class BaseStreamer:
    """Object with `put(ids)`, called with the prompts (b, w) and then with each step's tokens (b,), and `end()`."""

    def put(self, value: Any) -> None:
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError


class TextStreamer(BaseStreamer):
    """Print the text of one sequence, word by word.

    Args:
        tokenizer: the model's tokenizer.
        skip_prompt: leave the prompt out.
        decode_kwargs: arguments of `tokenizer.decode`, such as `skip_special_tokens=True`.
    """

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, **decode_kwargs: Any):
        self.tokenizer, self.skip_prompt, self.decode_kwargs = tokenizer, skip_prompt, decode_kwargs
        self.token_cache: list[int] = []  # of the current line
        self.print_len = 0  # characters of it that are printed
        self.next_tokens_are_prompt = True

    def put(self, value: Any) -> None:
        """Print the words that tokens complete: up to the last space, and ideographs at once.

        Raises:
            InputError: there are several sequences.
        """
        if value.ndim > 1 and len(value) > 1:
            raise InputError(*MESSAGES["one_stream"].format(rows=len(value)))
        is_prompt, self.next_tokens_are_prompt = self.next_tokens_are_prompt, False
        if is_prompt and self.skip_prompt:
            return
        self.token_cache += value.flatten().tolist()
        text = self.tokenizer.decode(self.token_cache, **self.decode_kwargs)
        if text.endswith("\n"):
            printable, self.token_cache, self.print_len = text[self.print_len :], [], 0
        else:
            end = len(text) if re.match(IDEOGRAPH, text[-1:]) else text.rfind(" ") + 1
            printable = text[self.print_len : end]
            self.print_len += len(printable)
        self.on_finalized_text(printable)

    def end(self) -> None:
        text = self.tokenizer.decode(self.token_cache, **self.decode_kwargs) if self.token_cache else ""
        rest, self.token_cache, self.print_len = text[self.print_len :], [], 0
        self.next_tokens_are_prompt = True
        self.on_finalized_text(rest, stream_end=True)

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Print text that no later token changes; subclasses may do something else with it."""
        print(text, flush=True, end="\n" if stream_end else "")


class TextIteratorStreamer(TextStreamer):
    """Iterator over the text of one sequence, for another thread than that of `generate`.

    Args:
        tokenizer: the model's tokenizer.
        skip_prompt: leave the prompt out.
        timeout: seconds to wait for text, after which the iterator raises `queue.Empty`; None for no limit.
        decode_kwargs: arguments of `tokenizer.decode`, such as `skip_special_tokens=True`.
    """

    stop_signal = None

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, timeout: float | None = None, **decode_kwargs: Any):
        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        from queue import Queue  # here, for a light start

        self.text_queue: Queue[str | None] = Queue()
        self.timeout = timeout

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        self.text_queue.put(text, timeout=self.timeout)
        if stream_end:
            self.text_queue.put(self.stop_signal, timeout=self.timeout)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = self.text_queue.get(timeout=self.timeout)
        if text == self.stop_signal:
            raise StopIteration
        return text
