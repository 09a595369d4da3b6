r"""Train `translate-es-en`, the built-in translator, one model for both directions.

    python recipes/translation --data ../shared/data --base ../shared/models/multilingual-e5-small-es-en

The encoder is the base's first layers, a BERT whose numbers are those of a BART encoder once what it adds for the first
segment is added to its positions; three layers of decoder begin as copies of some of its layers. Seeded, logged to
`OUT/log.jsonl`, resumable: the same line goes on where a killed run stopped. `--start FOLDER` goes on from a model that
was saved, with a new warm-up. `--rdrop 5` answers each batch twice. `--back FILE` adds the back-translations of
`back_translation.py`. `--scratch` leaves the base's numbers out, for comparison.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sacrebleu
import torch
import torch.nn.functional as F
from back_translation import read
from data import Example, dev_pairs, keep, kept, mono, own_pairs, pairs
from everyday import adequate
from everyday import rows as everyday_rows
from torch import Tensor
from variation import one_pass
from vocabulary import SPECIAL, TO, Sampler, cut

from gatonegro import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer
from gatonegro.families import family_of
from gatonegro.families.configuration import read_config
from gatonegro.generation import GenerationConfig
from gatonegro.models import LanguageModel
from gatonegro.packing import Layout, Packed, pack
from gatonegro.tokenization import Tokenizer
from gatonegro.training import fit, has_bf16, length_grouped_batches, optimize_for_training

START, PAD, END = SPECIAL.index("</s>"), SPECIAL.index("<pad>"), SPECIAL.index("</s>")
LAYERS = 8  # of the base's twelve: the last ones compute a text's vector, which is not needed here
COPIED = (1, 4, 7)  # of these, the layers that initialise the decoder's
TOKENS = 8192  # per step, source and target
MULTIPLE = 256  # pad batches to a multiple of so many tokens: few shapes to compile for
SMOOTHING = 0.1
MAX_SIDE_TOKENS = 200

CONFIG = {
    "model_type": "bart",
    "vocab_size": 16000,
    "d_model": 384,
    "encoder_layers": LAYERS,
    "encoder_attention_heads": 12,
    "encoder_ffn_dim": 1536,
    "decoder_layers": len(COPIED),
    "decoder_attention_heads": 12,
    "decoder_ffn_dim": 1536,
    "max_position_embeddings": 512,
    "activation_function": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "init_std": 0.02,
    "scale_embedding": False,
    "bos_token_id": 0,
    "pad_token_id": PAD,
    "eos_token_id": END,
    "decoder_start_token_id": START,
    "forced_eos_token_id": END,
    "is_encoder_decoder": True,
    "tie_word_embeddings": True,
    "languages": ["es", "en"],
}


@dataclass(frozen=True)
class Step:
    """Batch of source and target sequences of ids, without the final token."""

    read: list[list[int]]
    written: list[list[int]]


class Steps(Sequence[Step]):
    """Sequence of all training steps; each pass varies and tokenizes the pairs anew."""

    def __init__(self, passes: int, seed: int, examples, sampler: Sampler):
        self.passes, self.seed, self.examples, self.sampler = passes, seed, examples, sampler
        self.made, self.most = -1, passes * 10**6
        self.steps: list[Step] = []
        self._make(0)
        self.length = len(self.steps)

    def __len__(self) -> int:
        return min(self.most, self.passes * self.length)

    def __getitem__(self, step: int) -> Step:  # type: ignore[override]
        if step // self.length != self.made:
            self._make(step // self.length)
        return self.steps[step % self.length % len(self.steps)]

    def _make(self, number: int) -> None:
        rng = random.Random(self.seed * 1009 + number)
        rows = [encode(one, self.sampler, rng) for one in self.examples(rng)]
        rows = [(a, b) for a, b in rows if max(len(a), len(b)) <= MAX_SIDE_TOKENS]
        plan = length_grouped_batches([len(a) + len(b) for a, b in rows], TOKENS, rng)
        steps = [sorted((rows[i] for i in batch), key=lambda row: (len(row[0]), len(row[1]))) for batch in plan]
        self.steps = [Step(*map(list, zip(*step, strict=True))) for step in steps]  # type: ignore[arg-type]
        self.made = number


def encode(one: Example, sampler: Sampler, rng: random.Random | None = None) -> tuple[list[int], list[int]]:
    """Return the ids of source (`>>en<< … </s>`) and target (without its end); half of the texts are sampled."""
    draw = rng if rng is not None and rng.random() < 0.5 else None
    front = sampler.tokenizer.token_to_id(TO[one.to])
    return [front, *sampler(one.source, draw), END], sampler(one.target, draw)


def packed(step: Step, model: LanguageModel) -> tuple[Packed, Packed, Layout, Tensor]:
    """Return both sides packed and padded by a pair of pads, the layout of cross-attention, and the labels."""
    read, written = step.read, [[START, *ids] for ids in step.written]
    wanted = torch.tensor([i for ids in step.written for i in (*ids, END)])
    fill = [[PAD] * (MULTIPLE - sum(map(len, side)) % MULTIPLE) for side in (read, written)]
    a, b = pack([*read, fill[0]], model.config), pack([*written, fill[1]], model.config.decoder or model.config)
    return a, b, Layout(b.lengths, a.lengths), wanted


def loss_of(model: LanguageModel, step: Step, smoothing: float = SMOOTHING) -> tuple[Tensor, Tensor]:
    """Return the mean loss of the target's tokens, and the logits of all pieces for each of them."""
    read, written, cross, wanted = packed(step, model)
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
        x = model.decode(written, model.encode(read), cross)[: len(wanted)]
        scores = model.logits(x, written)
    return F.cross_entropy(scores.float(), wanted, label_smoothing=smoothing), scores


