"""Fill-mask: the likeliest words in the place of a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatonegro.checks import FLAG, Check, Option, check_text, optional, whole
from gatonegro.config import Config
from gatonegro.errors import OptionError, RowError
from gatonegro.i18n import Message
from gatonegro.models import Model, softmax
from gatonegro.tasks.task import LENGTH, Encoded, Notice, RowOutput, Task, notice
from gatonegro.tasks.tokens import check_str, encode_tokens
from gatonegro.tokenization import Tokenizer


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    mask = tokenizer.mask_token_id
    if mask is None:
        raise OptionError(
            "this tokenizer has no mask token, so its model was not trained to fill one; take another.",
            "este tokenizador no tiene token de máscara, así que su modelo no aprendió a llenarla; usa otro.",
        )

    cut = options["truncation"]

    def masks(row: int, encoding: Any) -> list[int]:
        found = [i for i, token in enumerate(encoding.ids) if token == mask]
        if not found and cut and tokenizer.mask_token in rows[row]:
            raise RowError(
                "has its mask behind what truncation=True leaves of it; leave truncation out.",
                "tiene la máscara más allá de lo que deja truncation=True; quita truncation.",
                item=row,
            )
        if not found:
            token = tokenizer.mask_token
            raise RowError(
                f"has no {token}; write it where the missing word stands.",
                f"no tiene {token}; escríbelo donde falta la palabra.",
                item=row,
            )
        return found

    encoded = encode_tokens(tokenizer, config, rows, options, masks)
    if options["targets"] is None:
        return replace(encoded, notes=[(encoding, None) for encoding in encoded.notes or ()])
    candidates, notices = _targets(tokenizer, options["targets"], config)
    notes = [(encoding, candidates) for encoding in encoded.notes or ()]
    return replace(encoded, notes=notes, notices=dict.fromkeys(range(len(rows)), notices))


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> Any:
    """Return the likeliest words per mask; a list of lists if there are several masks, as in `transformers`."""
    probs = softmax(np.concatenate(output.answers))  # (masks, vocab)
    encoding, candidates = output.note
    ids = list(encoding.ids)
    places = [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id]
    if candidates is not None:
        probs = probs[:, candidates]
    top = min(options["top_k"], probs.shape[1])
    out = []
    for place, row_probs in zip(places, probs, strict=True):
        best = np.argpartition(-row_probs, top - 1)[:top]
        row = []
        for i in best[np.argsort(-row_probs[best], kind="stable")].tolist():
            token = i if candidates is None else candidates[i]
            filled = [*ids[:place], token, *ids[place + 1 :]]
            row.append({
                "score": float(row_probs[i]),
                "token": token,
                "token_str": tokenizer.decode([token]),
                "sequence": tokenizer.decode(filled, skip_special_tokens=len(places) == 1),
            })  # fmt: skip
        out.append(row)
    return out[0] if len(out) == 1 else out


def _targets(tokenizer: Tokenizer, targets: Any, config: Config) -> tuple[list[int], list[Notice]]:
    """Return the ids to choose from, and notices: of a word that is several tokens, the first one is taken."""
    found: dict[int, None] = {}
    notices = []
    for n, target in enumerate([targets] if isinstance(targets, str) else targets):
        check_text(target, Message.same(f"targets[{n}],"))
        known = tokenizer.backend_tokenizer.token_to_id(target)
        if known is None:
            pieces = tokenizer.encode(target, add_special_tokens=False)
            if not pieces:
                raise OptionError(
                    f"the target {target!r:.40} has no token of its own; leave it out.",
                    f"el candidato {target!r:.40} no tiene ningún token; quítalo.",
                )
            known = pieces[0]
            token = tokenizer.convert_ids_to_tokens(known)
            notices.append(notice("target", target=target, token=token))
        found[known] = None
    if not found or max(found) >= config.vocab_size:
        raise OptionError(
            "targets must name at least one word, all of the model's vocabulary.",
            "targets debe nombrar al menos una palabra, y todas del vocabulario del modelo.",
        )
    return sorted(found), notices


def wrap(inputs: Any, answers: Any, called_with: Mapping[str, Any]) -> Any:
    """Return a single answer for a list of one text, as transformers does."""
    return answers[0] if isinstance(inputs, list) and len(inputs) == 1 else answers


WORDS = Check(
    lambda t: isinstance(t, str) or (isinstance(t, list) and all(isinstance(word, str) for word in t)),
    Message("a word, or a list of words", "una palabra, o una lista de palabras"),
)

FILL_MASK = Task(
    name="fill-mask",
    head="masked-lm",
    check=check_str,
    encode=encode,
    ask=Model.predict,
    decode=decode,
    wrap=wrap,
    options={
        "top_k": Option(5, whole(1)),
        "targets": Option(None, optional(WORDS)),
        "truncation": Option(False, FLAG),
        "max_length": Option(None, LENGTH),
    },
    example="dccuchile/bert-base-spanish-wwm-cased",
)
