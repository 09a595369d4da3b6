"""Small random checkpoints of the generative families in the hub's format, readable by `transformers` 4 and 5.

Nothing here imports torch, `transformers` or gatonegro: tests/golden/make.py runs this module where only `transformers`
4 is installed, and the tests must then find the same bits. So weights are drawn per name, from generators whose streams
NumPy guarantees, without a logarithm or a square root in the way; and what SentencePiece learns is rounded.
"""

import io
import json
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

SPANISH = """El gato negro duerme en la casa vieja.
La profesora explica la lección con mucha paciencia.
¿Dónde está la biblioteca de la universidad?
¡Qué película tan buena hemos visto esta noche!
Mañana vamos a la playa si hace buen tiempo.
El perro y el gato son amigos desde hace años.
No entiendo por qué el tren siempre llega tarde.
Me gusta leer un libro cuando llueve.
La ciudad es grande, pero las calles son tranquilas.
Mi hermana trabaja en un hospital cerca del río.
Los niños juegan en el parque después de la escuela.
Ayer compramos pan, queso y tres manzanas verdes.
El café de la esquina cierra a las ocho.
Todo es sencillo cuando alguien lo explica bien.
El gobierno anunció una nueva ley sobre el agua.
Nunca he estado en un pueblo tan pequeño.
La montaña se ve desde la ventana de la cocina.
Escribe tu nombre aquí, por favor.
El equipo ganó el partido con dos goles al final.
Esta mañana el cielo estaba gris y hacía frío."""
ENGLISH = """The black cat sleeps in the old house.
The teacher explains the lesson with great patience.
Where is the library of the university?
What a good film we have seen tonight!
Tomorrow we are going to the beach if the weather is good.
The dog and the cat have been friends for years.
I don't understand why the train is always late.
I like to read a book when it rains.
The city is big, but the streets are quiet.
My sister works in a hospital near the river.
The children play in the park after school.
Yesterday we bought bread, cheese and three green apples.
The café on the corner closes at eight.
Everything is simple when someone explains it well.
The government announced a new law about water.
I have never been in such a small town.
The mountain can be seen from the kitchen window.
Write your name here, please.
The team won the match with two goals at the end.
This morning the sky was grey and it was cold."""
PREFIXES = "translate English to French: translate English to German: summarize: "

Writer = Callable[[Path], tuple[list[str], list[str]]]
Shapes = Iterator[tuple[str, tuple[int, ...]]]

GENERATION: dict[str, dict[str, Any]] = {
    "marian": {"max_length": 40, "num_beams": 4},
    "bart": {
        "bos_token_id": 0,
        "decoder_start_token_id": 2,
        "early_stopping": True,
        "eos_token_id": 2,
        "forced_bos_token_id": 0,
        "forced_eos_token_id": 2,
        "length_penalty": 2.0,
        "max_length": 28,
        "min_length": 10,
        "no_repeat_ngram_size": 3,
        "num_beams": 4,
        "pad_token_id": 1,
    },
    "t5": {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0},
    "t5-v1.1": {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0},
    "gpt2": {},
}
SEQ2SEQ = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_hidden_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "is_encoder_decoder": True,
    "max_position_embeddings": 64,
    "use_cache": True,
}
SUMMARY = {"early_stopping": True, "length_penalty": 2.0, "max_length": 30, "min_length": 8, "no_repeat_ngram_size": 3}
TASKS = {
    "summarization": {**SUMMARY, "num_beams": 4, "prefix": "summarize: "},
    "translation_en_to_de": {"max_length": 30, "num_beams": 4, "prefix": "translate English to German: "},
    "translation_en_to_fr": {"max_length": 30, "num_beams": 4, "prefix": "translate English to French: "},
}
T5 = {
    "architectures": ["T5ForConditionalGeneration"],
    "model_type": "t5",
    "d_model": 32,
    "d_kv": 16,  # of 4 heads 64, not the 32 of d_model
    "d_ff": 64,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "layer_norm_epsilon": 1e-6,
    "is_encoder_decoder": True,
    "n_positions": 128,
    "decoder_start_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "marian": {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        **SEQ2SEQ,
        "activation_function": "swish",
        "scale_embedding": True,
        "static_position_embeddings": True,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
    },
    "bart": {
        "architectures": ["BartForConditionalGeneration"],
        "model_type": "bart",
        **SEQ2SEQ,
        "activation_function": "gelu",
        "scale_embedding": False,
        **GENERATION["bart"],
        "prefix": " ",
        "task_specific_params": {"summarization": GENERATION["bart"] | {"prefix": " "}},
    },
    "t5": T5 | {"feed_forward_proj": "relu", "task_specific_params": TASKS},
    "t5-v1.1": T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "gpt2": {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "n_ctx": 64,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
        "n_positions": 64,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    },
}
KINDS = tuple(CONFIGS)
# chosen for some texts that end, few tokens that repeat, and no near ties
SEEDS = {"marian": 4, "bart": 11, "t5": 4, "t5-v1.1": 15, "gpt2": 0}


