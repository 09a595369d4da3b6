r"""Train a finished sentiment model on two more tasks with the same trunk: entities and sentence vectors.

    python recipes/sentiment/multitask.py --open --data ../shared/data --base runs/sentiment-open/third/model

Three losses take turns, a batch each: labels of texts, as in `train.py`; tags of words, `entities.py`; translations
that must lie near each other, `vectors.py`. Entities and vectors read a lower layer, `--layer`. Seeded, logged,
resumable. Leaves `OUT/model`, the sentiment model, and `OUT/entities`, the trunk up to that layer with the head for
entities, whose tokens' mean is a text's vector.
"""

from __future__ import annotations

import argparse
import random
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import entities
import torch
import vectors
from data import (
    PAIRS,
    TOKENS,
    Row,
    allowed_licences,
    class_weights,
    dev_rows,
    encode,
    labelled,
    one_pass,
    own_phrases,
    shorten,
    vary,
)
from torch import Tensor, nn
from train import STAGES, ModelWithEmojiHead, label_loss, score

from gatonegro import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
from gatonegro.batching import plan
from gatonegro.models import Model, init_weights
from gatonegro.packing import Packed, pack
from gatonegro.tokenization import Tokenizer
from gatonegro.training import fit, has_bf16, layerwise_lr_groups, length_grouped_batches, optimize_for_training

Batch = tuple[str, list[int]]  # task, and indices of its rows


class MultitaskModel(ModelWithEmojiHead):
    """Sentiment model with a second head for entities, which reads a lower layer."""

    def __init__(self, model: Model, layer: int):
        super().__init__(model, kinds=1)
        self.layer = layer
        self.entities = nn.Linear(model.config.hidden_size, len(entities.TAGS))

    def lower(self, packed: Packed) -> Tensor:
        """Return the output of the layer that entities and vectors read: (t, hidden)."""
        with first_layers(self.model, self.layer), torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
            return self.model.encode(packed).float()


@contextmanager
def first_layers(model: Model, count: int):
    """Return the model truncated to its lowest layers."""
    layers = model.encoder.layers
    model.encoder.layers = layers[:count]
    try:
        yield
    finally:
        model.encoder.layers = layers


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/, ner/ and parallel/")
    parser.add_argument("--base", type=Path, required=True, help="a sentiment model, finished")
    parser.add_argument("--out", type=Path, default=Path("runs/multitask"))
    parser.add_argument("--open", action="store_true", help="only sources whose terms let anyone use the model")
    parser.add_argument("--layer", type=int, default=9, help="that entities and vectors read")
    parser.add_argument("--passes", type=float, default=0.4, help="through the labelled texts")
    parser.add_argument("--tagged", type=int, default=4, help="passes through the tagged sentences")
    parser.add_argument("--pairs", type=int, default=60_000, help="translations that are drawn")
    parser.add_argument("--fold", type=int, default=0, help="of the English tagged sentences, that is measured on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, help="stop after this step, to be resumed")
    args = parser.parse_args(argv)
    rng = random.Random(args.seed)
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.base)
    model = optimize_for_training(AutoModelForSequenceClassification.from_pretrained(args.base))
    whole, stage = MultitaskModel(model, args.layer), replace(STAGES["third"], rdrop=0.0)
    init_weights(whole.entities, model.config.initializer_range)

    rows = labelled(args.data / "sentiment", args.open)
    seen: list[Row] = one_pass(rows, args.passes, rng) + own_phrases(rng)
    texts = [shorten(ids) for ids in encode(tokenizer, [vary(r.text, rng) for r in seen])]
    weights = class_weights(rows)
    known, dev = entities.sentences(args.data / "ner", args.fold)
    tagged = [entities.encode(tokenizer, one) for one in known]
    allowed = {name: licence for name, licence in PAIRS.items() if licence in allowed_licences()}
    pairs = vectors.pairs(args.data / "parallel", allowed)
    pairs = rng.sample(pairs, min(args.pairs, len(pairs)))
    sides = [encode(tokenizer, list(side)) for side in zip(*pairs, strict=True)]

    batches: list[Batch] = [("labels", b) for b in length_grouped_batches([len(ids) for ids in texts], TOKENS, rng)]
    for _ in range(args.tagged):
        batches += [("entities", b) for b in length_grouped_batches([len(ids) for ids, _ in tagged], TOKENS, rng)]
    lengths = [len(a) + len(b) for a, b in zip(*sides, strict=True)]
    batches += [("vectors", b) for b in length_grouped_batches(lengths, 2 * TOKENS, rng)]
    rng.shuffle(batches)
    print(
        f"{len(seen)} texts, {len(tagged)} tagged sentences, {len(pairs)} pairs: {len(batches)} steps", file=sys.stderr
    )

    def loss(batch: Batch) -> Tensor:
        kind, some = batch
        if kind == "labels":
            packed = pack([texts[i] for i in some], model.config, pad_to_multiple_of=64)
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
                x = model.encode(packed)
            return label_loss(whole, stage, x[packed.first_tokens[: len(some)]], [seen[i] for i in some], weights)[0]
        if kind == "entities":
            packed = pack([tagged[i][0] for i in some], model.config, pad_to_multiple_of=64)
            tags = torch.tensor([t for i in some for t in tagged[i][1]])
            english = torch.tensor([known[i].lang == "en" for i in some for _ in tagged[i][1]])
            x = nn.functional.dropout(whole.lower(packed)[: len(tags)], 0.1, whole.training)
            return entities.loss(whole.entities(x), tags, english)
        return vectors.loss(*(vectors_of(whole, [side[i] for i in some]) for side in sides))

    fit(
        whole,
        batches,
        loss,
        layerwise_lr_groups(whole, stage.lr, 5e-4, decay=0.95),
        out=args.out,
        seed=args.seed,
        evaluate=lambda: measure(whole, tokenizer, dev, args.data),
        ema_decay=0.99,
        stop_after=args.stop_after,
    )
    save(whole, tokenizer, args.out)


