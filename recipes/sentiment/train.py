r"""Train `sentiment-es-en`, the built-in model: NEG / NEU / POS for Spanish and English.

    python recipes/sentiment --open --data ../shared/data --base ../shared/models/multilingual-e5-small-es-en
    python recipes/sentiment/release.py --data ../shared/data

Stages, see `STAGES`, one after another, each from what the one before left. Seeded, logged to
`OUT/<stage>/log.jsonl`, resumable: the same line goes on where a killed run stopped. Without `--base`, the encoder
comes from the hub's `intfloat/multilingual-e5-small`, whose vocabulary is larger. `--open` leaves out every source
whose terms do not let anyone use what is made of it. `--teachers` lets several models, not the one being trained, label
what has no label; `soup.py` makes one model of several seeds.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from data import (
    LABELS,
    SOURCES,
    TOKENS,
    Row,
    class_weights,
    dev_rows,
    emoji_rows,
    encode,
    labelled,
    one_pass,
    own_phrases,
    predict,
    self_labelled,
    shorten,
    vary,
)
from soup import soup
from torch import nn

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.models import Model, init_weights
from gatonegro.packing import pack
from gatonegro.tokenization import Tokenizer
from gatonegro.training import fit, has_bf16, layerwise_lr_groups, length_grouped_batches, optimize_for_training


@dataclass(frozen=True)
class Stage:
    """Training stage: its data and learning rates; it starts from the weights of the previous stage."""

    passes: float  # over the labelled data, weighted by `SOURCES`
    lr: float
    head_lr: float
    # log of NEU's relative frequency, added to its logit in the loss of texts annotated without NEU. -10000 removes NEU
    # from their loss; with that alone, short English reviews became NEU
    rare: float
    emoji: float = 0.0  # share of tweets used for predicting their emoji, see `ModelWithEmojiHead`
    phrases: int = 0  # repetitions of each of our own
    # number of unlabelled tweets to train on, labelled by `--teachers` or by the previous stage; if any, other
    # unlabelled texts are added
    tweets: int = 0
    smoothing: float = 0.0  # label smoothing
    decay: float = 1.0  # factor of the learning rate from a layer to the one below
    rdrop: float = 0.0  # weight of R-Drop: agreement of two answers with different dropout
    average: float = 0.0  # decay of an exponential moving average of the weights; 0 turns it off
    capitals: float = 0.06  # share of texts in capitals
    # earlier stages and their shares of the weights to start from; they also label the unlabelled texts
    mixed: tuple[tuple[str, float], ...] = ()


STAGES = {
    "first": Stage(passes=1.0, lr=8e-5, head_lr=5e-4, rare=-1e4, emoji=0.3, average=0.99),
    "second": Stage(
        passes=0.25,
        lr=6e-5,
        head_lr=2e-4,
        rare=-1.0,
        emoji=0.05,
        phrases=2,
        tweets=5_000,
        smoothing=0.05,
        decay=0.93,
        average=0.99,
    ),
    "third": Stage(
        passes=0.15,
        lr=3e-5,
        head_lr=1e-4,
        rare=-1.0,
        phrases=1,
        smoothing=0.05,
        decay=0.93,
        rdrop=1.0,
        average=0.98,
    ),
    "fourth": Stage(
        passes=0.3,
        lr=6e-5,
        head_lr=2e-4,
        rare=-1.0,
        phrases=2,
        tweets=16_000,
        smoothing=0.03,
        decay=0.93,
        average=0.99,
        mixed=(("first", 0.3), ("third", 0.7)),
    ),
    "fifth": Stage(
        passes=0.4,
        lr=4e-5,
        head_lr=1e-4,
        rare=-1.0,
        phrases=2,
        tweets=10_000,
        smoothing=0.03,
        decay=0.93,
        average=0.99,
        capitals=0.15,
        mixed=(("first", 0.1), ("third", 0.3), ("fourth", 0.6)),
    ),
}


class ModelWithEmojiHead(nn.Module):
    """Model in training, with a second head that predicts the emoji of a tweet; that head is dropped at the end.

    As DeepMoji, https://arxiv.org/abs/1708.00524.
    """

    def __init__(self, model: Model, kinds: int):
        super().__init__()
        self.model = model
        self.emoji = nn.Linear(model.config.hidden_size, kinds)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/ and parallel/")
    parser.add_argument("--base", default="intfloat/multilingual-e5-small", help="encoder to start from")
    parser.add_argument("--out", type=Path, help="by default runs/sentiment, or runs/sentiment-open")
    parser.add_argument("--open", action="store_true", help="only sources whose terms let anyone use the model")
    parser.add_argument("--teachers", type=Path, nargs="+", default=[], help="models that label what has no label")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--stop-after", type=int, help="stop each stage after this step, to be resumed")
    args = parser.parse_args(argv)
    out = args.out or Path("runs/sentiment-open" if args.open else "runs/sentiment")
    base = args.base
    for number, name in enumerate(STAGES):
        if name in args.stages:
            stage, seed, teachers = STAGES[name], args.seed + number, args.teachers
            earlier = [out / one / "model" for one, _ in stage.mixed]
            if earlier and all(folder.exists() for folder in earlier):
                soup(earlier, out / f"before-{name}", [share for _, share in stage.mixed])
                base, teachers = out / f"before-{name}" / "model", teachers or earlier
            train(stage, base, args.data, out / name, seed, args.open, args.stop_after, teachers)
            base = out / name / "model"


def train(
    stage: Stage,
    base: str | Path,
    data: Path,
    out: Path,
    seed: int,
    only_open: bool,
    stop_after: int | None,
    teachers: list[Path],
) -> None:
    """Run one stage; it writes `out/model`."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    labels = len(LABELS)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels)
    model.config.id2label = dict(enumerate(LABELS))
    optimize_for_training(model)
    rows = labelled(data / "sentiment", only_open)
    seen = one_pass(rows, stage.passes, rng)
    emoji, kinds = emoji_rows(data / "sentiment")
    seen += rng.sample(emoji, round(stage.emoji * len(emoji)))
    if stage.phrases:
        seen += own_phrases(rng) * stage.phrases
    if stage.tweets:
        known = [AutoModelForSequenceClassification.from_pretrained(one) for one in teachers] or [model]
        seen += self_labelled(known, tokenizer, data, only_open, rng, stage.tweets)
    whole = ModelWithEmojiHead(model, kinds)
    init_weights(whole.emoji, model.config.initializer_range)

    encoded = [shorten(ids) for ids in encode(tokenizer, [vary(r.text, rng, stage.capitals) for r in seen])]
    steps = length_grouped_batches([len(ids) for ids in encoded], TOKENS, rng)
    weights = class_weights(rows)
    print(f"{out}: {len(seen)} texts, {sum(map(len, encoded))} tokens, {len(steps)} steps", file=sys.stderr)

    def loss(batch: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        packed = pack([encoded[i] for i in batch], model.config, pad_to_multiple_of=64)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
            x = model.encode(packed)
        return label_loss(whole, stage, x[packed.first_tokens[: len(batch)]], [seen[i] for i in batch], weights)

    groups = layerwise_lr_groups(whole, stage.lr, stage.head_lr, decay=stage.decay)
    dev = dev_rows(data / "sentiment")
    fit(
        whole,
        steps,
        loss,
        groups,
        out=out,
        seed=seed,
        evaluate=lambda: score(model, tokenizer, dev),
        ema_decay=stage.average,
        rdrop=stage.rdrop,
        stop_after=stop_after,
    )
    model.save_pretrained(out / "model")
    tokenizer.save_pretrained(out / "model")


def label_loss(
    whole: ModelWithEmojiHead, stage: Stage, first: torch.Tensor, about: list[Row], weights: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean loss of rows from their first tokens (n, hidden), and their logits (n, 3)."""
    head, labels = whole.model.head, len(LABELS)
    pooled = head.dropout(head.activation(head.dense(first.float())))  # (n, hidden)
    guessed = torch.tensor([len(r.target) == 1 for r in about])
    target = torch.tensor([[0.0] * labels if len(r.target) == 1 else r.target for r in about])  # (n, 3)
    blind = torch.tensor([_blind(r) for r in about])
    scores = head.output(pooled) + blind[:, None] * torch.tensor([0.0, stage.rare, 0.0])  # (n, 3)
    # the two-label sources give nothing to the label they do not know
    knows = 1 - blind[:, None] * torch.tensor([0.0, 1.0, 0.0])
    target = target * (1 - stage.smoothing) + stage.smoothing * knows / knows.sum(1, keepdim=True)
    weight = torch.stack([_weight(r, weights) for r in about]).masked_fill(guessed, 0.0)
    total = (F.cross_entropy(scores, target, reduction="none") * weight).sum()
    if guessed.any():
        kind = torch.tensor([int(r.target[0]) for r in about])
        total = total + 0.25 * F.cross_entropy(whole.emoji(pooled[guessed]), kind[guessed], reduction="sum")
    return total / len(about), scores


def _blind(row: Row) -> bool:
    source = SOURCES.get((row.lang, row.source))
    return source is not None and not source.neutral


def _weight(row: Row, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the weight of a row: by the rarity of its label if people labelled it with NEU available, else 1."""
    if (row.lang, row.source) not in SOURCES or _blind(row):
        return torch.tensor(1.0)
    return weights[row.lang][row.label]


def score(model: Model, tokenizer: Tokenizer, rows: list[Row]) -> dict[str, float]:
    """Return accuracy for a source with two labels (NEU excluded), macro-F1 for three labels."""
    from sklearn.metrics import f1_score

    logits = predict(model, tokenizer, [r.text for r in rows])
    out = {}
    for lang, source in sorted({(r.lang, r.source) for r in rows}):
        at = [i for i, r in enumerate(rows) if (r.lang, r.source) == (lang, source)]
        gold = torch.tensor([rows[i].label for i in at])
        if SOURCES[lang, source].neutral:
            value = f1_score(gold, logits[at].argmax(1), average="macro", labels=[0, 1, 2], zero_division=0)
        else:
            value = (logits[at][:, [0, 2]].argmax(1) * 2 == gold).float().mean()
        out[f"{lang}.{source}"] = float(value)
    return out


if __name__ == "__main__":
    main()
