import copy
import sys

import torch
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
encoder = AutoModel.from_pretrained(sys.argv[1])
average = copy.deepcopy(encoder).eval()
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.02)


def embed(model, texts):
    batch = tokenizer(texts, padding=True, truncation=True, max_length=16, return_tensors="pt")
    return F.normalize(model(**batch)[0][:, 0], dim=-1)


anchors = ["The black cat sleeps", "Where is the library?", "the train is late"]
positives = ["El gato negro duerme", "¿Dónde está la biblioteca?", "el tren llega tarde"]
for _ in range(3):
    similarity = embed(encoder, anchors) @ embed(encoder, positives).T / 0.5
    loss = F.cross_entropy(similarity, torch.arange(len(anchors)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for a, b in zip(average.parameters(), encoder.parameters(), strict=True):
        a.data.mul_(0.9).add_(b.data, alpha=0.1)
    print(round(loss.item(), 4))
with torch.inference_mode():
    print([round(x, 4) for x in (embed(average, anchors) * embed(average, positives)).sum(-1).tolist()])