def begin(base: str | Path, rows: list[int], scratch: bool) -> LanguageModel:
    """Return a BART with the base's encoder layers and the base's vectors of the pieces that were kept."""
    config = read_config(family_of("bart"), {**CONFIG, "vocab_size": len(rows)})
    model = AutoModelForSeq2SeqLM.from_config(config)
    assert isinstance(model, LanguageModel)
    if scratch:
        return model
    source = AutoModel.from_pretrained(base)
    with torch.no_grad():
        old = source.embeddings
        new = torch.stack([old.tokens.weight[i] if i >= 0 else old.tokens.weight.mean(0) for i in rows])
        model.embeddings.tokens.weight.copy_(new)
        places = old.positions.weight + old.token_types.weight[0]
        for part in (model.embeddings, model.decoder_embeddings):
            part.positions.weight.zero_()
            part.positions.weight[2:].copy_(places[: len(part.positions.weight) - 2])
            part.norm.load_state_dict(old.norm.state_dict())
        source.encoder.layers = source.encoder.layers[:LAYERS]
        model.encoder.load_state_dict(source.encoder.state_dict())
        for layer, number in zip(model.decoder.layers, COPIED, strict=True):
            found = layer.load_state_dict(source.encoder.layers[number].state_dict(), strict=False)
            assert all(name.startswith("cross_attention") for name in found.missing_keys)
    return model


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/ and others")
    parser.add_argument("--base", type=Path, required=True, help="encoder to start from, whose pieces are kept")
    parser.add_argument("--start", type=Path, help="a model that was saved, to go on from")
    parser.add_argument("--back", type=Path, help="the file that back_translation.py wrote")
    parser.add_argument("--out", type=Path, default=Path("runs/translation"))
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--steps", type=int, help="at most so many in all, in the place of whole passes")
    parser.add_argument("--lr", type=float, default=5e-4, help="of the decoder")
    parser.add_argument("--encoder-lr", type=float, default=2e-4)
    parser.add_argument("--own", type=int, default=8000, help="pairs of our own that are made a pass; 0: none at all")
    parser.add_argument("--rdrop", type=float, default=0.0, help="how much two answers to a batch must agree")
    parser.add_argument("--scratch", action="store_true", help="random numbers in the place of the base's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, help="stop after this step, to be resumed")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    prepared, start = args.out / "pairs.tsv.gz", args.out / "begun"
    if not prepared.exists():
        keep(pairs(args.data), prepared)
    train = kept(prepared)
    if args.start and not start.exists():
        shutil.copytree(args.start, start)
    back = read(args.back) if args.back else []
    if not (start / "config.json").exists():
        texts = [text for pair in train for text in (pair.en, pair.es)]
        # films alone would be a third of all words
        texts += [s.text for lang in TO for s in mono(args.data, lang) if s.source != "imdb"]
        tokenizer, rows = cut(args.base, texts)
        begin(args.base, rows, args.scratch).save_pretrained(start)
        tokenizer.save(str(start / "tokenizer.json"))
        (start / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=2) + "\n", encoding="utf-8")
    model = AutoModelForSeq2SeqLM.from_pretrained(start)
    assert isinstance(model, LanguageModel)
    optimize_for_training(model)
    tokenizer = AutoTokenizer.from_pretrained(start)
    sampler = Sampler(tokenizer.backend_tokenizer)

    def examples(rng: random.Random) -> list[Example]:
        return one_pass(train, rng, own=own_pairs(args.own, rng) if args.own else (), back=back)

    steps = Steps(args.passes, args.seed, examples, sampler)
    if args.steps:
        steps.most = args.steps
    dev = dev_steps(args.data, sampler)
    print(f"{len(train)} pairs, {args.passes} passes of {steps.length} steps", file=sys.stderr)

    def evaluate() -> dict[str, float]:
        losses = {f"dev_{to}": mean_loss(model, of) for to, of in dev.items()}
        scores = {f"chrf_{to}": chrf(model, tokenizer, args.data, to) for to in TO}
        return losses | scores | {"everyday": everyday(model, tokenizer)}

    new = ("decoder.", "decoder_embeddings.", "head.")
    named = [(name, p) for name, p in model.named_parameters()]
    groups = [
        {
            "params": [p for n, p in named if n.startswith(new) == ours and (p.dim() > 1) == matrix],
            "lr": args.lr if ours else args.encoder_lr,
            "weight_decay": 0.01 if matrix else 0.0,
        }
        for ours in (True, False)
        for matrix in (True, False)
    ]
    fit(
        model,
        steps,
        lambda step: loss_of(model, step),
        groups,
        out=args.out,
        seed=args.seed,
        evaluate=evaluate,
        evaluate_every=max(50, steps.length // 2 // 50 * 50),
        ema_decay=0.999 if len(steps) > 2000 else 0.99,
        rdrop=args.rdrop,
        warmup_ratio=0.04,
        stop_after=args.stop_after,
    )
    model.save_pretrained(args.out / "model")
    tokenizer.save_pretrained(args.out / "model")


TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    "model_input_names": ["input_ids", "attention_mask"],
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "additional_special_tokens": list(TO.values()),
    "clean_up_tokenization_spaces": False,
}


