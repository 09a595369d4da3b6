"""Fill-mask: the most likely words for a masked token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatonegro.checks import FLAG, Check, Option, check_text, optional, whole
from gatonegro.config import Config
from gatonegro.errors import OptionError, RowError
from gatonegro.i18n import Message
from gatonegro.operators.plain import softmax
from gatonegro.tasks.task import MAX_LENGTH, MESSAGES, Encoded, Notice, RowOutput, Task, notice
from gatonegro.tasks.windows import check_str, encode_tokens
from gatonegro.tokenization import Tokenizer


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode texts with mask tokens as token ids, splitting long texts into overlapping windows."""
    mask = tokenizer.mask_token_id
    if mask is None:
        raise OptionError(*MESSAGES["no_mask_token"])

    def mask_positions(row: int, encoding: Any) -> list[int]:
        positions = [i for i, token in enumerate(encoding.ids) if token == mask]
        if not positions and options["truncation"] and tokenizer.mask_token in rows[row]:
            raise RowError(*MESSAGES["mask_truncated"], item=row)
        if not positions:
            token = tokenizer.mask_token
            raise RowError(*MESSAGES["no_mask"].format(token=token), item=row)
        return positions

    encoded = encode_tokens(tokenizer, config, rows, options, mask_positions)
    if options["targets"] is None:
        return replace(encoded, row_data=[(encoding, None) for encoding in encoded.row_data or ()])
    candidates, notices = _target_ids(tokenizer, options["targets"], config)
    row_data = [(encoding, candidates) for encoding in encoded.row_data or ()]
    return replace(encoded, row_data=row_data, notices=dict.fromkeys(range(len(rows)), notices))


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> Any:
    """Return the likeliest words for a text's mask token, or a list of words per mask token if it has several."""
    probs = softmax(np.concatenate(output.answers))  # (masks, vocab)
    encoding, candidates = output.data
    ids = list(encoding.ids)
    positions = [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id]
    if candidates is not None:
        probs = probs[:, candidates]
    top = min(options["top_k"], probs.shape[1])
    out = []
    for position, mask_probs in zip(positions, probs, strict=True):
        best = np.argpartition(-mask_probs, top - 1)[:top]
        words = []
        for i in best[np.argsort(-mask_probs[best], kind="stable")].tolist():
            token = i if candidates is None else candidates[i]
            filled = [*ids[:position], token, *ids[position + 1 :]]
            words.append({
                "score": float(mask_probs[i]),
                "token": token,
                "token_str": tokenizer.decode([token]),
                "sequence": tokenizer.decode(filled, skip_special_tokens=len(positions) == 1),
            })  # fmt: skip
        out.append(words)
    return out[0] if len(out) == 1 else out


def _target_ids(tokenizer: Tokenizer, targets: Any, config: Config) -> tuple[list[int], list[Notice]]:
    """Return the token ids of the words in the option `targets`, and notices of words cut to their first token."""
    ids: set[int] = set()
    notices = []
    for n, target in enumerate([targets] if isinstance(targets, str) else targets):
        check_text(target, f"targets[{n}]")
        token_id = tokenizer.backend_tokenizer.token_to_id(target)
        if token_id is None:
            pieces = tokenizer.encode(target, add_special_tokens=False)
            if not pieces:
                raise OptionError(*MESSAGES["target_without_token"].format(target=target))
            token_id = pieces[0]
            notices.append(notice("target", target=target, token=tokenizer.convert_ids_to_tokens(token_id)))
        ids.add(token_id)
    if not ids or max(ids) >= config.vocab_size:
        raise OptionError(*MESSAGES["targets"])
    return sorted(ids), notices


def wrap(inputs: Any, answers: Any, call_options: Mapping[str, Any]) -> Any:
    """Unwrap the answers to a list of one text, as `transformers` does for this task."""
    return answers[0] if isinstance(inputs, list) and len(inputs) == 1 else answers


TARGETS_CHECK = Check(
    lambda t: isinstance(t, str) or (isinstance(t, list) and all(isinstance(word, str) for word in t)),
    Message("a word, or a list of words", "una palabra, o una lista de palabras"),
)

FILL_MASK = Task(
    name="fill-mask",
    head="masked-lm",
    check=check_str,
    encode=encode,
    predict="predict",
    decode=decode,
    wrap=wrap,
    column_names=lambda config, options: ("score", "token", "token_str", "sequence"),
    options={
        "top_k": Option(5, whole(1)),
        "targets": Option(None, optional(TARGETS_CHECK)),
        "truncation": Option(False, FLAG),
        "max_length": Option(None, MAX_LENGTH),
    },
    example_model="dccuchile/bert-base-spanish-wwm-cased",
)
