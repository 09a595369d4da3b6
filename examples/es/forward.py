import numpy as np

from gatonegro import AutoTokenizer, native, pipeline
from gatonegro.native.encoder import embed, encode, head, split_heads
from gatonegro.operators.plain import softmax
from gatonegro.packing import pack

text = "The cat sleeps"
ids = AutoTokenizer.from_pretrained("demo-en")(text)["input_ids"]
model = native.load("demo-en", "sequence-classification", precision="fp32")
w, config = model.weights, model.config
print(len(ids), "tokens")  # → 5 tokens

packed = pack([ids], config)  # un lote de un texto
x = embed(w / "embeddings", config, packed)  # (t, hidden): un vector por token
print("embeddings", x.shape)  # → embeddings (5, 256)

for i in range(config.num_hidden_layers):
    layer = w / f"encoder.layers.{i}"
    attention, feed_forward = layer / "attention", layer / "feed_forward"
    q, k, v = split_heads(attention.linear(x, "query", "key", "value"), 3, config)  # (t, h, d) cada una
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])  # q·kᵀ / √d de cada cabeza
    probs = softmax(scores)  # cada fila suma 1
    context = np.einsum("hqk,khd->qhd", probs, v).reshape(x.shape)  # las cabezas, otra vez una junto a otra
    x = x + attention.linear(context, "output")  # suma y normalización
    x = layer.norm(x, "attention_add.norm", config.layer_norm_eps)
    wide = feed_forward.linear(x, "up", act=config.hidden_act)  # (t, wide): cuatro veces más números
    x = x + feed_forward.linear(wide, "down")
    x = layer.norm(x, "feed_forward_add.norm", config.layer_norm_eps)
    print("capa", i + 1, "q, k, v:", q.shape, "puntuaciones:", scores.shape, "ancha:", wide.shape, "salida:", x.shape)
# → capa 1 q, k, v: (5, 4, 64) puntuaciones: (4, 5, 5) ancha: (5, 1024) salida: (5, 256)
# → capa 2 q, k, v: (5, 4, 64) puntuaciones: (4, 5, 5) ancha: (5, 1024) salida: (5, 256)
library_x = encode(w, config, packed)  # el bucle de la biblioteca por las capas
print(np.allclose(x, library_x, atol=1e-5))  # → True

logits = head(w, config, "sequence-classification", x, packed)  # (n, labels), del primer token
(ours,) = softmax(logits)
labels = [config.id2label[i] for i in range(len(ours))]
print("cabeza", logits.shape, labels, ours.round(3))  # → cabeza (1, 2) ['NEGATIVE', 'POSITIVE'] [0.… 0.…]

clf = pipeline("sentiment-analysis", "demo-en", precision="fp32", top_k=None)
theirs = {answer["label"]: answer["score"] for answer in clf([text])[0]}
print(np.allclose(ours, [theirs[label] for label in labels], atol=1e-5))  # → True
