import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=3)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
for name, param in model.named_parameters():
    if name.startswith("bert."):
        param.requires_grad = False
print([name for name, param in model.named_parameters() if param.requires_grad])
for param in model.bert.encoder.layer[-1].parameters():
    param.requires_grad = True
model.bert.pooler.requires_grad_(True)
trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
print(f"{trainable} of {sum(p.numel() for p in model.parameters())} parameters are trained")

optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.05)
inputs = tokenizer(["El tren llega tarde", "Qué bien"], padding=True, return_tensors="pt")
before = model.bert.embeddings.word_embeddings.weight.clone()
for _ in range(3):
    loss = model(**inputs, labels=torch.tensor([0, 2])).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(round(loss.item(), 4))
print(torch.equal(before, model.bert.embeddings.word_embeddings.weight), model.classifier)
print(round(model.bert.encoder.layer[-1].output.dense.weight.abs().mean().item(), 4))