def make(kind: str, folder: Path, seed: int | None = None, tokenizer: Writer | None = None, **config: Any) -> Path:
    """Write a checkpoint of a kind, one of KINDS; `config` overrides config.json, not generation_config.json.

    `tokenizer` writes the tokenizer's files, and returns its tokens and those that are likely to be generated.
    """
    seed = SEEDS[kind] if seed is None else seed
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, known = (tokenizer or TOKENIZERS[kind])(folder)
    values: dict[str, Any] = CONFIGS[kind] | {"vocab_size": len(vocabulary), "torch_dtype": "float32"}
    generation = dict(GENERATION[kind])
    if kind == "marian":
        pad = vocabulary.index("<pad>")
        special = {"decoder_start_token_id": pad, "pad_token_id": pad, "bad_words_ids": [[pad]]}
        values |= special | {"decoder_vocab_size": len(vocabulary)} | generation
        generation |= special | {"eos_token_id": 0, "forced_eos_token_id": 0}
    if kind == "gpt2":
        generation |= {"bos_token_id": len(vocabulary) - 1, "eos_token_id": len(vocabulary) - 1}
        values |= generation
    values |= config
    write(folder / "config.json", values)
    write(folder / "generation_config.json", generation)
    loud = np.zeros((values["vocab_size"], 1))  # none is written of the ids that have no token
    for i, token in enumerate(vocabulary[: len(loud)]):
        loud[i] = 2 if token in ("</s>", "<|endoftext|>") else 1 if token in known else 0.25
    if kind == "marian":
        loud *= 0.3  # as scale_embedding multiplies by 5.7
    tensors = {name: draw(name, shape, seed, loud) for name, shape in sorted(SHAPES[kind](values))}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def draw(name: str, shape: tuple[int, ...], seed: int, loud: np.ndarray) -> np.ndarray:
    """Draw large weights, so that layers outweigh the residual; otherwise a tied head repeats the last token.

    Attention of BART and Marian gets smaller weights, since it hardly changes from one token to the next.
    """
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    values = random.random(shape) * 2 - 1
    if name.endswith(".attn.bias"):  # GPT-2's file has the causal mask
        return np.tril(np.ones(shape, np.float32))
    if "norm" in name or ".ln_" in name or name.startswith("ln_"):
        values = 0.1 * values + name.endswith("weight")
    elif name.endswith(".bias"):
        values *= 0.2
    elif name in ("shared.weight", "model.shared.weight", "wte.weight", "lm_head.weight"):
        values *= loud
    elif "v_proj" in name or "out_proj" in name:
        values *= 0.2
    elif "Attention.q" in name:
        values *= 0.15  # T5 does not divide by the square root of a head's width
    elif "relative_attention_bias" in name:
        values *= 6
    return values.astype(np.float32)


def dense(name: str, rows: int, columns: int) -> Shapes:
    yield f"{name}.weight", (rows, columns)
    yield f"{name}.bias", (rows,)


def norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def bart(config: dict[str, Any]) -> Shapes:
    """Return the tensors of BART or Marian: Marian computes its positions and does not normalise embeddings."""
    width, vocabulary = config["d_model"], config["vocab_size"]
    yield "model.shared.weight", (vocabulary, width)
    yield "final_logits_bias", (1, vocabulary)
    for side in ("encoder", "decoder"):
        stack, inner = f"model.{side}", config[f"{side}_ffn_dim"]
        if config["model_type"] == "bart":
            yield f"{stack}.embed_positions.weight", (config["max_position_embeddings"] + 2, width)
            yield from norm(f"{stack}.layernorm_embedding", width)
        for i in range(config[f"{side}_layers"]):
            layer = f"{stack}.layers.{i}"
            for attention in ("self_attn", "encoder_attn")[: 1 + (side == "decoder")]:
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    yield from dense(f"{layer}.{attention}.{part}", width, width)
                yield from norm(f"{layer}.{attention}_layer_norm", width)
            yield from dense(f"{layer}.fc1", inner, width)
            yield from dense(f"{layer}.fc2", width, inner)
            yield from norm(f"{layer}.final_layer_norm", width)