def dev_steps(data: Path, sampler: Sampler, most: int = 400) -> dict[str, list[Step]]:
    """Return some pairs of each source of the dev set as steps, in both directions."""
    rows = dev_pairs(data)
    few = [row for source in sorted({r.source for r in rows}) for row in [r for r in rows if r.source == source][:most]]
    out = {}
    for to in TO:
        examples = [Example(r.es, r.en, "en") if to == "en" else Example(r.en, r.es, "es") for r in few]
        coded = [encode(one, sampler) for one in examples]
        coded.sort(key=lambda row: (len(row[0]), len(row[1])))
        out[to] = [Step(*map(list, zip(*coded[i : i + 128], strict=True))) for i in range(0, len(coded), 128)]
    return out


def mean_loss(model: LanguageModel, steps: list[Step]) -> float:
    counts = [sum(len(ids) + 1 for ids in step.written) for step in steps]
    losses = [float(loss_of(model, step, 0.0)[0]) * n for step, n in zip(steps, counts, strict=True)]
    return sum(losses) / sum(counts)


def chrf(model: LanguageModel, tokenizer: Tokenizer, data: Path, to: str, most: int = 60) -> float:
    """Return chrF of greedy translations of some pairs of each source of the dev set."""
    rows = dev_pairs(data)
    few = [row for source in sorted({r.source for r in rows}) for row in [r for r in rows if r.source == source][:most]]
    few.sort(key=lambda row: len(row.en))
    texts, wanted = ([row.es for row in few], [row.en for row in few])[:: 1 if to == "en" else -1]
    return sacrebleu.corpus_chrf(written(model, tokenizer, texts, to), [wanted]).score


def everyday(model: LanguageModel, tokenizer: Tokenizer) -> float:
    """Return the share of adequate greedy translations in the suite of everyday sentences."""
    right, suite = 0, everyday_rows()
    for to in TO:
        some = [row for row in suite if row["to"] == to]
        answers = written(model, tokenizer, [row["text"] for row in some], to)
        right += sum(adequate(row, answer) for row, answer in zip(some, answers, strict=True))
    return right / len(suite)


def written(model: LanguageModel, tokenizer: Tokenizer, texts: list[str], to: str) -> list[str]:
    """Return greedy translations of texts into a language."""
    ids = tokenizer([f"{TO[to]} {text}" for text in texts], truncation=True)["input_ids"]
    found = model.generate_ids(ids, options=GenerationConfig(max_new_tokens=100, eos_token_id=END, pad_token_id=PAD))
    return [tokenizer.decode(some[0].ids, skip_special_tokens=True) for some in found]


if __name__ == "__main__":
    main()
