"""The words that a mask may stand for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import GatonegroWarning, OptionError, RowError
from gatonegro.i18n import localized
from gatonegro.models import Model
from gatonegro.packing import Packed
from gatonegro.tasks.task import FLAG, LENGTH, Encoded, Said, Task, check_text, whole
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

    return encode_tokens(tokenizer, config, rows, options, masks)


def ask(model: Model, packed: Packed, at: Tensor | None) -> Tensor:
    return model.run(packed, at)  # (m, vocab)


def decode(tokenizer: Tokenizer, config: Config, said: Said, options: Mapping[str, Any]) -> Any:
    """For each mask the likeliest words; a list of lists if there are several masks, as in `transformers`."""
    probs = torch.cat(said.answers).float().softmax(-1)  # (masks, vocab)
    ids = list(said.note.ids)
    places = [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id]
    targets = options["targets"]
    candidates = None if targets is None else _targets(tokenizer, targets, config)
    if candidates is not None:
        probs = probs[:, candidates]
    scores, best = probs.topk(min(options["top_k"], probs.shape[1]))
    out = []
    for place, row_scores, row_best in zip(places, scores.tolist(), best.tolist(), strict=True):
        row = []
        for score, token in zip(row_scores, row_best, strict=True):
            token = token if candidates is None else candidates[token]
            filled = [*ids[:place], token, *ids[place + 1 :]]
            row.append({
                "score": score,
                "token": token,
                "token_str": tokenizer.decode([token]),
                "sequence": tokenizer.decode(filled, skip_special_tokens=len(places) == 1),
            })  # fmt: skip
        out.append(row)
    return out[0] if len(out) == 1 else out


def _targets(tokenizer: Tokenizer, targets: Any, config: Config) -> list[int]:
    """The ids of the words among which to choose; of a word that is several tokens, its first, which is said."""
    found: dict[int, None] = {}
    for n, target in enumerate([targets] if isinstance(targets, str) else targets):
        check_text(target, (f"targets[{n}],", f"targets[{n}],"))
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
            warnings.warn(
                localized(
                    f"the target {target!r:.40} is no single token; {token!r} is taken.",
                    f"el candidato {target!r:.40} no es un solo token; se toma {token!r}.",
                ),
                GatonegroWarning,
                stacklevel=6,
            )
        found[known] = None
    if not found or max(found) >= config.vocab_size:
        raise OptionError(
            "targets must name at least one word, all of the model's vocabulary.",
            "targets debe nombrar al menos una palabra, y todas del vocabulario del modelo.",
        )
    return sorted(found)


def wrap(inputs: Any, answers: Any, called_with: Mapping[str, Any]) -> Any:
    """A list of one text gives what that text gives alone: transformers' own oddity."""
    return answers[0] if isinstance(inputs, list) and len(inputs) == 1 else answers


FILL_MASK = Task(
    name="fill-mask",
    head="masked-lm",
    check=check_str,
    encode=encode,
    ask=ask,
    decode=decode,
    wrap=wrap,
    options={"top_k": 5, "targets": None, "truncation": False, "max_length": None},
    allowed={
        "top_k": (whole(1), ("a whole number of at least 1", "un número entero, 1 o más")),
        "targets": (
            lambda t: t is None or isinstance(t, str) or (isinstance(t, list) and all(isinstance(x, str) for x in t)),
            ("None, a word, or a list of words", "None, una palabra o una lista de palabras"),
        ),
        "truncation": FLAG,
        "max_length": LENGTH,
    },
    example="dccuchile/bert-base-spanish-wwm-cased",
)