def t5(config: dict[str, Any]) -> Shapes:
    width, inner, heads = config["d_model"], config["d_ff"], config["num_heads"]
    gated = config["feed_forward_proj"].startswith("gated")
    yield "shared.weight", (config["vocab_size"], width)
    if not config.get("tie_word_embeddings", True):
        yield "lm_head.weight", (config["vocab_size"], width)
    for side, layers in (("encoder", config["num_layers"]), ("decoder", config["num_decoder_layers"])):
        yield f"{side}.final_layer_norm.weight", (width,)
        first = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        yield first, (config["relative_attention_num_buckets"], heads)
        for i in range(layers):
            names = ["SelfAttention", "EncDecAttention"][: 1 + (side == "decoder")]
            for j, attention in enumerate(names):
                layer = f"{side}.block.{i}.layer.{j}"
                for part in "qkv":
                    yield f"{layer}.{attention}.{part}.weight", (heads * config["d_kv"], width)
                yield f"{layer}.{attention}.o.weight", (width, heads * config["d_kv"])
                yield f"{layer}.layer_norm.weight", (width,)
            layer = f"{side}.block.{i}.layer.{len(names)}"
            for part in ("wi_0", "wi_1") if gated else ("wi",):
                yield f"{layer}.DenseReluDense.{part}.weight", (inner, width)
            yield f"{layer}.DenseReluDense.wo.weight", (width, inner)
            yield f"{layer}.layer_norm.weight", (width,)


def gpt2(config: dict[str, Any]) -> Shapes:
    """Return the tensors of GPT-2, as in the hub's "gpt2".

    Names have no prefix `transformer.`, the causal masks are among the tensors, and weights are (in, out).
    """
    width, positions = config["n_embd"], config["n_positions"]
    yield "wte.weight", (config["vocab_size"], width)
    yield "wpe.weight", (positions, width)
    yield from norm("ln_f", width)
    for i in range(config["n_layer"]):
        yield f"h.{i}.attn.bias", (1, 1, positions, positions)
        for norm_name in ("ln_1", "ln_2"):
            yield from norm(f"h.{i}.{norm_name}", width)
        for name, inputs, outputs in (
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width),
            ("mlp.c_proj", 4 * width, width),
        ):
            yield f"h.{i}.{name}.weight", (inputs, outputs)
            yield f"h.{i}.{name}.bias", (outputs,)


def train_pieces(path: Path, texts: Iterable[str], **options: Any) -> list[str]:
    """Train a SentencePiece model; scores are rounded, since their last bits depend on the C library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SWIG's, of its own types
        import sentencepiece
        from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]
    file = io.BytesIO()
    options = {"vocab_size": 200, "hard_vocab_limit": False, "character_coverage": 1.0, "minloglevel": 2} | options
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=file, num_threads=1, **options)
    model = ModelProto.FromString(file.getvalue())
    for piece in model.pieces:
        piece.score = round(piece.score, 3)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return [piece.piece for piece in model.pieces]


def marian_files(folder: Path) -> tuple[list[str], list[str]]:
    source = train_pieces(folder / "source.spm", SPANISH.splitlines())
    target = train_pieces(folder / "target.spm", ENGLISH.splitlines())
    vocabulary = ["</s>", "<unk>", *sorted({*source, *target} - {"<s>", "</s>", "<unk>"}), "<pad>"]
    write(folder / "vocab.json", {token: i for i, token in enumerate(vocabulary)})
    write(folder / "tokenizer_config.json", {"model_max_length": 64, "source_lang": "es", "target_lang": "en"})
    return vocabulary, target[3:]


def t5_files(folder: Path) -> tuple[list[str], list[str]]:
    texts = [*PREFIXES.split(": "), *SPANISH.splitlines(), *ENGLISH.splitlines()]
    ids = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    pieces = train_pieces(folder / "spiece.model", texts, **ids)
    write(folder / "tokenizer_config.json", {"model_max_length": 128})
    return [*pieces, *(f"<extra_id_{i}>" for i in reversed(range(100)))], pieces[3:]


def train_bytes(folder: Path, first: list[str], last: list[str]) -> tuple[list[str], list[str]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([SPANISH, ENGLISH], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    learnt = sorted(model["vocab"], key=model["vocab"].get)
    vocabulary = [*first, *learnt, *last]
    write(folder / "vocab.json", {token: i for i, token in enumerate(vocabulary)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    return vocabulary, learnt[len(alphabet) :]


def bart_files(folder: Path) -> tuple[list[str], list[str]]:
    write(folder / "tokenizer_config.json", {"model_max_length": 64})
    return train_bytes(folder, ["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])


def gpt2_files(folder: Path) -> tuple[list[str], list[str]]:
    write(folder / "tokenizer_config.json", {"model_max_length": 64})
    return train_bytes(folder, [], ["<|endoftext|>"])


SHAPES = {"marian": bart, "bart": bart, "t5": t5, "t5-v1.1": t5, "gpt2": gpt2}
TOKENIZERS = {
    "marian": marian_files,
    "bart": bart_files,
    "t5": t5_files,
    "t5-v1.1": t5_files,
    "gpt2": gpt2_files,
}
