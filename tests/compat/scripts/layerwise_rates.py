import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
lr, decay = 0.05, 0.5
layers = [model.roberta.embeddings, *model.roberta.encoder.layer]
layers.reverse()
groups = [{"params": model.classifier.parameters(), "lr": lr}]
for layer in layers:
    lr *= decay
    groups.append({"params": layer.parameters(), "lr": lr})
print([sum(p.numel() for p in list(layer.parameters())) for layer in layers])
optimizer = torch.optim.SGD(groups)
print([group["lr"] for group in optimizer.param_groups], len(optimizer.param_groups[1]["params"]))
inputs = tokenizer(["It is cold", "The city is big"], padding=True, return_tensors="pt")
for _ in range(3):
    outputs = model(**inputs, labels=torch.tensor([2, 1]))
    outputs.loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    model.zero_grad()
    print(round(outputs.loss.item(), 4), round(norm.item(), 4))