def vectors_of(whole: MultitaskModel, ids: list[list[int]]) -> Tensor:
    """Return the vector of each text. (n, hidden)"""
    packed = pack(ids, whole.model.config, pad_to_multiple_of=64)
    lengths = tuple(map(len, ids))
    return vectors.means(whole.lower(packed)[: sum(lengths)], lengths)


@torch.inference_mode()
def measure(
    whole: MultitaskModel, tokenizer: Tokenizer, dev: list[entities.TaggedSentence], data: Path
) -> dict[str, float]:
    """Measure all tasks: the sets of `train.py`, span F1 of entities, and retrieval of translations among 2,000."""
    out = score(whole.model, tokenizer, dev_rows(data / "sentiment"))
    for lang, kinds in (("es", entities.KINDS), ("en", entities.KINDS[:3])):
        some = [entities.encode(tokenizer, one) for one in dev if one.lang == lang]
        gold: list[list[int]] = [[]] * len(some)
        found: list[list[int]] = [[]] * len(some)
        for batch in plan([len(ids) for ids, _ in some], 4096):
            packed = pack([some[i][0] for i in batch], whole.model.config, pad_to_multiple_of=64)
            answers = whole.entities(whole.lower(packed)).argmax(1).split(packed.lengths)
            for i, answer in zip(batch, answers[: len(batch)], strict=True):
                at = [j for j, tag in enumerate(some[i][1]) if tag != entities.SKIPPED]
                gold[i], found[i] = [some[i][1][j] for j in at], answer[at].tolist()
        out[f"entities.{lang}"] = entities.span_f1(gold, found, kinds)
    pairs = vectors.dev_pairs(data / "parallel")
    both = []
    for side in zip(*pairs, strict=True):
        ids = encode(tokenizer, list(side))
        rows = torch.empty(len(ids), whole.model.config.hidden_size)
        for batch in plan([len(one) for one in ids], 4096):
            rows[batch] = vectors_of(whole, [ids[i] for i in batch])
        both.append(rows)
    return out | {"retrieval": vectors.retrieval(*both)}


def save(whole: MultitaskModel, tokenizer: Tokenizer, out: Path) -> None:
    """Save `model`, and `entities`: the layers that entities read, as a separate checkpoint."""
    model = whole.model
    model.save_pretrained(out / "model")
    config = model.config.replace(id2label=dict(enumerate(entities.TAGS)), num_hidden_layers=whole.layer)
    lower = AutoModelForTokenClassification.from_config(config)
    with torch.no_grad():
        lower.embeddings.load_state_dict(model.embeddings.state_dict())
        for mine, its in zip(lower.encoder.layers, model.encoder.layers, strict=False):
            mine.load_state_dict(its.state_dict())
        lower.head.output.load_state_dict(whole.entities.state_dict())
    lower.save_pretrained(out / "entities")
    for name in ("model", "entities"):
        tokenizer.save_pretrained(out / name)


if __name__ == "__main__":
    main()
